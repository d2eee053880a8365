"""Who read what about whom: by name, and through feeds that covered a version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from gateway.audit.log import append, seal
from gateway.audit.reading import Listed, list_entries, what_did, who_changed, who_read
from gateway.audit.tables import entries, ranges
from gateway.store import Store
from tests.gateway.audit.landings import ADA, BOB, complaint, land_complaints

CUSTOMS = "urn:xinqiao:customs:risk"
HEALTH = "urn:xinqiao:health:desk"


def shown(found: Sequence[Listed]) -> list[tuple[int | None, str, str, tuple[str, ...], str | None]]:
    return [(one.index, one.actor, one.action, one.record_types, one.purpose) for one in found]


def read_feed(store: Store, now: datetime, first: int, last: int, record_type: str = "complaint") -> int:
    with store.write() as conn:
        facts = {"record_type": record_type, "first_seq": first, "last_seq": last}
        return append(conn, action="feed.read", actor=CUSTOMS, at=now, facts=facts)


def test_reads_by_name_and_through_a_feed_are_found(lived_in: Store) -> None:
    with lived_in.read() as conn:
        ada, bob, nobody = (who_read(conn, uscc) for uscc in (ADA, BOB, "91330100MA2ABCDG8H"))

    # ADA has versions 1, 2 and 4; BOB has 3 and 5; the feed read covered 2 to 4.
    feed = (4, CUSTOMS, "feed.read", ("complaint",), "联合惩戒")
    assert shown(ada) == [feed, (5, HEALTH, "entity.read", ("complaint",), "核查")]
    assert shown(bob) == [feed]
    assert nobody == []
    assert ada[1].at == "2026-11-21T02:00:00.000000Z"
    assert ada[1].entry["usccs"] == [ADA]


def test_a_read_from_before_the_record_was_linked_is_found(store: Store, now: datetime) -> None:
    land_complaints(store, [complaint("c1", None), complaint("c2", None)], now)
    read_feed(store, now, 1, 1)
    read_feed(store, now, 2, 2)
    land_complaints(store, [complaint("c1", ADA)], now)
    seal(store, now)

    with store.read() as conn:
        assert [one.index for one in who_read(conn, ADA)] == [2]
        assert who_read(conn, BOB) == []


def test_what_waits_to_be_sealed_is_listed_without_a_place(lived_in: Store, now: datetime) -> None:
    read_feed(lived_in, now, 1, 1)

    with lived_in.read() as conn:
        assert [one.index for one in who_read(conn, ADA)] == [4, 5, None]


def test_a_feed_of_another_type_is_no_read_of_this_one(store: Store, now: datetime) -> None:
    land_complaints(store, [complaint("c1", ADA)], now)
    read_feed(store, now, 1, 1, record_type="penalty")

    with store.read() as conn:
        assert who_read(conn, ADA) == []


def test_who_changed_names_the_deliveries_of_an_entity(lived_in: Store, now: datetime) -> None:
    with lived_in.write() as conn:
        append(conn, action="challenge.raised", actor=HEALTH, at=now, facts={"field": "topic"}, usccs=[BOB])
        append(conn, action="read.refused", actor=HEALTH, at=now, facts={"reason": "grant_none"}, usccs=[BOB])
    seal(lived_in, now)

    with lived_in.read() as conn:
        assert [(one.index, one.action) for one in who_changed(conn, ADA)] == [
            (1, "delivery.landed"),
            (2, "delivery.landed"),
        ]
        assert [(one.index, one.action) for one in who_changed(conn, BOB)] == [
            (1, "delivery.landed"),
            (2, "delivery.landed"),
            (6, "challenge.raised"),
        ]


def test_what_a_system_did_is_listed_newest_first(lived_in: Store, now: datetime) -> None:
    read_feed(lived_in, now, 1, 1)
    seal(lived_in, now)

    with lived_in.read() as conn:
        assert [one.index for one in what_did(conn, CUSTOMS)] == [6, 4]
        assert [one.index for one in what_did(conn, CUSTOMS, limit=1)] == [6]
        assert what_did(conn, "urn:xinqiao:customs:other") == []


def test_entries_are_listed_in_pages(lived_in: Store) -> None:
    with lived_in.read() as conn:
        assert [one.index for one in list_entries(conn, limit=4)] == [0, 1, 2, 3]
        assert [one.index for one in list_entries(conn, after=3)] == [4, 5]


@pytest.fixture
def fifty(sqlite_store: Store, now: datetime) -> Store:
    """Fifty complaints, every seventh of them about ADA."""
    rows = [complaint(f"c{number}", BOB if number % 7 else ADA) for number in range(1, 51)]
    land_complaints(sqlite_store, rows, now)
    return sqlite_store


@given(spans=st.lists(st.tuples(st.integers(1, 50), st.integers(0, 49)), max_size=8))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_feed_read_is_found_whatever_its_span(fifty: Store, now: datetime, spans: list[tuple[int, int]]) -> None:
    with fifty.write() as conn:
        feeds = select(entries.c.id).where(entries.c.action == "feed.read")
        conn.execute(delete(ranges).where(ranges.c.entry_id.in_(feeds)))
        conn.execute(delete(entries).where(entries.c.action == "feed.read"))
    ids = {read_feed(fifty, now, first, min(first + more, 50)): (first, first + more) for first, more in spans}

    with fifty.read() as conn:
        found = {one.entry_id for one in who_read(conn, ADA)}

    expected = {
        entry_id for entry_id, (first, last) in ids.items() if any(first <= seq <= last for seq in range(7, 51, 7))
    }
    assert found == expected
