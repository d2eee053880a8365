"""Tables that were filled aside take the place of the empty ones on PostgreSQL, all of a landing's at once.

Whoever reads one of them waits from the exchange to the end of the transaction. So everything that takes long comes
before it, and an attempt that fails lets go of every lock (docs/decisions/0047).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg.errors
from sqlalchemy import ColumnElement, Connection, Table, cast, func, insert, literal, select
from sqlalchemy.dialects.postgresql import OID
from sqlalchemy.dialects.postgresql.pg_catalog import pg_class, pg_index, pg_inherits
from sqlalchemy.exc import DBAPIError

from gateway.store.tables import PARTITIONS, partition_bound, partition_name

SUFFIX = "_aside"
"""With what the names of tables, indexes and keys that are made aside end until they take their places."""

CHECK = "is_in_its_place"
"""Constraint by which PostgreSQL knows that the rows of a partition belong there."""

PATIENCE_S = 30.0
"""How long to try to take the place of what is empty; after that the rows are inserted into it."""

_WAIT_MS = 300
"""How long readers may have to stand behind us; less than PostgreSQL's ``deadlock_timeout``, so nobody is cancelled."""

_PAUSE_S = 0.5
"""How long they are let through between two attempts."""

_READY = "xinqiao_ready"


class _NotEmptyError(Exception):
    """There are rows where there should be none."""


@dataclass(frozen=True)
class Ready:
    """A table whose first rows are written and indexed aside.

    Attributes:
        table: the empty one.
        filled: what is to take its place.
        steps: statements that let it, none of which reads a row.
    """

    table: Table
    filled: Table
    steps: Sequence[str]


@contextmanager
def together(conn: Connection) -> Iterator[list[Ready]]:
    """What is put into the list takes its place at the end of the block; of nested blocks, of the outermost.

    Where that cannot be, the rows are inserted instead, before anything else takes its place.
    """
    outer = conn.get_execution_options().get(_READY)
    if outer is not None:
        yield outer
        return
    ready: list[Ready] = []
    conn.execution_options(**{_READY: ready})
    try:
        yield ready
    finally:
        conn.execution_options(**{_READY: None})
    while ready and (stuck := _stuck(conn, ready)):
        rows = select(stuck.filled).order_by(*stuck.filled.primary_key.columns)
        conn.execute(insert(stuck.table).from_select(rows.selected_columns.keys(), rows, include_defaults=False))
        stuck.filled.drop(conn, checkfirst=False)
        ready.remove(stuck)


def made_ready(conn: Connection, table: Table, filled: Table) -> Ready:
    """What an exchange will do, asked of the catalogue while nobody waits for the answer.

    Args:
        filled: of the same columns, with all indexes and keys, whose names end in ``SUFFIX``; where it is partitioned,
            every partition has a constraint ``CHECK``.
    """
    steps = _partitions_exchanged(conn, table, filled) if is_partitioned(table) else _exchanged(conn, table, filled)
    return Ready(table, filled, steps)


def is_partitioned(table: Table) -> bool:
    """Whether the rows lie in partitions on PostgreSQL."""
    return bool(table.dialect_options["postgresql"]["partition_by"])


def _stuck(conn: Connection, ready: Sequence[Ready]) -> Ready | None:
    """Let all of them take their places, or none of them, with no lock kept; returns one that cannot.

    It cannot if somebody reads it all the time, if it is not empty, or if something else in the database depends on it.
    """
    until = time.monotonic() + PATIENCE_S
    while True:
        one = ready[0]
        try:
            # One savepoint for both: only what fails in the savepoint in which a lock was taken lets go of it.
            with conn.begin_nested():
                for one in ready:
                    _lock(conn, one.table)
                for one in ready:
                    _exchange(conn, one)
        except _NotEmptyError:
            return one
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.errors.DependentObjectsStillExist):
                return one
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise
            if time.monotonic() > until:
                return one
            time.sleep(_PAUSE_S)
        else:
            return None


def _lock(conn: Connection, table: Table) -> None:
    """Wait until nobody reads the table, but let nobody wait long behind us; what follows has no such limit."""
    name = conn.dialect.identifier_preparer.format_table(table)
    conn.exec_driver_sql(f"SET LOCAL lock_timeout = {_WAIT_MS}; LOCK TABLE {name}; SET LOCAL lock_timeout TO DEFAULT")


def _exchange(conn: Connection, one: Ready) -> None:
    """Put what is filled in the place of what is empty, under its names, in one exchange with the server.

    Raises:
        _NotEmptyError: it is not empty after all; nothing is changed.
    """
    if conn.execute(select(literal(1)).select_from(one.table).limit(1)).first() is not None:
        raise _NotEmptyError
    conn.exec_driver_sql("; ".join(one.steps))


def _exchanged(conn: Connection, table: Table, filled: Table) -> list[str]:
    """What lets a table as a whole take its place."""
    quoted = conn.dialect.identifier_preparer.quote
    names = [str(index.name) for index in table.indexes] + [str(table.primary_key.name)]
    return [
        f"DROP TABLE {quoted(table.name)}",
        f"ALTER TABLE {quoted(filled.name)} RENAME TO {quoted(table.name)}",
        *(f"ALTER INDEX {quoted(name + SUFFIX)} RENAME TO {quoted(name)}" for name in names),
    ]


def _partitions_exchanged(conn: Connection, versions: Table, filled: Table) -> list[str]:
    """What lets partitions take their places in the table that stays."""
    quoted = conn.dialect.identifier_preparer.quote
    before, after = _index_names(conn, versions), _index_names(conn, filled)
    steps = []
    for number in range(PARTITIONS):
        empty, full = (quoted(partition_name(table, number)) for table in (versions, filled))
        steps += [
            f"DROP TABLE {empty}",
            f"ALTER TABLE {quoted(filled.name)} DETACH PARTITION {full}",
            f"ALTER TABLE {quoted(versions.name)} ATTACH PARTITION {full} {partition_bound(number)}",
            f"ALTER TABLE {full} DROP CONSTRAINT {CHECK}",
            f"ALTER TABLE {full} RENAME TO {empty}",
        ]
    steps += [f"ALTER INDEX {quoted(name)} RENAME TO {quoted(before[place])}" for place, name in after.items()]
    return [*steps, f"DROP TABLE {quoted(filled.name)}"]


def _index_names(conn: Connection, table: Table) -> dict[tuple[str, str], str]:
    """Index of the whole table and number of the partition -> name of the index of that partition."""
    of_table, of_part, part = (pg_class.alias(name) for name in ("of_table", "of_part", "part"))
    whole, piece = (pg_index.alias(name) for name in ("whole", "piece"))
    found = conn.execute(
        select(of_table.c.relname, part.c.relname, of_part.c.relname)
        .select_from(pg_inherits)
        .join(whole, whole.c.indexrelid == pg_inherits.c.inhparent)
        .join(piece, piece.c.indexrelid == pg_inherits.c.inhrelid)
        .join(of_table, of_table.c.oid == whole.c.indexrelid)
        .join(of_part, of_part.c.oid == piece.c.indexrelid)
        .join(part, part.c.oid == piece.c.indrelid)
        .where(whole.c.indrelid == oid_of(conn, table))
    )
    return {
        (of_whole.removesuffix(SUFFIX), name.removeprefix(f"{table.name}_")): of_piece
        for of_whole, name, of_piece in found
    }


def oid_of(conn: Connection, table: Table) -> ColumnElement[int]:
    """How PostgreSQL knows the table."""
    return cast(func.to_regclass(conn.dialect.identifier_preparer.format_table(table)), OID)
