"""Customs codes, bar codes, food licences, commodity codes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import ean

from schemas.faults import Fault
from schemas.identifiers import customs, food_licence, gtin, hs


def rules(faults: list[Fault]) -> list[str]:
    return [fault.rule for fault in faults]


@pytest.mark.parametrize(
    ("text", "faults", "warnings"),
    [
        ("3301964JX7", [], []),
        ("AEOCN3301964JX7", [], []),
        ("3301w64jx7", [], ["customs.zone_unknown"]),
        ("33019A4JX7", [], ["customs.enterprise_unknown"]),
        ("33019", ["customs.form"], []),
        ("AB01964JX7", ["customs.form"], []),
    ],
)
def test_customs_codes_have_ten_characters_and_two_tables(text: str, faults: list[str], warnings: list[str]) -> None:
    code = customs.normalize(text)

    assert (rules(customs.validate(code)), rules(customs.warnings(code))) == (faults, warnings)


@pytest.mark.parametrize("length", [8, 12, 13, 14])
@given(digits=st.text(alphabet="0123456789", min_size=13, max_size=13), place=st.integers(0, 6))
def test_bar_codes_check_at_every_length(length: int, digits: str, place: int) -> None:
    number = digits[: length - 1] + ean.calc_check_digit(digits[: length - 1])
    changed = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]

    assert rules(gtin.validate(number)) == []
    assert rules(gtin.validate(changed)) == ["gtin.check_digit"]


@pytest.mark.parametrize(
    ("written", "normalized"),
    [
        ("690 1234-567892", "6901234567892"),
        ("(01)06901234567892", "06901234567892"),
        ("6901234567892.0", "6901234567892"),
    ],
)
def test_bar_codes_are_freed_of_blanks_identifiers_and_float_tails(written: str, normalized: str) -> None:
    assert gtin.normalize(written) == normalized


@pytest.mark.parametrize("text", ["", "690123456789", "69012345678921", "69012345678X2"])
def test_wrong_bar_codes_are_faults(text: str) -> None:
    assert rules(gtin.validate(text)) in (["gtin.form"], ["gtin.check_digit"])


def test_gs1_china_is_recognised() -> None:
    assert gtin.explain("6901234567892")["issuer"] == "GS1 China"


@pytest.mark.parametrize(
    "number", ["SC10633019702613", "SC12742098400010", "JY13101140093802", "JY13301080111719", "JY11108071215650"]
)
def test_food_licences_seen_on_public_pages_pass(number: str) -> None:
    assert (rules(food_licence.validate(number)), rules(food_licence.warnings(number))[:1]) in (
        ([], []),
        ([], ["region.unknown"]),
    )


def test_a_failing_check_digit_of_a_food_licence_is_only_a_doubt() -> None:
    assert rules(food_licence.validate("JY13301080111718")) == []
    assert rules(food_licence.warnings("JY13301080111718")) == ["food_licence.check_digit"]


@pytest.mark.parametrize(
    ("text", "rule"), [("QS330106010001", "food_licence.abolished"), ("JY1330108", "food_licence.form")]
)
def test_old_and_misshapen_food_licences_are_faults(text: str, rule: str) -> None:
    assert rules(food_licence.validate(text)) == [rule]


def test_a_food_licence_is_explained() -> None:
    assert food_licence.explain("JY23301080111717") == {
        "kind_zh": "食品经营许可证",
        "kind_en": "food trade licence",
        "trade_zh": "餐饮服务",
        "trade_en": "catering",
        "region_code": "330108",
        "province": "浙江省",
        "prefecture": "杭州市",
        "county": "滨江区",
        "serial": "011171",
    }


@pytest.mark.parametrize(
    ("text", "faults", "warnings"),
    [
        ("0102.29.00.00", [], []),
        ("010229", [], []),
        ("0102290000101", [], []),
        ("0199990000", [], ["hs.unknown"]),
        ("0102", ["hs.form"], []),
        ("010229000", ["hs.form"], []),
    ],
)
def test_commodity_codes_have_6_8_10_or_13_digits(text: str, faults: list[str], warnings: list[str]) -> None:
    code = hs.normalize(text)

    assert (rules(hs.validate(code)), rules(hs.warnings(code))) == (faults, warnings)


def test_a_commodity_code_is_explained_by_chapter_heading_and_subheading() -> None:
    assert hs.explain("0901210000") == {
        "hs6": "090121",
        "chapter": "Coffee, tea, mate and spices",
        "heading": (
            "Coffee, whether or not roasted or decaffeinated; husks and skins; coffee substitutes containing coffee "
            "in any proportion"
        ),
        "subheading": "Coffee; roasted, not decaffeinated",
        "national_part": "0000",
    }
