"""One delivery end to end, the same delivery again, and what is left when a step breaks off."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select

from connectors.registry import source
from gateway import pipeline, receipts
from gateway.audit.keys import vkey_path
from gateway.audit.merkle import leaf_hash
from gateway.audit.proofs import record_proof, verify_receipt, verify_record_proof
from gateway.clock import instant
from gateway.sealing import load_sealer
from gateway.store import Store, dialect
from gateway.store.landing import hold_feed
from gateway.store.tables import entities
from schemas.canonical import canonical_json
from tests.support.companies import BAKERY, DAIRY, MILL, WRONG_CHECK
from tests.support.deliveries import (
    ABNORMAL,
    COMPANY_LIST,
    COMPLAINTS,
    REGISTRATION,
    abnormal_listings,
    company_list,
    complaint,
    complaints,
    land,
    listing,
    pages,
    registrations,
    upload,
)
from tests.support.standing import counts, current, facets, feed, registered, rejected, status, told, verified


class LogBrokenError(Exception):
    """The database refused the audit entry."""


# The proof, and the signature over it, are made anew for the checkpoint of the day.
UNSIGNED = {"audit": None, "jws": None}


def known_entities(store: Store) -> int:
    with store.read() as conn:
        return int(conn.execute(select(func.count()).select_from(entities)).scalar_one())


def test_a_receipt_says_what_came_and_what_became_of_it(store: Store, now: datetime) -> None:
    data = company_list((MILL.name, MILL.uscc), (DAIRY.name, DAIRY.uscc), ("丙公司", WRONG_CHECK))
    delivery_id = upload(store, COMPANY_LIST, data, now)

    receipt = pipeline.deliver(store, delivery_id, source(COMPANY_LIST), now)

    versions = feed(store, "registration")
    assert {name: value for name, value in receipt.items() if name not in ("audit", "jws", "versions_root")} == {
        "delivery_id": delivery_id,
        "source": COMPANY_LIST,
        "record_type": "registration",
        "status": "landed",
        "digest": sha256(sha256(data).hexdigest().encode()).hexdigest(),
        "origin": "test",
        "received_at": "2026-11-21T02:00:00.000000Z",
        "landed_at": "2026-11-21T02:00:00.000000Z",
        "form": "six_columns",
        "received": 3,
        "accepted": 2,
        "rejected": 1,
        "duplicates": 0,
        "new": 2,
        "changed": 0,
        "unchanged": 0,
        "withdrawn": 0,
        "absent": 0,
        "unresolved": 0,
        "first_seq": 1,
        "last_seq": 2,
        "accepted_root": sha256(
            b"\x01" + b"".join(bytes.fromhex(version.content_hash) for version in versions)
        ).hexdigest(),
        "findings": [],
    }


def test_what_is_stored_is_the_record_as_canonical_json_and_its_hash(sqlite_store: Store, now: datetime) -> None:
    receipt = land(sqlite_store, COMPANY_LIST, company_list((MILL.name, MILL.uscc)), now=now)

    (version,) = feed(sqlite_store, "registration")
    payload = (
        '{"city_name":"杭州","entity_by":"uscc","entity_uscc":"' + MILL.uscc + '","established_on":"2015-11-04",'
        '"name":"' + MILL.name + '","province_name":"浙江","registered_capital_currency_code":"CNY",'
        '"registered_capital_wan":"1000","uscc":"' + MILL.uscc + '"}'
    ).encode()
    assert (version.payload, version.content_hash) == (payload, sha256(b"\0" + payload).hexdigest())
    assert (version.uscc, version.version, version.op, version.source) == (MILL.uscc, 1, "put", COMPANY_LIST)
    assert (version.delivery_id, version.landed_at) == (receipt["delivery_id"], receipt["landed_at"])


def test_facets_are_typed_columns_of_the_record(store: Store, now: datetime) -> None:
    row = complaint("c1", uscc=MILL.uscc, areacode="330110", topic="价格", status="已办结", close_time="2026/06/15")

    land(store, COMPLAINTS, complaints(row, complaint("c2", topic='据称"假",\n劣')), now=now)

    names = ("kind_code", "region_code", "topic", "status_code", "received_on", "closed_on")
    assert [tuple(map(str, row)) for row in facets(store, "complaint", *names)] == [
        ("1", "330110", "价格", "3", "2026-06-01", "2026-06-15"),
        ("1", "None", '据称"假",\n劣', "1", "2026-06-01", "None"),
    ]


def test_personal_values_lie_sealed_and_only_their_digest_is_in_the_record(store: Store, now: datetime) -> None:
    land(store, COMPLAINTS, complaints(complaint("c1", uscc=MILL.uscc)), now=now)

    (version,) = feed(store, "complaint")
    said, key = json.loads(version.payload), bytes.fromhex(version.record_key)
    assert version.sealed is not None
    opened = json.loads(load_sealer(store.settings.home).open(version.sealed, key))
    salt = bytes.fromhex(opened.pop("salt"))
    assert opened == {"complainant_name": "周某", "complainant_phone": "10000000001"}
    assert {name: said.get(name) for name in (*opened, *(f"{name}_digest" for name in opened))} == {
        "complainant_name": None,
        "complainant_phone": None,
        "complainant_name_digest": sha256(salt + "周某".encode()).hexdigest(),
        "complainant_phone_digest": sha256(salt + b"10000000001").hexdigest(),
    }
    assert b"10000000001" not in version.sealed


def test_a_personal_value_that_comes_again_is_no_change_and_another_one_is(store: Store, now: datetime) -> None:
    first = complaint("c1", uscc=MILL.uscc)
    other = complaint("c1", uscc=MILL.uscc, complainant={"name": "周某", "phone": "10000000002"})
    land(store, COMPLAINTS, complaints(first), now=now)

    again = land(store, COMPLAINTS, complaints(first, complaint("c2", uscc=MILL.uscc)), now=now)
    changed = land(store, COMPLAINTS, complaints(other), now=now)

    assert counts(again) == {"received": 2, "accepted": 2, "new": 1, "unchanged": 1}
    assert counts(changed) == {"received": 1, "accepted": 1, "changed": 1}
    before, _, after = (json.loads(version.payload) for version in feed(store, "complaint"))
    assert before["complainant_name_digest"] == after["complainant_name_digest"]
    assert before["complainant_phone_digest"] != after["complainant_phone_digest"]


def test_personal_values_of_many_records_that_come_again_are_no_change(store: Store, now: datetime) -> None:
    said = [complaint(f"c{number}", uscc=MILL.uscc) for number in range(dialect.FEW + 50)]
    moved = {**said[7], "complainant": {"name": "周某", "phone": "10000000002"}}
    land(store, COMPLAINTS, complaints(*said), now=now)

    again = land(store, COMPLAINTS, complaints(*said[:7], moved, *said[8:], complaint("new", uscc=MILL.uscc)), now=now)

    assert counts(again) == {"received": 251, "accepted": 251, "new": 1, "changed": 1, "unchanged": 249}


def test_a_receipt_and_a_record_are_proven_offline(store: Store, now: datetime) -> None:
    receipt = land(store, COMPANY_LIST, company_list((MILL.name, MILL.uscc), (DAIRY.name, DAIRY.uscc)), now=now)
    vkey = vkey_path(store.settings).read_text("utf-8").strip()

    proven = verify_receipt(receipt, vkey)

    record = feed(store, "registration")[1].payload
    proof = json.loads(json.dumps(record_proof(store, receipt["delivery_id"], leaf_hash(record))))
    assert proven.entry["delivery_id"] == receipt["delivery_id"]
    assert set(proven.unproven) <= {"findings", "landed_at", "status", "audit"}
    assert verify_record_proof(proof, record, vkey).entry["new"] == 2
    assert verified(store).ok


def test_the_same_delivery_again_gets_the_original_receipt_and_lands_nothing(store: Store, now: datetime) -> None:
    data = company_list((MILL.name, MILL.uscc))
    first = land(store, COMPANY_LIST, data, now=now)

    again = land(store, COMPANY_LIST, data, now=now + timedelta(days=1))

    assert again | UNSIGNED == first | UNSIGNED
    assert len(feed(store, "registration")) == 1
    assert registered(store) == {"landed": 1, "repeated": 1}
    assert verified(store).ok


def test_a_delivery_that_has_landed_is_not_landed_once_more(store: Store, now: datetime) -> None:
    """A task that is killed between landing and saying so asks again with the same id."""
    data = company_list((MILL.name, MILL.uscc), ("丙公司", WRONG_CHECK))
    delivery_id = upload(store, COMPANY_LIST, data, now)
    first = pipeline.deliver(store, delivery_id, source(COMPANY_LIST), now)

    again = pipeline.deliver(store, delivery_id, source(COMPANY_LIST), now + timedelta(hours=1))

    assert again | UNSIGNED == first | UNSIGNED
    assert (registered(store), len(rejected(store))) == ({"landed": 1}, 1)
    assert verified(store).ok


def test_a_repetition_stays_one_whatever_landed_since(sqlite_store: Store, now: datetime) -> None:
    one, two = (abnormal_listings(listing(each.name, each.uscc), listing("丙公司")) for each in (MILL, DAIRY))
    land(sqlite_store, ABNORMAL, one, now=now)
    repeated = pages(sqlite_store, ABNORMAL, one, now=now)
    first = pipeline.deliver(sqlite_store, repeated, source(ABNORMAL), now)
    with_both = abnormal_listings(*(listing(each.name, each.uscc) for each in (MILL, DAIRY)), listing("丙公司"))
    land(sqlite_store, ABNORMAL, with_both, now=now)

    again = pipeline.deliver(sqlite_store, repeated, source(ABNORMAL), now)

    assert two != one
    assert again["delivery_id"] == first["delivery_id"]
    assert {name for (name,) in current(sqlite_store, "abnormal_listing", "subject_name")} == {
        MILL.name,
        DAIRY.name,
        "丙公司",
    }


@pytest.mark.parametrize("ids", [1, 2], ids=["one id, two tasks", "two ids, same bytes"])
def test_the_same_delivery_twice_at_once_lands_once(store: Store, now: datetime, ids: int) -> None:
    data = company_list((MILL.name, MILL.uscc), (DAIRY.name, DAIRY.uscc), ("丙公司", WRONG_CHECK))
    waiting = [upload(store, COMPANY_LIST, data, now) for _ in range(ids)] * (2 // ids)
    start = Barrier(2)

    def deliver(delivery_id: str) -> dict[str, Any]:
        start.wait(10)
        return pipeline.deliver(store, delivery_id, source(COMPANY_LIST), now)

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(deliver, waiting)

    assert (one["delivery_id"], counts(one)) == (two["delivery_id"], counts(two))
    assert registered(store) == ({"landed": 1} if ids == 1 else {"landed": 1, "repeated": 1})
    assert (len(feed(store, "registration")), len(rejected(store))) == (2, 1)
    assert verified(store).ok


def test_a_snapshot_that_goes_back_to_an_older_state_is_news(store: Store, now: datetime) -> None:
    one = abnormal_listings(listing(MILL.name, MILL.uscc), listing("丙公司"))
    two = abnormal_listings(listing(MILL.name, MILL.uscc, decorg_cn="宁波市市场监督管理局"), listing("丙公司"))

    receipts_of = [land(store, ABNORMAL, page, now=now) for page in (one, two, one, one)]

    # All at one instant, as a clock that was set back would have it: the order of landing counts.
    assert [counts(receipt) for receipt in receipts_of] == [
        {"received": 2, "accepted": 2, "new": 2, "unresolved": 1},
        {"received": 2, "accepted": 2, "changed": 1, "unchanged": 1, "unresolved": 1},
        {"received": 2, "accepted": 2, "changed": 1, "unchanged": 1, "unresolved": 1},
        {"received": 2, "accepted": 2, "changed": 1, "unchanged": 1, "unresolved": 1},
    ]
    assert receipts_of[3]["delivery_id"] == receipts_of[2]["delivery_id"]


def test_as_many_records_change_as_names_were_changed(store: Store, now: datetime) -> None:
    companies = (MILL, DAIRY, BAKERY)
    land(store, COMPANY_LIST, company_list(*((each.name, each.uscc) for each in companies)), now=now)
    renamed = company_list((MILL.name, MILL.uscc), ("晨牧集团", DAIRY.uscc), ("嘉衡集团", BAKERY.uscc))

    receipt = land(store, COMPANY_LIST, renamed, now=now)

    assert counts(receipt) == {"received": 3, "accepted": 3, "changed": 2, "unchanged": 1}
    assert told(store, "registration", "name")[3:] == [("put", 2, "晨牧集团"), ("put", 2, "嘉衡集团")]


def test_a_landing_that_breaks_off_leaves_nothing_and_is_done_again(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery_id = upload(store, COMPANY_LIST, company_list((MILL.name, MILL.uscc), ("丙公司", WRONG_CHECK)), now)

    def no_room(conn: Connection, *entry: object) -> int:
        raise LogBrokenError

    monkeypatch.setattr(receipts, "append", no_room)
    with pytest.raises(LogBrokenError):
        pipeline.deliver(store, delivery_id, source(COMPANY_LIST), now)
    monkeypatch.undo()
    left = (feed(store, "registration"), rejected(store), status(store, delivery_id), known_entities(store))
    receipt = pipeline.deliver(store, delivery_id, source(COMPANY_LIST), now)

    assert left == ([], [], "received", 0)
    assert (receipt["delivery_id"], receipt["first_seq"], receipt["last_seq"]) == (delivery_id, 1, 1)
    assert (len(feed(store, "registration")), len(rejected(store)), known_entities(store)) == (1, 1, 1)
    assert verified(store).ok


def test_a_break_after_the_commit_loses_only_the_answer(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery_id = upload(store, COMPANY_LIST, company_list((MILL.name, MILL.uscc)), now)

    def no_disk(*_: object, **__: object) -> None:
        raise LogBrokenError

    monkeypatch.setattr(pipeline, "seal_committed", no_disk)
    with pytest.raises(LogBrokenError):
        pipeline.deliver(store, delivery_id, source(COMPANY_LIST), now)
    monkeypatch.undo()
    receipt = pipeline.deliver(store, delivery_id, source(COMPANY_LIST), now)

    assert (counts(receipt), len(feed(store, "registration"))) == ({"received": 1, "accepted": 1, "new": 1}, 1)
    assert verify_receipt(receipt, vkey_path(store.settings).read_text("utf-8").strip()).entry["new"] == 1


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_landing_is_on_the_disk_when_its_seal_is(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery_id = upload(store, COMPANY_LIST, company_list((MILL.name, MILL.uscc)), now)
    seal, reached = pipeline.seal_committed, []

    def between(*arguments: Any) -> Any:
        """The landing has been committed; how far the server's log has got to with it must be flushed by the seal."""
        with store.ask() as conn:
            landed = conn.exec_driver_sql("SELECT pg_current_wal_insert_lsn()::text").scalar_one()
        sealed = seal(*arguments)
        with store.ask() as conn:
            flushed = conn.exec_driver_sql("SELECT pg_current_wal_flush_lsn() >= %s::pg_lsn", (landed,))
            reached.append(flushed.scalar_one())
        return sealed

    monkeypatch.setattr(pipeline, "seal_committed", between)
    pipeline.deliver(store, delivery_id, source(COMPANY_LIST), now)

    assert reached == [True]


