"""What agencies can send by mistake or on purpose: each is answered in words, kept, and never half-landed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from html import escape
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]  # has no type information

from connectors.errors import ExpectationFailed, Refused, SourceChanged, Undecodable, XinqiaoError
from connectors.registry import source
from gateway import pipeline
from gateway.audit.verify import verify
from gateway.receipts import proven
from gateway.settings import Settings
from gateway.store import Store, open_store
from tests.support.companies import DAIRY, MILL
from tests.support.deliveries import (
    ABNORMAL,
    COMPANY_LIST,
    COMPLAINTS,
    CUSTOMS,
    HEALTH,
    REFUSALS,
    REGISTRATION,
    abnormal_listings,
    company_list,
    complaint,
    complaints,
    customs,
    customs_row,
    land,
    listing,
    pages,
    refusals,
    registrations,
    upload,
)
from tests.support.standing import counts, current, feed, rejected, rules_of, status

PRODUCE = "agriculture/produce_sampling"
PRODUCE_CSV = (
    "抽样编号,样品名称,被抽样对象名称,详细地址,检测项目,检测结果,检测值,限量值,检测机构,行政区划\r\n"
    "S1,生菜,杭州菜园合作社,浙江省杭州市,毒死蜱,合格,未检出,0.02,杭州检测中心,330110\r\n"
).encode("gb18030")


def zipped(members: Mapping[str, bytes], level: int = 9) -> bytes:
    """A ZIP of these files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def workbook(*cells: tuple[int, int, str], headings: str) -> bytes:
    """An XLSX with a heading row; a cell that begins with ``=`` is a formula."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, headings.split(","))
        for row, column, text in cells:
            if text.startswith("="):
                sheet.write_formula(row, column, text, value="算出的值")
            else:
                sheet.write_string(row, column, text)
    return file.getvalue()


def refused(store: Store, name: str, data: bytes, now: datetime, file: str = "文件.csv") -> XinqiaoError:
    """Deliver what must be refused whole; everything that must be so after any refusal is checked here."""
    delivery_id = upload(store, name, data, now, file)
    stood = len(feed(store, source(name).record_type))

    with pytest.raises((Undecodable, SourceChanged, ExpectationFailed)) as answer:
        pipeline.deliver(store, delivery_id, source(name), now)

    error: XinqiaoError = answer.value
    assert (status(store, delivery_id), rejected(store)) == ("refused", [])
    assert len(feed(store, source(name).record_type)) == stood
    kept = proven(store, delivery_id)
    assert kept["problem"] == {"code": error.code, "zh": error.zh, "en": error.en, "details": error.details}
    assert kept["audit"]["entry"]["action"] == "delivery.refused"
    assert data in {path.read_bytes() for path in (store.settings.home / "received").glob("*/*")}
    assert name in error.zh
    assert name in error.en
    assert "保留" in error.zh
    assert verify(store).ok
    return error


@pytest.mark.parametrize(
    ("name", "data", "got"),
    [
        (COMPANY_LIST, b"%PDF-1.7 \xe2\xe3\xcf\xd3", None),
        (COMPANY_LIST, b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", None),
        (COMPANY_LIST, zipped({"a.csv": b"x"}), "zip"),
        (COMPANY_LIST, workbook(headings="企业名称,统一社会信用代码"), "xlsx"),
        (PRODUCE, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "xls"),
        (PRODUCE, zipped({"里.zip": zipped({"a.csv": PRODUCE_CSV})}), "zip"),
        (COMPLAINTS, b"<html><body>502 Bad Gateway</body></html>", None),
        (COMPLAINTS, b"", None),
        (COMPLAINTS, b'{"code": 0, "data": {"items": [1, 2]}}', None),
        (COMPLAINTS, b'{"code": 0, "data": {"items": {"a": 1}}}', None),
        (COMPLAINTS, b'{"code": 0, "data": {"items": [{"a": 1, "a": 2}]}}', None),
        (COMPLAINTS, b'{"code": 0, "data": {"items": [{"a": NaN}]}}', None),
        (COMPLAINTS, b"[" * 100_000, None),
        (HEALTH, b'{"XK_WSH": "1"}\n{"XK_WSH": ', None),
        (REGISTRATION, b"<Envelope><Body><entities><entity>", None),
        (REGISTRATION, b'{"code": 0}', None),
    ],
)
def test_what_is_not_in_the_declared_format(
    sqlite_store: Store, now: datetime, name: str, data: bytes, got: str | None
) -> None:
    error = refused(sqlite_store, name, data, now)

    assert error.code == "undecodable"
    assert error.details.get("got") == got


@pytest.mark.parametrize(
    ("name", "data", "declared"),
    [
        (COMPANY_LIST, company_list((MILL.name, MILL.uscc)).decode("utf-8-sig").encode("gb18030"), "utf-8-sig"),
        (COMPANY_LIST, company_list((MILL.name, MILL.uscc)).decode("utf-8-sig").encode("utf-16"), None),
        (REFUSALS, refusals(("1", MILL.name)).decode("gb18030").encode("utf-8-sig"), "gb18030"),
        (REFUSALS, refusals(("1", MILL.name)).decode("gb18030").encode("utf-8"), "gb18030"),
        (REFUSALS, refusals(("1", MILL.name))[:-30] + b"\xff\xfe\xff", "gb18030"),
        (COMPLAINTS, complaints(complaint("1")).decode().encode("gb18030"), "utf-8-sig"),
    ],
)
def test_what_is_in_another_encoding_than_declared(
    sqlite_store: Store, now: datetime, name: str, data: bytes, declared: str | None
) -> None:
    error = refused(sqlite_store, name, data, now)

    assert (error.code, error.details.get("declared")) == ("undecodable", declared)


@pytest.mark.parametrize("keep", [3, 60, -30, -5])
def test_a_zip_that_is_cut_short(sqlite_store: Store, now: datetime, keep: int) -> None:
    whole = zipped({"抽查.csv": PRODUCE_CSV})

    error = refused(sqlite_store, PRODUCE, whole[:keep], now, "农产品监督抽查.zip")

    assert error.code in ("undecodable", "source_changed")


def test_a_zip_whose_content_is_damaged(sqlite_store: Store, now: datetime) -> None:
    data = bytearray(zipped({"a.csv": PRODUCE_CSV}, level=0))
    data[data.index(b"S1")] ^= 1

    assert refused(sqlite_store, PRODUCE, bytes(data), now).code == "undecodable"


def test_a_zip_bomb_is_not_unpacked(sqlite_store: Store, now: datetime) -> None:
    error = refused(sqlite_store, PRODUCE, zipped({"a.csv": bytes(40 * 1024 * 1024)}), now)

    assert (error.code, error.details["unpacked"]) == ("undecodable", 40 * 1024 * 1024)


def test_the_installation_says_how_much_may_be_unpacked(sqlite_settings: Settings, now: datetime) -> None:
    store = open_store(replace(sqlite_settings, max_unpacked_bytes=100))
    try:
        error = refused(store, PRODUCE, zipped({"a.csv": PRODUCE_CSV}), now)
    finally:
        store.close()

    assert error.details["limit"] == 100


@pytest.mark.parametrize("member", ["../../../etc/cron.d/x", "/etc/passwd", "C:\\x.csv", "a/../../x.csv"])
def test_a_path_in_the_name_of_a_member(sqlite_store: Store, now: datetime, member: str) -> None:
    before = everything_outside(sqlite_store)

    error = refused(sqlite_store, PRODUCE, zipped({member: PRODUCE_CSV}), now)

    assert (error.code, everything_outside(sqlite_store)) == ("undecodable", before)


@pytest.mark.parametrize(
    "name", ["../../../../etc/passwd.csv", "/etc/shadow", "..\\..\\x.csv", "a\x00b\n.csv", "名" * 400]
)
def test_a_path_in_the_name_of_a_file_is_only_a_label(sqlite_store: Store, now: datetime, name: str) -> None:
    before = everything_outside(sqlite_store)
    data = company_list((MILL.name, MILL.uscc))

    receipt = pipeline.deliver(
        sqlite_store, upload(sqlite_store, COMPANY_LIST, data, now, name), source(COMPANY_LIST), now
    )

    (kept,) = (path for path in (sqlite_store.settings.home / "received").glob("*/*"))
    assert (counts(receipt)["new"], kept.read_bytes()) == (1, data)
    assert everything_outside(sqlite_store) == before


def everything_outside(store: Store) -> set[Path]:
    """Files beside the home: whatever leads out of it would first appear there."""
    return set(store.settings.home.parent.iterdir())


EXTERNAL = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
PARAMETER = b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/evil.dtd">'


@pytest.mark.parametrize("doctype", [EXTERNAL, LAUGHS, PARAMETER], ids=["external", "expansion", "outside"])
@pytest.mark.parametrize("inside", [False, True], ids=["answer", "message in the answer"])
def test_xml_with_a_document_type_is_refused(sqlite_store: Store, now: datetime, doctype: bytes, inside: bool) -> None:
    name, plain = (
        (CUSTOMS, customs(customs_row("5101960002", "甲公司"))) if inside else (REGISTRATION, registrations(MILL))
    )
    mark = b"&lt;ExchangeMessage" if inside else b"<Envelope"
    declared = escape(doctype.decode(), quote=False).encode() if inside else doctype

    error = refused(sqlite_store, name, plain.replace(mark, declared + mark), now)

    assert (error.code, error.details["doctype"]) == ("undecodable", "x")


def test_an_entity_that_nobody_declared(sqlite_store: Store, now: datetime) -> None:
    data = registrations(MILL).replace(MILL.name.encode(), b"&evil;")

    assert refused(sqlite_store, REGISTRATION, data, now).code == "undecodable"


def test_a_declared_column_that_is_missing_stops_the_delivery(sqlite_store: Store, now: datetime) -> None:
    data = company_list((MILL.name, MILL.uscc), headings="企业名称,信用码,注册日期,注册资金,所在省份,地区")

    error = refused(sqlite_store, COMPANY_LIST, data, now)

    assert (error.code, error.details["missing"], error.details["unexpected"]) == (
        "source_changed",
        ["统一社会信用代码"],
        ["信用码"],
    )


def test_a_column_that_nobody_declared_is_reported_and_the_rows_land(sqlite_store: Store, now: datetime) -> None:
    delivery_id = upload(sqlite_store, REFUSALS, refusals(("1", MILL.name), more="备注栏"), now)

    receipt = pipeline.deliver(sqlite_store, delivery_id, source(REFUSALS), now)

    assert [(f["rule"], f["column"], f["count"], f["example"]) for f in receipt["findings"]] == [
        ("column.unexpected", "备注栏", 1, "另列")
    ]
    assert counts(receipt) == {"received": 1, "accepted": 1, "new": 1, "unresolved": 1}


def test_a_file_with_headings_only_says_nothing_and_lands(sqlite_store: Store, now: datetime) -> None:
    assert counts(land(sqlite_store, COMPANY_LIST, company_list(), now=now)) == {}


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\r\n\r\n", b" "])
def test_a_file_without_even_a_heading(sqlite_store: Store, now: datetime, data: bytes) -> None:
    assert refused(sqlite_store, COMPANY_LIST, data, now).code in ("undecodable", "source_changed")


@pytest.mark.parametrize("page", [abnormal_listings(), b'{"status": 200, "result": {"total": 0, "list": null}}'])
def test_an_empty_snapshot_withdraws_nothing(sqlite_store: Store, now: datetime, page: bytes) -> None:
    land(sqlite_store, ABNORMAL, abnormal_listings(*(listing(f"乙{n}公司") for n in range(3))), now=now)

    error = refused(sqlite_store, ABNORMAL, page, now)

    assert (error.code, error.details["expectation"]) == ("expectation_failed", "rows.min")
    assert len(current(sqlite_store, "abnormal_listing", "subject_name")) == 3


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "@SUM(1+1)*cmd", "+1+cmd", "-2+3"])
def test_a_formula_in_a_text_cell_is_text(sqlite_store: Store, now: datetime, text: str) -> None:
    row = complaint("c1", topic=text)

    land(sqlite_store, COMPLAINTS, complaints(row), now=now)

    assert current(sqlite_store, "complaint", "topic") == {(text,)}


def test_of_a_formula_in_a_workbook_the_stored_result_is_taken_and_reported(sqlite_store: Store, now: datetime) -> None:
    headings = (
        "年,月,序号,HS编码,检验检疫编号,产品名称,产地,生产企业信息,进口商信息,进口商备案号,重量,未准入境的事实,进境口岸"
    )
    said = [
        "2026",
        "3",
        "1",
        "1905310000",
        "",
        "=HYPERLINK(A1)",
        "丹麦",
        "某厂",
        MILL.name,
        "",
        "12.5",
        "标签不合格",
        "上海",
    ]
    data = workbook(*((1, column, text) for column, text in enumerate(said)), headings=headings)

    delivery_id = upload(sqlite_store, REFUSALS, data, now, "未准入境.xlsx")
    receipt = pipeline.deliver(sqlite_store, delivery_id, source(REFUSALS), now)

    assert current(sqlite_store, "import_refusal", "product_name") == {("算出的值",)}
    assert [(f["rule"], f["count"]) for f in receipt["findings"]] == [("cell.formula", 1)]


def test_rows_whose_columns_have_shifted_are_quarantined_alone(sqlite_store: Store, now: datetime) -> None:
    text = company_list((MILL.name, MILL.uscc), (DAIRY.name, DAIRY.uscc)).decode("utf-8-sig")
    data = text.replace("2015-11-04", "2015,11,04", 1).encode("utf-8-sig")

    delivery_id = upload(sqlite_store, COMPANY_LIST, data, now)
    receipt = pipeline.deliver(sqlite_store, delivery_id, source(COMPANY_LIST), now)

    assert counts(receipt) == {"received": 2, "accepted": 1, "rejected": 1, "new": 1}
    assert ("", "row.ragged") in rules_of(rejected(sqlite_store)[0])


def test_half_a_character_and_control_characters_are_faults_of_their_row(store: Store, now: datetime) -> None:
    rows = [complaint("c1", topic="半个字\ud83d"), complaint("c2", topic="空\x00字"), complaint("c3"), complaint("c4")]
    data = complaints(*rows[1:]).replace(b'"items": [', b'"items": [' + json.dumps(rows[0]).encode() + b", ")

    receipt = land(store, COMPLAINTS, data, now=now)

    assert counts(receipt) == {"received": 4, "accepted": 2, "rejected": 2, "new": 2, "unresolved": 2}
    assert [rules_of(row) for row in rejected(store)] == [{("topic", "text.control_character")}] * 2


def test_a_file_that_is_gone_is_said_so_and_can_be_landed_when_it_is_back(sqlite_store: Store, now: datetime) -> None:
    data = company_list((MILL.name, MILL.uscc))
    delivery_id = upload(sqlite_store, COMPANY_LIST, data, now)
    (kept,) = (sqlite_store.settings.home / "received").glob("*/*")
    kept.unlink()

    with pytest.raises(XinqiaoError) as answer:
        pipeline.deliver(sqlite_store, delivery_id, source(COMPANY_LIST), now)
    state = status(sqlite_store, delivery_id)
    kept.write_bytes(data)
    receipt = pipeline.deliver(sqlite_store, delivery_id, source(COMPANY_LIST), now)

    assert isinstance(answer.value, Refused)
    assert (answer.value.details["digest"], state) == (kept.name, "received")
    assert counts(receipt) == {"received": 1, "accepted": 1, "new": 1}


def test_bytes_that_were_altered_after_their_receipt_are_not_landed(sqlite_store: Store, now: datetime) -> None:
    delivery_id = upload(sqlite_store, COMPANY_LIST, company_list((MILL.name, MILL.uscc)), now)
    (kept,) = (sqlite_store.settings.home / "received").glob("*/*")
    kept.write_bytes(company_list((DAIRY.name, DAIRY.uscc)))

    with pytest.raises(Refused, match="altered"):
        pipeline.deliver(sqlite_store, delivery_id, source(COMPANY_LIST), now)

    assert feed(sqlite_store, "registration") == []


def test_one_bad_page_of_many_stops_them_all(sqlite_store: Store, now: datetime) -> None:
    delivery_id = pages(sqlite_store, COMPLAINTS, complaints(complaint("c1")), b'{"code": 0, "da', now=now)

    with pytest.raises(Undecodable) as answer:
        pipeline.deliver(sqlite_store, delivery_id, source(COMPLAINTS), now)

    assert ("page-2" in answer.value.en, feed(sqlite_store, "complaint")) == (True, [])
