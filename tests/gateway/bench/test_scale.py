"""The benches of scale measure what was really landed, and say what they promise to say."""

from __future__ import annotations

import pytest

from gateway.bench import reading
from gateway.bench.pipeline import beside_peers
from gateway.bench.scale import Load
from gateway.store import Store
from gateway.store.reading import last_position


def test_a_load_lands_its_rows_in_a_process_of_its_own_and_they_are_read_back(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LOOKUPS", 20)
    told: list[str] = []
    load = Load(sqlite_store, 50, 7, told.append)

    load.deliver("licence", 0, 300)

    with sqlite_store.read() as conn:
        landed = last_position(conn, "licence")
    assert 270 < landed <= 300
    assert (load.landed, set(load.seconds)) == ({"licence": 300}, {"licence"})
    assert load.peak_rss_mb > 50
    assert told[0].startswith("licence 300 rows")
    measured = reading.lookups(sqlite_store, "licence") | reading.feed(sqlite_store, "licence")
    assert {"lookup_p99_ms", "lookup_as_of_p99_ms", "feed_rows_per_s", "feed_zstd_rows_per_s", "page_last_ms"} <= set(
        measured
    )
    assert all(value >= 0 for value in measured.values())


def test_a_load_is_cut_into_deliveries_of_bounded_size(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    load = Load(sqlite_store, 50, 7, lambda _: None)
    delivered: list[tuple[str, int, int]] = []
    monkeypatch.setattr(Load, "deliver", lambda _, *of: delivered.append(of))

    load.run({"licence": 250, "penalty": 100, "complaint": 0}, 100)

    assert delivered == [
        ("licence", 0, 100),
        ("penalty", 0, 100),
        ("licence", 100, 100),
        ("licence", 200, 50),
    ]


def test_peers_that_ran_are_set_beside_our_first_load() -> None:
    assert beside_peers({"end_to_end": 30_000.0, "dlt_dicts": 4_000.0, "bare_load": 50_000.0}) == {
        "dlt_dicts_rows_per_s": 4_000,
        "ratio_to_dlt_dicts": 7.5,
    }
