"""The forms in which names and addresses are compared: one for a text, one for a column, always the same."""

from __future__ import annotations

import sys
import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.names import address_form, address_form_expr, match_form, match_form_expr

# What is unassigned in our Unicode tables may have a meaning in the other engine's newer ones.
TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs", "Cn")), max_size=20)
NAMES = st.text(alphabet="信桥（宁波）(食品)【有限】公司 Ａa１1[]{}〈〉\u3000\u200b-－—·．.", max_size=20)


def column_form(expression: pl.Expr, texts: list[str | None]) -> list[str | None]:
    return pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)}).select(expression).to_series().to_list()


@pytest.mark.parametrize(
    "written",
    [
        "信桥（宁波）食品有限公司A",
        "信桥(宁波) 食品有限公司ａ",
        "信桥【宁波】食品有限公司Ａ",
        "信桥〔宁波]食品\u3000有限公司a\u200b",
    ],
)
def test_brackets_blanks_case_and_width_do_not_tell_names_apart(written: str) -> None:
    assert match_form(written) == "信桥(宁波)食品有限公司A"


def test_different_names_stay_different() -> None:
    assert match_form("信桥(宁波)食品有限公司") != match_form("信桥宁波食品有限公司")


@pytest.mark.parametrize(
    "written", ["宁波市海曙区，桥头街１２－３号。", "宁波市海曙区 桥头街12—3号", "宁波市海曙区桥头街12-3号;"]
)
def test_punctuation_does_not_tell_addresses_apart(written: str) -> None:
    assert address_form(written) == "宁波市海曙区桥头街12-3号"


def test_a_hyphen_in_a_house_number_means_something() -> None:
    assert address_form("桥头街12-3号") != address_form("桥头街123号")


@pytest.mark.parametrize("times", [1, 101], ids=["few", "many"])
@given(st.lists(st.one_of(st.none(), TEXTS, NAMES), max_size=8))
def test_names_of_a_column_have_the_form_of_each_name(times: int, texts: list[str | None]) -> None:
    expected = [None if text is None else match_form(text) for text in texts] * times

    assert column_form(match_form_expr(pl.col("text")), texts * times) == expected


@pytest.mark.parametrize("times", [1, 101], ids=["few", "many"])
@given(st.lists(st.one_of(st.none(), TEXTS, NAMES), max_size=8))
def test_addresses_of_a_column_have_the_form_of_each_address(times: int, texts: list[str | None]) -> None:
    expected = [None if text is None else address_form(text) for text in texts] * times

    assert column_form(address_form_expr(pl.col("text")), texts * times) == expected


@given(st.one_of(TEXTS, NAMES))
def test_the_form_of_a_form_is_itself(text: str) -> None:
    assert match_form(match_form(text)) == match_form(text)
    assert address_form(address_form(text)) == address_form(text)


def test_every_assigned_character_has_one_form_in_both_engines() -> None:
    characters = [
        chr(point) for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point)) not in ("Cs", "Cn")
    ]

    forms = column_form(match_form_expr(pl.col("text")), list(characters))

    assert {
        (character, form) for character, form in zip(characters, forms, strict=True) if form != match_form(character)
    } == set()


@pytest.mark.parametrize("times", [1, 101], ids=["few", "many"])
def test_the_column_that_was_asked_about_is_left_as_it_was(times: int) -> None:
    frame = pl.DataFrame({"text": ["信桥（宁波）", "信桥", "a，b"] * times})

    frame.select(match_form_expr(pl.col("text")), address_form_expr(pl.col("text")).alias("address"))

    assert frame["text"].to_list() == ["信桥（宁波）", "信桥", "a，b"] * times
