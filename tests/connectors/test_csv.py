"""CSV as agencies send it: encodings, quotation marks, ragged lines, notes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import Undecodable
from tests.connectors.support import COMPLAINTS, make_spec, mapped, read, rows

SPEC = make_spec()
GB = make_spec(COMPLAINTS, ("formats: [csv]", "formats: [csv], encoding: gb18030"))
HEAD = "编号,类型,被投诉企业,日期\n"


@pytest.fixture(autouse=True, params=["line by line", "by columns"], scope="module")
def few_bytes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test reads both ways: that of small files, and that of all others."""
    with pytest.MonkeyPatch.context() as patched:
        if request.param == "by columns":
            patched.setattr("connectors.decode.csv._FEW_BYTES", 0)
        yield


def test_cells_stay_exactly_as_sent() -> None:
    sheet = read(SPEC, (HEAD + '007, 投诉 ,"甲 ""乙""",45017\n+1,=1+1,,\n').encode())

    assert rows(sheet) == [(2, "007", " 投诉 ", '甲 "乙"', "45017"), (3, "+1", "=1+1", None, None)]
    assert sheet.frame["_row"].to_list() == [1, 2]


def test_a_byte_order_mark_is_not_part_of_the_first_heading() -> None:
    assert rows(read(SPEC, b"\xef\xbb\xbf" + (HEAD + "1,投诉,甲,20240101\r\n").encode())) == [
        (2, "1", "投诉", "甲", "20240101")
    ]


def test_gb18030_holds_what_gbk_does_not() -> None:
    name = "㙍芃（上海）𠮷\ue7d9公司"

    assert rows(read(GB, (HEAD + f"1,投诉,{name},2024-1-1\n").encode("gb18030"))) == [
        (2, "1", "投诉", name, "2024-1-1")
    ]


def test_a_wrong_byte_is_named_with_its_offset_and_line() -> None:
    data = (HEAD + "1,投诉,").encode() + b"\xff\xfe" + b",2024\n"

    with pytest.raises(Undecodable) as found:
        read(SPEC, data, "五月.csv")

    assert found.value.en == (
        "agency/source 五月.csv: declared as utf-8-sig, but byte 46 (line 2, ff fe 2c 32) is not. "
        "The bytes are kept; correct them and deliver again."
    )
    assert (found.value.details["offset"], found.value.details["line"]) == (46, 2)


def test_gbk_bytes_where_utf8_is_declared_are_refused() -> None:
    with pytest.raises(Undecodable, match="declared as utf-8-sig, but byte 0"):
        read(SPEC, HEAD.encode("gb18030"))


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
def test_utf8_bytes_where_gb18030_is_declared_are_refused_although_they_decode(prefix: bytes) -> None:
    with pytest.raises(Undecodable, match="declared as gb18030"):
        read(GB, prefix + (HEAD + "12,投诉,甲乙,2024\n").encode())


