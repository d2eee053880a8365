"""What kind of code is this: every kind, every damage, one by one and by the column."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import KINDS, classify, identify
from tests.schemas.identifiers.generated import dirty, doubtful_uscc_codes, registration_numbers, uscc_codes


@pytest.mark.parametrize(
    ("text", "kind", "normalized", "valid"),
    [
        ("91350100m000100y43", "uscc", "91350100M000100Y43", True),
        ("９１350100Ｍ000100Y43", "uscc", "91350100M000100Y43", True),
        ("9135-0100 M000 100Y43", "uscc", "91350100M000100Y43", True),
        ("91350100M000100Y44", "uscc", "91350100M000100Y44", False),
        ("913306******ud4p7h", "uscc", "913306******UD4P7H", False),
        ("N2330110MF1234567D", "uscc", "N2330110MF1234567D", True),
        ("320404000009558", "registration_15", "320404000009558", True),
        ("320404000009558.0", "registration_15", "320404000009558", True),
        ("320404000009559", "registration_15", "320404000009559", False),
        ("3.20404E+14", "registration_15", "3.20404E+14", False),
        ("320506NA000043X", "cooperative_15", "320506NA000043X", True),
        ("320506nb000043x", "cooperative_15", "320506NB000043X", True),
        ("3209231100626", "registration_13", "3209231100626", True),
        ("13830295-X", "organisation_9", "13830295X", True),
        ("13830295X", "organisation_9", "13830295X", True),
        ("138302951", "organisation_9", "138302951", False),
        ("350100M000100Y4", "taxpayer_15", "350100M000100Y4", True),
        ("350100M000100Y5", "taxpayer_15", "350100M000100Y5", False),
        ("无", "placeholder", "", False),
        ("——", "placeholder", "", False),
        ("", "placeholder", "", False),
        ("企合苏总字第000063", "text", "企合苏总字第000063", False),
        ("91220521664295839", "unknown", "91220521664295839", False),
        ("（C）460103000699-", "unknown", "(C)460103000699", False),
        ("110101199003074514", "unknown", "110101199003074514", False),
    ],
)
def test_each_kind_is_recognised(text: str, kind: str, normalized: str, valid: bool) -> None:
    found = classify(text)

    assert (found.kind, found.normalized, found.valid) == (kind, normalized, valid)


def test_a_taxpayer_number_names_the_unified_code_it_may_belong_to() -> None:
    assert classify("350100M000100Y4").candidates == ("91350100M000100Y43",)


def test_an_invalid_kind_says_what_is_wrong_and_a_doubt_leaves_it_valid() -> None:
    wrong, doubted = classify("91350100M000100Y44"), classify("91320594MF12345674")

    assert [problem.split("]")[0] for problem in wrong.problems] == ["error [uscc.check_character"]
    assert [problem.split("]")[0] for problem in doubted.problems] == ["warning [uscc.region_unknown"]
    assert doubted.valid


def test_a_citizens_number_is_refused_as_personal_data() -> None:
    (problem,) = classify("110101199003074514").problems

    assert problem.startswith("error [identify.citizen_number]")
    assert "110101199003074514" not in problem


def test_a_column_keeps_order_repeats_and_nulls() -> None:
    texts = pl.Series(["无", "91350100M000100Y43", None, "无", "91350100m000100y43", "91350100M000100Y43"])

    found = identify(texts)

    assert found.select("input", "kind", "normalized", "valid").rows() == [
        ("无", "placeholder", "", False),
        ("91350100M000100Y43", "uscc", "91350100M000100Y43", True),
        (None, "placeholder", "", False),
        ("无", "placeholder", "", False),
        ("91350100m000100y43", "uscc", "91350100M000100Y43", True),
        ("91350100M000100Y43", "uscc", "91350100M000100Y43", True),
    ]


def test_an_empty_column_gives_an_empty_answer_with_the_same_columns() -> None:
    nothing, something = identify(pl.Series([], dtype=pl.String)), identify(pl.Series(["无"]))

    assert nothing.height == 0
    assert nothing.schema == something.schema


@given(
    st.lists(
        st.one_of(dirty(uscc_codes()), dirty(doubtful_uscc_codes()), registration_numbers(), st.text()), max_size=10
    )
)
def test_a_column_is_identified_like_its_cells(texts: list[str]) -> None:
    found = identify(pl.Series(texts, dtype=pl.String))

    expected = [classify(text) for text in texts]
    assert found.rows() == [
        (text, one.kind, one.normalized, one.valid, list(one.problems), list(one.candidates))
        for text, one in zip(texts, expected, strict=True)
    ]
    assert {one.kind for one in expected} <= set(KINDS)


@given(registration_numbers(), st.integers(0, 14), st.sampled_from("0123456789"))
def test_a_registration_number_with_one_changed_digit_is_never_valid(number: str, place: int, digit: str) -> None:
    changed = number[:place] + digit + number[place + 1 :]

    assert classify(changed).valid == (changed == number)
