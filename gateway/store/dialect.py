"""Everything that statements and rows need of SQLite or PostgreSQL in another way: bulk load, upsert, streams.

How connections are opened and transactions begin, in which the two differ too, is in ``connecting``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from functools import lru_cache
from typing import Any, cast

import polars as pl
import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Insert,
    LargeBinary,
    MetaData,
    Select,
    Table,
    Text,
    Update,
    any_,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    literal,
    select,
    true,
    union_all,
)
from sqlalchemy import cast as cast_to
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from gateway.store.copying import HEADER, TRAILER, packed
from gateway.store.types import Document

FEW = 200
"""Rows or values that go along with a statement; more are loaded into a temporary table."""

_PIECE = 5_000
"""Rows written out at a time for COPY."""

_JOINED = 256
"""Rows whose texts the server joins: a few for each read of the network, and nothing to speak of in memory."""

_BLOCK = 64 * 1024
"""Bytes of streamed text handed on at a time."""


_GIVEN: ContextVar[str] = ContextVar("rows given")
"""The rows that go along with statements, as JSON."""


def one_of(conn: Connection, column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """Whether a column has one of the values, at most ``FEW``: one statement, planned once however many they are."""
    if conn.dialect.name != "postgresql":
        return column.in_(values)
    return column == any_(literal(list(values), ARRAY(_plain_type(column))))


def one_of_given(dialect_name: str, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """The same for values that come when the statement is executed, as its parameter ``name``."""
    if dialect_name != "postgresql":
        return column.in_(bindparam(name, expanding=True))
    return column == any_(bindparam(name, type_=ARRAY(_plain_type(column))))


def _plain_type(column: ColumnElement[Any]) -> LargeBinary | Text:
    return LargeBinary() if isinstance(column.type, LargeBinary) else Text()


def takes_rows(conn: Connection) -> bool:
    """Whether rows can be parameters, see ``rows_given``; where a temporary table costs nothing it is as good."""
    return conn.dialect.name == "postgresql"


def rows_given(name: str, columns: Sequence[Column[Any]]) -> FromClause:
    """Rows as a table that exists in a statement alone: one JSON text that the server takes apart, see ``giving``.

    A temporary table costs four statements, and as many rows in the database's own catalogue that it must clean
    up again; a small delivery spent more on those than on everything else. An array for each column cost our own
    processor more than the statement cost the server, once more in each statement that names the table.
    """
    # Asked for when a statement is executed: so the table, and statements that name it, are made once for all rows.
    written = cast_to(bindparam("rows_given", callable_=_GIVEN.get, type_=Text), JSON)
    given = func.json_to_recordset(written).table_valued(*(Column(c.name, c.type) for c in columns))
    return given.render_derived(name=name, with_types=True)


@contextmanager
def giving(columns: Sequence[Column[Any]], frame: pl.DataFrame) -> Iterator[None]:
    """Within it, and in this thread, the rows of tables of ``rows_given`` are those of a frame, at most ``FEW``.

    Args:
        columns: of the table; those that ``frame`` lacks are null.
    """
    by_name = {column.name: column for column in columns}
    # What is not said is null, as what is said to be.
    rows = [
        {name: _in_json(by_name[name], one) for name, one in row.items() if one is not None and name in by_name}
        for row in frame.to_dicts()
    ]
    # Written once, for every statement that names the table.
    before = _GIVEN.set(json.dumps(rows, ensure_ascii=False))
    try:
        yield
    finally:
        _GIVEN.reset(before)


def _in_json(column: Column[Any], value: Any) -> Any:
    """A value so that PostgreSQL reads it out of JSON as what it is."""
    if isinstance(value, bytes):
        return value.decode() if isinstance(column.type, Document) else "\\x" + value.hex()
    return value.isoformat() if isinstance(value, date) else value


def bulk_load(conn: Connection, table: Table, frame: pl.DataFrame) -> None:
    """Append ``frame`` to ``table`` by the quickest way that stays inside the transaction of ``conn``.

    Args:
        frame: its columns are columns of the table; Binary columns go to ``LargeBinary`` or ``Document``.
    """
    if frame.is_empty():
        return
    columns = [c for c in table.columns if c.name in frame.columns]
    frame = frame.select(c.name for c in columns)
    if conn.dialect.name == "postgresql":
        _copy(conn, table, frame, columns)
    else:
        documents = [c.name for c in columns if isinstance(c.type, Document)]
        _executemany(conn, table, frame.with_columns(pl.col(documents).cast(pl.String)))


def _executemany(conn: Connection, table: Table, frame: pl.DataFrame) -> None:
    dates = [name for name, dtype in frame.schema.items() if dtype in (pl.Date, pl.Datetime)]
    frame = frame.with_columns(pl.col(dates).cast(pl.String))
    statement = str(
        insert(table)
        .values(dict.fromkeys(frame.columns))
        .compile(dialect=sqlite.dialect(paramstyle="qmark"), column_keys=frame.columns)
    )
    # Compiled by SQLAlchemy from the table object; the driver's own executemany avoids a dict per row.
    driver = cast(sqlite3.Connection, conn.connection.driver_connection)
    driver.executemany(statement, frame.iter_rows())


def _copy(conn: Connection, table: Table, frame: pl.DataFrame, columns: Sequence[Column[Any]]) -> None:
    # The longest last, as ``packed`` likes them.
    columns = sorted(columns, key=lambda column: frame[column.name].estimated_size())
    frame = frame.select(column.name for column in columns)
    # In the binary format nothing is quoted, escaped or parsed, on neither side.
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    )
    if frame.height <= _PIECE:
        with _psycopg(conn).cursor().copy(statement) as copy:
            copy.write(HEADER + packed(frame, columns) + TRAILER)
        return
    # The next piece is written out while the server takes in the one before.
    with ThreadPoolExecutor(1) as ahead, _psycopg(conn).cursor().copy(statement) as copy:
        copy.write(HEADER)
        for rows in _one_ahead(ahead, frame.iter_slices(_PIECE), columns):
            copy.write(rows)
        copy.write(TRAILER)


def _one_ahead(ahead: Executor, pieces: Iterator[pl.DataFrame], columns: Sequence[Column[Any]]) -> Iterator[bytes]:
    waiting = ahead.submit(packed, next(pieces), columns)
    for piece in pieces:
        ready, waiting = waiting, ahead.submit(packed, piece, columns)
        yield ready.result()
    yield waiting.result()


def fetch(
    conn: Connection,
    query: Select[Any],
    schema: Mapping[str, pl.DataType | type[pl.DataType]],
    *,
    are_few: bool = False,
) -> pl.DataFrame:
    """The rows of a query as a frame, by the quickest way that stays inside the transaction of ``conn``.

    Args:
        schema: column names and dtypes, in the order of the query; text, whole numbers and bytes only.
        are_few: no more than fit into one answer.
    """
    if are_few or conn.dialect.name != "postgresql":
        rows = conn.execute(query).all()
        columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
        return pl.DataFrame([pl.Series(name, one, schema[name]) for name, one in zip(schema, columns, strict=True)])
    text, parameters = _written(conn, query)
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, NULL '\\N')").format(text)
    with _psycopg(conn).cursor().copy(statement, parameters) as copy:
        lines = b"".join(copy)
    if not lines:
        return pl.DataFrame(schema=schema)
    binary = [name for name, dtype in schema.items() if dtype == pl.Binary]
    written = {name: pl.String() if name in binary else dtype for name, dtype in schema.items()}
    frame = pl.read_csv(lines, has_header=False, schema=written, null_values="\\N")
    # Bytes are written as \\x and hexadecimal digits.
    return frame.with_columns(pl.col(name).str.slice(2).str.decode("hex") for name in binary)


def _psycopg(conn: Connection) -> psycopg.Connection[Any]:
    return cast(psycopg.Connection[Any], conn.connection.driver_connection)


def _written(conn: Connection, query: Select[Any]) -> tuple[sql.SQL, dict[str, Any]]:
    """A query for the driver itself: SQLAlchemy's own text, and its parameters beside it."""
    compiled = query.compile(dialect=conn.dialect)
    return sql.SQL(compiled.string), compiled.params


