"""The measurement of the contract measures what it says."""

from __future__ import annotations

import pytest

from gateway.bench.contract import run, slow_fields
from gateway.bench.rows import registration_rows
from schemas.columnar import contract


def test_the_rows_are_the_same_for_the_same_seed_and_other_for_another() -> None:
    first = registration_rows(300, seed=7)

    assert first.equals(registration_rows(300, seed=7))
    assert not first.equals(registration_rows(300, seed=8))


def test_most_rows_are_accepted_and_every_kind_of_dirt_is_met() -> None:
    judged = contract("registration").judge(registration_rows(4_000, seed=7))

    rules = set(judged.faults["rule"])
    assert 0.90 < judged.accepted.height / 4_000 < 0.99
    assert {
        "uscc.check_character",
        "uscc.spreadsheet_damage",
        "field.required",
        "code.unknown",
        "number.unit_word",
    } <= rules


def test_a_run_tells_both_rates_their_ratio_and_what_became_of_the_rows() -> None:
    told = run(rows=600, seed=7)

    assert set(told) == {
        "rows",
        "record_type",
        "map_judge_rows_per_second",
        "judge_rows_per_second",
        "marshmallow_rows_per_second",
        "ratio_to_marshmallow",
        "judge_ratio_to_marshmallow",
        "bare_rows_per_second",
        "ratio_to_bare",
        "accepted",
        "rejected",
        "slow_fields",
    }
    assert told["rows"] == 600 == told["accepted"] + told["rejected"]
    assert told["ratio_to_marshmallow"] > 0
    assert told["bare_rows_per_second"] > told["map_judge_rows_per_second"]


def test_every_field_of_every_record_type_is_judged_by_column() -> None:
    assert slow_fields() == []


def test_a_field_without_a_vectorised_judgement_works_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    agreed = contract("registration")
    rows = registration_rows(400, seed=7)
    quick = agreed.judge(rows)
    monkeypatch.setitem(agreed.plans, "uscc", None)

    slow = agreed.judge(rows)

    assert slow_fields() == ["registration.uscc"]
    assert slow.accepted.equals(quick.accepted)
    assert slow.faults.equals(quick.faults)
