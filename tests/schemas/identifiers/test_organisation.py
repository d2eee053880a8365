"""Organisation codes, GB 11714."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import organisation

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize("code", ["13830295-X", "13830295x", "１３８３０２９５－Ｘ", " MF1234567 ", "M000100Y4"])
def test_printed_and_typed_forms_are_valid_once_normalised(code: str) -> None:
    assert organisation.validate(organisation.normalize(code)) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("138302951", "organisation.check_character"),
        ("13830295", "organisation.length"),
        ("", "organisation.length"),
        ("1383029*X", "organisation.characters"),
        ("13830295A", "organisation.characters"),
    ],
)
def test_each_way_to_be_wrong_has_its_own_rule(text: str, rule: str) -> None:
    assert [fault.rule for fault in organisation.validate(text)] == [rule]


@given(st.text(alphabet=LETTERS, min_size=8, max_size=8), st.integers(0, 7), st.sampled_from("0123456789"))
def test_a_changed_digit_is_never_valid(body: str, place: int, digit: str) -> None:
    code = body + organisation.check_character(body)
    changed = code[:place] + digit + code[place + 1 :]

    # Letters and digits eleven apart look the same to a modulus of 11; two digits never do.
    assert not code[place].isdigit() or organisation.is_valid(changed) == (changed == code)


def test_the_printed_form_is_explained() -> None:
    assert organisation.explain("13830295X") == {
        "body": "13830295",
        "check_character": "X",
        "expected_check_character": "X",
        "printed": "13830295-X",
    }
