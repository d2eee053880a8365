"""Landing: what is new, changed, unchanged or withdrawn, and positions without gaps under real concurrency."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping

import polars as pl
import pytest
from sqlalchemy import func, select

from gateway.store import Store
from gateway.store.counts import counting
from gateway.store.landing import Change, hold_feed, land_frame
from gateway.store.reading import feed_page, history, last_position
from gateway.store.tables import versions_table

AT = "2026-11-21T02:00:00.000000Z"
SOURCE = "market_supervision/complaints"
TYPE = "complaint"


def staged(rows: Mapping[str, str | None]) -> pl.DataFrame:
    """Rows as landing takes them: record name -> payload text, or None for a withdrawal."""
    payloads = [None if text is None else text.encode() for text in rows.values()]
    facets = versions_table(TYPE).c
    frame = pl.DataFrame(
        {
            "ord": list(range(1, len(rows) + 1)),
            "record_key": [hashlib.sha256(name.encode()).digest()[:16] for name in rows],
            "op": ["withdraw" if payload is None else "put" for payload in payloads],
            "uscc": [None] * len(rows),
            "payload": payloads,
            "sealed": [None] * len(rows),
            "content_hash": [None if p is None else hashlib.sha256(b"\0" + p).digest() for p in payloads],
        },
        schema_overrides={"payload": pl.Binary, "sealed": pl.Binary, "uscc": pl.String, "content_hash": pl.Binary},
    )
    missing = [c.name for c in facets if c.name not in frame.columns]
    return frame.with_columns(
        pl.lit(None, pl.String).alias(name)
        for name in missing
        if name not in ("seq", "version", "source", "delivery_id", "landed_at", "superseded_seq")
    )


def key(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:16]


def mentions(*names: str) -> pl.DataFrame:
    """Rows that were rejected and name their record."""
    return pl.DataFrame(
        {"ord": [1000 + n for n in range(len(names))], "record_key": [key(n) for n in names], "op": "mention"},
        schema={"ord": pl.Int64, "record_key": pl.Binary, "op": pl.String},
    )


def land_rows(store: Store, rows: Mapping[str, str | None], delivery: str) -> Change:
    with store.write() as conn:
        position = hold_feed(conn, TYPE, AT)
        return land_frame(conn, position, staged(rows), source=SOURCE, delivery_id=delivery)


def land_snapshot(store: Store, rows: Mapping[str, str | None], delivery: str, *mentioned: str) -> Change:
    frame = pl.concat([staged(rows), mentions(*mentioned)], how="diagonal")
    with store.write() as conn:
        position = hold_feed(conn, TYPE, AT)
        return land_frame(conn, position, frame, source=SOURCE, delivery_id=delivery, is_snapshot=True)


def counts(change: Change) -> tuple[int, int, int, int]:
    """New, changed, unchanged, withdrawn."""
    return change.new, change.changed, change.unchanged, change.withdrawn


def current(store: Store) -> set[tuple[int, str, bytes]]:
    versions = versions_table(TYPE)
    with store.read() as conn:
        rows = conn.execute(select(versions).where(versions.c.superseded_seq.is_(None)))
        return {(row.seq, row.op, bytes(row.payload)) for row in rows}


def test_the_first_delivery_is_all_new_and_numbered_from_one(store: Store) -> None:
    change = land_rows(store, {"a": "A", "b": "B"}, "d1")

    assert counts(change) == (2, 0, 0, 0)
    assert (change.first_seq, change.last_seq) == (1, 2)
    assert current(store) == {(1, "put", b"A"), (2, "put", b"B")}


def test_the_same_rows_again_land_nothing(store: Store) -> None:
    land_rows(store, {"a": "A", "b": "B"}, "d1")

    change = land_rows(store, {"a": "A", "b": "B"}, "d2")

    assert counts(change) == (0, 0, 2, 0)
    assert (change.first_seq, change.last_seq) == (None, None)


def test_a_changed_row_supersedes_the_version_before_it(store: Store) -> None:
    land_rows(store, {"a": "A", "b": "B"}, "d1")

    change = land_rows(store, {"a": "A2", "b": "B"}, "d2")

    assert counts(change) == (0, 1, 1, 0)
    assert (change.first_seq, change.last_seq) == (3, 3)
    assert current(store) == {(2, "put", b"B"), (3, "put", b"A2")}
    with store.read() as conn:
        versions = history(conn, TYPE, key("a").hex())
    assert [(v.version, v.payload, v.superseded_seq) for v in versions] == [(1, b"A", 3), (2, b"A2", None)]


def test_a_withdrawal_repeats_what_it_withdraws(store: Store) -> None:
    land_rows(store, {"a": "A"}, "d1")

    change = land_rows(store, {"a": None}, "d2")

    assert counts(change) == (0, 0, 0, 1)
    assert (change.first_seq, change.last_seq) == (2, 2)
    assert current(store) == {(2, "withdraw", b"A")}


def test_withdrawing_what_is_not_there_changes_nothing_and_is_counted(store: Store) -> None:
    change = land_rows(store, {"a": None}, "d1")

    assert change.absent == 1
    assert counts(change) == (0, 0, 0, 0)
    assert (change.first_seq, change.last_seq) == (None, None)


def test_a_record_that_comes_back_is_new_again(store: Store) -> None:
    land_rows(store, {"a": "A"}, "d1")
    land_rows(store, {"a": None}, "d2")

    change = land_rows(store, {"a": "A"}, "d3")

    assert (change.new, change.first_seq) == (1, 3)
    assert current(store) == {(3, "put", b"A")}


def test_a_snapshot_withdraws_what_it_does_not_mention(store: Store) -> None:
    land_rows(store, {"a": "A", "b": "B", "c": "C"}, "d1")

    change = land_snapshot(store, {"a": "A"}, "d2", "c")

    assert counts(change) == (0, 0, 1, 1)
    assert (change.first_seq, change.last_seq) == (4, 4)
    assert current(store) == {(1, "put", b"A"), (3, "put", b"C"), (4, "withdraw", b"B")}


def test_a_snapshot_leaves_the_records_of_other_sources_alone(store: Store) -> None:
    with store.write() as conn:
        position = hold_feed(conn, TYPE, AT)
        land_frame(conn, position, staged({"other": "O"}), source="health/complaints", delivery_id="d0")

    change = land_snapshot(store, {"a": "A"}, "d1")

    assert (change.new, change.withdrawn) == (1, 0)


def test_a_transaction_that_fails_uses_no_positions(store: Store) -> None:
    with store.engine.connect().execution_options(xinqiao_write=True) as conn, conn.begin() as act:
        with counting(conn):
            land_frame(conn, hold_feed(conn, TYPE, AT), staged({"a": "A"}), source=SOURCE, delivery_id="d1")
        act.rollback()

    change = land_rows(store, {"b": "B"}, "d2")

    assert change.first_seq == 1
    assert current(store) == {(1, "put", b"B")}


def test_a_clock_that_is_set_back_does_not_reorder_the_feed(store: Store) -> None:
    land_rows(store, {"a": "A"}, "d1")

    with store.write() as conn:
        position = hold_feed(conn, TYPE, "2020-01-01T00:00:00.000000Z")

    assert position.landed_at == AT


def test_concurrent_landings_leave_no_gap_and_no_double(store: Store) -> None:
    """Eight writers at once; a reader that follows the feed meanwhile never sees a position appear behind it."""
    writers, rounds, rows = 8, 6, 5
    seen: list[int] = []
    done = threading.Event()

    def write(writer: int) -> None:
        for turn in range(rounds):
            land_rows(store, {f"{writer}-{turn}-{n}": f"{writer}.{turn}.{n}" for n in range(rows)}, f"d{writer}-{turn}")

    def follow() -> None:
        while not done.is_set() or len(seen) < writers * rounds * rows:
            with store.read() as conn:
                seen.extend(v.seq for v in feed_page(conn, TYPE, seen[-1] if seen else 0, 100))

    follower = threading.Thread(target=follow)
    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    follower.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    follower.join(60)

    assert seen == list(range(1, writers * rounds * rows + 1))
    with store.read() as conn:
        assert last_position(conn, TYPE) == len(seen)


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_landing_has_settings_of_its_own_until_it_ends(store: Store) -> None:
    names = ("work_mem", "enable_bitmapscan", "random_page_cost", "synchronous_commit")
    asked = select(*(func.current_setting(name) for name in names))
    with store.write() as conn:
        usual = tuple(conn.execute(asked).one())

    with store.write() as conn:
        hold_feed(conn, TYPE, AT, is_sealed_next=True)
        of_the_act = tuple(conn.execute(asked).one())
        afterwards_the_same = conn.connection.driver_connection
    with store.write() as conn:
        assert conn.connection.driver_connection is afterwards_the_same
        assert tuple(conn.execute(asked).one()) == usual
    assert of_the_act == ("128MB", "off", "1.1", "off") != usual
