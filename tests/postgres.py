"""Runs a command beside a real PostgreSQL: ``python -m tests.postgres COMMAND...``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.support.databases import server_for_tests


def main() -> int:
    """Run the command given, with XINQIAO_TEST_POSTGRES naming a server that lives as long as it does."""
    # Told to end, it ends the command, and the server is stopped.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with server_for_tests() as url:
        environ = os.environ | {"XINQIAO_TEST_POSTGRES": url.render_as_string(hide_password=False)}
        return subprocess.run(sys.argv[1:], env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
