"""Column types of our own."""

from __future__ import annotations

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator


class Document(TypeDecorator[bytes]):
    """UTF-8 bytes kept as the database's text.

    The bytes that come out are the bytes that went in, and people who bring SQL can read them;
    as ``bytea`` they would be loaded as hexadecimal, twice as long.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> str | None:
        """To the database: text."""
        return None if value is None else value.decode()

    def process_result_value(self, value: str | bytes | None, dialect: Dialect) -> bytes | None:
        """From the database: bytes. SQLite gives back whatever somebody has put there, also a blob."""
        return value.encode() if isinstance(value, str) else value
