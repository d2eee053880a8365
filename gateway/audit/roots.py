"""What a delivery's audit entry says about the versions it landed.

Landing writes these roots and verification recomputes them, through the same functions.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from gateway.audit.merkle import fold, leaf_hashes, parents, root
from schemas.canonical import canonical_json

__all__ = ["VERSION_COLUMNS", "GrowingTree", "root", "version_leaf_hashes", "version_leaves"]

VERSION_COLUMNS: dict[str, type[pl.DataType]] = {
    "content_hash": pl.Binary,
    "delivery_id": pl.String,
    "landed_at": pl.String,
    "op": pl.String,
    "record_key": pl.Binary,
    "seq": pl.Int64,
    "source": pl.String,
    "uscc": pl.String,
    "version": pl.Int64,
}
"""Columns a version's leaf covers, in the order canonical JSON sorts them."""

_OPENINGS = [f'{"," if number else "{"}"{name}":' for number, name in enumerate(VERSION_COLUMNS)]

_FEW = 150
"""Versions up to which writing them one by one costs less than the questions to Polars for each column."""

_NEEDS_ESCAPING = r'["\\\x00-\x1f]'


def version_leaves(frame: pl.DataFrame) -> list[bytes]:
    """The canonical JSON (RFC 8785) of each version, without its payload.

    Args:
        frame: at least the columns of `VERSION_COLUMNS` with those dtypes; ``landed_at`` as it
            is stored (ISO 8601, UTC). Only ``uscc`` may be null; it is then left out.

    Returns:
        one document per row, in row order; hashes are written as lower-case hex.

    Raises:
        ValueError: a column other than ``uscc`` holds a null.
    """
    columns = frame.select(pl.col(name).cast(dtype) for name, dtype in VERSION_COLUMNS.items())
    for name, nulls in columns.null_count().row(0, named=True).items():
        if nulls and name != "uscc":
            raise ValueError(f"{name}: {nulls} versions without a value")
    if columns.height <= _FEW:
        return [_leaf(row) for row in columns.iter_rows(named=True)]
    members = [_member(columns[name], opening) for name, opening in zip(VERSION_COLUMNS, _OPENINGS, strict=True)]
    joined = columns.select(pl.concat_str(*itertools.chain.from_iterable(members), pl.lit("}")))
    return joined.to_series().cast(pl.Binary).to_list()


def _leaf(version: Mapping[str, Any]) -> bytes:
    return canonical_json({name: v.hex() if isinstance(v, bytes) else v for name, v in version.items()})


def version_leaf_hashes(frame: pl.DataFrame) -> list[bytes]:
    """The RFC 6962 leaf hash of each version of `version_leaves`, in row order."""
    return leaf_hashes(version_leaves(frame))


def _member(column: pl.Series, opening: str) -> list[pl.Expr]:
    """A member of each version's object as texts to be joined; what all of them say alike is written out once."""
    if column.null_count():
        # One that is missing takes its name along.
        return [pl.concat_str(pl.lit(opening), _json_text(column)).fill_null("")]
    if column.dtype != pl.Binary and (column == column[0]).all():
        return [pl.lit(opening), pl.lit(_json_text(column.head(1))[0])]
    return [pl.lit(opening), pl.lit(_json_text(column))]


def _json_text(column: pl.Series) -> pl.Series:
    if column.dtype == pl.Int64:
        return column.cast(pl.String)
    if column.dtype == pl.Binary:
        return '"' + column.bin.encode("hex") + '"'
    if not column.str.contains(_NEEDS_ESCAPING).any():
        return '"' + column + '"'
    distinct = column.unique().drop_nulls()
    escaped = [canonical_json(value).decode() for value in distinct]
    return column.replace_strict(distinct, pl.Series(escaped, dtype=pl.String))


class GrowingTree:
    """The root of a tree whose leaves come a piece at a time: it keeps one hash per level, not the leaves."""

    def __init__(self) -> None:
        self._odd: list[list[bytes]] = []

    def add(self, leaves: Sequence[bytes]) -> None:
        """Append leaf hashes."""
        above, level = list(leaves), 0
        while above:
            if level == len(self._odd):
                self._odd.append([])
            row = self._odd[level] + above
            even = len(row) - len(row) % 2
            self._odd[level] = row[even:]
            above, level = parents(row[:even]), level + 1

    def root(self) -> bytes:
        """Root over all leaves so far; `merkle.EMPTY_ROOT` of none."""
        return fold([row[0] for row in reversed(self._odd) if row])
