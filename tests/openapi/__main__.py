"""``python -m tests.openapi SECONDS [DATABASE]``: schemathesis for so long altogether; ends with 1 at a finding.

Every kind of caller has its turn, on each database or the one that is named: a text that PostgreSQL cannot hold and
a number that SQLite cannot are different bad news.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from gateway.bench.postgres import database, running_postgres
from tests.openapi.trying import CALLERS, served, try_as

DATABASES = ("sqlite", "postgresql")


def main() -> int:
    """Try the gateway as each caller, and say how often something was found."""
    seconds, chosen = int(sys.argv[1]), sys.argv[2:] or DATABASES
    turn = max(10, seconds // (len(chosen) * len(CALLERS)))
    failed = []
    for name in chosen:
        with ExitStack() as stack:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xinqiao-openapi-")))
            url = ""
            if name == "postgresql":
                own = stack.enter_context(database(stack.enter_context(running_postgres()), "openapi"))
                url = own.render_as_string(hide_password=False)
            gateway = stack.enter_context(served(home, url))
            for caller in CALLERS:
                print(f"== {name}, {caller}", flush=True)  # noqa: T201 - what the target says
                if try_as(gateway, caller, turn):
                    failed.append(f"{name}, {caller}")
    print(f"findings: {failed or 'none'}", flush=True)  # noqa: T201 - as above
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
