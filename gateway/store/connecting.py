"""How connections to SQLite and to PostgreSQL are opened, kept and trusted, and how their transactions begin."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import psycopg
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.store.turns import turn

BUSY_TIMEOUT_S = 60
"""How long a SQLite writer waits for another before it gives up, in seconds."""

TRUSTED_S = 2.0
"""A connection that was given back within so many seconds is taken to be one still."""

_RETURNED = "xinqiao_returned"

_FILE = "xinqiao_file"


def engine_options(url: str) -> dict[str, Any]:
    """Options of ``create_engine`` for the database named by ``url``."""
    if make_url(url).get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}}
    return {"pool_size": 10, "max_overflow": 20, "isolation_level": "READ COMMITTED"}


def prepare(engine: Engine) -> None:
    """Set up each new connection and the way transactions begin."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connected)
        event.listen(engine, "begin", _sqlite_begin)
    else:
        event.listen(engine, "checkin", _note_return)
        event.listen(engine, "checkout", partial(_demand_alive, engine))


def _sqlite_connected(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions by itself: _sqlite_begin says which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    # Empty for a database that lies in memory.
    _, _, record.info[_FILE] = cursor.execute("PRAGMA database_list").fetchone()
    cursor.close()


def _sqlite_begin(conn: Connection) -> None:
    write = conn.get_execution_options().get("xinqiao_write", False)
    conn.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def in_turn(conn: Connection) -> Iterator[None]:
    """Let a transaction that writes begin when it is its turn; PostgreSQL lets everybody queue for each lock anyway.

    Waiting for one's turn and for the write lock take one patience together. If it ends before the turn has come,
    ``BEGIN`` is left none, and says what it always says then.
    """
    file = conn.info.get(_FILE)
    if not file:
        yield
        return
    driver = cast(sqlite3.Connection, conn.connection.driver_connection)
    with turn(file, BUSY_TIMEOUT_S) as left_s:
        if left_s < BUSY_TIMEOUT_S:
            _be_patient(driver, left_s)
        try:
            yield
        finally:
            if left_s < BUSY_TIMEOUT_S:
                _be_patient(driver, BUSY_TIMEOUT_S)


def _be_patient(connection: sqlite3.Connection, seconds: float) -> None:
    connection.execute(f"PRAGMA busy_timeout={round(seconds * 1000)}").close()


def _note_return(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[_RETURNED] = time.monotonic()


def _demand_alive(engine: Engine, connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Ask a connection that has lain for a while whether it is still one; the pool takes another if it is not.

    One that a request gave back a moment ago is not asked: that would be a third of what a small read costs.
    """
    if time.monotonic() - record.info.get(_RETURNED, time.monotonic()) < TRUSTED_S:
        return
    try:
        engine.dialect.do_ping(connection)
    except psycopg.Error as error:
        raise DisconnectionError from error


def one_statement(engine: Engine) -> dict[str, Any]:
    """Execution options for asking by a single statement; SQLite begins a transaction without going anywhere."""
    return {"isolation_level": "AUTOCOMMIT"} if engine.dialect.name == "postgresql" else {}
