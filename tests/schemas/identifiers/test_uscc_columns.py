"""The columnar judgement of unified codes says exactly what the module `uscc` says."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import uscc
from schemas.identifiers.uscc_columns import check_character, has_doubts, valid_uscc
from tests.schemas.identifiers.generated import dirty, doubtful_uscc_codes, uscc_codes

CELLS = st.lists(st.one_of(st.none(), dirty(uscc_codes()), dirty(doubtful_uscc_codes())), max_size=12)


@given(CELLS)
def test_a_column_is_judged_like_its_cells(cells: list[str | None]) -> None:
    column = pl.Series("code", cells, dtype=pl.String)

    assert valid_uscc(column).to_list() == [cell is not None and uscc.validate(cell) == [] for cell in cells]


@given(CELLS)
def test_a_column_is_doubted_like_its_cells(cells: list[str | None]) -> None:
    column = pl.Series("code", cells, dtype=pl.String)

    assert has_doubts(column).to_list() == [cell is not None and uscc.warnings(cell) != [] for cell in cells]


@given(CELLS)
def test_check_characters_of_a_column_are_those_of_its_cells(cells: list[str | None]) -> None:
    column = pl.Series("code", cells, dtype=pl.String)

    def expected(cell: str | None) -> str | None:
        if cell is None or len(cell) not in (17, 18) or any(character not in uscc.VALUES for character in cell[:17]):
            return None
        # The region of a unified code is digits, so a body without them has no check character.
        return uscc.check_character(cell[:17]) if cell[2:8].isdigit() else None

    assert check_character(column).to_list() == [expected(cell) for cell in cells]


def test_an_empty_column_and_a_column_of_nulls_are_answered_in_kind() -> None:
    assert valid_uscc(pl.Series("a", [], dtype=pl.String)).to_list() == []
    assert valid_uscc(pl.Series("a", [None, None], dtype=pl.String)).to_list() == [False, False]
    assert check_character(pl.Series("a", [None], dtype=pl.String)).to_list() == [None]


def test_a_slice_of_a_column_is_judged_at_its_own_rows() -> None:
    column = pl.Series(["x", "91350100M000100Y43", "91350100M000100Y44", "91110000600037341L"] * 3)

    assert valid_uscc(column.slice(3, 4)).to_list() == [True, False, True, False]
