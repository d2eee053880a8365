"""First rows, of a feed or of the entities: written without indexes, which are built afterwards, each in one go.

Keeping four indexes row by row is more than half of what a large first landing costs; sorting and writing them at the
end is a part of that. Nobody who reads the feed meanwhile waits: on PostgreSQL the rows go into partitions that are
made aside and take the place of the empty ones at the very end (docs/decisions/0047); on SQLite readers
keep the state that they began with. All of it belongs to the caller's transaction, so a crash leaves nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg.errors
from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    cast,
    func,
    insert,
    literal,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import OID
from sqlalchemy.dialects.postgresql.pg_catalog import pg_class, pg_index, pg_inherits
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.schema import AddConstraint
from sqlalchemy.sql import quoted_name

from gateway.store.tables import PARTITIONS, create_partitions, partition_bound, partition_name

WORTH_IT = 20_000
"""Rows of a feed from which on a first landing goes this way; below, making partitions costs more than it gains."""

_SORTED_AT_ONCE = 5_000_000
"""Rows up to which SQLite may sort for an index: it does so in memory, 65 bytes a row, whatever its cache."""

_SUFFIX = "_aside"

_CHECK = "is_in_its_place"

_WAIT_MS = 300
"""How long readers may have to stand behind us; less than PostgreSQL's ``deadlock_timeout``, so nobody is cancelled."""

_PAUSE_S = 0.5
"""How long they are let through between two attempts."""

PATIENCE_S = 30.0
"""How long to try to take the place of the empty partitions; after that the rows are inserted into them."""


def is_worth_it(conn: Connection, rows: int) -> bool:
    """Whether so many first rows of a feed should go this way."""
    return rows >= WORTH_IT and (conn.dialect.name == "postgresql" or rows <= _SORTED_AT_ONCE)


@contextmanager
def filled_aside(conn: Connection, table: Table) -> Iterator[Table]:
    """Where to put the first rows of an empty table; at the end of the block the table holds them, indexed.

    The caller holds the lock under which the table is written. Whoever reads afterwards waits until the transaction
    ends, so little should follow.
    """
    if conn.dialect.name != "postgresql":
        with _indexed_afterwards(conn, table):
            yield table
    elif not _are_ours(conn, table):
        yield table
    else:
        with _made_aside(conn, table) as filled:
            yield filled


@contextmanager
def _indexed_afterwards(conn: Connection, table: Table) -> Iterator[None]:
    for index in table.indexes:
        index.drop(conn, checkfirst=False)
    yield
    for index in table.indexes:
        index.create(conn, checkfirst=False)


def _is_partitioned(table: Table) -> bool:
    return bool(table.dialect_options["postgresql"]["partition_by"])


def _pieces(table: Table) -> list[str]:
    """Names of the tables in which the rows lie: the partitions, or the table itself."""
    return [partition_name(table, n) for n in range(PARTITIONS)] if _is_partitioned(table) else [table.name]


def _are_ours(conn: Connection, table: Table) -> bool:
    """Whether the pieces are those that we make, belong to us and to nobody else; an operator may have arranged it."""
    parts = select(pg_inherits.c.inhrelid).where(pg_inherits.c.inhparent == _oid(conn, table))
    pieces = select(pg_class.c.relname).where(
        pg_class.c.oid.in_(parts) if _is_partitioned(table) else pg_class.c.oid == _oid(conn, table),
        func.pg_has_role(pg_class.c.relowner, "USAGE"),
        literal_column("relacl").is_(None),
    )
    return set(conn.execute(pieces).scalars()) == set(_pieces(table))


@contextmanager
def _made_aside(conn: Connection, table: Table) -> Iterator[Table]:
    filled = table.to_metadata(MetaData(), name=table.name + _SUFFIX)
    if _is_partitioned(table):
        for column in filled.columns:
            column.comment = None  # partitions have none
    indexes = sorted(filled.indexes, key=lambda index: str(index.name))
    filled.indexes.clear()
    filled.primary_key.ddl_if(dialect="sqlite")  # its index is built afterwards as well
    filled.create(conn, checkfirst=False)
    if _is_partitioned(table):
        create_partitions(filled, conn)
    yield filled
    for index in indexes:
        index.name = quoted_name(f"{index.name}{_SUFFIX}", quote=None)
        index.create(conn, checkfirst=False)
    if _is_partitioned(table):
        _vouch(conn, table, filled)
    else:
        _add_key(conn, table, filled)
    if not (_is_locked(conn, table) and _is_empty(conn, table) and _exchange(conn, table, filled)):
        rows = select(filled).order_by(*_order(filled))
        conn.execute(insert(table).from_select(rows.selected_columns.keys(), rows, include_defaults=False))
        filled.drop(conn, checkfirst=False)


