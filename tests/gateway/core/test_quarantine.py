"""Rows set aside: what is said of them, and how a person settles them."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import polars as pl
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from connectors.decode import decode_chunks
from connectors.delivery import Delivery, Mapped, Sheet
from connectors.errors import Refused, SourceChanged, XinqiaoError
from connectors.registry import source
from connectors.spec import Expect, SourceSpec, Word
from gateway import pipeline, quarantine
from gateway import replay as replaying
from gateway.audit.tables import entries
from gateway.quarantine import CORRECTED, DISMISSED, OPEN, REPLAYED, dismiss, open_rejection
from gateway.replay import correct, replay
from gateway.store import Store
from schemas.judgement import ROW
from tests.support.companies import BAKERY, DAIRY, MILL, WRONG_CHECK
from tests.support.deliveries import (
    ABNORMAL,
    COMPANY_LIST,
    COMPLAINTS,
    abnormal_listings,
    company_list,
    complaint,
    complaints,
    land,
    listing,
    pages,
    upload,
)
from tests.support.standing import counts, current, feed, registered, rejected, rules_of, status, told, verified

CLERK = "urn:xinqiao:market_supervision:clerk"


@pytest.fixture
def one_rejected(store: Store, now: datetime) -> dict[str, Any]:
    """A delivery of two good rows and one whose code has a wrong character."""
    rows = [(DAIRY.name, DAIRY.uscc), (MILL.name, WRONG_CHECK), (BAKERY.name, BAKERY.uscc)]
    land(store, COMPANY_LIST, company_list(*rows), now=now)
    (row,) = rejected(store)
    return row


def mend(monkeypatch: pytest.MonkeyPatch, name: str, **changed: Any) -> SourceSpec:
    """The source as it is after somebody has edited its ``source.yml``."""
    spec = replace(source(name), **changed)
    monkeypatch.setattr(replaying, "source", lambda asked: spec if asked == name else source(asked))
    return spec


def acts(store: Store, action: str) -> list[dict[str, Any]]:
    with store.read() as conn:
        bodies = conn.execute(select(entries.c.body).where(entries.c.action == action).order_by(entries.c.id))
        return [json.loads(body) for (body,) in bodies]


def test_every_fault_of_a_row_is_listed_where_the_agency_will_look(sqlite_store: Store, now: datetime) -> None:
    data = company_list((MILL.name, MILL.uscc)).decode("utf-8-sig")
    data += f'123,{WRONG_CHECK},2015-13-45,"1,000(万元)",浙江,杭州\r\n'
    delivery_id = upload(sqlite_store, COMPANY_LIST, data.encode("utf-8-sig"), now, "企业名单.csv")

    pipeline.deliver(sqlite_store, delivery_id, source(COMPANY_LIST), now)

    (row,) = rejected(sqlite_store)
    place = {
        name: row[name] for name in ("delivery_id", "source", "record_type", "row", "part", "line", "form", "status")
    }
    assert place == {
        "delivery_id": delivery_id,
        "source": COMPANY_LIST,
        "record_type": "registration",
        "row": 2,
        "part": "企业名单.csv",
        "line": 3,
        "form": "six_columns",
        "status": OPEN,
    }
    assert [(f["field"], f["heading"], f["value"], f["rule"]) for f in row["faults"]] == [
        ("uscc", "统一社会信用代码", WRONG_CHECK, "uscc.check_character"),
        ("name", "企业名称", "123", "name.not_a_name"),
        ("established_on", "注册日期", "2015-13-45", "date.no_such_day"),
    ]
    assert all(fault["zh"] and fault["en"] and fault["zh"] != fault["en"] for fault in row["faults"])
    assert MILL.uscc in row["faults"][0]["candidates"]


def test_personal_values_are_not_shown_with_their_faults(store: Store, now: datetime) -> None:
    long = "1" * 51
    row = complaint("c1", complainant={"name": "周某", "phone": long})  # type: ignore[arg-type]  # a nested object

    land(store, COMPLAINTS, complaints(row, complaint("c2")), now=now)

    (kept,) = rejected(store)
    (fault,) = kept["faults"]
    assert (fault["field"], fault["heading"], fault["rule"]) == (
        "complainant_phone",
        "complainant.phone",
        "text.too_long",
    )
    assert (fault["value"], fault["candidates"], long[:10] in str(kept)) == (None, [], False)


def test_a_row_is_kept_as_sent_and_only_opened_with_the_key(store: Store, one_rejected: dict[str, Any]) -> None:
    with store.read() as conn:
        opened = open_rejection(conn, store, one_rejected["id"])

    assert opened.sent == {
        "企业名称": MILL.name,
        "统一社会信用代码": WRONG_CHECK,
        "注册日期": "2015-11-04",
        "注册资金": "1,000(万元)",
        "所在省份": "浙江",
        "地区": "杭州",
    }
    assert opened.mapped["uscc"] == WRONG_CHECK
    assert MILL.name.encode() not in opened.row.sealed


def test_a_corrected_row_lands_under_the_identity_it_has(
    store: Store, now: datetime, one_rejected: dict[str, Any]
) -> None:
    receipt = correct(store, one_rejected["id"], {"统一社会信用代码": MILL.uscc}, CLERK, now + timedelta(hours=1))

    # The agency corrects it on its side too: then it is the same record, and no change.
    again = land(store, COMPANY_LIST, company_list((MILL.name, MILL.uscc)), now=now)
    assert counts(receipt) == {"received": 1, "accepted": 1, "new": 1}
    assert counts(again) == {"received": 1, "accepted": 1, "unchanged": 1}
    (settled,) = rejected(store, CORRECTED)
    assert (settled["settled_by"], settled["settled_at"], settled["settled_in"]) == (
        CLERK,
        "2026-11-21T03:00:00.000000Z",
        receipt["delivery_id"],
    )
    (act,) = acts(store, "quarantine.corrected")
    assert (act["actor"], act["rejections"], act["delivery_id"]) == (
        CLERK,
        [one_rejected["id"]],
        receipt["delivery_id"],
    )
    assert verified(store).ok


def test_a_wrong_correction_is_refused_with_what_is_still_wrong(
    store: Store, now: datetime, one_rejected: dict[str, Any]
) -> None:
    values = {"uscc": MILL.uscc, "established_on": "2015-02-30", "name": None}

    with pytest.raises(Refused) as refused:
        correct(store, one_rejected["id"], values, CLERK, now)

    faults: Any = refused.value.details["faults"]
    assert {(f["field"], f["value"], f["rule"]) for f in faults} == {
        ("name", None, "field.required"),
        ("established_on", "2015-02-30", "date.no_such_day"),
    }
    assert (len(rejected(store)), registered(store), len(feed(store, "registration"))) == (1, {"landed": 1}, 2)


def test_personal_values_are_not_shown_by_a_wrong_correction(sqlite_store: Store, now: datetime) -> None:
    row = complaint("c1", complainant={"name": "周某", "phone": "1" * 51})  # type: ignore[arg-type]  # a nested object
    land(sqlite_store, COMPLAINTS, complaints(row, complaint("c2")), now=now)
    (kept,) = rejected(sqlite_store)

    with pytest.raises(Refused) as refused:
        correct(sqlite_store, kept["id"], {"complainant_phone": "2" * 52}, CLERK, now)

    assert "2" * 10 not in f"{refused.value} {refused.value.details}"


@pytest.mark.parametrize(
    ("values", "zh"),
    [
        ({"secret": "1"}, "没有字段 secret"),
        ({"_op": "withdraw"}, "没有字段 _op"),
        ({"_row": "7"}, "没有字段 _row"),
    ],
)
def test_only_fields_of_the_record_can_be_corrected(
    sqlite_store: Store, now: datetime, values: dict[str, str | None], zh: str
) -> None:
    land(sqlite_store, COMPANY_LIST, company_list((MILL.name, WRONG_CHECK), (DAIRY.name, DAIRY.uscc)), now=now)
    (row,) = rejected(sqlite_store)

    with pytest.raises(Refused, match=zh):
        correct(sqlite_store, row["id"], values, CLERK, now)


def test_a_row_is_corrected_once_also_by_two_at_once(store: Store, now: datetime, one_rejected: dict[str, Any]) -> None:
    start = Barrier(2)

    def correct_it(name: str) -> dict[str, Any] | XinqiaoError:
        start.wait(10)
        try:
            return correct(store, one_rejected["id"], {"uscc": MILL.uscc, "name": name}, CLERK, now)
        except Refused as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(correct_it, ("甲公司", "乙公司")))

    (receipt,) = (answer for answer in answers if isinstance(answer, dict))
    with pytest.raises(Refused, match="corrected"):
        correct(store, one_rejected["id"], {"uscc": MILL.uscc}, CLERK, now)
    assert sum(isinstance(answer, Refused) for answer in answers) == 1
    assert "received" not in registered(store)
    assert [v.delivery_id for v in feed(store, "registration", after=2)] == [receipt["delivery_id"]]
    assert verified(store).ok


def test_a_dismissed_row_is_closed_with_its_reason(store: Store, now: datetime, one_rejected: dict[str, Any]) -> None:
    dismiss(store, one_rejected["id"], "重复报送", CLERK, now)

    with pytest.raises(Refused):
        dismiss(store, one_rejected["id"], "重复报送", CLERK, now)
    with pytest.raises(Refused):
        correct(store, one_rejected["id"], {"uscc": MILL.uscc}, CLERK, now)
    assert [(r["reason"], r["settled_by"]) for r in rejected(store, DISMISSED)] == [("重复报送", CLERK)]
    assert [(a["actor"], a["reason"]) for a in acts(store, "quarantine.dismissed")] == [(CLERK, "重复报送")]


def test_a_row_that_is_not_there_is_refused_in_words(sqlite_store: Store, now: datetime) -> None:
    with pytest.raises(Refused, match="no quarantined row 7"):
        dismiss(sqlite_store, 7, "无", CLERK, now)


def test_very_many_rows_are_settled_in_one_act(store: Store, now: datetime) -> None:
    with store.write() as conn, pytest.raises(Refused, match="70000 of the rows have been settled by someone else"):
        quarantine.settle(conn, range(70_000), DISMISSED, actor=CLERK, now=now)


def test_rows_land_when_the_mapping_is_mended(store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [listing("甲公司", specause_cn="住所失联"), listing("乙公司"), listing("丙公司", specause_cn="另一种原因")]
    rows += [listing(f"丁{n}公司") for n in range(9)]
    receipt = land(store, ABNORMAL, abnormal_listings(*rows), now=now)
    spec = source(ABNORMAL)
    word = Word(("住所失联",), "4", "the county's own short form")
    mend(monkeypatch, ABNORMAL, lookups={"cause": (*spec.lookups["cause"], word)})

    replayed = replay(store, receipt["delivery_id"], CLERK, now + timedelta(days=1))

    assert counts(replayed) == {"received": 1, "accepted": 1, "new": 1, "unresolved": 1}
    assert (replayed["origin"], len(feed(store, "abnormal_listing"))) == (f"replay:{CLERK}", 11)
    assert [row["row"] for row in rejected(store, REPLAYED)] == [1]
    assert [row["row"] for row in rejected(store)] == [3]
    with pytest.raises(Refused, match="still faulty"):
        replay(store, receipt["delivery_id"], CLERK, now)
    assert verified(store).ok


def test_a_replay_holds_one_chunk_of_a_large_delivery_at_a_time(
    sqlite_store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [listing(f"丁{n}公司") for n in range(60)]
    rows[7], rows[44] = (listing(name, specause_cn="住所失联") for name in ("甲公司", "乙公司"))
    receipt = land(sqlite_store, ABNORMAL, abnormal_listings(*rows), now=now)
    word = Word(("住所失联",), "4", "the county's own short form")
    mend(monkeypatch, ABNORMAL, lookups={"cause": (*source(ABNORMAL).lookups["cause"], word)})
    read: list[weakref.ref[Sheet]] = []
    alive: list[int] = []

    def watched(*arguments: Any) -> Iterator[Sheet]:
        for sheet in decode_chunks(*arguments):
            alive.append(sum(ref() is not None for ref in read))
            read.append(weakref.ref(sheet))
            yield sheet

    monkeypatch.setattr(replaying, "CHUNK_ROWS", 5)
    monkeypatch.setattr(replaying, "decode_chunks", watched)

    replayed = replay(sqlite_store, receipt["delivery_id"], CLERK, now)

    assert counts(replayed) == {"received": 2, "accepted": 2, "new": 2, "unresolved": 2}
    assert [row["row"] for row in rejected(sqlite_store, REPLAYED)] == [8, 45]
    assert len(alive) == 12
    # The one that was mapped last, while the next is made.
    assert max(alive) <= 1


def test_rows_kept_of_a_chunk_do_not_keep_the_text_of_the_others(now: datetime) -> None:
    def kept() -> Mapped:
        sent = pl.DataFrame({ROW: [1, 2], "备注": ["短" * 10, "x" * 5_000_000]}, schema_overrides={ROW: pl.UInt32})
        return replaying._only(Mapped(Sheet(Delivery("a/b", (), "test", now), sent), sent, "only"), [1])

    process = psutil.Process()
    before = process.memory_info().rss

    every = [kept() for _ in range(30)]

    assert {row for one in every for row in one.frame.rows()} == {(1, "短" * 10)}
    assert process.memory_info().rss - before < 75_000_000


def test_a_row_is_found_again_by_its_line_when_the_mapping_sets_others_aside(
    sqlite_store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note that was taken for a row is a note now; the rows below it have moved up by one."""
    text = company_list((DAIRY.name, DAIRY.uscc), (BAKERY.name, BAKERY.uscc)).decode("utf-8-sig").splitlines()
    text.insert(1, "说明：本表由市局汇总,,,,,")
    text.insert(3, f"{MILL.name},甲{MILL.uscc},2015-11-04,,浙江,杭州")
    delivery_id = upload(sqlite_store, COMPANY_LIST, "\n".join(text).encode("utf-8-sig"), now)
    pipeline.deliver(sqlite_store, delivery_id, source(COMPANY_LIST), now)
    spec = source(COMPANY_LIST)
    faulty = [(row["row"], row["line"]) for row in rejected(sqlite_store)]
    mend(monkeypatch, COMPANY_LIST, decode=replace(spec.decode, footer=("说明",)))

    with pytest.raises(Refused, match="2 rows are still faulty"):
        replay(sqlite_store, delivery_id, CLERK, now)

    assert (faulty, len(rejected(sqlite_store)), len(feed(sqlite_store, "registration"))) == ([(1, 2), (3, 4)], 2, 2)


