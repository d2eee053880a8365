"""Distinct texts and what becomes of them: of few rows in Python, of many by Polars, and the same of both."""

from __future__ import annotations

import random

import polars as pl
import pytest

from connectors import distinct as subject
from connectors.distinct import distinct, distinct_counts, replaced, translated

WORDS = ["甲", "乙", "", " 乙", "A", "a", "\x00", None]


@pytest.fixture(params=["few", "many"])
def column(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> pl.Series:
    if request.param == "many":
        monkeypatch.setattr(subject, "FEW", -1)
    return pl.Series("heading", random.Random(7).choices(WORDS, k=60), dtype=pl.String)


def test_the_distinct_texts_come_in_the_order_met(column: pl.Series) -> None:
    met = list(dict.fromkeys(text for text in column if text is not None))

    assert distinct(column, in_order=True) == met
    assert set(distinct(column)) == set(met)
    counted = distinct_counts(column)
    assert list(counted) == met
    assert counted == {text: column.to_list().count(text) for text in met}


def test_what_has_no_other_text_stays_where_it_is_replaced_and_goes_where_it_is_translated(column: pl.Series) -> None:
    texts = {"甲": "1", "乙": "", "A": "甲"}

    assert replaced(column, texts).to_list() == [texts.get(text, text) for text in column]
    assert replaced(column, {}).to_list() == column.to_list()
    assert translated(column, {**texts, "a": None}).to_list() == [texts.get(text) for text in column]
    assert {replaced(column, texts).name, translated(column, texts).name} == {"heading"}
    assert {replaced(column, texts).dtype, translated(column, texts).dtype} == {pl.String()}


def test_a_column_of_nothing_stays_one(column: pl.Series) -> None:
    nothing = pl.Series("heading", [None, None], dtype=pl.String)

    assert (distinct(nothing), distinct_counts(nothing)) == ([], {})
    assert replaced(nothing, {"甲": "1"}).to_list() == [None, None]
    assert translated(nothing.clear(), {"甲": "1"}).dtype == pl.String()
