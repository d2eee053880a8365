"""The first rows of an empty feed: put aside, indexed afterwards, and in place only when all of it is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Table, inspect, select, text

from gateway.home import initialise
from gateway.store import Store, aside, exchanging
from gateway.store.dialect import forget_old_rows
from gateway.store.landing import hold_feed, land_frame
from gateway.store.reading import feed_page, last_position
from gateway.store.tables import entities, versions_table
from tests.conftest import NOW
from tests.gateway.store.test_landing import AT, SOURCE, TYPE, counts, current, land_rows, land_snapshot, staged
from tests.support.chunks import cut_into
from tests.support.companies import BAKERY, DAIRY, MILL
from tests.support.deliveries import REGISTRATION, land, registrations

ROWS = {name: name.upper() for name in "abcdefgh"}
KNOWN = sorted((one.uscc, one.name) for one in (DAIRY, MILL, BAKERY))
LANDED = {(number, "put", text.encode()) for number, text in enumerate(ROWS.values(), start=1)}

on_postgresql = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "WORTH_IT", 3)
    monkeypatch.setattr(exchanging, "PATIENCE_S", 0.1)
    monkeypatch.setattr(exchanging, "_PAUSE_S", 0.05)


def shape(store: Store) -> set[tuple[str, ...]]:
    """Every table and index of the database, with what they are made of."""
    asked = "SELECT type, name, coalesce(sql, '') FROM sqlite_master"
    if store.engine.dialect.name == "postgresql":
        asked = (
            "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' UNION ALL "
            "SELECT c.relname, coalesce(i.inhparent::regclass::text, ''), pg_get_expr(c.relpartbound, c.oid) "
            "FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid WHERE relnamespace = 'public'::regnamespace"
        )
    with store.read() as conn:
        return {tuple(row) for row in conn.execute(text(asked))}


@pytest.fixture
def reader(store: Store) -> Iterator[Connection]:
    """Somebody else, in a transaction of their own."""
    with store.read() as conn:
        yield conn


def entities_of(store: Store) -> list[tuple[str, str]]:
    """What somebody who does not wait sees of the entities."""
    with impatient(store) as conn:
        found = conn.execute(select(entities.c.uscc, entities.c.name).order_by(entities.c.uscc))
        return [(row.uscc, row.name) for row in found]


@contextmanager
def impatient(store: Store) -> Iterator[Connection]:
    """Somebody else, who fails rather than wait for a lock; on SQLite nobody who reads has to."""
    with store.read() as conn:
        if conn.dialect.name == "postgresql":
            conn.exec_driver_sql("SET LOCAL lock_timeout = 100")
        yield conn


def places(store: Store) -> list[int]:
    """What PostgreSQL knows the entities, and a partition of the registrations, by."""
    named = "SELECT 'entities'::regclass::oid::bigint, 'registration_versions_0'::regclass::oid::bigint"
    with store.read() as conn:
        return list(conn.execute(text(named)).one())


def seen_by(conn: Connection) -> list[int]:
    return [version.seq for version in feed_page(conn, TYPE, 0, 100)]


def test_a_large_first_landing_lands_what_any_other_would_and_leaves_tables_as_they_were(store: Store) -> None:
    before = shape(store)

    change = land_rows(store, ROWS, "d1")

    assert counts(change) == (8, 0, 0, 0)
    assert (change.first_seq, change.last_seq) == (1, 8)
    assert (current(store), shape(store)) == (LANDED, before)
    initialise(store.settings, NOW)
    forget_old_rows(store.engine, [versions_table(TYPE)])
    assert (current(store), shape(store)) == (LANDED, before)


def test_what_comes_afterwards_is_compared_with_it(store: Store) -> None:
    land_rows(store, ROWS, "d1")

    again = land_rows(store, ROWS, "d2")
    change = land_snapshot(store, {"a": "A2", "new": "N"}, "d3", "b")

    assert counts(again) == (0, 0, 8, 0)
    assert counts(change) == (1, 1, 0, 6)
    with store.read() as conn:
        assert last_position(conn, TYPE) == 16


def test_whoever_reads_meanwhile_neither_waits_nor_sees_anything(store: Store) -> None:
    seen = []

    def read(_: object) -> None:
        with impatient(store) as conn:
            seen.append(seen_by(conn))

    with store.write() as conn:
        land_frame(conn, hold_feed(conn, TYPE, AT), staged(ROWS), source=SOURCE, delivery_id="d1", told=read)

    assert seen == [[]]
    with store.read() as conn:
        assert seen_by(conn) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_reader_that_stays_is_not_waited_for_for_ever(store: Store, reader: Connection) -> None:
    before = shape(store)
    seen_by(reader)

    land_rows(store, ROWS, "d1")

    # On SQLite a reader keeps the state that it began with.
    assert seen_by(reader) == ([] if reader.dialect.name == "sqlite" else [1, 2, 3, 4, 5, 6, 7, 8])
    reader.rollback()
    assert (current(store), shape(store)) == (LANDED, before)


def test_a_landing_that_breaks_off_leaves_nothing(store: Store) -> None:
    before = shape(store)

    def break_off() -> None:
        with store.write() as conn:
            land_frame(conn, hold_feed(conn, TYPE, AT), staged(ROWS), source=SOURCE, delivery_id="d1")
            raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        break_off()

    assert (current(store), shape(store)) == (set(), before)
    assert land_rows(store, ROWS, "d2").first_seq == 1


def test_a_feed_that_is_not_empty_is_landed_in_place(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    land_rows(store, {"z": "Z"}, "d1")
    monkeypatch.delattr(aside, "filled_aside")

    assert land_rows(store, ROWS, "d2").last_seq == 9


def test_sqlite_does_not_sort_more_than_fits_into_memory(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "_SORTED_AT_ONCE", 2)
    monkeypatch.delattr(aside, "_indexed_afterwards")
    cut_into(monkeypatch, 1)

    land(sqlite_store, REGISTRATION, registrations(DAIRY, MILL, BAKERY), now=NOW)

    assert entities_of(sqlite_store) == KNOWN
    assert land_rows(sqlite_store, ROWS, "d1").last_seq == 8


def test_a_few_first_rows_are_not_put_aside(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "WORTH_IT", 9)
    monkeypatch.delattr(aside, "_indexed_afterwards")
    monkeypatch.delattr(aside, "_made_aside")
    cut_into(monkeypatch, 1)

    land(store, REGISTRATION, registrations(DAIRY, MILL, BAKERY), now=NOW)

    assert entities_of(store) == KNOWN
    assert land_rows(store, ROWS, "d1").last_seq == 8


def test_rows_that_the_counter_does_not_know_of_are_never_dropped(store: Store) -> None:
    versions = versions_table(TYPE)
    with store.write() as conn:
        land_frame(conn, hold_feed(conn, TYPE, AT), staged({"z": "Z"}), source=SOURCE, delivery_id="d1")
        conn.execute(text("UPDATE positions SET last_seq = 0"))
        conn.execute(versions.update().values(seq=100))

    land_rows(store, ROWS, "d2")

    assert current(store) == LANDED | {(100, "put", b"Z")}


@on_postgresql
def test_partitions_that_somebody_else_arranged_are_left_as_they_are(store: Store) -> None:
    with store.write() as conn:
        conn.execute(text("ALTER TABLE complaint_versions_0 RENAME TO complaint_versions_east"))
    before = shape(store)

    land_rows(store, ROWS, "d1")

    assert (current(store), shape(store)) == (LANDED, before)


@on_postgresql
def test_nothing_is_read_again_while_readers_wait(store: Store) -> None:
    """PostgreSQL says for each partition that it need not look at its rows."""
    said: list[str] = []
    with store.write() as conn:
        driver = conn.connection.driver_connection
        assert driver is not None
        driver.add_notice_handler(lambda notice: said.append(notice.message_primary))
        conn.exec_driver_sql("SET LOCAL client_min_messages = debug1")
        position = hold_feed(conn, TYPE, AT)
        land_frame(conn, position, staged(ROWS), source=SOURCE, delivery_id="d1")
    with store.read() as conn:
        names = inspect(conn).get_table_names()
        assert conn.execute(select(versions_table(TYPE).c.seq)).first() is not None

    looked = [
        line.startswith("verifying table") for line in said if "implied by existing" in line or "verifying" in line
    ]
    assert looked == [True] * 4 + [False] * 4, said
    assert not [name for name in names if "aside" in name]


def test_the_first_registrations_teach_aside_as_well(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_into(monkeypatch, 1)
    before = shape(store)

    land(store, REGISTRATION, registrations(DAIRY, MILL), registrations(BAKERY), now=NOW)

    assert shape(store) == before
    assert entities_of(store) == KNOWN


def test_entities_that_something_else_depends_on_are_filled_in_place(store: Store) -> None:
    with store.write() as conn:
        conn.execute(text("CREATE VIEW of_an_operator AS SELECT name FROM entities"))
    before = shape(store)

    row = {"uscc": "91330110MA0000001X", "name": "a", "name_form": "a", "authority": 10}
    with store.write() as conn, aside.filled_aside(conn, entities, 3) as known:
        conn.execute(known.insert().values(row))

    assert shape(store) == before
    with store.read() as conn:
        assert conn.execute(text("SELECT name FROM of_an_operator")).scalars().all() == ["a"]


@on_postgresql
def test_nobody_waits_for_entities_while_the_feed_is_still_being_indexed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_into(monkeypatch, 1)
    before, places_before, seen = shape(store), places(store), []
    check = aside._vouch

    def vouch(conn: Connection, versions: Table, filled: Table) -> None:
        check(conn, versions, filled)
        assert conn.execute(text("SELECT count(*) FROM entities_aside")).scalar_one() == 3
        seen.append(entities_of(store))

    monkeypatch.setattr(aside, "_vouch", vouch)
    land(store, REGISTRATION, registrations(DAIRY, MILL, BAKERY), now=NOW)

    assert seen == [[]]
    assert (entities_of(store), shape(store)) == (KNOWN, before)
    assert not set(places(store)) & set(places_before)


@on_postgresql
def test_entities_that_cannot_take_their_place_do_not_keep_the_feed_from_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_into(monkeypatch, 1)
    with store.write() as conn:
        conn.execute(text("CREATE VIEW of_an_operator AS SELECT name FROM entities"))
    before, places_before = shape(store), places(store)

    land(store, REGISTRATION, registrations(DAIRY, MILL, BAKERY), now=NOW)

    assert (entities_of(store), shape(store)) == (KNOWN, before)
    assert [now == then for now, then in zip(places(store), places_before, strict=True)] == [True, False]


@on_postgresql
def test_a_reader_of_the_feed_that_stays_does_not_keep_entities_from_their_place(
    store: Store, reader: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_into(monkeypatch, 1)
    before, places_before = shape(store), places(store)
    reader.execute(select(versions_table("registration").c.seq))

    land(store, REGISTRATION, registrations(DAIRY, MILL, BAKERY), now=NOW)

    assert (entities_of(store), shape(store)) == (KNOWN, before)
    assert [now == then for now, then in zip(places(store), places_before, strict=True)] == [False, True]


@on_postgresql
def test_the_rest_of_the_transaction_waits_for_locks_as_long_as_any_other(store: Store) -> None:
    asked = text("SHOW lock_timeout")
    with store.write() as conn:
        before = conn.execute(asked).scalar_one()
        land_frame(conn, hold_feed(conn, TYPE, AT), staged(ROWS), source=SOURCE, delivery_id="d1")
        assert conn.execute(asked).scalar_one() == before


@on_postgresql
@pytest.mark.parametrize("in_the_way", ["a view", "a row"])
def test_nobody_waits_while_rows_are_inserted_that_could_not_take_their_place(store: Store, in_the_way: str) -> None:
    with store.write() as conn:
        if in_the_way == "a view":
            conn.execute(text("CREATE VIEW of_an_operator AS SELECT seq FROM complaint_versions_0"))
        else:
            land_frame(conn, hold_feed(conn, TYPE, AT), staged({"z": "Z"}), source=SOURCE, delivery_id="d1")
            conn.execute(text("UPDATE positions SET last_seq = 0"))
            conn.execute(text("UPDATE complaint_versions SET seq = 100"))
    stood = current(store)
    before = shape(store)

    with store.write() as conn:
        land_frame(conn, hold_feed(conn, TYPE, AT), staged(ROWS), source=SOURCE, delivery_id="d2")
        with impatient(store) as other:
            seen = seen_by(other)

    assert seen == [seq for seq, *_ in stood]
    assert (current(store), shape(store)) == (stood | LANDED, before)