def _order(table: Table) -> list[Column[Any]]:
    """The order in which rows are written: that of the primary key."""
    return list(table.primary_key.columns)


def _add_key(conn: Connection, table: Table, filled: Table) -> None:
    quoted = conn.dialect.identifier_preparer.quote
    columns = ", ".join(quoted(column.name) for column in table.primary_key.columns)
    name = quoted(f"{table.primary_key.name}{_SUFFIX}")
    conn.exec_driver_sql(f"ALTER TABLE {quoted(filled.name)} ADD CONSTRAINT {name} PRIMARY KEY ({columns})")


def _vouch(conn: Connection, versions: Table, filled: Table) -> None:
    """Check now which rows lie in which partition, so that PostgreSQL need not while everybody waits."""
    oid = conn.execute(select(_oid(conn, versions))).scalar_one()
    for number in range(PARTITIONS):
        key = Column("record_key", LargeBinary)
        part = Table(partition_name(filled, number), MetaData(), key)
        check = CheckConstraint(func.satisfies_hash_partition(oid, PARTITIONS, number, key), name=_CHECK)
        part.append_constraint(check)
        conn.execute(AddConstraint(check))


def _is_locked(conn: Connection, table: Table) -> bool:
    """Wait until nobody reads the table, but let nobody wait long behind us."""
    until = time.monotonic() + PATIENCE_S
    name = conn.dialect.identifier_preparer.format_table(table)
    while True:
        try:
            with conn.begin_nested():
                conn.exec_driver_sql(f"SET LOCAL lock_timeout = {_WAIT_MS}")
                conn.exec_driver_sql(f"LOCK TABLE {name}")
                conn.exec_driver_sql("SET LOCAL lock_timeout TO DEFAULT")
            return True
        except OperationalError as error:
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise
            if time.monotonic() > until:
                return False
            time.sleep(_PAUSE_S)


def _is_empty(conn: Connection, table: Table) -> bool:
    return conn.execute(select(literal(1)).select_from(table).limit(1)).first() is None


def _exchange(conn: Connection, table: Table, filled: Table) -> bool:
    """Put what is filled in the place of what is empty, under its names, in one exchange with the server.

    Returns:
        False, with nothing changed, if something else in the database depends on what is empty.
    """
    steps = _partitions_exchanged(conn, table, filled) if _is_partitioned(table) else _exchanged(conn, table, filled)
    try:
        with conn.begin_nested():
            conn.exec_driver_sql("; ".join(steps))
    except DBAPIError as error:
        if not isinstance(error.orig, psycopg.errors.DependentObjectsStillExist):
            raise
        return False
    return True


def _exchanged(conn: Connection, table: Table, filled: Table) -> list[str]:
    quoted = conn.dialect.identifier_preparer.quote
    names = [str(index.name) for index in table.indexes] + [str(table.primary_key.name)]
    return [
        f"DROP TABLE {quoted(table.name)}",
        f"ALTER TABLE {quoted(filled.name)} RENAME TO {quoted(table.name)}",
        *(f"ALTER INDEX {quoted(name + _SUFFIX)} RENAME TO {quoted(name)}" for name in names),
    ]


def _partitions_exchanged(conn: Connection, versions: Table, filled: Table) -> list[str]:
    quoted = conn.dialect.identifier_preparer.quote
    before, after = _index_names(conn, versions), _index_names(conn, filled)
    steps = []
    for number in range(PARTITIONS):
        empty, full = (quoted(partition_name(table, number)) for table in (versions, filled))
        steps += [
            f"DROP TABLE {empty}",
            f"ALTER TABLE {quoted(filled.name)} DETACH PARTITION {full}",
            f"ALTER TABLE {quoted(versions.name)} ATTACH PARTITION {full} {partition_bound(number)}",
            f"ALTER TABLE {full} DROP CONSTRAINT {_CHECK}",
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
        .where(whole.c.indrelid == _oid(conn, table))
    )
    return {
        (of_whole.removesuffix(_SUFFIX), name.removeprefix(f"{table.name}_")): of_piece
        for of_whole, name, of_piece in found
    }


def _oid(conn: Connection, table: Table) -> ColumnElement[int]:
    return cast(func.to_regclass(conn.dialect.identifier_preparer.format_table(table)), OID)