def test_a_table_of_the_log_that_is_gone_stops_the_landing(sqlite_store: Store, now: datetime) -> None:
    delivery_id = upload(sqlite_store, COMPANY_LIST, company_list((MILL.name, MILL.uscc)), now)
    with sqlite_store.write() as conn:
        conn.exec_driver_sql("ALTER TABLE audit_entries RENAME TO elsewhere")

    with pytest.raises(Exception, match="no such table"):
        pipeline.deliver(sqlite_store, delivery_id, source(COMPANY_LIST), now)

    assert (feed(sqlite_store, "registration"), status(sqlite_store, delivery_id)) == ([], "received")


def test_the_identity_of_a_record_does_not_depend_on_how_brackets_are_typed(sqlite_store: Store, now: datetime) -> None:
    round_, square = (abnormal_listings(listing(name, MILL.uscc)) for name in ("启禾（杭州）公司", "启禾(杭州) 公司"))
    land(sqlite_store, ABNORMAL, round_, now=now)

    receipt = land(sqlite_store, ABNORMAL, square, now=now)

    assert counts(receipt) == {"received": 1, "accepted": 1, "changed": 1}


def test_two_sources_that_say_the_same_make_two_records(sqlite_store: Store, now: datetime) -> None:
    register = registrations(MILL)
    named = company_list((MILL.name, MILL.uscc))

    land(sqlite_store, REGISTRATION, register, now=now)
    land(sqlite_store, COMPANY_LIST, named, now=now)

    assert {(v.source, v.version) for v in feed(sqlite_store, "registration")} == {
        (REGISTRATION, 1),
        (COMPANY_LIST, 1),
    }


