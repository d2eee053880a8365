"""Worksheets: every cell as it stands in the file, the heading wherever it is, formulas never evaluated."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
import xlsxwriter

from connectors.errors import SourceChanged, Undecodable
from tests.connectors.support import COMPLAINTS, make_spec, mapped, read, rows

BOOKS = COMPLAINTS.replace("formats: [csv]", 'formats: [xlsx, xls], footer: ["表格说明", "合计"]')
SPEC = make_spec(BOOKS)
HEAD = ("编号", "类型", "被投诉企业", "日期")


def book(fill: Callable[[Any, Any], None]) -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as workbook:
        fill(workbook, workbook.add_worksheet("表一"))
    return stream.getvalue()


def sheet_of(*lines: tuple[object, ...]) -> bytes:
    def fill(workbook: Any, sheet: Any) -> None:
        for row, line in enumerate(lines):
            for column, value in enumerate(line):
                (sheet.write_string if isinstance(value, str) else sheet.write)(row, column, value)

    return book(fill)


def with_cell(data: bytes, old: str, new: str) -> bytes:
    """The workbook with a piece of its worksheet XML replaced."""
    return with_member(data, "xl/worksheets/sheet1.xml", old, new)


def with_member(data: bytes, member: str, old: str, new: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(stream, "w") as target:
        for info in source.infolist():
            text = source.read(info)
            if info.filename == member:
                assert old.encode() in text
                text = text.replace(old.encode(), new.encode())
            target.writestr(info.filename, text)
    return stream.getvalue()


def test_text_cells_stay_text_and_numbers_stay_as_written() -> None:
    data = sheet_of(HEAD, ("007", "=1+1", " 甲 ", 45017), ("+1", "-", "@x", 1.1))
    data = with_cell(data, "<v>1.1</v>", "<v>1.1000000000000001</v>")

    assert rows(read(SPEC, data)) == [(2, "007", "=1+1", " 甲 ", "45017"), (3, "+1", "-", "@x", "1.1")]


def test_half_a_character_becomes_the_substitute_that_no_field_accepts() -> None:
    data = with_member(sheet_of(HEAD, ("1", "投诉", "甲", "x")), "xl/sharedStrings.xml", "<t>甲</t>", "<t>_xD83D_</t>")

    assert rows(read(SPEC, data)) == [(2, "1", "投诉", "\x1a", "x")]


@pytest.mark.parametrize("row", ["-5", "0", "1048577"])
def test_a_row_outside_of_the_worksheet_is_refused(row: str) -> None:
    data = with_cell(sheet_of(HEAD, ("1", "投诉", "甲", "x")), '<row r="2"', f'<row r="{row}"')

    with pytest.raises(Undecodable, match=f"row {row} lies outside"):
        read(SPEC, data)


def test_worksheets_that_are_one_member_under_many_names_are_refused() -> None:
    sheet = '<sheet name="表一" sheetId="1" r:id="rId1"/>'
    again = sheet.replace("表一", "表二").replace('sheetId="1"', 'sheetId="9"')
    data = with_member(sheet_of(HEAD, ("1", "投诉", "甲", "x")), "xl/workbook.xml", sheet, sheet + again)

    with pytest.raises(Undecodable, match="one and the same member"):
        read(SPEC, data)


def test_a_code_typed_as_a_number_shows_the_damage_that_the_file_holds() -> None:
    data = with_cell(sheet_of(HEAD, (12345, "投诉", "甲", 1)), "<v>12345</v>", "<v>9.16204000792738E+17</v>")

    assert rows(read(SPEC, data))[0][1] == "9.16204000792738E+17"


def test_booleans_and_errors_are_the_words_that_a_spreadsheet_shows() -> None:
    data = with_cell(
        sheet_of(HEAD, (True, "投诉", "甲", 1)),
        "</row></sheetData>",
        '<c r="E2" t="e"><v>#N/A</v></c></row></sheetData>',
    )

    assert rows(read(SPEC, data)) == [(2, "TRUE", "投诉", "甲", "1", "#N/A")]


def test_a_formula_gives_its_stored_result_and_a_finding_with_the_cell() -> None:
    def fill(workbook: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, HEAD)
        sheet.write_formula("A2", '=HYPERLINK("http://x")', None, "A-1")
        sheet.write_row(1, 1, ("投诉", "甲", "2024"))
        sheet.write_formula("A3", "=1+1", None, "")

    sheet = read(SPEC, book(fill), "五月.xlsx")

    assert rows(sheet) == [(2, "A-1", "投诉", "甲", "2024")]
    assert [(finding.rule, finding.count, finding.example, finding.en) for finding in sheet.findings] == [
        (
            "cell.formula",
            1,
            "A2",
            "五月.xlsx#表一: cells A2 hold formulas; the results stored in the file were taken, nothing was computed",
        ),
        (
            "cell.formula_without_result",
            1,
            "A3",
            "五月.xlsx#表一: cells A3 hold formulas without a stored result and are empty; "
            "paste as values and deliver again",
        ),
    ]


def test_title_rows_above_and_notes_below_are_no_records() -> None:
    data = sheet_of(
        ("投诉举报汇总表",),
        (),
        (*HEAD, "序号"),
        ("1", "投诉", "甲", "2024", "1"),
        ("合计：1 件 填表人：张三 13800001234",),
        ("表格说明：无",),
    )

    sheet = read(SPEC, data)

    assert rows(sheet) == [(4, "1", "投诉", "甲", "2024", "1")]
    assert [(finding.rule, finding.count) for finding in sheet.findings] == [("row.note", 2)]
    assert "张三" not in str(sheet.findings)


def test_a_two_level_heading_is_joined() -> None:
    spec = make_spec(BOOKS, ("subject_name: 被投诉企业", "subject_name: 企业/名称"))

    def fill(workbook: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, ("编号", "类型", "", "", "日期"))
        sheet.merge_range("C1:D1", "企业")
        sheet.write_row(1, 2, ("名称", "地址"))
        sheet.write_row(2, 0, ("1", "投诉", "甲", "某路", "2024"))

    found = mapped(spec, book(fill))

    assert found.frame["subject_name"].to_list() == ["甲"]
    assert [(finding.rule, finding.column) for finding in found.findings] == [("column.unexpected", "企业/地址")]


def test_continuation_rows_take_the_declared_cells_from_above_and_no_others() -> None:
    spec = make_spec(
        BOOKS, ('footer: ["表格说明", "合计"]', "continuation: {when_blank: 编号, fill: [编号, 被投诉企业]}")
    )
    data = sheet_of(HEAD, ("1", "投诉", "甲", "2024"), ("", "举报"), ("2", "", "", "2025"), ("", "投诉", "", "2026"))

    sheet = read(spec, data)

    assert rows(sheet) == [
        (2, "1", "投诉", "甲", "2024"),
        (3, "1", "举报", "甲", None),
        (4, "2", None, None, "2025"),
        (5, "2", "投诉", None, "2026"),
    ]


def test_worksheets_of_two_forms_are_each_mapped_by_their_own() -> None:
    second = """  - name: other
    columns: {complaint_no: 举报编号, subject_name: 单位, received_on: 日期, kind_code: {constant: "2"}}
