"""The warnings of valid unified codes in words, by the column.

A list without attention to organisation codes (made up, or of one development zone) doubts nearly every
code; judging those one by one would take a minute a million.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import polars as pl

from schemas.faults import Fault
from schemas.identifiers.uscc import class_doubt, organisation_doubt, region_doubt
from schemas.identifiers.uscc_columns import doubts

_CODE, _PART = "\x00", "\x01"


def remarks(codes: pl.Series) -> pl.Series:
    """The warnings of each valid code as `identify` words them, `warning [rule] …`.

    Args:
        codes: dtype pl.String, every one a valid unified code.

    Returns:
        dtype pl.List(pl.String), same length, equal to `uscc.warnings` of each code, in its order.
    """
    code = pl.col("code")
    sentences = (
        pl.when("class_unknown").then(_sentence(class_doubt, code.str.slice(0, 2))),
        pl.when("region_unknown").then(_sentence(region_doubt, code.str.slice(2, 6))),
        pl.when("organisation_code").then(_sentence(organisation_doubt, code.str.slice(8, 9))),
    )
    frame = pl.DataFrame([codes.alias("code")]).hstack(doubts(codes))
    return frame.select(pl.concat_list(*sentences).list.drop_nulls().alias("problems")).to_series()


def _sentence(doubt: Callable[[str, str], Fault], part: pl.Expr) -> pl.Expr:
    """The words of a warning with each row's code and part in their places: written once, in `uscc`."""
    values = {_CODE: pl.col("code"), _PART: part}
    pieces = re.split(f"([{_CODE}{_PART}])", f"warning {doubt(_CODE, _PART)}")
    return pl.concat_str([values.get(piece, pl.lit(piece)) for piece in pieces])
