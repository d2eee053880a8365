"""The named transforms, each with what passes, what just does not, and what is absurd."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pytest

from connectors.capital import is_unclear, read_capital
from connectors.transforms import TRANSFORMS


def apply(name: str, *columns: list[str | None], options: Mapping[str, str] | None = None) -> list[str | None]:
    found = TRANSFORMS[name]([pl.Series(column, dtype=pl.String) for column in columns], options or {})
    return found.to_list()


CAPITAL = [
    ("137(万元人民币)", "137", "CNY"),
    ("1,000(万元人民币)", "1000", "CNY"),
    ("60万人民币", "60", "CNY"),
    ("3.1000(万元)", "3.1", "CNY"),
    ("199( 万元人民币)", "199", "CNY"),
    ("300(万元(人民币))", "300", "CNY"),
    ("600（万元）", "600", "CNY"),
    ("450(万美元 )", "450", "USD"),
    ("17,461,897.9413(万)", "17461897.9413", "CNY"),
    ("6,000,000(人民币元)", "600", "CNY"),
    ("1.5元人民币", "0.00015", "CNY"),
    ("456人民币元", "0.0456", "CNY"),
    ("3200000人民币", "320", "CNY"),
    ("33000元", "3.3", "CNY"),
    ("200((万港币))", "200", "HKD"),
    ("25,220(万香港元)", "25220", "HKD"),
    ("2,610(万元(美元))", "2610", "USD"),
    ("400(万元欧元)", "400", "EUR"),
    ("1E-06万人民币", "0.000001", "CNY"),
    ("1.2亿元", "12000", "CNY"),
    ("１，０００（万元）", "1000", "CNY"),
]


@pytest.mark.parametrize(("text", "amount", "currency"), CAPITAL)
def test_capital_is_read_in_every_known_shape(text: str, amount: str, currency: str) -> None:
    assert read_capital(text) == (amount, currency)


@pytest.mark.parametrize(
    "text",
    [
        "5()",
        "6",
        "424.100000",
        "10(元/万元)",
        "3,000(万美)",
        "1,00(万元)",
        "万元",
        "-",
        "N/A",
        "李雨桐",
        "-3万元",
    ],
)
def test_capital_that_does_not_say_amount_and_unit_is_left_to_the_field(text: str) -> None:
    assert read_capital(text) is None
    assert apply("capital_amount_wan", [text, None, "2万元"]) == [text, None, "2"]
    assert apply("capital_currency", [text, None, "2万元"]) == [None, None, "CNY"]


@pytest.mark.parametrize(
    "text", ["300()", "1,000()", "3,0000000(万)", "1,00(万元)", "10(元/万元)", "3,000(万美)", "５（）"]
)
def test_an_amount_whose_unit_is_missing_or_in_doubt_is_unclear(text: str) -> None:
    assert is_unclear(text)


@pytest.mark.parametrize(
    "text", ["6", "-", "李雨桐", "万元", "-3万元", "13812345678", "2015-11-04", *(text for text, *_ in CAPITAL)]
)
def test_what_is_readable_or_no_amount_at_all_is_not_unclear(text: str) -> None:
    assert not is_unclear(text)


def test_of_two_parties_the_one_that_made_it_is_the_producer() -> None:
    texts: list[str | None] = [
        "委托方：甲；受托方：乙",
        "受托单位名称:丙;委托单位名称:丁",
        "委托方：甲",
        "戊公司",
        None,
        "委托方：；受托方：",
    ]

    assert apply("split_party", texts) == ["乙", "丙", "甲", "戊公司", None, "委托方：；受托方："]
    assert apply("split_party", texts[:1], options={"party": "委托方"}) == ["甲"]


@pytest.mark.parametrize("mark", ["║", "||", "‖", "|", "丨", "｜"])
def test_item_result_and_standard_are_separated_by_any_known_mark(mark: str) -> None:
    cell = f"铅(以Pb计){mark}0.73mg/kg{mark} ≤0.5mg/kg"

    parts = [apply(f"sampling_{part}", [cell, "菌落总数", None]) for part in ("item", "measured", "standard")]

    assert parts == [["铅(以Pb计)", "菌落总数", None], ["0.73mg/kg", None, None], ["≤0.5mg/kg", None, None]]


def test_weights_become_kilograms_and_what_is_no_weight_stays() -> None:
    texts: list[str | None] = ["1.2吨", "1,200 千克", "500克", "30KG", "７公斤", "42", "约500", "3箱", None]

    assert apply("weight_kg", texts) == ["1200", "1200", "0.5", "30", "7", "42", "约500", "3箱", None]


def test_months_are_written_one_way() -> None:
    assert apply("month", ["2024年3月", "202403", "2024-3", "2024.12", "2024年13月", None]) == [
        "2024-03",
        "2024-03",
        "2024-03",
        "2024-12",
        "2024年13月",
        None,
    ]
    years: list[str | None] = ["2024", "2024年", "2024", "2024", None]
    assert apply("month", years, ["3", "12月", "2024年5月", "2023年5月", "1"]) == [
        "2024-03",
        "2024-12",
        "2024-05",
        "2024 2023年5月",
        "1",
    ]


def test_columns_are_joined_or_the_first_filled_one_is_taken() -> None:
    left: list[str | None] = ["a", None, None]
    right: list[str | None] = ["b", "b", None]

    assert apply("join", left, right) == ["a;b", "b", None]
    assert apply("join", left, right, options={"separator": ""}) == ["ab", "b", None]
    assert apply("first_of", left, right) == ["a", "b", None]


def test_text_before_and_after_a_mark() -> None:
    assert apply("before", ["甲（乙", "丙"], options={"mark": "（"}) == ["甲", "丙"]
    assert apply("after", ["量化：A级", "丙"], options={"mark": "："}) == ["A级", "丙"]
