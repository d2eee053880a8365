"""Legacy registration numbers and taxpayer numbers."""

from __future__ import annotations

import pytest
from hypothesis import given

from schemas.identifiers import registration, taxpayer, uscc
from tests.schemas.identifiers.generated import registration_numbers, uscc_codes


@given(registration_numbers())
def test_fifteen_digits_that_check_are_valid(number: str) -> None:
    assert registration.validate(number) == []


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("320404000009558", []),
        ("320404000009559", ["registration.check_digit"]),
        ("320506NA000043X", []),
        ("3209231100626", []),
        ("企合苏总字第000063", ["registration.form"]),
        ("32040400000955", ["registration.form"]),
    ],
)
def test_only_the_fifteen_digit_form_has_a_check_digit(text: str, rules: list[str]) -> None:
    assert [fault.rule for fault in registration.validate(text)] == rules


def test_kind_and_region_of_a_number_are_explained() -> None:
    assert registration.explain("330110600000015") == {
        "form": "registration_15",
        "region_code": "330110",
        "province": "浙江省",
        "prefecture": "杭州市",
        "county": "余杭区",
        "kind_zh": "个体",
        "kind_en": "individual",
        "serial": "60000001",
        "check_digit": "5",
    }


@given(uscc_codes())
def test_the_taxpayer_number_inside_an_enterprises_code_leads_back_to_it(code: str) -> None:
    enterprise = "91" + code[2:17]

    assert taxpayer.candidate(code[2:17]) == enterprise + uscc.check_character(enterprise)


@pytest.mark.parametrize(
    ("text", "faults", "warnings"),
    [
        ("350100M000100Y4", [], []),
        ("350100M000100Y5", [], ["taxpayer.organisation_code"]),
        ("320594M000100Y4", [], ["region.unknown"]),
        ("91350100M000100Y43", [], []),
        ("91350100M000100Y44", ["uscc.check_character"], []),
        ("11010119900307451", [], []),
        ("12345", ["taxpayer.form"], []),
    ],
)
def test_taxpayer_numbers_of_every_length(text: str, faults: list[str], warnings: list[str]) -> None:
    assert [fault.rule for fault in taxpayer.validate(text)] == faults
    assert [warning.rule for warning in taxpayer.warnings(text)] == warnings
