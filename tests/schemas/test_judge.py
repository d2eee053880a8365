"""Judging a mapped frame: withdrawals, absent columns, remarks, rules, what is masked, what is remembered."""

from __future__ import annotations

from datetime import date
from typing import Any

import marshmallow as ma
import polars as pl
import pytest

from schemas import memo
from schemas.columnar import Contract, contract
from schemas.judging import judge_columns
from schemas.judging_rows import judge_rows
from schemas.memo import Memo
from schemas.records import RECORD_TYPES

from .cells import ORGANISATION, USCC
from .test_columnar import columns, errors

PENALTY: dict[str, str | None] = {
    "document_no": "示市监罚〔2023〕1号",
    "subject_name": "杭州示例食品有限公司",
    "penalty_kind_codes": "罚款;警告",
    "decided_on": "2023-04-01",
    "authority_name": "示例市市场监督管理局",
}


def said(frame: pl.DataFrame) -> list[tuple[int, str, str | None, str]]:
    """Row, field, value and rule of every line."""
    return frame.select("_row", "field", "value", "rule").rows()


def test_an_accepted_row_has_every_field_typed() -> None:
    agreed = contract("penalty")

    judged = agreed.judge(columns(agreed, [{**PENALTY, "fine_wan_yuan": "1,000.50", "valid_to_on": "长期"}]))

    assert judged.accepted.schema == {"_row": pl.UInt32, "_op": pl.String} | {
        n: f.dtype for n, f in agreed.fields.items()
    }
    filled = {name: value for name, value in judged.accepted.to_dicts()[0].items() if value is not None}
    assert filled == {
        "_row": 1,
        "_op": "put",
        "document_no": "示市监罚〔2023〕1号",
        "subject_name": "杭州示例食品有限公司",
        "penalty_kind_codes": "1;2",
        "fine_wan_yuan": "1000.5",
        "decided_on": date(2023, 4, 1),
        "valid_to_on": date(9999, 12, 31),
        "authority_name": "示例市市场监督管理局",
    }
    assert (judged.faults.height, judged.warnings.height) == (0, 0)


def test_a_bad_row_has_all_its_faults_and_other_rows_stay() -> None:
    agreed = contract("penalty")
    bad = {
        **PENALTY,
        "uscc": USCC[0][:17] + "0",
        "decided_on": "2023-02-30",
        "subject_name": "无",
        "severity_code": "极重",
    }

    judged = agreed.judge(columns(agreed, [PENALTY, bad, PENALTY]))

    assert judged.accepted["_row"].to_list() == [1, 3]
    assert said(judged.faults) == [
        (2, "uscc", USCC[0][:17] + "0", "uscc.check_character"),
        (2, "subject_name", "无", "field.required"),
        (2, "decided_on", "2023-02-30", "date.no_such_day"),
        (2, "severity_code", "极重", "code.unknown"),
    ]
    assert USCC[0] in judged.faults["candidates"][0]


def test_an_unknown_code_word_names_the_table_and_the_known_values() -> None:
    agreed = contract("penalty")

    judged = agreed.judge(columns(agreed, [{**PENALTY, "severity_code": "极重"}]))

    assert judged.faults.select("zh", "en").rows() == [
        (
            "「失信严重程度」的值「极重」不在代码表 severity 中；"
            "已知值：0 未定；1 一般；2 较重；3 严重。请改用表中代码，或申请增补。",
            "severity_code: '极重' is not in code table severity; known: 0 未定；1 一般；2 较重；3 严重. "
            "Use one of its codes or ask for it to be added.",
        )
    ]


@pytest.mark.parametrize("rows", [1, 300])
def test_a_missing_required_column_is_a_fault_of_every_row(rows: int) -> None:
    agreed = contract("penalty")
    bare = {name: value for name, value in PENALTY.items() if name != "authority_name"}

    judged = agreed.judge(columns(agreed, [bare] * rows))

    assert judged.accepted.height == 0
    assert said(judged.faults) == [(n, "authority_name", None, "field.required") for n in range(1, rows + 1)]


