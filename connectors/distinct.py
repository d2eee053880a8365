"""The distinct texts of a column and what becomes of each: of a few rows without asking Polars, which costs as much for
one row as for ten thousand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import polars as pl

FEW = 200
"""Rows up to which a column is taken apart in Python."""


def distinct(column: pl.Series, *, in_order: bool = False) -> list[str]:
    """The distinct texts of a column; null is none of them.

    Args:
        in_order: in the order met, which costs more where there are many.
    """
    some = dict.fromkeys(column.to_list()) if len(column) <= FEW else column.unique(maintain_order=in_order).to_list()
    return [text for text in some if text is not None]


def distinct_counts(column: pl.Series) -> dict[str, int]:
    """The same in the order met, with the number of rows of each."""
    if len(column) <= FEW:
        return Counter(text for text in column.to_list() if text is not None)
    filled = column.drop_nulls()
    return dict(zip(filled.unique(maintain_order=True).to_list(), filled.unique_counts().to_list(), strict=True))


def replaced(column: pl.Series, texts: Mapping[str, str]) -> pl.Series:
    """The column with other texts for some; what is not among them stays as it is."""
    if not texts:
        return column
    if len(column) <= FEW:
        return pl.Series(column.name, [texts.get(text, text) for text in column.to_list()], dtype=pl.String)
    return column.replace(pl.Series(list(texts), dtype=pl.String), pl.Series(list(texts.values()), dtype=pl.String))


def translated(column: pl.Series, texts: Mapping[str, str | None]) -> pl.Series:
    """The column with another text for each; what is not among them becomes null."""
    if len(column) <= FEW:
        return pl.Series(column.name, [texts.get(text) for text in column.to_list()], dtype=pl.String)
    return column.replace_strict(dict(texts), default=None, return_dtype=pl.String)
