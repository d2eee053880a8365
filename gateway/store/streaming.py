"""A feed as lines of NDJSON, put together where the versions lie and streamed in bounded memory.

Each line is made from stored bytes by the database; nothing is parsed or written again on the way,
and what comes out is byte for byte ``gateway.access.projection.line``. Nothing here asks whether
the caller may: see ``gateway.access``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import Column, ColumnElement, LargeBinary, Text, cast, func, literal

from gateway.store import dialect
from gateway.store.engine import Store
from gateway.store.tables import versions_table

HEAD = ("seq", "op", "record_key", "uscc", "version", "source", "landed_at")
"""What stands before the record in a line, in this order: the columns of a version that its readers see."""

RANGE = 50_000
"""Positions that one query asks for. Positions have no gaps, so this bounds rows, sorting and memory alike; a query
for the whole feed would be planned as one sort of everything."""


def feed_lines(store: Store, record_type: str, after: int, until: int) -> Iterator[bytes]:
    """The versions at positions ``after < seq <= until``, oldest first, as NDJSON.

    Ranges are read one after the other, each in a transaction of its own: no version is ever altered but for
    ``superseded_seq``, which no line shows, so they need no common snapshot.

    Yields:
        whole lines, some hundreds at a time, each ending with a line feed.
    """
    versions = versions_table(record_type)
    line = _line(versions.c)
    for start in range(after, until, RANGE):
        with store.read() as conn:
            yield from dialect.stream_text(conn, line, versions.c.seq, start + 1, min(start + RANGE, until))


def _line(columns: Any) -> ColumnElement[str]:
    """The expression of one line: heads are words of ours and digits, which JSON needs no escapes for."""
    pieces: list[ColumnElement[str]] = []
    for name in HEAD:
        pieces += [literal(f'{"," if pieces else "{"}"{name}":', Text), _json(columns[name])]
    return reduce(add, [*pieces, literal(',"record":', Text), cast(columns.payload, Text), literal("}\n", Text)])


def _json(column: Column[Any]) -> ColumnElement[str]:
    if isinstance(column.type, LargeBinary):
        return _quoted(dialect.hexadecimal(column))
    if column.type.python_type is int:
        return cast(column, Text)
    return func.coalesce(_quoted(cast(column, Text)), literal("null", Text)) if column.nullable else _quoted(column)


def _quoted(text: ColumnElement[str]) -> ColumnElement[str]:
    return literal('"', Text) + text + literal('"', Text)
