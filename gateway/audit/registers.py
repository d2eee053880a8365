"""Registers: tables that acts change row by row. Each act's entry carries a digest of every row as it leaves it.

So the log says what every certificate, grant and duty is now, and verification finds a row that was edited,
added or taken away beside it. Landing's tables are covered by roots instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from gateway.audit.problems import Problems
from gateway.store.metadata import metadata

REGISTERS = (
    "applications",
    "audit_holds",
    "certificate_requests",
    "certificates",
    "challenges",
    "duties_separation",
    "erasures",
    "grants",
    "people",
    "quotas",
    "signing_keys",
    "systems",
)
"""Names of the tables; a row may only be changed together with an entry that has `rows_told` of it."""

ROWS = "register_rows"
"""The fact under which an entry carries them: ``table/key=digest``, the digest empty for a row that is gone."""

# Encrypted words are erased when the law asks, and encrypted anew when keys change.
_LEFT_OUT = frozenset({"sealed"})


def rows_told(conn: Connection, *rows: tuple[Table, object]) -> dict[str, object]:
    """What an act's entry says about the rows it has just written.

    Args:
        rows: table and primary key of each; tables of `REGISTERS`.

    Raises:
        ValueError: a table that is no register.
    """
    return {ROWS: sorted(_told(conn, table, key) for table, key in rows)}


def _told(conn: Connection, table: Table, key: object) -> str:
    if table.name not in REGISTERS:
        raise ValueError(f"{table.name} is no register; there are {', '.join(REGISTERS)}")
    [column] = table.primary_key.columns
    row = conn.execute(select(table).where(column == key)).one_or_none()
    return f"{table.name}/{key}={row_digest(row) if row is not None else ''}"


def row_digest(row: Row[Any]) -> str:
    """SHA-256 over a row as JSON with sorted names, hex. Nulls are left out, so that a new column changes nothing."""
    said = {name: value for name, value in row._mapping.items() if value is not None and name not in _LEFT_OUT}
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    raise TypeError(f"a register holds no {type(value).__name__}")


def verify_registers(conn: Connection, told: Mapping[str, tuple[int | None, str]], problems: Problems) -> None:
    """Compare every row of every register with the newest entry that tells of it.

    Args:
        told: ``table/key`` -> place of that entry (None while it waits to be sealed) and digest.
    """
    left = dict(told)
    for name, row in _stored(conn):
        index, digest = left.pop(name, (None, None))
        if digest is None:
            problems.add(None, name, "没有审计条目说明此行", "no entry tells of this row")
        elif digest != row_digest(row):
            problems.add(index, name, "此行与审计条目不符", "the row is not as its entry left it")
    for name, (index, digest) in sorted(left.items()):
        if digest:
            problems.add(index, name, "此行缺失", "the row is gone, and its entry does not say so")


def _stored(conn: Connection) -> Iterator[tuple[str, Row[Any]]]:
    for name in REGISTERS:
        table = metadata.tables.get(name)
        if table is None:
            continue
        [column] = table.primary_key.columns
        rows = conn.execution_options(yield_per=5_000).execute(select(table).order_by(column))
        for row in rows:
            yield f"{name}/{row._mapping[column]}", row
