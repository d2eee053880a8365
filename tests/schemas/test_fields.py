"""Each kind of field: what it reads, what it refuses, and in which words."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import marshmallow as ma
import pytest

from schemas import code_tables, fields
from schemas.derived_dictionary import tables_in_use
from schemas.faults import Fault
from schemas.fields.codes import section_of
from schemas.fields.dates import FOREVER

from .cells import USCC

TOLD: dict[str, Any] = {"zh": "测试项", "description": "A value under test.", "source": "test"}


def named(field: Any) -> Any:
    """The field as it stands in a schema."""
    field.name = "field"
    return field


def fault(field: Any, text: object) -> Fault:
    """The one fault a text has."""
    with pytest.raises(ma.ValidationError) as refused:
        named(field).deserialize(text)
    (only,) = refused.value.messages
    assert isinstance(only, Fault)
    return only


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2018-7-27", date(2018, 7, 27)),
        ("2019-6-25 0:00:00", date(2019, 6, 25)),
        ("2018/01/31", date(2018, 1, 31)),
        ("20230401", date(2023, 4, 1)),
        ("2023年4月1日", date(2023, 4, 1)),
        ("2018年01月11日", date(2018, 1, 11)),
        ("2007.07.01", date(2007, 7, 1)),
        ("45017", date(2023, 4, 1)),
        ("45017.75", date(2023, 4, 1)),
        ("946656000000", date(2000, 1, 1)),
        ("946655999999", date(1999, 12, 31)),
        ("2023-04-01T16:00:00Z", date(2023, 4, 2)),
        ("2023-04-01T00:00:00+08:00", date(2023, 4, 1)),
        ("2023-04-01 00:00:00.0", date(2023, 4, 1)),
        ("20230401120000", date(2023, 4, 1)),
        ("２０２３－０４－０１", date(2023, 4, 1)),
        (" 2024-02-29\n", date(2024, 2, 29)),
    ],
)
def test_a_day_is_read_in_every_shape_agencies_send(text: str, day: date) -> None:
    assert named(fields.OnDate(**TOLD)).deserialize(text) == day


@pytest.mark.parametrize("text", ["1900-1-1", "1900-1-1 0:00:00", "1900/01/01", "无", "", "--"])
def test_the_days_written_for_no_date_are_nothing(text: str) -> None:
    assert named(fields.OnDate(**TOLD)).deserialize(text) is None
    assert fault(fields.OnDate(required=True, **TOLD), text).rule == "field.required"


@pytest.mark.parametrize("text", ["长期", "2099/12/31", "2099-12-31", "9999-9-9", "9999-12-31", "永久"])
def test_without_end_is_the_last_day_where_it_may_be(text: str) -> None:
    assert named(fields.OnDate(open_ended=True, **TOLD)).deserialize(text) == FOREVER


def test_without_end_is_nothing_or_a_fault_where_it_may_not_be() -> None:
    assert named(fields.OnDate(**TOLD)).deserialize("2099-12-31") is None
    assert fault(fields.OnDate(**TOLD), "长期").rule == "date.open_ended"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("2023-02-30", "date.no_such_day"),
        ("2023-04-01 24:00:00", "date.no_such_day"),
        ("23-4-1", "date.shape"),
        ("4/1/2023", "date.shape"),
        ("2023-04", "date.shape"),
        ("202304", "date.shape"),
        ("2023105", "date.shape"),
        ("+2023-01-05", "date.shape"),
        ("2023/04-01", "date.shape"),
        ("某日", "date.shape"),
        ("1849-12-31", "date.out_of_range"),
        ("2201-01-01", "date.out_of_range"),
    ],
)
def test_what_is_no_day_is_refused_and_says_why(text: str, rule: str) -> None:
    assert fault(fields.OnDate(**TOLD), text).rule == rule


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2023-04-01 12:30:00", datetime(2023, 4, 1, 4, 30, tzinfo=UTC)),
        ("2023-04-01", datetime(2023, 3, 31, 16, tzinfo=UTC)),
        ("2023-04-01T12:30:00.5Z", datetime(2023, 4, 1, 12, 30, 0, 500_000, tzinfo=UTC)),
        ("946656000000", datetime(1999, 12, 31, 16, tzinfo=UTC)),
        ("45017.5", datetime(2023, 4, 1, 4, tzinfo=UTC)),
        # China kept summer time from 1986 to 1991.
        ("1988-07-01 00:00:00", datetime(1988, 6, 30, 15, tzinfo=UTC)),
    ],
)
def test_a_local_time_is_that_of_shanghai_and_kept_in_utc(text: str, instant: datetime) -> None:
    assert named(fields.AtInstant(**TOLD)).deserialize(text) == instant


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1,000", "1000"),
        ("１２", "12"),
        ("12,345.60", "12345.6"),
        ("137.0000", "137"),
        ("0.000001", "0.000001"),
        ("007", "7"),
        ("+3", "3"),
        ("-0", "0"),
        (" 5 ", "5"),
    ],
)
def test_an_amount_is_exact_and_has_one_written_form(text: str, amount: str) -> None:
    field = named(fields.Amount("万元", **TOLD))

    value = field.deserialize(text)

    assert value == Decimal(amount)
    assert field.cell(value) == amount


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("1E+3", "number.scientific"),
        ("300万元", "number.unit_word"),
        ("¥20", "number.unit_word"),
        ("1,000(万元)", "number.unit_word"),
        ("1,00", "number.shape"),
        ("1_000.5", "number.shape"),
        ("12.5.1", "number.shape"),
        ("-5", "number.negative"),
        ("0.1234567", "number.too_precise"),
        ("1" * 16, "number.too_large"),
    ],
)
def test_what_is_no_amount_is_refused_and_says_why(text: str, rule: str) -> None:
    assert fault(fields.Amount("万元", **TOLD), text).rule == rule


def test_a_unit_left_in_the_cell_is_named_in_both_languages_with_what_to_do() -> None:
    said = fault(fields.Amount("万元", **TOLD), "300万元")

    assert said.zh == "「测试项」应只有数字，本列单位为万元，收到「300万元」，其中有「万元」；请去掉文字并换算。"
    assert said.en == (
        "field must be digits only (unit 万元), got '300万元' with '万元'; remove the word and convert the value."
    )


@pytest.mark.parametrize(("text", "count"), [("3", 3), ("3.0", 3), ("1,000", 1000), ("０", 0), ("007", 7)])
def test_a_count_is_a_whole_number(text: str, count: int) -> None:
    assert named(fields.Count(**TOLD)).deserialize(text) == count


@pytest.mark.parametrize(
    ("text", "rule"),
    [("3.5", "count.shape"), ("-1", "count.shape"), ("1_0", "count.shape"), ("9" * 30, "count.too_large")],
)
def test_what_is_no_count_is_refused(text: str, rule: str) -> None:
    assert fault(fields.Count(**TOLD), text).rule == rule


def test_yes_and_no_are_known_words_and_nothing_else() -> None:
    field = named(fields.YesNo(**TOLD))

    assert [field.deserialize(word) for word in ("是", "1", "y", "否", "FALSE", "无")] == [
        True,
        True,
        True,
        False,
        False,
        None,
    ]
    assert fault(fields.YesNo(**TOLD), "也许").rule == "yes_no.unknown"


@pytest.mark.parametrize("text", ["2", "不合格", " 不符合 ", "2.0", "２"])
def test_a_code_is_sent_as_code_or_as_its_exact_word(text: str) -> None:
    assert named(fields.Code("sampling_result", **TOLD)).deserialize(text) == "2"


@pytest.mark.parametrize("text", ["不合格品", "3", "2.5", "合 格"])
def test_an_unknown_code_word_is_a_fault_never_other(text: str) -> None:
    assert fault(fields.Code("sampling_result", **TOLD), text).rule == "code.unknown"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("罚款", "2"),
        ("罚款;没收违法所得、没收非法财物", "2;3"),
        ("没收非法财物；警告，罚款", "1;2;3"),
        ("警告、罚款", "1;2"),
        ("2;1;2", "1;2"),
        ("通报批评", "1"),
        ("限制从业|责令关闭", "4"),
    ],
)
def test_several_codes_in_one_cell_come_out_once_each_in_table_order(text: str, codes: str) -> None:
    assert named(fields.Codes("penalty_kind", **TOLD)).deserialize(text) == codes


def test_one_unknown_word_among_several_is_named() -> None:
    said = fault(fields.Codes("penalty_kind", **TOLD), "罚款;口头教育")

    assert said.rule == "code.unknown"
    assert "「口头教育」" in said.zh


def test_damage_done_to_codes_by_spreadsheets_is_named() -> None:
    assert fault(fields.Uscc(**TOLD), "9.16204E+17").rule == "uscc.spreadsheet_damage"


def test_an_identifier_is_normalised_before_it_is_judged() -> None:
    assert named(fields.Uscc(**TOLD)).deserialize(f" {USCC[0].lower()}\n") == USCC[0]
    assert named(fields.OrganisationCode(**TOLD)).deserialize("13830295-X") == "13830295X"
    assert named(fields.RegionCode(**TOLD)).deserialize("330203001") == "330203"


@pytest.mark.parametrize(
    ("text", "code"), [("A0111", "0111"), ("0111", "0111"), ("01", "01"), ("A", "A"), ("a0111", "0111")]
)
def test_an_industry_is_read_in_every_notation(text: str, code: str) -> None:
    assert named(fields.IndustryCode(**TOLD)).deserialize(text) == code


@pytest.mark.parametrize("text", ["B0111", "9800", "00", "农业", "A0111.0"])
def test_an_industry_whose_section_or_division_is_wrong_is_refused(text: str) -> None:
    assert fault(fields.IndustryCode(**TOLD), text).rule == "industry.code"


def test_divisions_belong_to_the_sections_of_the_standard() -> None:
    assert [section_of(n) for n in (1, 5, 6, 13, 43, 44, 51, 90, 97)] == list("AABCCDFRT")
    with pytest.raises(KeyError):
        section_of(98)


def test_text_keeps_what_was_written_but_for_edges_line_ends_and_invisible_characters() -> None:
    assert named(fields.Text(**TOLD)).deserialize("\ufeff　第１条\r\n（一）\u200b ") == "第１条\n（一）"


@pytest.mark.parametrize(
    ("text", "rule"),
    [("x" * 201, "text.too_long"), ("a\x00b", "text.control_character"), ("a\ud800", "text.control_character")],
)
def test_text_that_cannot_be_stored_or_shown_is_refused(text: str, rule: str) -> None:
    assert fault(fields.Text(**TOLD), text).rule == rule


def test_a_placeholder_may_be_meant_literally() -> None:
    field = named(fields.Text(keep=("空",), required=True, **TOLD))

    assert field.deserialize("空") == "空"
    assert fault(field, "无").rule == "field.required"


@pytest.mark.parametrize("text", ["123456", "1/2"])
def test_a_name_has_letters(text: str) -> None:
    assert fault(fields.EntityName(**TOLD), text).rule == "name.not_a_name"


def test_a_value_that_is_not_text_is_refused_not_converted() -> None:
    assert fault(fields.Count(**TOLD), 3).rule == "field.not_text"


def test_every_code_table_is_sound_and_every_one_is_used() -> None:
    folder = Path(str(code_tables.__file__)).parent
    names = {file.stem for file in folder.glob("*.csv")} - {"gbt2260_records", "hs_2022"}

    assert names == set(tables_in_use())
    for name in names:
        for row in fields.code_table(name).rows:
            assert all((row.code, row.name_zh, row.name_en)), (name, row)
