"""The benches of scale measure what was really landed, and say what they promise to say."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from gateway.bench import reading
from gateway.bench.apart import Abreast, Apart
from gateway.bench.scale import Load, bare_rate
from gateway.store import Store
from gateway.store.reading import last_position
from gateway.store.tables import deliveries, versions_table
from schemas.records import RECORD_TYPES


def test_a_load_lands_its_rows_in_processes_of_its_own_and_they_are_read_back(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LOOKUPS", 20)
    told: list[str] = []
    load = Load(sqlite_store, 50, 7, told.append, at_once=2)

    load.run({"registration": 50, "licence": 300, "penalty": 40, "complaint": 0}, 200)

    with sqlite_store.read() as conn:
        landed = {name: last_position(conn, name) for name in ("registration", "licence", "penalty")}
        registered = conn.execute(select(func.count()).select_from(deliveries)).scalar_one()
    assert 270 < landed["licence"] <= 300
    assert landed["registration"] > 40
    assert landed["penalty"] > 30
    assert registered == 4
    assert {name: rows for name, (rows, _) in load.landed.items()} == {
        "registration": 50,
        "licence": 300,
        "penalty": 40,
    }
    assert load.seconds > 0
    assert load.peak_rss_mb > 100
    assert told[1].startswith("registration 50 rows")
    assert not [path for path in (sqlite_store.settings.home / "received").rglob("*") if path.is_file()]
    measured = reading.lookups(sqlite_store, "licence") | reading.feed(sqlite_store, "licence")
    assert set(reading.status(sqlite_store)) == {"counts_p50_ms", "counts_max_ms"}
    assert {
        "lookup_p99_ms",
        "lookup_as_of_p99_ms",
        "lookup_ratio_to_bare",
        "feed_rows_per_s",
        "feed_zstd_rows_per_s",
        "feed_ratio_to_bare",
        "page_last_ms",
    } <= set(measured)
    assert all(value >= 0 for value in measured.values())


def test_the_limit_is_of_finished_rows_of_every_record_type_and_leaves_nothing(sqlite_store: Store) -> None:
    assert bare_rate(sqlite_store, 1_200, 50, None, 7, lambda _: None) > 0

    with sqlite_store.read() as conn:
        left = [conn.execute(select(func.count()).select_from(versions_table(name))).scalar() for name in RECORD_TYPES]
    assert set(left) == {0}


def test_the_time_of_processes_side_by_side_is_counted_once_and_their_memory_together() -> None:
    first = [Apart(10.0, 14.0, 300, 1), Apart(14.5, 16.0, 400, 1)]
    second, third = [Apart(10.5, 15.0, 200, 2)], [Apart(15.0, 15.5, 100, 3)]

    both = Abreast([first, second, third], at_once=2)

    assert both.seconds == 6.0
    assert both.peak_rss_mb == 600
