"""From an agency's columns to the shared names: every column is mapped, ignored on purpose or reported."""

from __future__ import annotations

import pytest

from connectors.delivery import Finding
from connectors.errors import SourceChanged
from connectors.mapping import map_sheet
from connectors.registry import source
from tests.connectors.support import COMPLAINTS, make_spec, mapped, read

SPEC = make_spec()
HEAD = "编号,类型,被投诉企业,日期"
OPERATION = make_spec(COMPLAINTS, ("forms:", "operation: {from: [标志], put: [I, U], withdraw: [D]}\nforms:"))


def csv(*lines: str) -> bytes:
    return "\n".join(lines).encode()


def test_columns_get_their_shared_names_and_words_their_codes() -> None:
    found = mapped(SPEC, csv(HEAD, "1,投诉,甲,2024", "2, 举 报 ,乙,2025", "3,/,丙,", "4,,丁,"))

    assert found.frame.to_dict(as_series=False) == {
        "_row": [1, 2, 3, 4],
        "_op": ["put"] * 4,
        "complaint_no": ["1", "2", "3", "4"],
        "kind_code": ["1", "2", "/", None],
        "subject_name": ["甲", "乙", "丙", "丁"],
        "received_on": ["2024", "2025", None, None],
    }
    assert found.headings == {
        "complaint_no": "编号",
        "kind_code": "类型",
        "subject_name": "被投诉企业",
        "received_on": "日期",
    }
    assert found.findings == ()


def test_headings_are_compared_without_width_brackets_and_blanks() -> None:
    spec = make_spec(COMPLAINTS, ("[编号, 投诉编号]", "[代码_1(统一社会信用代码)]"))

    found = mapped(spec, csv("代码＿1 （统一社会信用代码）,类型,被投诉 企业,日期", "x,投诉,甲,2024"))

    assert found.frame["complaint_no"].to_list() == ["x"]


def test_a_synonym_is_read_and_a_second_one_beside_it_is_reported() -> None:
    found = mapped(SPEC, csv("投诉编号,类型,被投诉企业,日期,编号", "1,投诉,甲,2024,99"))

    assert found.frame["complaint_no"].to_list() == ["99"]
    assert [(finding.rule, finding.column, finding.example) for finding in found.findings] == [
        ("column.unexpected", "投诉编号", "1")
    ]


def test_an_extra_column_is_reported_with_an_example_and_the_delivery_goes_on() -> None:
    found = mapped(SPEC, csv(HEAD + ",满意度,序号", "1,投诉,甲,2024,,1", "2,投诉,乙,2024,很好,2"))

    assert found.findings == (
        Finding(
            "column.unexpected",
            "满意度",
            1,
            "很好",
            "出现约定之外的列“满意度”，未采用；请在 source.yml 中映射或写明忽略的原因",
            "column '满意度' is not declared and was not taken over; map it in source.yml or ignore it with a reason",
        ),
    )


@pytest.mark.parametrize(
    ("heading", "value"),
    [
        ("联系电话", "x"),
        ("身份证号", "x"),
        ("其他", "13800000000"),
        ("其他", "张三 13800000000"),
        ("负责人", "张三"),
        ("其他", "990000198001150015"),
    ],
)
def test_the_example_of_an_unexpected_column_never_shows_a_person(heading: str, value: str) -> None:
    value = value.replace("990000", "110000")

    found = mapped(SPEC, csv(f"{HEAD},{heading}", f"1,投诉,甲,2024,{value}"))

    assert [finding.example for finding in found.findings] == [None]


def test_a_missing_column_stops_the_delivery_with_what_is_missing_and_what_is_new() -> None:
    with pytest.raises(SourceChanged) as found:
        mapped(SPEC, csv("编号,类型,被投诉单位,日期", "1,投诉,甲,2024"), "五月.csv")

    assert found.value.en == (
        "agency/source 五月.csv: fits no form; the nearest is 'only': missing 被投诉企业; unexpected 被投诉单位. "
        "Nothing landed, the bytes are kept; ask the agency, then change source.yml."
    )


def test_a_file_without_any_known_heading_stops_the_delivery() -> None:
    with pytest.raises(SourceChanged) as found:
        mapped(SPEC, csv("1,投诉,甲,2024", "2,投诉,乙,2024"))

    assert found.value.details["missing"] == ["编号", "类型", "被投诉企业", "日期"]


TWO_FORMS = COMPLAINTS.replace(
    "lookups:",
    """  - name: wider
    columns: {complaint_no: 编号, kind_code: 类型, subject_name: 被投诉企业, received_on: 日期, content: 内容}
lookups:""",
)


def test_of_two_forms_that_fit_the_one_that_asks_for_more_is_taken() -> None:
    spec = make_spec(TWO_FORMS)

    assert mapped(spec, csv(HEAD + ",内容", "1,投诉,甲,2024,x")).form == "wider"
    assert mapped(spec, csv(HEAD, "1,投诉,甲,2024")).form == "only"


