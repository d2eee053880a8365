"""Landings of the same record type queue: whoever came first lands first, and others do not wait for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from gateway.clock import instant
from gateway.store import Store
from gateway.store.landing import hold_feed
from tests.conftest import NOW
from tests.gateway.store.landers import LANDED, STANDS, Lander
from tests.support.standing import feed

on_postgresql = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)

TYPE, OTHER = "complaint", "licence"


def places(folder: Path) -> int:
    """How many stand in the queues of a folder's databases, whoever's turn it is included, as the kernel tells it."""
    inode = str(folder.stat().st_ino)
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return sum("OFDLCK" in lock and lock[-3].rpartition(":")[2] == inode for lock in locks)


def waiting(store: Store) -> int:
    """How many stand at a lock that somebody else holds."""
    if store.engine.dialect.name == "sqlite":
        return places(store.settings.home) - 1
    stand = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with store.ask() as conn:
        return int(conn.execute(stand).scalar_one())


def wait_for(store: Store, number: int) -> None:
    """Until so many stand at a lock."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if waiting(store) == number:
            return
        time.sleep(0.01)
    raise AssertionError(f"{number} should wait")


@pytest.fixture(scope="module")
def crew() -> Iterator[Callable[[int], list[Lander]]]:
    """So many processes that land; those of the test before, unless they were killed."""
    members: list[Lander] = []

    def living(size: int) -> list[Lander]:
        members[:] = [one for one in members if one.is_alive]
        members.extend(Lander() for _ in range(size - len(members)))
        return members[:size]

    yield living
    for one in members:
        one.end()


Crew = Callable[[int], list[Lander]]


def test_whoever_came_first_lands_first(store: Store) -> None:
    landed: list[int] = []

    def land(number: int) -> None:
        with store.write() as conn:
            hold_feed(conn, TYPE, instant(NOW))
            landed.append(number)

    threads = [threading.Thread(target=land, args=(number,)) for number in range(4)]
    with store.write() as conn:
        hold_feed(conn, TYPE, instant(NOW))
        for number, thread in enumerate(threads, start=1):
            thread.start()
            wait_for(store, number)
    for thread in threads:
        thread.join()

    assert landed == [0, 1, 2, 3]


def test_whichever_process_came_first_lands_first(store: Store, crew: Crew) -> None:
    names = ["c", "a", "b"]

    with store.write() as conn:
        hold_feed(conn, TYPE, instant(NOW))
        for number, (one, name) in enumerate(zip(crew(3), names, strict=True), start=1):
            one.land(store, name)
            wait_for(store, number)

    assert [one.says() for one in crew(3)] == [LANDED] * 3
    assert [version.delivery_id for version in feed(store, TYPE)] == names


def test_who_is_killed_while_waiting_holds_nobody_up(store: Store, crew: Crew) -> None:
    first, second, third = crew(3)

    with store.write() as conn:
        hold_feed(conn, TYPE, instant(NOW))
        for number, one in enumerate((first, second, third), start=1):
            one.land(store, f"{number}")
            wait_for(store, number)
        second.kill()

    assert [one.says() for one in (first, third)] == [LANDED] * 2
    assert [version.delivery_id for version in feed(store, TYPE)] == ["1", "3"]


def test_who_is_killed_while_landing_holds_nobody_up_and_has_landed_nothing(store: Store, crew: Crew) -> None:
    killed, *others = crew(3)
    killed.land(store, "killed", stops=True)
    assert killed.says() == STANDS
    for number, one in enumerate(others, start=1):
        one.land(store, f"{number}")
        wait_for(store, number)

    killed.kill()

    assert [one.says() for one in others] == [LANDED] * 2
    assert [version.delivery_id for version in feed(store, TYPE)] == ["1", "2"]


@on_postgresql
def test_a_landing_of_another_record_type_does_not_wait(store: Store) -> None:
    with store.write() as conn:
        hold_feed(conn, TYPE, instant(NOW))
        with store.write() as other:
            other.execute(select(func.set_config("lock_timeout", "200", True)))
            assert hold_feed(other, OTHER, instant(NOW)).record_type == OTHER
