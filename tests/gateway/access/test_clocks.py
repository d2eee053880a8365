"""The clocks of applications: their day, what is late, and that the log is told once."""

from __future__ import annotations

from datetime import UTC, date, datetime
from threading import Thread

from sqlalchemy import select

from connectors.registry import sources
from gateway.access.applications import Application, Wish
from gateway.access.clocks import clock, escalate, overdue
from gateway.access.deciding import Actor, apply_for, approve
from gateway.access.grants import WHOLE
from gateway.access.minutely import Minutely
from gateway.audit.tables import entries, read_body
from gateway.store import Store
from gateway.working_days import WorkingDays

SYSTEM = "urn:xinqiao:health:clinic"
WISH = Wish("complaint", WHOLE, "risk", "条例", date(2026, 1, 1), date(2030, 1, 1))
ON_TIME = datetime(2026, 12, 4, 15, 59, tzinfo=UTC)
LATE = datetime(2026, 12, 4, 16, 0, tzinfo=UTC)
"""Midnight in Shanghai at the end of the tenth working day from Saturday, 21 November 2026."""


def waiting(store: Store, now: datetime) -> Application:
    with store.write() as conn:
        return apply_for(conn, SYSTEM, WISH, sources().values(), Actor(SYSTEM, agency="health"), now)


def noted(store: Store) -> list[dict[str, object]]:
    query = select(entries.c.body).where(entries.c.action == "application.overdue")
    with store.read() as conn:
        return [read_body(body) for body in conn.execute(query).scalars()]


def late(store: Store, now: datetime) -> list[str]:
    with store.read() as conn:
        return [one.id for one in overdue(conn, WorkingDays(), now)]


def test_an_application_is_late_when_its_tenth_working_day_has_passed(store: Store, now: datetime) -> None:
    made = waiting(store, now)

    assert (late(store, ON_TIME), late(store, LATE)) == ([], [made.id])


def test_the_log_is_told_once_who_has_not_answered_however_many_look(store: Store, now: datetime) -> None:
    made = waiting(store, now)
    looking = [Thread(target=escalate, args=(store, LATE)) for _ in range(4)]
    for one in looking:
        one.start()
    for one in looking:
        one.join()
    escalate(store, LATE)

    (entry,) = noted(store)
    assert (entry["application"], entry["missing"], entry["due_on"], entry["actor"]) == (
        made.id,
        ["agency_administrator:market_supervision", "security_administrator"],
        "2026-12-04",
        "xinqiao",
    )


def test_what_is_decided_is_never_late(store: Store, now: datetime) -> None:
    made = waiting(store, now)
    with store.write() as conn:
        done = approve(conn, made.id, Actor("cli:root", is_operator=True), now)

    assert (late(store, LATE), escalate(store, LATE), noted(store)) == ([], [], [])
    assert clock(done, WorkingDays(), LATE) is None


def test_a_clock_that_reaches_into_a_year_not_announced_says_so(store: Store) -> None:
    begun = datetime(2098, 12, 29, 2, tzinfo=UTC)
    shown = clock(waiting(store, begun), WorkingDays(), begun)

    assert shown is not None
    assert shown["provisional"] == [2098, 2099]


def test_a_running_gateway_looks_by_itself_and_a_failed_look_is_not_the_last(
    sqlite_store: Store, now: datetime
) -> None:
    waiting(sqlite_store, now)
    times = iter([datetime(2026, 12, 4, 16), LATE])  # the first has no zone: the job fails
    looking = Minutely(sqlite_store, clock=lambda: next(times, LATE), every_s=0.05)

    looking.start()
    while not noted(sqlite_store) and looking.is_alive():
        pass
    looking.stop()

    assert len(noted(sqlite_store)) == 1