def fetch_bytes(conn: Connection, query: Select[bytes]) -> bytes:
    """The one value of a query for bytes, as it is: PostgreSQL otherwise writes them in hexadecimal digits."""
    if conn.dialect.name != "postgresql":
        return conn.execute(query).scalar_one()
    with _psycopg(conn).cursor(binary=True) as cursor:
        ((value,),) = cursor.execute(*_written(conn, query))
    return cast(bytes, value)


def stream_text(
    conn: Connection, text_of_row: ColumnElement[str], number: Column[int], first: int, last: int
) -> Iterator[bytes]:
    """A text for every row with ``first <= number <= last``, in order of ``number``, joined, in bounded memory.

    Yields:
        whole texts, some hundreds at a time.
    """
    if conn.dialect.name == "postgresql":
        return _copied(conn, text_of_row, number, first, last)
    here = select(text_of_row).where(number.between(first, last)).order_by(number)
    return _blocks(_stepped(conn, here))


def _copied(
    conn: Connection, text_of_row: ColumnElement[str], number: Column[int], first: int, last: int
) -> Iterator[bytes]:
    """The server joins the texts of ``_JOINED`` numbers; taking in row after row cost more than making them."""
    text, parameters = _written(conn, _joined_texts(text_of_row, number, first, last))
    # In the binary format nothing is quoted or escaped, on neither side.
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(text)
    with _psycopg(conn).cursor().copy(statement, parameters) as copy:
        # Text is taken for bytes: it is UTF-8 and is passed on as it is.
        copy.set_types(["int8", "bytea"])
        for expected, (begins, block) in zip(range(first, last + 1, _JOINED), copy.rows(), strict=True):
            if begins != expected:
                raise RuntimeError(f"the database gave block {begins} where {expected} was to come")
            if block is not None:
                yield block


