"""Where benches land: new installations and empty databases of one server, gone at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.engine import make_url

from gateway.bench.postgres import database, recommended, running_postgres
from gateway.clock import utc_now
from gateway.home import initialise, open_home
from gateway.settings import Settings
from gateway.store import Store


@contextmanager
def server(settings: Settings, postgres: bool) -> Iterator[URL | None]:
    """The PostgreSQL that the settings name, else one of its own; None for SQLite."""
    if not postgres:
        yield None
    elif settings.database_url:
        yield make_url(settings.database_url)
    else:
        with running_postgres(recommended()) as url:
            yield url


@contextmanager
def empty_store(server: URL | None, number: int) -> Iterator[Store]:
    """A new installation with an empty database, gone at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="xinqiao-bench-") as folder:
        settings = Settings(home=Path(folder))
        if server is None:
            yield from _opened(settings)
            return
        with database(server, f"xinqiao_bench_{os.getpid()}_{number}") as url:
            yield from _opened(replace(settings, database_url=url.render_as_string(hide_password=False)))


@contextmanager
def empty_database(server: URL | None, number: int) -> Iterator[URL]:
    """A database with nothing in it for what is not ours, gone at the end of the block."""
    if server is not None:
        with database(server, f"xinqiao_peers_{os.getpid()}_{number}") as url:
            yield url
        return
    with tempfile.TemporaryDirectory(prefix="xinqiao-peers-") as folder:
        yield make_url(f"sqlite:///{folder}/peers.db")


def _opened(settings: Settings) -> Iterator[Store]:
    initialise(settings, utc_now())
    with open_home(settings) as store:
        yield store
