"""A delivery read in pieces is the delivery read at once: the same rows, numbers, faults and findings."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.decode import decode_chunks, decode_piece, json_items, plan_pieces
from connectors.decode.json_items import items_at
from connectors.decode.shared_strings import SharedStrings
from connectors.decode.sheets import one_sheet
from connectors.delivery import Delivery, Mapped, Sheet
from connectors.errors import SourceChanged, Undecodable
from connectors.findings import merge_findings
from connectors.mapping import map_sheet
from connectors.spec import SourceSpec
from tests.connectors.support import COMPLAINTS, decode, deliver, make_spec
from tests.connectors.test_archives import archive
from tests.connectors.test_workbooks import HEAD as CELLS
from tests.connectors.test_workbooks import sheet_of

NOTES = ("formats: [csv]", 'formats: [csv, xlsx, zip], footer: ["注[:：]"]')
SPEC = make_spec(COMPLAINTS, NOTES)
GB = make_spec(COMPLAINTS, ("formats: [csv]", "formats: [csv], encoding: gb18030"))
JSON = make_spec(COMPLAINTS, ("formats: [csv]", "formats: [json], rows: data"))
FILLED = make_spec(
    COMPLAINTS, ("formats: [csv]", "formats: [csv, xlsx], continuation: {when_blank: 编号, fill: [编号, 被投诉企业]}")
)
HEAD = "编号,类型,被投诉企业,日期\n"


def same(one: Sheet, other: Sheet) -> bool:
    frames = one.frame.equals(other.frame.select(one.frame.columns)) and one.faults.equals(other.faults)
    # Which of two findings is met first depends on what stands in the first piece.
    said, also_said = (sorted(merge_findings(sheet.findings), key=str) for sheet in (one, other))
    return frames and said == also_said


def in_pieces(delivery: Delivery, spec: SourceSpec, piece_bytes: int) -> Iterator[Sheet]:
    """Every piece read by itself; its rows are numbered on from those of the pieces before it."""
    before = 0
    for piece in plan_pieces(delivery, spec, piece_bytes):
        sheet = one_sheet(decode_piece(delivery, spec, piece, rows=2))
        row = (pl.col("_row") + before).cast(pl.UInt32)
        yield Sheet(
            delivery,
            sheet.frame.with_columns(row),
            sheet.findings,
            sheet.faults.with_columns(row),
            sheet.layouts,
        )
        before += sheet.frame.height


CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6) | st.sampled_from(
    ['a"b', "x,y", "一\n二", "", '""', "注：无", "|"]
)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.lists(CELL, min_size=3, max_size=5).map(tuple) | st.just(("",) * 4), min_size=1, max_size=12),
    st.integers(1, 4),
    st.integers(1, 60),
    st.booleans(),
)
@example([("x", "一", "甲"), ("y", "二", "乙", "2024", "")], 1, 60, False)
def test_rows_faults_and_findings_do_not_depend_on_where_a_csv_file_is_cut(
    table: list[tuple[str, ...]], rows: int, piece_bytes: int, ends: bool
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(table)
    delivery = deliver(SPEC, ("file", (HEAD + text.getvalue()[: None if ends else -1]).encode()))

    whole = decode(delivery, SPEC)

    chunks = list(decode_chunks(delivery, SPEC, rows=rows))
    assert same(one_sheet(chunks), whole)
    assert all(chunk.frame.height <= max(rows, 1) for chunk in chunks)
    assert same(one_sheet(in_pieces(delivery, SPEC, piece_bytes)), whole)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(['1,a"b,c,d', '2,"x\ny",c,d', '3,"p""q",c,d', "4,a,b,c", '5,u"v,"w\n\nz",d']), max_size=9)
)
def test_quotation_marks_inside_cells_do_not_move_the_cuts(lines: list[str]) -> None:
    text = HEAD + "".join(f"{line}\n" for line in lines)
    delivery = deliver(SPEC, ("file", text.encode()))
    expected = [tuple(cells) for cells in csv.reader(io.StringIO(text, newline=""), strict=True)][1:]

    for sheet in (one_sheet(decode_chunks(delivery, SPEC, rows=1)), one_sheet(in_pieces(delivery, SPEC, 10))):
        assert sheet.frame.drop("_row", "_part", "_line").rows() == expected


def test_a_wrong_byte_far_down_is_named_with_its_own_offset_and_line() -> None:
    good = "1,投诉,甲,20240101\n".encode("gb18030")
    head = HEAD.encode("gb18030")
    data = head + good * 5_000 + b"2,\xff\xff,x,y\n" + good

    with pytest.raises(Undecodable) as found:
        list(decode_chunks(deliver(GB, ("file", data)), GB, rows=100))

    offset = len(head) + len(good) * 5_000 + 2
    assert (found.value.details["offset"], found.value.details["line"]) == (offset, 5_002)


def test_a_changed_csv_is_known_before_the_first_sheet_whichever_file_it_is() -> None:
    good, changed = (HEAD + "1,投诉,甲,1\n").encode(), HEAD.replace("类型", "种类").encode()

    with pytest.raises(SourceChanged, match="missing 类型; unexpected 种类"):
        decode_chunks(deliver(SPEC, ("a", good), ("b", changed)), SPEC)


def test_a_column_that_only_a_later_page_has_counts_for_all_of_them() -> None:
    first = [{"编号": "1", "类型": "投诉", "被投诉企业": "甲"}]
    second = [{"编号": "2", "类型": "投诉", "被投诉企业": "乙", "日期": "2024-01-01", "外加": "x"}]
    pages = [(f"{i}.json", json.dumps({"data": rows}).encode()) for i, rows in enumerate((first, second))]

    sheets = [map_sheet(sheet, JSON) for sheet in decode_chunks(deliver(JSON, *pages), JSON, rows=1)]

    assert [sheet.frame["received_on"].to_list() for sheet in sheets] == [[None], ["2024-01-01"]]
    assert [(finding.column, finding.count) for finding in all_findings(sheets)] == [("外加", 1)]


def test_pages_that_together_lack_a_column_are_a_changed_source() -> None:
    page = json.dumps({"data": [{"编号": "1", "类型": "投诉"}]}).encode()

    with pytest.raises(SourceChanged, match="missing 被投诉企业, 日期"):
        decode_chunks(deliver(JSON, ("1", page), ("2", page)), JSON)


def all_findings(sheets: list[Mapped]) -> tuple[Any, ...]:
    return merge_findings(finding for sheet in sheets for finding in sheet.findings)


def test_findings_of_pieces_are_said_as_one() -> None:
    words = ["甲词"] * 3 + ["乙词"] * 5 + ["丙词"]
    text = HEAD + "".join(f"{i},{word},甲,1\n" for i, word in enumerate(words))
    delivery = deliver(SPEC, ("file", text.encode()))

    pieces = [map_sheet(sheet, SPEC) for sheet in decode_chunks(delivery, SPEC, rows=2)]

    assert len(pieces) > 3
    assert all_findings(pieces) == map_sheet(decode(delivery, SPEC), SPEC).findings
    assert all_findings(pieces)[0].example == "乙词"
    assert "乙词、甲词、丙词" in all_findings(pieces)[0].zh


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_continuation_rows_go_on_across_pieces_and_not_across_worksheets(rows: int) -> None:
    book = sheet_of(CELLS, ("1", "投诉", "甲", "2024"), ("", "举报"), ("", "投诉"), ("2", "", "", "2025"), ("", "x"))
    other = sheet_of(CELLS, ("", "举报"))

    sheet = one_sheet(decode_chunks(deliver(FILLED, ("a", book), ("b", other)), FILLED, rows=rows))

    assert sheet.frame["编号"].to_list() == ["1", "1", "1", "2", "2", None]
    assert sheet.frame["被投诉企业"].to_list() == ["甲", "甲", "甲", None, None, None]


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_a_workbook_is_read_in_runs_of_rows(rows: int) -> None:
    lines = [(str(i), "投诉", "甲", "2024") for i in range(5)]
    book = sheet_of(("汇总",), CELLS, *lines[:2], ("", "", "", ""), *lines[2:], ("注：无",))

    sheet = one_sheet(decode_chunks(deliver(SPEC, ("a.zip", archive(("一.xlsx", book)))), SPEC, rows=rows))

    assert sheet.frame.select("_row", "_line", "编号").rows() == [
        (1, 3, "0"),
        (2, 4, "1"),
        (3, 6, "2"),
        (4, 7, "3"),
        (5, 8, "4"),
    ]
    assert [(finding.rule, finding.count) for finding in sheet.findings] == [("row.blank", 1), ("row.note", 1)]


def test_two_members_of_one_name_are_told_apart() -> None:
    body = (HEAD + "1,投诉,甲,1\n").encode()
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = archive(("a.csv", body), ("a.csv", body))

    sheet = one_sheet(decode_chunks(deliver(SPEC, ("z", data)), SPEC))

    assert sheet.frame["_part"].to_list() == ["z/a.csv", "z/a.csv (2)"]


def test_a_record_that_never_ends_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.decode.csv_records.MAX_RECORD_BYTES", 10_000)
    text = HEAD + "1,投诉,甲,1\n" + '2,投诉,"甲,1\n' + "3,投诉,甲,1\n" * 5_000

    with pytest.raises(Undecodable, match=r"begins at line \d+ does not end|is not CSV"):
        list(decode_chunks(deliver(SPEC, ("file", text.encode())), SPEC, rows=20))


def test_texts_of_a_workbook_beyond_the_first_are_kept_on_disk() -> None:
    strings = SharedStrings(most_in_memory=2)
    texts = ["甲", "", "乙\U00020000", "丙", "甲"]

    for text in texts:
        strings.append(text)

    assert [strings[i] for i in range(5)] == texts
    for index in (-1, 5):
        with pytest.raises(IndexError):
            strings[index]
    strings.close()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=50)
@given(
    st.fixed_dictionaries({"a": VALUES, "data": st.fixed_dictionaries({"list": st.lists(VALUES) | VALUES}) | VALUES}),
    st.integers(1, 9),
    st.sampled_from([None, 1]),
)
def test_a_document_read_through_a_small_window_has_the_values_of_one_read_whole(
    document: dict[str, Any], size: int, indent: int | None
) -> None:
    data = json.dumps(document, ensure_ascii=False, indent=indent).encode()
    inner = document["data"]
    is_list = isinstance(inner, dict) and isinstance(inner.get("list"), list)
    expected = json.loads(data, parse_int=str, parse_float=str)["data"]["list"] if is_list else None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_items, "_CHUNK", size)
        if is_list or not isinstance(inner, dict) or inner.get("list", 0) is None:
            assert list(items_at("x", io.BytesIO(data), "data.list")) == (expected or [])
        else:
            with pytest.raises(Undecodable, match="there is nothing at|expected a list"):
                list(items_at("x", io.BytesIO(data), "data.list"))


@pytest.mark.parametrize("tail", ["[1] x}", "[1,]}", "[1 2]}", "[1]}}", "[1]", ""])
def test_what_is_wrong_behind_the_rows_is_found_as_well(tail: str) -> None:
    with pytest.raises(Undecodable, match="not JSON"):
        list(items_at("x", io.BytesIO(f'{{"data": {tail}'.encode()), "data"))