def _joined_texts(text_of_row: ColumnElement[str], number: Column[int], first: int, last: int) -> Select[Any]:
    """A row for every ``_JOINED`` numbers. Demanding their order would make the server sort what lies in order."""
    starts = func.generate_series(*(literal(one, BigInteger) for one in (first, last, _JOINED)))
    start = starts.table_valued(Column("begins", BigInteger)).render_derived(name="starts")
    here = number.between(start.c.begins, start.c.begins + (_JOINED - 1)) & (number <= last)
    texts = select(text_of_row.label("text")).where(here).order_by(number).correlate(start).subquery()
    joined = select(func.string_agg(texts.c.text, literal("", Text)).label("block")).lateral("joined")
    return select(start.c.begins, joined.c.block).select_from(start.join(joined, true()))


def _stepped(conn: Connection, query: Select[Any]) -> Iterator[bytes]:
    compiled = query.compile(dialect=conn.dialect, compile_kwargs={"render_postcompile": True})
    driver = cast(sqlite3.Connection, conn.connection.driver_connection)
    cursor = driver.cursor()
    try:
        parameters = [compiled.params[name] for name in compiled.positiontup or ()]
        for (value,) in cursor.execute(compiled.string, parameters):
            yield value.encode()
    finally:
        cursor.close()


def _blocks(values: Iterator[bytes]) -> Iterator[bytes]:
    block: list[bytes] = []
    size = 0
    for value in values:
        block.append(value)
        size += len(value)
        if size >= _BLOCK:
            yield b"".join(block)
            block, size = [], 0
    if block:
        yield b"".join(block)


def hexadecimal(column: ColumnElement[bytes]) -> ColumnElement[str]:
    """Bytes as lower-case hexadecimal text, in the database."""
    return _Hexadecimal(column)


class _Hexadecimal(FunctionElement[str]):
    type = Text()
    inherit_cache = True


@compiles(_Hexadecimal, "postgresql")
def _hexadecimal_postgresql(element: _Hexadecimal, compiler: SQLCompiler, **kw: Any) -> str:
    return f"encode({compiler.process(element.clauses, **kw)}, 'hex')"


@compiles(_Hexadecimal, "sqlite")
def _hexadecimal_sqlite(element: _Hexadecimal, compiler: SQLCompiler, **kw: Any) -> str:
    return f"lower(hex({compiler.process(element.clauses, **kw)}))"