@pytest.mark.parametrize("data", [b"%PDF-1.7\n\x00\x01", b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_a_file_that_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(Undecodable, match="binary, not text"):
        read(SPEC, data)


def test_ragged_lines_are_faulted_by_number_and_the_others_go_on() -> None:
    found = mapped(SPEC, (HEAD + "1,投诉,甲,20240101\n2,投诉,甲,乙,20240101\n3,投诉\n4,举报,乙,20240102\n").encode())

    assert [(fault["_row"], fault["rule"], fault["value"]) for fault in found.faults.to_dicts()] == [
        (2, "row.ragged", "5"),
        (3, "row.ragged", "2"),
    ]
    assert found.faults["en"][0] == (
        "file line 3 has 5 cells, not as many as the heading, so its columns may have shifted; "
        "check its commas and quotation marks and deliver it again"
    )
    assert found.frame["complaint_no"].to_list() == ["1", "2", "3", "4"]


def test_a_record_behind_a_lone_carriage_return_is_not_faulted_for_the_one_before() -> None:
    # Far enough down not to be looked at while the heading is sought.
    found = mapped(SPEC, (HEAD + "0,投诉,甲,20240101\n" * 100 + "1,投诉\r2,举报,丙,20240101\n").encode())

    assert found.faults["_row"].to_list() == [101]
    assert found.frame["complaint_no"].to_list()[100:] == ["1", "2"]


def test_one_short_and_one_long_line_do_not_cancel_out() -> None:
    found = mapped(SPEC, (HEAD + "1,投诉,甲\n2,投诉,甲,乙,20240101\n").encode())

    assert found.faults["_row"].to_list() == [1, 2]


def test_line_breaks_inside_cells_do_not_shift_the_line_numbers() -> None:
    sheet = read(SPEC, (HEAD + '1,投诉,"甲\n乙\n丙",1\n2,举报,丁,2\n').encode())

    assert rows(sheet) == [(2, "1", "投诉", "甲\n乙\n丙", "1"), (5, "2", "举报", "丁", "2")]


def test_a_quotation_mark_that_never_closes_is_refused_with_its_line() -> None:
    with pytest.raises(Undecodable, match=r"line \d+ is not CSV|not CSV"):
        read(SPEC, (HEAD + '1,投诉,"甲,1\n' + "2,举报,丁,2\n" * 100).encode())


def test_a_title_above_and_notes_below_are_no_records() -> None:
    spec = make_spec(COMPLAINTS, ("formats: [csv]", 'formats: [csv], footer: ["表格说明", "注[:：]"]'))

    sheet = read(spec, ("2024年投诉汇总,,,\n" + HEAD + "1,投诉,甲,1\n,,,\n2,投诉,注：乙,2\n注：以上属实,,,\n").encode())

    assert rows(sheet) == [(3, "1", "投诉", "甲", "1"), (5, "2", "投诉", "注：乙", "2")]
    assert [(finding.rule, finding.count, finding.example) for finding in sheet.findings] == [
        ("row.blank", 1, None),
        ("row.note", 1, None),
    ]


def test_two_columns_of_one_name_are_told_apart() -> None:
    sheet = read(SPEC, "编号,类型,被投诉企业,日期,备注,备注\n1,投诉,甲,1,x,y\n".encode())

    assert sheet.frame.select("备注", "备注 (2)").rows() == [("x", "y")]


@pytest.mark.parametrize("text", [HEAD, HEAD.strip(), "2024年投诉汇总\n" + HEAD.strip(), "\n\n" + HEAD + "\r\n"])
def test_a_file_of_headings_alone_has_no_rows(text: str) -> None:
    found = mapped(SPEC, text.encode())

    assert (found.frame.height, found.form) == (0, "only")


def test_the_last_line_needs_no_line_break() -> None:
    assert rows(read(SPEC, (HEAD + "1,投诉,甲,2024").encode())) == [(2, "1", "投诉", "甲", "2024")]


def test_more_columns_than_any_form_has_are_refused() -> None:
    with pytest.raises(Undecodable, match="has 1005 columns"):
        read(SPEC, (HEAD.strip() + ",x" * 1001 + "\n1\n").encode())


CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6) | st.sampled_from(
    ['a"b', "x,y", "一\n二", "", "一\r二", "一\r\n二", "\r", "\ufeff", "\ufeff一"]
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(CELL, CELL, CELL, CELL).filter(any), min_size=1, max_size=6))
def test_what_a_csv_writer_wrote_is_read_back_cell_for_cell(table: list[tuple[str, ...]]) -> None:
    text = io.StringIO(newline="")
    # With this ending the writer quotes carriage returns as well.
    csv.writer(text, lineterminator="\r\n").writerows([HEAD.strip().split(","), *table])

    sheet = read(SPEC, text.getvalue().encode())

    breaks = accumulate((1 + "".join(row).count("\n") for row in table), initial=2)
    assert rows(sheet) == [(line, *(cell or None for cell in row)) for line, row in zip(breaks, table, strict=False)]


CASES = {
    "a carriage return in a quoted cell": (
        '1,投诉,"甲\r乙",1\n2,举报,丙,2\n',
        [(2, "1", "投诉", "甲\r乙", "1"), (3, "2", "举报", "丙", "2")],
    ),
    "one more carriage return at the end of each line": (
        "1,投诉,甲,1\r\r\n2,举报,丙,2\r\r\n",
        [(2, "1", "投诉", "甲", "1\r"), (3, "2", "举报", "丙", "2\r")],
    ),
    "a byte order mark in the first data row": (
        "\ufeff1,投诉,甲,1\n2,举报,丙,2\n",
        [(2, "\ufeff1", "投诉", "甲", "1"), (3, "2", "举报", "丙", "2")],
    ),
    "carriage returns beside a short line": (
        '1,投诉,"甲\r乙",1\n2,举报\n3,举报,丙,2\n',
        [(2, "1", "投诉", "甲\r乙", "1"), (3, "2", "举报", None, None), (4, "3", "举报", "丙", "2")],
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_carriage_returns_and_byte_order_marks_are_read_as_sent_whatever_the_size(
    text: str, expected: list[tuple[object, ...]]
) -> None:
    sheet = read(SPEC, (HEAD + text).encode())

    assert rows(sheet) == expected
    assert sheet.findings == ()


def test_a_wrong_line_behind_a_carriage_return_is_named_by_its_number_in_the_file() -> None:
    with pytest.raises(Undecodable, match="line 3 is not CSV"):
        read(SPEC, (HEAD + '1,投诉,"甲\r乙"\n2,举报,"丙"丁,2\n').encode())
