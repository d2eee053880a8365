"""Which rows a reader sees: a share of the records is the same ones in every reading, and a larger one holds it."""

from __future__ import annotations

from datetime import datetime

import pytest

from connectors.registry import source
from connectors.sandbox import codes
from gateway import pipeline
from gateway.store import Store, reading
from gateway.store.reading import Rows
from tests.support.deliveries import COMPANY_LIST, company_list, upload

MANY = 400


@pytest.fixture
def landed(store: Store, now: datetime) -> Store:
    """A store with many records of one type."""
    wanted = [
        (f"第{n}有限公司", codes.uscc("91", "330100", codes.organisation_code(f"WQ7{n:05d}"))) for n in range(MANY)
    ]
    pipeline.deliver(store, upload(store, COMPANY_LIST, company_list(*wanted), now), source(COMPANY_LIST), now)
    return store


def keys(store: Store, rows: Rows) -> set[str]:
    with store.read() as conn:
        return {one.record_key for one in reading.feed_page(conn, "registration", 0, 10_000, rows=rows)}


def test_a_share_is_about_so_many_and_a_larger_one_holds_every_smaller_one(landed: Store) -> None:
    shares = {percent: keys(landed, Rows(percent=percent)) for percent in (1, 10, 50, 99, 100)}

    assert len(shares[100]) == MANY
    assert shares[1] <= shares[10] <= shares[50] <= shares[99] <= shares[100]
    # The keys are hashes: four standard deviations around each share.
    for percent, found in shares.items():
        spread = 4 * (MANY * percent / 100 * (1 - percent / 100)) ** 0.5
        assert abs(len(found) - MANY * percent / 100) <= spread, percent


def test_every_reading_shows_the_same_share(landed: Store) -> None:
    rows = Rows(percent=20)
    feed = keys(landed, rows)
    with landed.read() as conn:
        until = reading.last_position(conn, "registration")
        standing = reading.standing_page(conn, "registration", until, 0, 10_000, rows=rows)
        whole = reading.feed_page(conn, "registration", 0, 10_000)
        alone = {
            one.record_key
            for version in whole
            for one in reading.records(conn, "registration", version.uscc or "", rows=rows)
        }
        at = {one.record_key for one in whole if reading.version_at(conn, "registration", one.seq, rows=rows)}

    assert {one.record_key for one in standing} == alone == at == feed


def test_rows_of_other_sources_are_not_seen(landed: Store) -> None:
    assert keys(landed, Rows(sources=("market_supervision/registration",))) == set()
    assert len(keys(landed, Rows(sources=(COMPANY_LIST,)))) == MANY


def test_records_of_several_types_are_answered_at_once_as_each_is_alone(landed: Store) -> None:
    with landed.read() as conn:
        asked = reading.feed_page(conn, "registration", 0, 1)[0].uscc or ""
        alone = {name: reading.records(conn, name, asked) for name in ("licence", "penalty", "registration")}

        together = reading.records_of_types(conn, dict.fromkeys(alone, reading.ALL), asked)
        narrowed = reading.records_of_types(
            conn, {"registration": Rows(sources=("other/one",)), "penalty": reading.ALL}, asked
        )

    assert together == alone
    assert [len(found) for found in together.values()] == [0, 0, 1]
    assert narrowed == {"registration": [], "penalty": []}