@pytest.mark.parametrize("rows", [2, 300])
def test_a_withdrawal_is_judged_on_its_key_alone(rows: int) -> None:
    agreed = contract("penalty")
    key = {name: PENALTY[name] for name in agreed.key}
    frame = columns(agreed, [{**PENALTY, **key}, {**key, "uscc": "bad", "penalty_kind_codes": "bad"}] * (rows // 2))
    frame = frame.with_columns(pl.when(pl.col("_row") % 2 == 0).then(pl.lit("withdraw")).otherwise("_op").alias("_op"))

    judged = agreed.judge(frame)

    assert judged.faults.height == 0
    assert judged.accepted["_row"].to_list() == list(range(1, rows + 1))
    second = {name: value for name, value in judged.accepted.to_dicts()[1].items() if value is not None}
    assert second == {"_row": 2, "_op": "withdraw", **key, "decided_on": date(2023, 4, 1)}


def test_a_withdrawal_without_its_key_is_refused() -> None:
    agreed = contract("penalty")
    frame = columns(agreed, [{"document_no": "示市监罚〔2023〕1号"}]).with_columns(pl.lit("withdraw").alias("_op"))

    assert said(agreed.judge(frame).faults) == [
        (1, "subject_name", None, "field.required"),
        (1, "decided_on", None, "field.required"),
    ]


@pytest.mark.parametrize("judge", [judge_rows, lambda agreed, frame: judge_columns(agreed, frame, agreed.fields)])
def test_a_broken_rule_is_told_at_its_first_field(judge: Any) -> None:
    agreed = contract("penalty")

    judged = judge(agreed, columns(agreed, [{**PENALTY, "valid_to_on": "2023-3-31"}]))

    assert said(judged.faults) == [(1, "valid_to_on", "2023-3-31", "rule.valid_to_on_not_before_decided_on")]


@pytest.mark.parametrize("judge", [judge_rows, lambda agreed, frame: judge_columns(agreed, frame, agreed.fields)])
def test_a_rule_is_not_asked_when_one_of_its_fields_is_wrong(judge: Any) -> None:
    agreed = contract("penalty")

    judged = judge(agreed, columns(agreed, [{**PENALTY, "decided_on": "2023-13-01", "valid_to_on": "2001-01-01"}]))

    assert said(judged.faults) == [(1, "decided_on", "2023-13-01", "date.no_such_day")]


@pytest.mark.parametrize("judge", [judge_rows, lambda agreed, frame: judge_columns(agreed, frame, agreed.fields)])
def test_remarks_leave_the_row_accepted(judge: Any) -> None:
    agreed = contract("penalty")
    row = {**PENALTY, "uscc": USCC[2], "subject_organisation_code": ORGANISATION[0]}

    judged = judge(agreed, columns(agreed, [row]))

    assert judged.accepted.height == 1
    assert said(judged.warnings) == [
        (1, "uscc", USCC[2], "uscc.region_unknown"),
        (1, "uscc", USCC[2], "uscc.organisation_code"),
        (1, "subject_organisation_code", ORGANISATION[0], "rule.organisation_code_of_uscc"),
    ]


def test_the_value_of_a_personal_field_is_never_repeated() -> None:
    agreed = contract("complaint")
    row = {"complaint_no": "TS1", "kind_code": "1", "subject_name": "示例", "received_on": "2023-04-01"}

    judged = agreed.judge(columns(agreed, [{**row, "complainant_phone": "13800000000" * 9}]))

    (line,) = judged.faults.to_dicts()
    assert line["value"] == "＊＊＊"
    assert "138" not in line["zh"] + line["en"]


def test_sampling_without_a_named_item_gets_the_word_of_the_published_tables() -> None:
    agreed = contract("product_sampling")
    row = {"sampling_no": "SC1", "subject_name": "示例厂", "product_name": "示例糕", "result_code": "合格"}

    judged = agreed.judge(columns(agreed, [row, {**row, "sampling_no": "SC2", "result_code": "不合格"}]))

    assert judged.accepted["item"].to_list() == ["未发现不合格项目", "未发现不合格项目"]
    assert said(judged.warnings) == [(2, "item", "未发现不合格项目", "rule.failed_sample_names_item")]


def test_an_unknown_column_is_a_mistake_of_the_caller() -> None:
    agreed = contract("penalty")

    with pytest.raises(ValueError, match="penalty has no fields \\['fine'\\]; it has \\['document_no'"):
        agreed.judge(columns(agreed, [{**PENALTY, "fine": "1"}]))


def test_a_typed_column_is_a_mistake_of_the_caller() -> None:
    agreed = contract("penalty")
    frame = columns(agreed, [PENALTY]).with_columns(pl.lit(5).alias("fine_wan_yuan"))

    with pytest.raises(ValueError, match="must be text before they are judged, got {'fine_wan_yuan': 'Int32'}"):
        agreed.judge(frame)


def test_no_rows_are_judged_too() -> None:
    agreed = contract("penalty")

    judged = agreed.judge(columns(agreed, [PENALTY]).clear())

    assert (judged.accepted.height, judged.faults.height, judged.warnings.height) == (0, 0, 0)
    assert list(judged.accepted.columns) == ["_row", "_op", *agreed.fields]


def test_a_row_of_placeholders_lacks_every_required_field() -> None:
    agreed = contract("penalty")

    judged = agreed.judge(columns(agreed, [dict.fromkeys(agreed.fields, "无")]))

    required = [name for name, field in agreed.fields.items() if field.required]
    assert errors(judged.faults)[1].keys() == set(required)
    assert judged.faults["rule"].unique().to_list() == ["field.required"]


def test_one_row_loads_plainly_to_typed_values_or_faults() -> None:
    agreed = contract("penalty")

    assert agreed.load_row(PENALTY)["penalty_kind_codes"] == "1;2"
    with pytest.raises(ma.ValidationError) as refused:
        agreed.load_row({**PENALTY, "decided_on": None})
    assert [fault.rule for fault in refused.value.messages_dict["decided_on"]] == ["field.required"]


def test_each_distinct_dirty_value_is_read_once_and_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "LIMIT", 3)
    agreed = Contract(RECORD_TYPES["penalty"])
    asked: list[str | None] = []
    kept = agreed.memos["decided_on"]
    monkeypatch.setattr(Memo, "_judge", lambda self, text: (asked.append(text), memo.Verdict(None, ()))[1])

    verdicts = [kept.verdict(text) for text in ("a", "a", "b", "c", "d", "d")]

    assert asked == ["a", "b", "c", "d"]
    assert len(verdicts) == 6
    assert list(kept.verdicts) == ["d"]