def test_two_forms_that_fit_equally_well_stop_the_delivery() -> None:
    spec = make_spec(TWO_FORMS, (", content: 内容", ""))

    with pytest.raises(SourceChanged, match="fits the forms only, wider equally well"):
        mapped(spec, csv(HEAD, "1,投诉,甲,2024"))


def test_an_unknown_word_is_passed_on_and_reported_and_never_guessed() -> None:
    found = mapped(SPEC, csv(HEAD, "1,表扬,甲,2024", "2,表扬,甲,2024", "3,投诉,甲,2024"))

    assert found.frame["kind_code"].to_list() == ["表扬", "表扬", "1"]
    assert [(finding.rule, finding.column, finding.count, finding.example) for finding in found.findings] == [
        ("lookup.unknown_word", "类型", 2, "表扬")
    ]
    assert found.faults.height == 0


def test_an_unlisted_word_that_looks_like_a_shared_code_faults_its_row() -> None:
    found = mapped(SPEC, csv(HEAD, "1,2,甲,2024"))

    assert [(fault["_row"], fault["field"], fault["rule"], fault["value"]) for fault in found.faults.to_dicts()] == [
        (1, "kind_code", "lookup.unknown_word", "2")
    ]


def test_operation_marks_become_put_and_withdraw_and_an_unknown_one_faults_its_row() -> None:
    found = mapped(
        OPERATION, csv(HEAD + ",标志", "1,投诉,甲,2024,I", "2,投诉,甲,2024,Ｄ", "3,投诉,甲,2024,X", "4,投诉,甲,2024,")
    )

    assert found.frame["_op"].to_list() == ["put", "withdraw", "put", "put"]
    assert [(fault["_row"], fault["rule"], fault["value"]) for fault in found.faults.to_dicts()] == [
        (3, "operation.unknown", "X"),
        (4, "operation.unknown", None),
    ]


def test_a_source_with_marks_needs_their_column() -> None:
    with pytest.raises(SourceChanged, match="missing 标志"):
        mapped(OPERATION, csv(HEAD, "1,投诉,甲,2024"))


def test_a_constant_fills_every_row_and_an_optional_column_may_be_missing() -> None:
    spec = make_spec(
        COMPLAINTS,
        (
            "subject_name: 被投诉企业",
            'subject_name: 被投诉企业\n      channel: {constant: "12315"}\n'
            "      content: {from: [内容], optional: true}",
        ),
    )

    found = mapped(spec, csv(HEAD, "1,投诉,甲,2024", "2,投诉,甲,2024"))

    assert (found.frame["channel"].to_list(), "content" in found.frame.columns) == (["12315", "12315"], False)


def test_several_words_in_one_cell_become_several_codes() -> None:
    spec = make_spec(
        COMPLAINTS,
        ("{from: [类型], lookup: kind}", "{from: [类型], also: [[类型2]], via: multi_code, lookup: kind}"),
        ("words: [举报]", "words: [举报, 检举、控告]"),
    )

    found = mapped(
        spec,
        csv(
            HEAD + ",类型2",
            "1,投诉；举报,甲,2024,",
            "2,投诉、举报,甲,2024,举报",
            "3,检举、控告,甲,2024,",
            "4,投诉,甲,2024,表扬",
        ),
    )

    assert found.frame["kind_code"].to_list() == ["1;2", "1;2", "2", "投诉;表扬"]


def test_an_adapter_may_prepare_the_sheet_and_bring_its_own_transforms() -> None:
    spec = make_spec(COMPLAINTS, ("subject_name: 被投诉企业", "subject_name: {from: [被投诉企业], via: loud}"))
    (spec.folder / "adapter.py").write_text(
        "from dataclasses import replace\n"
        "def prepare(sheet):\n    return replace(sheet, frame=sheet.frame.head(1))\n"
        "TRANSFORMS = {'loud': lambda columns, options: columns[0] + '!'}\n"
    )

    found = map_sheet(read(spec, csv(HEAD, "1,投诉,甲,2024", "2,投诉,乙,2024")), spec)

    assert found.frame["subject_name"].to_list() == ["甲!"]


def test_an_amount_without_a_unit_is_left_out_with_a_finding_and_another_text_is_left_to_the_field() -> None:
    head = "企业名称,统一社会信用代码,注册日期,注册资金,所在省份,地区"
    capital = ["300()", '"1,000(万元)"', "300()", "", "李雨桐", "20()"]
    lines = [f"甲{n},91330110WQ82000126,2015-11-04,{text},浙江,杭州" for n, text in enumerate(capital)]

    found = mapped(source("market_supervision/company_list"), csv(head, *lines))

    assert found.frame["registered_capital_wan"].to_list() == [None, "1000", None, None, "李雨桐", None]
    assert found.frame["registered_capital_currency_code"].to_list() == [None, "CNY", None, None, None, None]
    assert [(one.rule, one.column, one.count, one.example) for one in found.findings] == [
        ("value.unclear", "注册资金", 3, "300()")
    ]
    assert "300()、20()" in found.findings[0].zh
