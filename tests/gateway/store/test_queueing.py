"""Landings of the same record type queue: whoever came first lands first, and others do not wait for them."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import func, select, text

from gateway.clock import instant
from gateway.store import Store
from gateway.store.landing import hold_feed
from tests.conftest import NOW

on_postgresql = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)

TYPE, OTHER = "complaint", "licence"


def wait_for(store: Store, waiting: int) -> None:
    """Until so many stand at a lock."""
    until = time.monotonic() + 20
    stand = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while time.monotonic() < until:
        with store.ask() as conn:
            if conn.execute(stand).scalar_one() == waiting:
                return
        time.sleep(0.01)
    raise AssertionError(f"{waiting} should wait")


@on_postgresql
def test_whoever_came_first_lands_first(store: Store) -> None:
    landed: list[int] = []

    def land(number: int) -> None:
        with store.write() as conn:
            hold_feed(conn, TYPE, instant(NOW))
            landed.append(number)

    waiting = [threading.Thread(target=land, args=(number,)) for number in range(4)]
    with store.write() as conn:
        hold_feed(conn, TYPE, instant(NOW))
        for number, thread in enumerate(waiting, start=1):
            thread.start()
            wait_for(store, number)
    for thread in waiting:
        thread.join()

    assert landed == [0, 1, 2, 3]


@on_postgresql
def test_a_landing_of_another_record_type_does_not_wait(store: Store) -> None:
    with store.write() as conn:
        hold_feed(conn, TYPE, instant(NOW))
        with store.write() as other:
            other.execute(select(func.set_config("lock_timeout", "200", True)))
            assert hold_feed(other, OTHER, instant(NOW)).record_type == OTHER
