"""First rows, of a feed or of the entities: written without indexes, which are built afterwards, each in one go.

Keeping four indexes row by row is more than half of what a large first landing costs; sorting and writing them at the
end is a part of that. Nobody who reads the feed meanwhile waits: on PostgreSQL the rows go into partitions that are
made aside and take the place of the empty ones at the very end (``exchanging``, docs/decisions/0047); on SQLite
readers keep the state that they began with. All of it belongs to the caller's transaction, so a crash leaves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql.pg_catalog import pg_class, pg_inherits
from sqlalchemy.schema import AddConstraint
from sqlalchemy.sql import quoted_name

from gateway.store.exchanging import CHECK, SUFFIX, is_partitioned, made_ready, oid_of, together
from gateway.store.tables import PARTITIONS, create_partitions, partition_name

WORTH_IT = 20_000
"""Rows from which on the first of a table go this way; below, making tables costs more than it gains."""

_SORTED_AT_ONCE = 5_000_000
"""Rows up to which SQLite may sort for an index: it does so in memory, 65 bytes a row, whatever its cache."""


@contextmanager
def filled_aside(conn: Connection, table: Table, rows: int) -> Iterator[Table]:
    """Where to put the first rows of an empty table; at the end of the block the table holds them, indexed.

    On PostgreSQL a block inside another only makes its rows ready, and all of them take their places at the end of the
    outermost. The caller holds the lock under which the table is written. Whoever reads afterwards waits until the
    transaction ends, so little should follow.

    Args:
        rows: about how many there will be; where it is not worth it the table itself takes them.
    """
    if not _is_worth_it(conn, rows):
        yield table
    elif conn.dialect.name != "postgresql":
        with _indexed_afterwards(conn, table):
            yield table
    elif not _are_ours(conn, table):
        yield table
    else:
        with together(conn) as ready:
            with _made_aside(conn, table) as filled:
                yield filled
            ready.append(made_ready(conn, table, filled))


def _is_worth_it(conn: Connection, rows: int) -> bool:
    """Whether there are enough rows for it, and for SQLite not too many."""
    return rows >= WORTH_IT and (conn.dialect.name == "postgresql" or rows <= _SORTED_AT_ONCE)


@contextmanager
def _indexed_afterwards(conn: Connection, table: Table) -> Iterator[None]:
    """The table itself has no indexes inside the block."""
    for index in table.indexes:
        index.drop(conn, checkfirst=False)
    yield
    for index in table.indexes:
        index.create(conn, checkfirst=False)


def _pieces(table: Table) -> list[str]:
    """Names of the tables in which the rows lie: the partitions, or the table itself."""
    return [partition_name(table, n) for n in range(PARTITIONS)] if is_partitioned(table) else [table.name]


def _are_ours(conn: Connection, table: Table) -> bool:
    """Whether the pieces are those that we make, belong to us and to nobody else; an operator may have arranged it."""
    parts = select(pg_inherits.c.inhrelid).where(pg_inherits.c.inhparent == oid_of(conn, table))
    pieces = select(pg_class.c.relname).where(
        pg_class.c.oid.in_(parts) if is_partitioned(table) else pg_class.c.oid == oid_of(conn, table),
        func.pg_has_role(pg_class.c.relowner, "USAGE"),
        literal_column("relacl").is_(None),
    )
    return set(conn.execute(pieces).scalars()) == set(_pieces(table))


@contextmanager
def _made_aside(conn: Connection, table: Table) -> Iterator[Table]:
    """A table of the same columns to be filled in the block, at whose end it gets all that an exchange asks for."""
    filled = table.to_metadata(MetaData(), name=table.name + SUFFIX)
    if is_partitioned(table):
        for column in filled.columns:
            column.comment = None  # partitions have none
    indexes = sorted(filled.indexes, key=lambda index: str(index.name))
    filled.indexes.clear()
    filled.primary_key.ddl_if(dialect="sqlite")  # its index is built afterwards as well
    filled.create(conn, checkfirst=False)
    if is_partitioned(table):
        create_partitions(filled, conn)
    yield filled
    for index in indexes:
        index.name = quoted_name(f"{index.name}{SUFFIX}", quote=None)
        index.create(conn, checkfirst=False)
    if is_partitioned(table):
        _vouch(conn, table, filled)
    else:
        _add_key(conn, table, filled)


def _add_key(conn: Connection, table: Table, filled: Table) -> None:
    """Build the index of the primary key, under a name that is free."""
    quoted = conn.dialect.identifier_preparer.quote
    columns = ", ".join(quoted(column.name) for column in table.primary_key.columns)
    name = quoted(f"{table.primary_key.name}{SUFFIX}")
    conn.exec_driver_sql(f"ALTER TABLE {quoted(filled.name)} ADD CONSTRAINT {name} PRIMARY KEY ({columns})")


def _vouch(conn: Connection, versions: Table, filled: Table) -> None:
    """Check now which rows lie in which partition, so that PostgreSQL need not while everybody waits."""
    oid = conn.execute(select(oid_of(conn, versions))).scalar_one()
    for number in range(PARTITIONS):
        key = Column("record_key", LargeBinary)
        part = Table(partition_name(filled, number), MetaData(), key)
        check = CheckConstraint(func.satisfies_hash_partition(oid, PARTITIONS, number, key), name=CHECK)
        part.append_constraint(check)
        conn.execute(AddConstraint(check))