def test_a_delivery_that_was_refused_whole_goes_the_whole_way_again(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = company_list((MILL.name, MILL.uscc), headings="名称,统一社会信用代码,注册日期,注册资金,所在省份,地区")
    delivery_id = upload(store, COMPANY_LIST, data, now)
    with pytest.raises(SourceChanged):
        pipeline.deliver(store, delivery_id, source(COMPANY_LIST), now)
    (form,) = source(COMPANY_LIST).forms
    columns = tuple(replace(c, headings=(*c.headings, "名称")) if c.field == "name" else c for c in form.columns)
    mend(monkeypatch, COMPANY_LIST, forms=(replace(form, columns=columns),))

    receipt = replay(store, delivery_id, CLERK, now)

    assert (receipt["delivery_id"], counts(receipt)) == (delivery_id, {"received": 1, "accepted": 1, "new": 1})
    assert status(store, delivery_id) == "landed"
    assert [entry["code"] for entry in acts(store, "delivery.refused")] == ["source_changed"]
    assert verified(store).ok


def test_nothing_is_replayed_where_nothing_waits(sqlite_store: Store, now: datetime) -> None:
    receipt = land(sqlite_store, COMPANY_LIST, company_list((MILL.name, MILL.uscc)), now=now)

    with pytest.raises(Refused, match="has no open quarantined rows"):
        replay(sqlite_store, receipt["delivery_id"], CLERK, now)


def test_a_correction_in_a_snapshot_source_withdraws_nothing(store: Store, now: datetime) -> None:
    names = [f"丁{n}公司" for n in range(5)]
    spoilt = listing("甲公司", decorg_cn=None)
    spec = replace(source(ABNORMAL), expect=Expect())
    pipeline.deliver(store, pages(store, ABNORMAL, abnormal_listings(spoilt, *map(listing, names)), now=now), spec, now)
    (row,) = rejected(store)

    receipt = correct(store, row["id"], {"decorg_cn": "杭州市市场监督管理局"}, CLERK, now)

    assert counts(receipt) == {"received": 1, "accepted": 1, "new": 1, "unresolved": 1}
    assert current(store, "abnormal_listing", "subject_name") == {("甲公司",), *((name,) for name in names)}


def test_rows_in_conflict_are_settled_by_saying_which_is_true(sqlite_store: Store, now: datetime) -> None:
    conflict = [listing("甲公司", remexcpres_cn=text) for text in ("已补报", "未补报")]
    spec = replace(source(ABNORMAL), expect=Expect())
    page = abnormal_listings(*conflict, listing("乙公司"))
    pipeline.deliver(sqlite_store, pages(sqlite_store, ABNORMAL, page, now=now), spec, now)
    true, untrue = rejected(sqlite_store)

    correct(sqlite_store, true["id"], {}, CLERK, now)
    dismiss(sqlite_store, untrue["id"], "已核对", CLERK, now)

    assert rules_of(true) == {("subject_name+listed_on+cause_code", "row.conflict")}
    assert told(sqlite_store, "abnormal_listing", "subject_name", "removal_cause")[1:] == [
        ("put", 1, "甲公司", "已补报")
    ]


def test_an_old_row_does_not_overwrite_what_a_newer_delivery_has_said(
    store: Store, now: datetime, one_rejected: dict[str, Any]
) -> None:
    later = now + timedelta(hours=1)
    land(store, COMPANY_LIST, company_list((BAKERY.name, MILL.uscc)), now=later)

    with pytest.raises(Refused, match="a newer delivery has said something"):
        correct(store, one_rejected["id"], {"uscc": MILL.uscc}, CLERK, later)

    assert (BAKERY.name, MILL.uscc) in current(store, "registration", "name", "uscc")
    assert [row["status"] for row in rejected(store, None)] == [OPEN]
    assert verified(store).ok


def test_a_replay_leaves_rows_open_that_a_newer_delivery_has_overtaken(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [complaint("c1", status="办理中2"), complaint("c2", status="办理中2"), complaint("c3"), complaint("c4")]
    receipt = land(store, COMPLAINTS, complaints(*rows), now=now)
    land(store, COMPLAINTS, complaints(complaint("c1")), now=now + timedelta(hours=1))
    lookups = dict(source(COMPLAINTS).lookups)
    columns = [column for form in source(COMPLAINTS).forms for column in form.columns]
    name = next(column.lookup for column in columns if column.field == "status_code" and column.lookup)
    lookups[name] = (*lookups[name], Word(("办理中2",), "2", "test"))
    mend(monkeypatch, COMPLAINTS, lookups=lookups)

    again = replay(store, receipt["delivery_id"], CLERK, now + timedelta(hours=2))

    assert counts(again)["new"] == 1
    assert [row["line"] for row in rejected(store)] == [1]


@given(st.lists(st.tuples(st.text() | st.none(), st.text() | st.none()), min_size=1))
def test_whatever_was_sent_is_kept_to_the_letter(rows: list[tuple[str | None, str | None]]) -> None:
    frame = pl.DataFrame(rows, schema={'列"\\\n一': pl.String, "b": pl.String}, orient="row")

    kept = quarantine._objects(frame)

    assert [json.loads(text) for text in kept] == frame.to_dicts()
    assert quarantine._objects(frame.select([])).to_list() == []
