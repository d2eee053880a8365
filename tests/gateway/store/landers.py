"""Processes that land one row when they are told to: who waits for whom is under test, and who is killed meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.store.landing import hold_feed, land_frame
from tests.gateway.store.test_landing import AT, SOURCE, TYPE, staged

STANDS, LANDED = "stands", "landed"


class Lander:
    """One such process, as the test holds it."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.gateway.store.landers"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @property
    def is_alive(self) -> bool:
        """Whether it can be told anything."""
        return self._process.poll() is None

    def land(self, store: Store, name: str, *, stops: bool = False) -> None:
        """Let it land a row under its name, with a delivery of that name; or stop before it is committed."""
        asked = {"home": str(store.settings.home), "database_url": store.settings.database_url}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked | {"name": name, "stops": stops}) + "\n")
        self._process.stdin.flush()

    def says(self) -> str:
        """What it says next: that the row stands in its transaction, or that it has landed."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def kill(self) -> None:
        """Without any chance to put something in order."""
        self._process.kill()
        self.end()

    def end(self) -> None:
        """Let it come to its end, and take away what was held of it."""
        self._process.communicate()


def main() -> None:
    """Land what each line of the standard input asks for."""
    for line in sys.stdin:
        asked = json.loads(line)
        settings = Settings(home=Path(asked["home"]), database_url=asked["database_url"])
        with open_store(settings) as store, store.write() as conn:
            name = asked["name"]
            land_frame(conn, hold_feed(conn, TYPE, AT), staged({name: name}), source=SOURCE, delivery_id=name)
            if asked["stops"]:
                _say(STANDS)
                sys.stdin.readline()
        _say(LANDED)


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
