"""Whatever is altered in the stored versions and the register of deliveries is named."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from gateway.audit.merkle import leaf_hash
from gateway.audit.verify import verify
from gateway.store import Store
from gateway.store.tables import deliveries, versions_table
from tests.gateway.audit.altering import alter, entry_id, found, told_by
from tests.gateway.audit.landings import BOB, complaint

versions = versions_table("complaint")

VERSION_LIES = [
    pytest.param({"payload": b"{}"}, "the payload does not have its content hash", id="payload"),
    pytest.param({"topic": "食品"}, "column topic differs from the payload", id="text facet"),
    pytest.param({"topic": None}, "column topic differs from the payload", id="facet emptied"),
    pytest.param({"received_on": date(2026, 3, 2)}, "column received_on differs from the payload", id="date facet"),
    pytest.param({"closed_on": date(2026, 3, 2)}, "column closed_on differs from the payload", id="facet filled"),
    pytest.param({"superseded_seq": 3}, "superseded_seq: expected 4, got 3", id="superseded by another"),
    pytest.param({"superseded_seq": None}, "superseded_seq: expected 4, got None", id="current again"),
]


@pytest.mark.parametrize(("values", "en"), VERSION_LIES)
def test_an_altered_version_is_named(lived_in: Store, values: dict[str, object], en: str) -> None:
    report = alter(lived_in, lambda conn: conn.execute(update(versions).where(versions.c.seq == 1).values(values)))

    assert found(report) == [(1, "complaint seq 1", en)]
    assert report.first_bad == f"entry 1: complaint seq 1: {en}"


@pytest.mark.parametrize(
    "values",
    [
        {"uscc": BOB},
        {"uscc": None},
        {"op": "withdraw"},
        {"landed_at": "2020-01-01T00:00:00.000000Z"},
        {"source": "health/licences"},
        {"delivery_id": "another"},
        {"record_key": b"another"},
    ],
)
def test_an_altered_fact_about_a_version_is_found_by_the_root(lived_in: Store, values: dict[str, object]) -> None:
    report = alter(lived_in, lambda conn: conn.execute(update(versions).where(versions.c.seq == 2).values(values)))

    assert (1, "its versions do not have the root in its entry") in [(entry, en) for entry, _, en in found(report)]


def test_a_payload_altered_together_with_its_hash_is_found_by_the_root(lived_in: Store) -> None:
    lie = complaint("c2", BOB).payload

    report = alter(
        lived_in,
        lambda conn: conn.execute(
            update(versions).where(versions.c.seq == 2).values(payload=lie, content_hash=leaf_hash(lie))
        ),
    )

    assert [(entry, en) for entry, _, en in found(report)] == [
        (1, "its versions do not have the root in its entry"),
        (1, "it landed a version of a record that it did not accept"),
    ]


@pytest.mark.parametrize(("seq", "entry"), [(2, 1), (5, 2)])
def test_a_deleted_version_is_named(lived_in: Store, seq: int, entry: int) -> None:
    report = alter(lived_in, lambda conn: conn.execute(delete(versions).where(versions.c.seq == seq)))

    assert [(at, en) for at, _, en in found(report)] == [
        (entry, "the version is missing"),
        (entry, "its versions do not have the root in its entry"),
    ]
    assert report.first_bad == f"entry {entry}: complaint seq {seq}: the version is missing"


def test_a_version_that_no_entry_tells_of_is_named(lived_in: Store) -> None:
    def lie(conn: Connection) -> None:
        row = dict(conn.execute(select(versions).where(versions.c.seq == 2)).one()._mapping)
        conn.execute(insert(versions).values(row | {"seq": 6, "version": 1, "record_key": b"slipped in"}))

    assert found(alter(lived_in, lie)) == [(None, "complaint seq 6", "no entry tells of its landing")]


def test_a_register_that_says_something_else_is_named(lived_in: Store) -> None:
    def lie(conn: Connection) -> None:
        row = conn.execute(
            select(deliveries.c.id, deliveries.c.receipt).where(deliveries.c.audit_entry == entry_id(1))
        ).one()
        receipt = {**row.receipt, "new": 2}
        conn.execute(update(deliveries).where(deliveries.c.id == row.id).values(receipt=receipt))

    [(entry, where, en)] = found(alter(lived_in, lie))

    assert (entry, where[:9], en) == (1, "delivery ", "the register differs from its entry: ['new']")


def test_a_delivery_gone_from_the_register_is_named(lived_in: Store) -> None:
    report = alter(lived_in, lambda conn: conn.execute(delete(deliveries).where(told_by(2))))

    assert [(entry, en) for entry, _, en in found(report)] == [(2, "the register does not know it as landed")]


def test_altered_hashes_of_accepted_rows_are_named(lived_in: Store) -> None:
    [path] = [
        path for path in (lived_in.settings.home / "deliveries").glob("*.leaves") if len(path.read_bytes()) == 3 * 32
    ]
    honest = path.read_bytes()

    path.write_bytes(honest[:-32] + bytes(32))
    assert [(entry, en) for entry, _, en in found(verify(lived_in))] == [
        (1, "the file of accepted hashes does not have the root in its entry")
    ]
    path.write_bytes(honest[:-1])
    assert [(entry, en[:24]) for entry, _, en in found(verify(lived_in))] == [(1, "file of accepted hashes:")]


# Only SQLite stores a value of another type than the column's.
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_value_no_column_should_hold_is_reported_not_stumbled_over(lived_in: Store) -> None:
    report = alter(
        lived_in,
        lambda conn: conn.exec_driver_sql("UPDATE complaint_versions SET version = 'first' WHERE seq = 2"),
    )

    assert report.first_bad is not None
    assert report.first_bad.startswith("entry 1: complaint seq 2: cannot be read: ")
