"""The queue of a SQLite database: what it costs to stand in it, when it ends, and what it leaves."""

from __future__ import annotations

import fcntl
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from gateway.settings import Settings
from gateway.store import Store, connecting, open_store
from gateway.store.turns import turn
from tests.gateway.store.test_queueing import places, wait_for

SHORT_S = 0.3


@pytest.fixture
def database(tmp_path: Path) -> str:
    """Of the queue alone: nothing is written to it."""
    return str(tmp_path / "xinqiao.db")


def refused(store: Store) -> OperationalError:
    """What a write that cannot begin ends with."""
    with pytest.raises(OperationalError) as caught, store.write():
        pass
    return caught.value


def busy_timeout_ms(conn: Connection) -> int:
    """How long SQLite would let this connection ask again."""
    return int(conn.execute(text("PRAGMA busy_timeout")).scalar_one())


@pytest.fixture
def impatient(sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store whose writers wait for a moment only."""
    monkeypatch.setattr(connecting, "BUSY_TIMEOUT_S", SHORT_S)
    with open_store(sqlite_settings) as store:
        yield store


def test_where_nobody_is_all_the_patience_is_left(database: str) -> None:
    with turn(database, 60.0) as first_s:
        pass
    with turn(database, 60.0) as again_s:
        pass

    assert (first_s, again_s) == (60.0, 60.0)


def test_of_those_who_come_at_once_no_two_are_at_it_together(database: str) -> None:
    at_it, most = [0], [0]
    together = threading.Barrier(4)

    def write_often() -> None:
        for _ in range(150):
            together.wait()
            with turn(database, 60.0) as left_s:
                assert left_s > 0
                at_it[0] += 1
                most[0] = max(most[0], at_it[0])
                time.sleep(0.0005)
                at_it[0] -= 1

    threads = [threading.Thread(target=write_often) for _ in range(together.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == [1]


def test_databases_of_one_folder_have_queues_of_their_own(tmp_path: Path) -> None:
    with turn(str(tmp_path / "one.db"), 60.0), turn(str(tmp_path / "other.db"), SHORT_S) as left_s:
        assert left_s == SHORT_S


def test_who_gives_up_does_not_hold_up_who_came_later(database: str) -> None:
    left: dict[str, float] = {}

    def wait(name: str, patience_s: float) -> None:
        with turn(database, patience_s) as left_s:
            left[name] = left_s

    impatient = threading.Thread(target=wait, args=("impatient", SHORT_S))
    patient = threading.Thread(target=wait, args=("patient", 60.0))
    with turn(database, 60.0):
        impatient.start()
        patient.start()
        impatient.join()
    patient.join()

    assert left["impatient"] == 0
    assert 0 < left["patient"] < 60.0


def test_a_child_that_was_started_meanwhile_keeps_no_place(database: str) -> None:
    with turn(database, 60.0):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    with turn(database, SHORT_S) as left_s:
        pass
    child.kill()
    child.wait()

    assert left_s == SHORT_S


def test_nothing_is_left_of_a_queue(sqlite_store: Store) -> None:
    home = sqlite_store.settings.home

    def write() -> None:
        with sqlite_store.write():
            pass

    waiting = threading.Thread(target=write)
    with sqlite_store.write():
        alone = sorted(home.iterdir())
        waiting.start()
        wait_for(sqlite_store, 1)
        in_queue = sorted(home.iterdir())
    waiting.join()

    assert in_queue == alone
    assert places(home) == 0


def test_waiting_for_the_turn_and_for_the_lock_is_one_patience(sqlite_store: Store) -> None:
    inside: list[int] = []

    def write() -> None:
        with sqlite_store.write() as conn:
            inside.append(busy_timeout_ms(conn))

    waiting = threading.Thread(target=write)
    with sqlite_store.write() as conn:
        inside.append(busy_timeout_ms(conn))
        waiting.start()
        wait_for(sqlite_store, 1)
        time.sleep(0.05)
    waiting.join()
    with sqlite_store.read() as one, sqlite_store.read() as other:
        afterwards = [busy_timeout_ms(one), busy_timeout_ms(other)]

    whole = connecting.BUSY_TIMEOUT_S * 1000
    assert inside[0] == whole
    assert 0 < inside[1] < whole
    assert afterwards == [whole, whole]


def test_patience_ends_as_it_does_where_nobody_queues(impatient: Store) -> None:
    with impatient.write():
        in_queue = refused(impatient)
    other = sqlite3.connect(impatient.settings.home / "xinqiao.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    at_the_lock = refused(impatient)
    other.close()

    for error in (in_queue, at_the_lock):
        assert isinstance(error.orig, sqlite3.OperationalError)
        assert (str(error.orig), error.orig.sqlite_errorname) == ("database is locked", "SQLITE_BUSY")
    assert str(in_queue) == str(at_the_lock)


def test_where_the_system_has_no_such_locks_nobody_queues_and_it_is_said_once(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A command that no kernel knows is refused as this one is by a kernel that does not know it.
    monkeypatch.setattr(fcntl, "F_OFD_GETLK", 9999)

    with capture_logs() as said, turn(database, 60.0), turn(database, 60.0) as left_s:
        assert left_s == 60.0

    assert said == [
        {
            "event": "writers do not queue, SQLite gives them no order",
            "log_level": "warning",
            "folder": str(Path(database).parent),
            "reason": "Invalid argument",
        }
    ]


def test_a_database_in_memory_has_no_queue(tmp_path: Path) -> None:
    with open_store(Settings(home=tmp_path, database_url="sqlite://")) as store, store.write() as conn:
        assert busy_timeout_ms(conn) == connecting.BUSY_TIMEOUT_S * 1000

        assert places(tmp_path) == 0
