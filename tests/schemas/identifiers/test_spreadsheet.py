"""Spreadsheet damage is named, and the few possible originals are listed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.identifiers import classify, organisation, uscc
from schemas.identifiers.spreadsheet import uscc_damage


@st.composite
def all_digit_codes(draw: st.DrawFn) -> str:
    """Valid unified codes of an enterprise made of digits only, as 23.7 % of real ones are."""
    place = draw(st.sampled_from(["330110", "110108", "510100"]))
    core = draw(st.text(alphabet="0123456789", min_size=8, max_size=8))
    body = "91" + place + core + organisation.check_character(core)
    assume(body.isdigit() and uscc.check_character(body).isdigit())
    return body + uscc.check_character(body)


@pytest.mark.parametrize(
    "damaged",
    [
        "9.16204E+17",
        "9.1620400079273805E+17",
        "9.16204e17",
        "916204000792737000",
        "916204000792737792",
        "916204000792737792.0",
        "9.1320100123E+86",
    ],
)
def test_damaged_codes_are_unified_codes_with_the_remedy(damaged: str) -> None:
    found = classify(damaged)

    (problem,) = found.problems
    assert (found.kind, found.valid) == ("uscc", False)
    assert problem.startswith("error [uscc.spreadsheet_damage]")
    assert "文本" in problem
    assert "as text" in problem


def test_a_code_with_an_e_that_nothing_has_touched_is_valid() -> None:
    core = "123456E7"
    body = "91330110" + core + organisation.check_character(core)
    code = body + uscc.check_character(body)

    assert classify(code).valid


def test_a_code_read_as_scientific_notation_is_found_again() -> None:
    core = "1234567E"
    body = "91330110" + core + organisation.check_character(core)
    code = body + uscc.check_character(body)
    assert code.replace("E", "").isdigit()

    digits, power = code.split("E")
    shown = f"{digits[0]}.{digits[1:]}E+{int(power) + len(digits) - 1}"

    assert classify(shown).candidates == (code,)


@given(all_digit_codes())
def test_a_code_cut_after_fifteen_digits_is_among_the_originals(code: str) -> None:
    cut = code[:15] + "000"

    damage = uscc_damage(cut)

    # One in thirty-one is sound again by chance; nothing can tell.
    assert uscc.is_sound(cut) or (damage is not None and code in damage.candidates)


@given(all_digit_codes())
def test_a_code_that_went_through_a_float_is_among_the_originals(code: str) -> None:
    exact, shortest = str(int(float(code))), str(int(Decimal(repr(float(code)))))

    for shown in {exact, shortest} - {code}:
        damage = uscc_damage(shown)
        assert uscc.is_sound(shown) or (damage is not None and code in damage.candidates)


@given(all_digit_codes())
def test_a_sound_code_is_never_called_damaged(code: str) -> None:
    assert uscc_damage(code) is None


@pytest.mark.parametrize("shown", ["100000000000000000", "100000000000000001.0", "999999999999999000", "1E+17"])
def test_a_number_at_the_edge_of_eighteen_digits_is_damage_like_any_other(shown: str) -> None:
    damage = uscc_damage(shown)

    assert damage is not None
    assert all(len(code) == 18 for code in damage.candidates)