lookups:"""
    spec = make_spec(BOOKS, ("lookups:", second))

    def fill(workbook: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, HEAD)
        sheet.write_row(1, 0, ("1", "投诉", "甲", "2024"))
        other = workbook.add_worksheet("表二")
        other.write_row(0, 0, ("举报编号", "单位", "日期"))
        other.write_row(1, 0, ("9", "乙", "2025"))
        hidden = workbook.add_worksheet("草稿")
        hidden.write_row(0, 0, ("x",))
        hidden.hide()

    found = mapped(spec, book(fill))

    assert found.form == "only+other"
    assert found.frame.select("complaint_no", "kind_code", "subject_name").rows() == [
        ("1", "1", "甲"),
        ("9", "2", "乙"),
    ]
    assert found.findings == ()


def test_a_renamed_column_is_reported_with_both_names() -> None:
    data = sheet_of(("编号", "类型", "被投诉单位", "日期"), ("1", "投诉", "甲", "2024"))

    with pytest.raises(SourceChanged) as found:
        mapped(SPEC, data)

    assert (found.value.details["missing"], found.value.details["unexpected"]) == (["被投诉企业"], ["被投诉单位"])


def test_a_missing_worksheet_is_refused_with_the_ones_there_are() -> None:
    spec = make_spec(BOOKS, ("formats: [xlsx, xls]", "formats: [xlsx], sheets: [明细]"))

    with pytest.raises(Undecodable, match="there is no worksheet 明细; there are 表一"):
        read(spec, sheet_of(HEAD))


def test_dates_counted_from_1904_are_refused() -> None:
    data = with_member(sheet_of(HEAD), "xl/workbook.xml", "<workbookPr ", '<workbookPr date1904="1" ')

    with pytest.raises(Undecodable, match="counts dates from 1904"):
        read(SPEC, data)


@pytest.mark.parametrize("member", ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml"])
def test_a_document_type_inside_a_workbook_is_refused(member: str) -> None:
    declaration = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    bomb = declaration + '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"> ]>'

    with pytest.raises(Undecodable, match="document type"):
        read(SPEC, with_member(sheet_of(HEAD), member, declaration, bomb))


@pytest.mark.parametrize("data", ["编号,类型\n".encode(), b"%PDF-1.7", b"PK\x03\x04 but not a zip", b""])
def test_what_is_no_workbook_is_refused(data: bytes) -> None:
    with pytest.raises(Undecodable):
        read(SPEC, data)


def test_a_truncated_workbook_is_refused() -> None:
    with pytest.raises(Undecodable, match="cut short or damaged|expected one of"):
        read(SPEC, sheet_of(HEAD)[:-200])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('r="A1"', 'r="ALM1"', "has 1001 columns"),
        ('r="A1"', 'r="ZZZZZ1"', "column ZZZZZ lies outside"),
        ('<row r="1"', '<row r="99999999999"', "row 99999999999 lies outside"),
        ("<v>0</v>", "<v>999</v>", "refers to shared string 999"),
        ('<row r="1"', '<row r="one"', "not well-formed worksheet XML"),
    ],
)
def test_a_cell_that_asks_for_a_sheet_of_billions_is_refused(old: str, new: str, said: str) -> None:
    with pytest.raises(Undecodable, match=said):
        read(SPEC, with_cell(sheet_of(HEAD), old, new))
