"""``python -m connectors.sandbox --home DIR``: start, print one JSON line with addresses, run until SIGTERM."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from connectors.sandbox.serve import start


def main() -> int:
    """Run the sandbox agencies until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m connectors.sandbox", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="where keys, folders and the database go")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same world (default 7)")
    parser.add_argument("--size", type=int, default=300, help="number of entities (default 300)")
    parser.add_argument("--dirt", type=float, default=0.03, help="share of dirty rows (default 0.03)")
    asked = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    sandbox = start(asked.home, asked.seed, asked.size, share=asked.dirt)
    line = {
        "connections": sandbox.connections(),
        "control": {"url": sandbox.control_url, "token": sandbox.control_token},
        "home": str(sandbox.home),
        "showcase_uscc": sandbox.world.showcase_uscc,
    }
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    ended.wait()
    sandbox.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
