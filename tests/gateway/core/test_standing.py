"""What stood when: as of an instant, the history of a record, and the feed for a reader with a memory."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from threading import Thread

import pytest
from sqlalchemy import delete, insert, select, update

from gateway.clock import instant
from gateway.store import Store
from gateway.store.reading import feed_page, history, last_position, records
from gateway.store.tables import deliveries, rejections, versions_table
from tests.support.companies import DAIRY, MILL
from tests.support.deliveries import (
    COMPANY_LIST,
    COMPLAINTS,
    HEALTH,
    company_list,
    complaint,
    complaints,
    health_licence,
    health_licences,
    land,
)
from tests.support.standing import feed, verified

HOUR = timedelta(hours=1)


def licence(number: str, mark: str, remark: str) -> bytes:
    return health_licences(health_licence(number, mark, XK_XDR_SHXYM=DAIRY.uscc, BZ=remark))


def test_what_stood_at_any_instant_can_be_told(store: Store, now: datetime) -> None:
    steps = [licence("w1", "I", "一"), licence("w2", "I", "二"), licence("w1", "U", "三"), licence("w1", "D", "")]
    for number, step in enumerate([*steps, licence("w1", "I", "四")], start=1):
        land(store, HEALTH, step, now=now + number * HOUR)

    def stood(at: datetime | None) -> list[str]:
        with store.read() as conn:
            found = records(conn, "health_licence", DAIRY.uscc, as_of=None if at is None else instant(at))
        return [json.loads(version.payload)["remark"] for version in found]

    second = timedelta(microseconds=1)
    assert [stood(now + number * HOUR) for number in range(6)] == [
        [],
        ["一"],
        ["一", "二"],
        ["二", "三"],
        ["二"],
        ["二", "四"],
    ]
    assert [stood(now + 3 * HOUR - second), stood(now + 3 * HOUR), stood(None)] == [
        ["一", "二"],
        ["二", "三"],
        ["二", "四"],
    ]


def test_the_history_of_a_record_is_every_version_of_it(store: Store, now: datetime) -> None:
    for number, step in enumerate([licence("w1", "I", "一"), licence("w1", "U", "二"), licence("w1", "D", "")]):
        land(store, HEALTH, step, now=now + number * HOUR)

    with store.read() as conn:
        versions = history(conn, "health_licence", feed(store, "health_licence")[0].record_key)

    assert [(v.version, v.op, json.loads(v.payload)["remark"], v.superseded_seq) for v in versions] == [
        (1, "put", "一", 2),
        (2, "put", "二", 3),
        (3, "withdraw", "二", None),
    ]


def test_withdrawn_records_do_not_count_towards_the_limit(sqlite_store: Store, now: datetime) -> None:
    land(sqlite_store, HEALTH, licence("w1", "I", "一"), now=now)
    land(sqlite_store, HEALTH, licence("w1", "D", ""), now=now)
    land(sqlite_store, HEALTH, licence("w2", "I", "二"), now=now)

    with sqlite_store.read() as conn:
        found = records(conn, "health_licence", DAIRY.uscc, limit=1)

    assert [json.loads(version.payload)["licence_no"] for version in found] == ["w2"]


def test_a_reader_that_remembers_its_position_misses_nothing(store: Store, now: datetime) -> None:
    seen: list[int] = []

    def deliver(writer: int) -> None:
        for turn in range(4):
            rows = [complaint(f"{writer}-{turn}-{n}", DAIRY.name) for n in range(3)]
            land(store, COMPLAINTS, complaints(*rows), now=now)

    writers = [Thread(target=deliver, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers) or len(seen) < 36:
        with store.read() as conn:
            seen += [version.seq for version in feed_page(conn, "complaint", seen[-1] if seen else 0, 2)]
    for writer in writers:
        writer.join()

    with store.read() as conn:
        assert (seen, last_position(conn, "complaint")) == (list(range(1, 37)), 36)
    assert verified(store).ok


@pytest.mark.parametrize(
    "values", [{"payload": b"{}"}, {"status_code": "4"}, {"uscc": MILL.uscc}, {"op": "withdraw"}], ids=str
)
def test_an_altered_record_of_a_real_delivery_is_named(
    sqlite_store: Store, now: datetime, values: dict[str, object]
) -> None:
    receipt = land(sqlite_store, COMPANY_LIST, company_list((DAIRY.name, DAIRY.uscc)), now=now)
    table = versions_table("registration")
    with sqlite_store.write() as conn:
        conn.execute(update(table).where(table.c.seq == 1).values(values))

    report = verified(sqlite_store)

    assert (report.ok, f"entry {receipt['audit']['index']}:" in str(report.first_bad)) == (False, True)


@pytest.mark.parametrize("how", ["gone", "altered", "of another record"])
def test_altered_personal_fields_are_named(sqlite_store: Store, now: datetime, how: str) -> None:
    land(sqlite_store, COMPLAINTS, complaints(complaint("c1"), complaint("c2")), now=now)
    table = versions_table("complaint")
    with sqlite_store.write() as conn:
        first, second = conn.execute(select(table.c.sealed).order_by(table.c.seq)).scalars()
        sealed = {"gone": None, "altered": first[:-1] + bytes([first[-1] ^ 1]), "of another record": second}[how]
        conn.execute(update(table).where(table.c.seq == 1).values(sealed=sealed))

    report = verified(sqlite_store)

    assert (report.ok, "complaint seq 1: " in str(report.first_bad)) == (False, True)


@pytest.mark.parametrize("slipped_in", [False, True])
def test_a_quarantined_row_that_is_gone_or_was_slipped_in_is_named(
    store: Store, now: datetime, slipped_in: bool
) -> None:
    receipt = land(store, COMPANY_LIST, company_list((DAIRY.name, DAIRY.uscc), (MILL.name, "无")), now=now)
    with store.write() as conn:
        kept = conn.execute(select(rejections)).one()
        if slipped_in:
            conn.execute(insert(rejections).values({**kept._mapping, "id": kept.id + 1}))
        else:
            conn.execute(delete(rejections))

    report = verified(store)

    count = 2 if slipped_in else 0
    assert report.first_bad == (
        f"entry {receipt['audit']['index']}: delivery {receipt['delivery_id']}: "
        f"1 rows were refused, {count} lie in quarantine"
    )


def test_an_altered_receipt_in_the_register_is_named(sqlite_store: Store, now: datetime) -> None:
    receipt = land(sqlite_store, COMPANY_LIST, company_list((DAIRY.name, DAIRY.uscc)), now=now)
    with sqlite_store.write() as conn:
        stored = conn.execute(select(deliveries.c.receipt)).scalar_one()
        conn.execute(update(deliveries).values(receipt=stored | {"rejected": 5}))

    report = verified(sqlite_store)

    assert (report.ok, receipt["delivery_id"] in str(report.first_bad)) == (False, True)