def test_a_delivery_without_rows_is_received_and_changes_nothing(store: Store, now: datetime) -> None:
    receipt = land(store, COMPLAINTS, complaints(), now=now)

    assert (counts(receipt), receipt["first_seq"], receipt["accepted_root"]) == ({}, None, sha256(b"").hexdigest())
    assert verified(store).ok


def test_the_facts_of_the_audit_entry_are_those_of_the_receipt(sqlite_store: Store, now: datetime) -> None:
    receipt = land(sqlite_store, COMPANY_LIST, company_list((MILL.name, MILL.uscc)), now=now)

    entry = receipt["audit"]["entry"]
    told_there = {name: receipt[name] for name in entry if name in receipt}
    assert set(entry) - set(told_there) == {"action", "actor", "at"}
    assert canonical_json(told_there) == canonical_json({name: entry[name] for name in told_there})


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_small_delivery_makes_no_table_and_asks_the_database_little(store: Store, now: datetime) -> None:
    land(store, COMPANY_LIST, company_list((MILL.name, MILL.uscc)), now=now)
    asked: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *said: asked.append(said[2]))

    land(store, COMPANY_LIST, company_list((DAIRY.name, DAIRY.uscc)), now=now)

    assert [statement for statement in asked if "TABLE" in statement] == []
    assert len(asked) <= 38


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_delivery_that_teaches_waits_for_no_other_feed_of_which_nothing_is_found(store: Store, now: datetime) -> None:
    land(store, COMPLAINTS, complaints(complaint("c1", areacode="330110")), now=now)
    with ThreadPoolExecutor(1) as pool, store.write() as conn:
        hold_feed(conn, "complaint", instant(now))

        landed = pool.submit(land, store, COMPANY_LIST, company_list((DAIRY.name, DAIRY.uscc)), now=now).result(30)

    assert landed["new"] == 1
