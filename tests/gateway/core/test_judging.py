"""Rows against each other and deliveries against what was promised of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from connectors.errors import ExpectationFailed
from connectors.registry import source
from connectors.spec import Expect
from gateway import pipeline
from gateway.receipts import proven
from gateway.store import Store
from tests.support.companies import BAKERY, DAIRY, MILL, WRONG_CHECK
from tests.support.deliveries import (
    ABNORMAL,
    COMPANY_LIST,
    COMPLAINTS,
    HEALTH,
    REGISTRATION,
    abnormal_listings,
    company_list,
    complaint,
    complaints,
    health_licence,
    health_licences,
    land,
    listing,
    pages,
    registrations,
)
from tests.support.standing import counts, current, feed, rejected, rules_of, status, told, verified

ANYTHING = Expect()


def land_expecting(store: Store, name: str, data: bytes, now: datetime, expect: Expect) -> dict[str, Any]:
    """Land under other expectations than those of the source."""
    spec = replace(source(name), expect=expect)
    return pipeline.deliver(store, pages(store, name, data, now=now), spec, now)


def test_a_row_said_twice_word_for_word_is_one_record(sqlite_store: Store, now: datetime) -> None:
    receipt = land(sqlite_store, COMPANY_LIST, company_list(*[(MILL.name, MILL.uscc)] * 3), now=now)

    assert counts(receipt) == {"received": 3, "accepted": 3, "duplicates": 2, "new": 1}


def test_of_two_changes_of_one_record_the_last_is_landed(sqlite_store: Store, now: datetime) -> None:
    receipt = land(sqlite_store, COMPANY_LIST, company_list(("旧名", MILL.uscc), ("新名", MILL.uscc)), now=now)

    assert counts(receipt) == {"received": 2, "accepted": 2, "duplicates": 1, "new": 1}
    assert told(sqlite_store, "registration", "name") == [("put", 1, "新名")]


def test_a_change_that_was_taken_back_in_the_same_delivery_is_as_it_was_before(
    sqlite_store: Store, now: datetime
) -> None:
    rows = [("甲公司", MILL.uscc), ("乙公司", MILL.uscc), ("甲公司", MILL.uscc)]

    land(sqlite_store, COMPANY_LIST, company_list(*rows), now=now)

    assert told(sqlite_store, "registration", "name") == [("put", 1, "甲公司")]


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("IU", [("put", 1, "2")]),
        ("ID", []),
        ("DI", [("put", 1, "2")]),
        ("DU", [("put", 1, "2")]),
    ],
)
def test_operations_on_one_record_count_in_their_order(
    sqlite_store: Store, now: datetime, marks: str, expected: list[tuple[object, ...]]
) -> None:
    rows = [health_licence("w1", mark, BZ=str(n)) for n, mark in enumerate(marks, start=1)]

    land(sqlite_store, HEALTH, health_licences(*rows), now=now)

    assert told(sqlite_store, "health_licence", "remark") == expected


def test_a_withdrawal_needs_nothing_but_the_key(store: Store, now: datetime) -> None:
    land(store, HEALTH, health_licences(health_licence("w1"), health_licence("w2")), now=now)
    gone = health_licence("w1", "D", XK_XZJG=None, XK_JDRQ="2024-13-45", XK_NR=None)

    receipt = land(store, HEALTH, health_licences(gone), now=now)

    assert counts(receipt) == {"received": 1, "accepted": 1, "withdrawn": 1}
    assert told(store, "health_licence", "licence_no", "authority_name")[2:] == [
        ("withdraw", 2, "w1", "成都市卫生健康局")
    ]
    assert verified(store).ok


def test_rows_of_a_snapshot_that_contradict_each_other_are_all_quarantined(store: Store, now: datetime) -> None:
    one, other = listing("甲公司"), listing("甲公司", decorg_cn="宁波市市场监督管理局")
    sent = abnormal_listings(one, listing(MILL.name), other, one, *(listing(f"乙{n}公司") for n in range(9)))

    receipt = land_expecting(store, ABNORMAL, sent, now, ANYTHING)

    assert counts(receipt) == {"received": 13, "accepted": 10, "rejected": 3, "new": 10, "unresolved": 10}
    faults = [(row["row"], *rules_of(row)) for row in rejected(store)]
    field = "subject_name+listed_on+cause_code"
    assert faults == [(n, (field, "row.conflict")) for n in (1, 3, 4)]
    assert "1、3、4" in rejected(store)[0]["faults"][0]["zh"]


def test_a_repetition_in_a_snapshot_is_no_conflict(sqlite_store: Store, now: datetime) -> None:
    receipt = land(sqlite_store, ABNORMAL, abnormal_listings(listing("甲公司"), listing("甲公司")), now=now)

    assert counts(receipt) == {"received": 2, "accepted": 2, "duplicates": 1, "new": 1, "unresolved": 1}


def test_a_row_of_nothing_but_placeholders_is_quarantined_for_what_it_lacks(sqlite_store: Store, now: datetime) -> None:
    row = complaint("/", name="无", uscc="不详", address="-", type="null", receive_time="—", topic="N/A")

    land_expecting(sqlite_store, COMPLAINTS, complaints(row), now, ANYTHING)

    (row_there,) = rejected(sqlite_store)
    assert {field for field, _ in rules_of(row_there)} == {"complaint_no", "kind_code", "subject_name", "received_on"}
    assert {rule for _, rule in rules_of(row_there)} == {"field.required"}


@pytest.mark.parametrize(
    ("expect", "expectation", "got"),
    [
        (Expect(rows_min=5), "rows.min", 4),
        (Expect(valid_uscc=0.6), "valid_uscc", 0.5),
        (Expect(accepted=0.6), "accepted", 0.5),
        (Expect(filled={"name": 0.9}), "filled.name", 0.75),
    ],
)
def test_a_delivery_that_is_not_as_promised_is_refused_whole(
    sqlite_store: Store, now: datetime, expect: Expect, expectation: str, got: float
) -> None:
    rows = [(MILL.name, MILL.uscc), (DAIRY.name, DAIRY.uscc), ("丙公司", WRONG_CHECK), (None, "无此代码")]
    data = company_list(*rows)

    with pytest.raises(ExpectationFailed) as refused:
        land_expecting(sqlite_store, COMPANY_LIST, data, now, expect)

    told_of = {name: refused.value.details[name] for name in ("source", "expectation", "got")}
    assert told_of == {"source": COMPANY_LIST, "expectation": expectation, "got": got}
    assert (feed(sqlite_store, "registration"), rejected(sqlite_store)) == ([], [])


def test_rows_without_a_code_say_nothing_about_the_share_of_valid_ones(sqlite_store: Store, now: datetime) -> None:
    rows = [(MILL.name, MILL.uscc), (DAIRY.name, DAIRY.uscc), ("丙公司", None), ("丁公司", None)]

    receipt = land_expecting(sqlite_store, COMPANY_LIST, company_list(*rows), now, Expect(valid_uscc=1.0))

    assert counts(receipt) == {"received": 4, "accepted": 2, "rejected": 2, "new": 2}


def test_more_rows_than_promised_are_a_finding_and_land(sqlite_store: Store, now: datetime) -> None:
    data = registrations(MILL, DAIRY, BAKERY)

    receipt = land_expecting(sqlite_store, REGISTRATION, data, now, Expect(rows_max=2))

    assert [(f["rule"], f["count"]) for f in receipt["findings"]] == [("rows.more_than_expected", 3)]
    assert counts(receipt) == {"received": 3, "accepted": 3, "new": 3}


def test_a_half_empty_snapshot_withdraws_nothing_and_is_kept(store: Store, now: datetime) -> None:
    before = abnormal_listings(*(listing(f"乙{n}公司") for n in range(10)))
    land(store, ABNORMAL, before, now=now)
    half = abnormal_listings(*(listing(f"乙{n}公司") for n in range(5)))
    delivery_id = pages(store, ABNORMAL, half, now=now)

    with pytest.raises(ExpectationFailed) as refused:
        pipeline.deliver(store, delivery_id, source(ABNORMAL), now)

    assert (refused.value.details["expectation"], refused.value.details["got"]) == ("keeps", 0.5)
    assert len(current(store, "abnormal_listing", "subject_name")) == 10
    assert (status(store, delivery_id), len(feed(store, "abnormal_listing"))) == ("refused", 10)
    refusal = proven(store, delivery_id)
    assert (refusal["problem"]["code"], refusal["audit"]["entry"]["action"]) == (
        "expectation_failed",
        "delivery.refused",
    )
    assert refusal["problem"]["details"]["got"] == "0.5"
    assert half in {file.read_bytes() for file in (store.settings.home / "received").glob("*/*")}
    assert verified(store).ok


def test_a_snapshot_withdraws_what_it_no_longer_names(store: Store, now: datetime) -> None:
    land(store, ABNORMAL, abnormal_listings(*(listing(f"乙{n}公司") for n in range(4))), now=now)

    receipt = land(store, ABNORMAL, abnormal_listings(*(listing(f"乙{n}公司") for n in range(3))), now=now)

    assert counts(receipt) == {"received": 3, "accepted": 3, "unchanged": 3, "withdrawn": 1, "unresolved": 3}
    assert told(store, "abnormal_listing", "subject_name")[4:] == [("withdraw", 2, "乙3公司")]
    assert verified(store).ok


def test_a_refused_row_of_a_snapshot_does_not_withdraw_what_was_said_before(store: Store, now: datetime) -> None:
    names = [f"乙{n}公司" for n in range(6)]
    land(store, ABNORMAL, abnormal_listings(*map(listing, names)), now=now)
    spoilt = [listing(names[0], decorg_cn=None), listing(names[1], uscc=WRONG_CHECK)]
    conflict = [listing(names[2], remexcpres_cn=text) for text in ("已补报", "未补报")]

    receipt = land_expecting(
        store, ABNORMAL, abnormal_listings(*spoilt, *conflict, *map(listing, names[3:])), now, ANYTHING
    )

    assert counts(receipt) == {"received": 7, "accepted": 3, "rejected": 4, "unchanged": 3, "unresolved": 3}
    assert current(store, "abnormal_listing", "subject_name") == {(name,) for name in names}


def test_records_named_by_refused_rows_count_as_kept(sqlite_store: Store, now: datetime) -> None:
    names = [f"乙{n}公司" for n in range(10)]
    land(sqlite_store, ABNORMAL, abnormal_listings(*map(listing, names)), now=now)
    spoilt = [listing(name, decorg_cn=None) for name in names[:5]]

    receipt = land_expecting(
        sqlite_store, ABNORMAL, abnormal_listings(*spoilt, *map(listing, names[5:8])), now, Expect(keeps=0.7)
    )

    assert counts(receipt) == {
        "received": 8,
        "accepted": 3,
        "rejected": 5,
        "unchanged": 3,
        "withdrawn": 2,
        "unresolved": 3,
    }
