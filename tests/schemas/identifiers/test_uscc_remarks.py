"""The warnings of a column of valid codes are those of each code alone."""

from __future__ import annotations

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.identifiers import uscc
from schemas.identifiers.uscc_remarks import remarks
from tests.schemas.identifiers.generated import doubtful_uscc_codes, uscc_codes

_ALL_THREE = "BB999999" + "123456789"


@given(st.lists(st.one_of(uscc_codes(), doubtful_uscc_codes()), max_size=8))
@example([_ALL_THREE + uscc.check_character(_ALL_THREE), "91350100M000100Y43"])
def test_every_code_carries_its_own_warnings_in_their_order(codes: list[str]) -> None:
    found = remarks(pl.Series(codes, dtype=pl.String))

    assert found.to_list() == [[f"warning {doubt}" for doubt in uscc.warnings(code)] for code in codes]


def test_a_code_may_carry_all_three() -> None:
    (found,) = remarks(pl.Series([_ALL_THREE + uscc.check_character(_ALL_THREE)])).to_list()

    assert [words.split("]")[0] for words in found] == [
        "warning [uscc.class_unknown",
        "warning [uscc.region_unknown",
        "warning [uscc.organisation_code",
    ]
