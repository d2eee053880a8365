"""Opening the database and its two kinds of transaction: read and write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from sqlalchemy import Connection, Engine, create_engine

from gateway.settings import Settings
from gateway.store import connecting, counts


@dataclass(frozen=True)
class Store:
    """An open database with the settings it belongs to; as a context manager it is closed at the end of the block.

    Attributes:
        engine: pooled SQLAlchemy engine; safe to share between threads, not between processes.
        settings: of this installation.
    """

    engine: Engine
    settings: Settings

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one consistent state and writes nothing."""
        with self.engine.connect() as conn:
            yield conn

    @contextmanager
    def ask(self) -> Iterator[Connection]:
        """For one question by one statement, which sees a consistent state by itself; nothing is begun or ended."""
        with self.engine.connect().execution_options(**connecting.one_statement(self.engine)) as conn:
            yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed at the end of the block, or leaves nothing.

        On SQLite it takes the single write lock at once (``BEGIN IMMEDIATE``), so that it can
        never fail half-way because another writer came first; whoever asks first has it first.
        No thread may ask within its own transaction there: it would wait for itself.
        """
        with self.engine.connect() as conn:
            conn = conn.execution_options(xinqiao_write=True)
            with connecting.in_turn(conn), conn.begin(), counts.counting(conn):
                yield conn

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def open_store(settings: Settings) -> Store:
    """Open the database of an installation; ``gateway.home.initialise`` makes its tables.

    Raises:
        sqlalchemy.exc.OperationalError: on first use, when the database cannot be reached.
    """
    options = connecting.engine_options(settings.store_url)
    # Parameters are rows: an error that quotes them would carry personal data into logs and answers.
    engine = create_engine(settings.store_url, hide_parameters=True, **options)
    connecting.prepare(engine)
    return Store(engine=engine, settings=settings)
