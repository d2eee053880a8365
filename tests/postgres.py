"""Runs a command beside a real PostgreSQL: ``python -m tests.postgres COMMAND...``."""

from __future__ import annotations

import os
import subprocess
import sys

from gateway.bench.postgres import running_postgres


def main() -> int:
    """Run the command given, with XINQIAO_TEST_POSTGRES naming a server that lives as long as it does."""
    with running_postgres() as url:
        environ = os.environ | {"XINQIAO_TEST_POSTGRES": url.render_as_string(hide_password=False)}
        return subprocess.run(sys.argv[1:], env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
