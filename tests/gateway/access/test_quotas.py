"""Quotas: exactly as many as allowed, over every process, and no system pays for another."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gateway.access.errors import Busy, QuotaExceeded
from gateway.access.quotas import Meter, Quota, read_quota, records_left, set_quota, take_records, usage
from gateway.access.tables import quota_use
from gateway.settings import Settings
from gateway.store import Store, open_store

ONE, OTHER = "urn:xinqiao:customs:one", "urn:xinqiao:customs:other"
NOW = datetime(2026, 11, 21, 2, 0, 20, tzinfo=UTC)


def given(store: Store, urn: str = ONE, **quota: int) -> Quota:
    with store.write() as conn:
        set_quota(conn, urn, Quota(**quota), "test", NOW)
    return Quota(**quota)


def reads(meter: Meter, store: Store, times: int, urn: str = ONE, now: datetime = NOW) -> int:
    """How many of so many reads are admitted."""
    admitted = 0
    for _ in range(times):
        try:
            with meter.admitted(store, urn, now):
                admitted += 1
        except QuotaExceeded:
            continue
    return admitted


def refusal(meter: Meter, store: Store, urn: str = ONE, now: datetime = NOW) -> QuotaExceeded:
    with pytest.raises(QuotaExceeded) as caught, meter.admitted(store, urn, now):
        pass
    return caught.value


@pytest.mark.parametrize("limit", [1, 10, 1000])
def test_as_many_reads_are_admitted_as_the_quota_has(store: Store, limit: int) -> None:
    quota = given(store, requests=limit, period_s=60)

    assert reads(Meter(), store, limit + 20) == limit
    with store.read() as conn:
        assert usage(conn, ONE, quota, NOW) == {"requests": limit, "records": 0}


def test_the_refusal_says_when_to_come_back_and_then_it_is_so(store: Store) -> None:
    given(store, requests=1, period_s=60)
    meter = Meter()
    reads(meter, store, 1)

    error = refusal(meter, store)

    # The period of 60 seconds that holds 02:00:20 ends at 02:01:00.
    assert (error.code, error.details["retry_after_s"], error.zh != error.en) == ("quota_exceeded", 40, True)
    assert reads(meter, store, 5, now=NOW + timedelta(seconds=40)) == 1


def test_one_system_does_not_pay_for_another(store: Store) -> None:
    given(store, requests=3, period_s=60)
    given(store, OTHER, requests=3, period_s=60)
    meter = Meter()

    assert (reads(meter, store, 50), reads(meter, store, 50, OTHER)) == (3, 3)


def test_the_log_is_told_once_in_a_period(store: Store) -> None:
    given(store, requests=1, period_s=60)
    meter = Meter()
    reads(meter, store, 1)

    told = [refusal(meter, store).is_first for _ in range(3)]

    assert told == [True, False, False]
    later = NOW + timedelta(seconds=60)
    reads(meter, store, 1, now=later)
    assert refusal(meter, store, now=later).is_first


def _many(settings: Settings, times: int, count: Any) -> None:
    with open_store(settings) as store:
        count.put(reads(Meter(), store, times))


@pytest.mark.serial
@pytest.mark.parametrize("limit", [100])
def test_several_processes_together_admit_exactly_the_quota(store: Store, limit: int) -> None:
    given(store, requests=limit, period_s=60)
    spawning = multiprocessing.get_context("spawn")
    counted = spawning.Queue()
    working = [spawning.Process(target=_many, args=(store.settings, limit, counted)) for _ in range(2)]
    for one in working:
        one.start()
    admitted = [counted.get(timeout=60) for _ in working]
    for one in working:
        one.join()

    assert sum(admitted) == limit


def test_records_are_counted_with_the_read_that_shows_them(store: Store) -> None:
    quota = given(store, records=10)
    with store.write() as conn:
        take_records(conn, ONE, quota, 7, NOW)
    with pytest.raises(QuotaExceeded), store.write() as conn:
        take_records(conn, ONE, quota, 4, NOW)

    with store.read() as conn:
        assert records_left(conn, ONE, quota, NOW) == 3
    with store.write() as conn:
        take_records(conn, ONE, quota, 3, NOW)
    with store.read() as conn, pytest.raises(QuotaExceeded) as caught:
        records_left(conn, ONE, quota, NOW)
    # Midnight in Shanghai is 16:00 UTC; 13 hours, 59 minutes and 40 seconds to go.
    assert caught.value.details["retry_after_s"] == 50_380
    with store.read() as conn:
        assert records_left(conn, ONE, quota, NOW + timedelta(hours=14)) == 10


def test_without_a_quota_nothing_is_counted(store: Store) -> None:
    assert reads(Meter(), store, 10) == 10

    with store.read() as conn:
        assert conn.execute(select(quota_use)).all() == []


def test_a_system_without_a_quota_of_its_own_has_that_of_the_settings(store: Store) -> None:
    settings = Settings(home=store.settings.home, quota_requests=5, quota_records=6)
    given(store, OTHER, requests=1, period_s=10)

    with store.read() as conn:
        assert read_quota(conn, ONE, settings) == Quota(5, 60, 6)
        assert read_quota(conn, OTHER, settings) == Quota(1, 10, 0)


def test_what_was_used_in_earlier_periods_is_not_kept(store: Store) -> None:
    given(store, requests=5, period_s=60)
    meter = Meter()
    for minute in range(3):
        reads(meter, store, 9, now=NOW + timedelta(minutes=minute))

    with store.read() as conn:
        assert len(conn.execute(select(quota_use)).all()) == 1


@pytest.fixture
def inside() -> Iterator[ExitStack]:
    """Reads that are under way until the test ends."""
    with ExitStack() as stack:
        yield stack


def test_a_system_alone_may_use_every_place(sqlite_store: Store, inside: ExitStack) -> None:
    meter = Meter(places=4)

    for _ in range(4):
        inside.enter_context(meter.admitted(sqlite_store, ONE, NOW))


def test_beside_others_no_system_holds_every_place(sqlite_store: Store, inside: ExitStack) -> None:
    meter = Meter(places=4)
    with meter.admitted(sqlite_store, OTHER, NOW):
        pass
    for _ in range(3):
        inside.enter_context(meter.admitted(sqlite_store, ONE, NOW))

    with pytest.raises(Busy) as caught, meter.admitted(sqlite_store, ONE, NOW):
        pass

    assert caught.value.details == {"retry_after_s": 1}
    inside.enter_context(meter.admitted(sqlite_store, OTHER, NOW))