@contextmanager
def temporary(conn: Connection, name: str, columns: Sequence[Column[Any]]) -> Iterator[Table]:
    """A table that only this transaction sees, gone at the end of the block."""
    table = Table(name, MetaData(), *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")
    if conn.dialect.name == "sqlite":
        # A pooled connection may still carry one that an interrupted transaction left behind.
        table.drop(conn, checkfirst=True)
    table.create(conn, checkfirst=False)
    try:
        yield table
    finally:
        if conn.in_transaction() and not conn.invalidated and not _is_failed(conn):
            table.drop(conn, checkfirst=False)


def _is_failed(conn: Connection) -> bool:
    # PostgreSQL refuses every statement of a failed transaction; its temporary tables go with the rollback.
    driver = conn.connection.driver_connection
    return isinstance(driver, psycopg.Connection) and driver.info.transaction_status == TransactionStatus.INERROR


def overwrite_from_now(conn: Connection) -> None:
    """Let this connection overwrite what it replaces; PostgreSQL keeps old rows until ``forget_old_rows``."""
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("PRAGMA secure_delete=ON")


def forget_old_rows(engine: Engine, tables: Sequence[Table]) -> None:
    """Let go of what replaced or deleted rows said, which both databases keep lying about for a while."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        if conn.dialect.name == "postgresql":
            preparer = conn.dialect.identifier_preparer
            for table in tables:
                conn.exec_driver_sql(f"VACUUM {preparer.format_table(table)}")
        else:
            conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def insert_missing(conn: Connection, table: Table, frame: pl.DataFrame) -> int:
    """Insert the rows whose primary key is not there yet, as one set; returns how many were.

    Args:
        frame: columns of the table; no two rows with the same primary key.
    """
    if frame.is_empty():
        return 0
    columns = [Column(name, table.c[name].type) for name in frame.columns]
    with temporary(conn, f"incoming_{table.name}", columns) as incoming:
        bulk_load(conn, incoming, frame)
        return insert_missing_of(conn, table, select(incoming).where(true()))


def insert_missing_of(conn: Connection, table: Table, query: Select[Any]) -> int:
    """Insert the rows of a query whose primary key is not there yet; returns how many were.

    Args:
        query: its columns have the names of the table's; it has a WHERE, without which SQLite cannot tell ON CONFLICT
            from a join condition.
    """
    dialect_insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    statement = dialect_insert(table).from_select(query.selected_columns.keys(), query, include_defaults=False)
    return counted(conn, statement.on_conflict_do_nothing())


def counted(conn: Connection, statement: Insert | Update, parameters: Mapping[str, Any] | None = None) -> int:
    """Execute a statement; returns how many rows it wrote, which SQLAlchemy keeps of an INSERT only if asked to."""
    return conn.execute(statement, parameters, execution_options={"preserve_rowcount": True}).rowcount


def insert_missing_row(conn: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert one row unless its primary key is there; waits for another transaction that inserts the same key.

    Returns:
        whether it was inserted.
    """
    dialect_insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    return counted(conn, dialect_insert(table).values(row).on_conflict_do_nothing()) > 0


def has_table(conn: Connection, name: str) -> bool:
    """Whether a table of this name is there."""
    return inspect(conn).has_table(name)


def analyse(conn: Connection, table: Table, columns: Sequence[str]) -> None:
    """Let the planner count a table that has just been filled; it would not know that it is large."""
    if conn.dialect.name == "postgresql":
        names = ", ".join(map(conn.dialect.identifier_preparer.quote, columns))
        conn.exec_driver_sql(f"ANALYZE {conn.dialect.identifier_preparer.format_table(table)} ({names})")


def empty(conn: Connection, table: Table) -> None:
    """Remove every row, and the space they took."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(f"TRUNCATE {conn.dialect.identifier_preparer.format_table(table)}")
    else:
        conn.execute(delete(table))


_LANDING = {
    # A landing is one large act, not many: its sorts and hash tables stay in memory.
    "work_mem": "128MB",
    "maintenance_work_mem": "256MB",
    # Records are looked up by the index of their key: a scan of everything that ever landed would cost more each year.
    # Staged rows are read by the index of their order, so that they need not be sorted.
    "random_page_cost": "1.1",
    "enable_bitmapscan": "off",
    # The seal follows at once, and its commit cannot be on the disk without this one.
    "synchronous_commit": "off",
}


def landing_settings(dialect_name: str) -> list[ColumnElement[str]]:
    """Columns to be asked for once in the transaction that lands a delivery, for what they do until it ends."""
    if dialect_name != "postgresql":
        return []
    return [func.set_config(name, value, true()).label(name) for name, value in _LANDING.items()]


def count_up(conn: Connection, table: Table, key: Mapping[str, object], column: str, amount: int) -> int:
    """Add to a counter that begins at 0 with its row; returns the new value, which no other transaction gets.

    Args:
        key: the whole primary key of the row.
    """
    raised = _adding(conn.dialect.name, table, column).values({**key, column: amount}).returning(table.c[column])
    return int(conn.execute(raised).scalar_one())


def add(conn: Connection, table: Table, column: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Add to counters that each begin at 0 with their rows, in the order given.

    Args:
        rows: whole rows; no two of the same counter.
    """
    if len(rows) > _TOGETHER:
        conn.execute(_adding(conn.dialect.name, table, column), rows)
        return
    given = {f"{name}_{place}": value for place, row in enumerate(rows) for name, value in row.items()}
    conn.execute(_adding_together(conn.dialect.name, table, column, len(rows)), given)


_TOGETHER = 8
"""Rows of one statement, of which each number has its own; a statement for many rows costs the driver three."""


@lru_cache
def _adding_together(dialect_name: str, table: Table, column: str, rows: int) -> Any:
    # Not as VALUES of several rows, which SQLAlchemy compiles anew each time. Without a WHERE, SQLite cannot tell
    # ON CONFLICT from a join condition.
    given = [
        select(*(bindparam(f"{c.name}_{place}", type_=c.type).label(c.name) for c in table.c)).where(true())
        for place in range(rows)
    ]
    return _adding(dialect_name, table, column).from_select(
        table.c.keys(), union_all(*given) if rows > 1 else given[0], include_defaults=False
    )


@lru_cache
def _adding(dialect_name: str, table: Table, column: str) -> Any:
    row = (postgresql.insert if dialect_name == "postgresql" else sqlite.insert)(table)
    return row.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_={column: table.c[column] + row.excluded[column]}
    )
