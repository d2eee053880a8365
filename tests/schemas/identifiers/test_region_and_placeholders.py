"""Region codes by date, and the words that stand for no value."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import region
from schemas.identifiers.placeholders import PLACEHOLDERS, is_placeholder


@pytest.mark.parametrize(
    ("written", "normalized"),
    [
        ("330203", "330203"),
        ("330203001", "330203"),
        ("330203001002", "330203"),
        (" ３３０ 203", "330203"),
        ("33020", "33020"),
    ],
)
def test_town_and_village_codes_are_cut_to_their_county(written: str, normalized: str) -> None:
    assert region.normalize(written) == normalized


def test_a_region_in_no_edition_is_a_doubt_and_a_misshapen_one_a_fault() -> None:
    assert [fault.rule for fault in region.warnings("320594")] == ["region.unknown"]
    assert region.validate("320594") == []
    assert [fault.rule for fault in region.validate("33020")] == ["region.form"]
    assert [fault.rule for fault in region.validate("012345")] == ["region.form"]


def test_codes_are_known_from_the_year_of_their_first_edition() -> None:
    assert "500101" not in region.known_regions(date(1996, 12, 31))
    assert "500101" in region.known_regions(date(1997, 1, 1))
    assert region.known_regions(date(1990, 1, 1)) < region.known_regions()


def test_a_renamed_region_has_the_name_of_the_day() -> None:
    names = [region.name("500101", date(year, 6, 1)) for year in (1990, 1997, 2020)]

    assert names == [None, "万县区", "万州区"]


def test_the_national_registry_is_known() -> None:
    assert region.is_known(region.NATIONAL)
    assert region.explain("100000") == {"region_code": "100000", "province": "国家登记机关"}


def test_levels_of_a_region_are_explained_without_repeating() -> None:
    assert region.explain("330000") == {"region_code": "330000", "province": "浙江省"}
    assert region.explain("330100") == {"region_code": "330100", "province": "浙江省", "prefecture": "杭州市"}
    assert region.explain("330106") == {
        "region_code": "330106",
        "province": "浙江省",
        "prefecture": "杭州市",
        "county": "西湖区",
    }


@pytest.mark.parametrize(
    "text",
    ["", " ", "\t\n", "-", "—", "——", "----------", "／", "－", "无", " 无 ", "暂无", "不详", "未知", "空", "“空”",
     "\"空\"", "nan", "None", "null", "Ｎ／Ａ", "n/a", "NA", "\\N", "\\n", "未发现不合格项目", "\u3000", None],
)  # fmt: skip
def test_words_for_nothing_are_placeholders(text: str | None) -> None:
    assert is_placeholder(text)


@pytest.mark.parametrize("text", ["无锡", "0", "NAB", "空调", "-1", "A-", "不详细", "91350100M000100Y43", "无" * 50])
def test_words_that_mean_something_are_not(text: str) -> None:
    assert not is_placeholder(text)


@given(st.sampled_from(sorted(PLACEHOLDERS)), st.text(alphabet=" \t\u3000\n", max_size=3))
def test_blanks_around_and_case_do_not_matter(word: str, blanks: str) -> None:
    assert is_placeholder(blanks + word.lower() + blanks)
