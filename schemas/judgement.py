"""What judging a frame gives: accepted rows, every fault of the others, and remarks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl

from schemas.faults import Fault
from schemas.fields import MASK, SharedField

ROW = "_row"
"""Number of the row in the delivery, counted from 1 over all parts; dtype pl.UInt32."""
OPERATION = "_op"
"""``put`` or ``withdraw``; dtype pl.String."""
PLACE = "_place"

FAULT_COLUMNS = pl.Schema(
    {
        ROW: pl.UInt32(),
        "field": pl.String(),
        "value": pl.String(),
        "rule": pl.String(),
        "zh": pl.String(),
        "en": pl.String(),
        "candidates": pl.List(pl.String()),
    }
)
"""Columns and dtypes of a frame of row faults or remarks, one a row, whoever found them."""


@cache
def no_faults() -> pl.DataFrame:
    """An empty frame of :data:`FAULT_COLUMNS`, made once: nobody changes a frame in place."""
    return pl.DataFrame(schema=FAULT_COLUMNS)


_SAID = ("value", "rule", "zh", "en", "candidates")


@dataclass(frozen=True)
class Judgement:
    """The outcome for one frame. Every row of it is either accepted or has at least one fault.

    Attributes:
        accepted: ``_row``, ``_op`` and every field of the record type, of its dtype; decimals as canonical text.
            Of a ``withdraw`` row only the key is filled.
        faults: one line per fault of every refused row; columns of ``FAULT_COLUMNS``; ``value`` as sent, masked
            for personal fields, null where nothing was sent.
        warnings: the same columns about accepted rows; ``value`` as accepted.
    """

    accepted: pl.DataFrame
    faults: pl.DataFrame
    warnings: pl.DataFrame


def said(values: Sequence[str | None], faults: Sequence[Sequence[Fault]]) -> pl.DataFrame:
    """One line per value and fault: ``value``, ``rule``, ``zh``, ``en``, ``candidates``."""
    lines = [(value, fault) for value, found in zip(values, faults, strict=True) for fault in found]
    flat = pl.DataFrame(
        {
            "value": [value for value, _ in lines],
            "rule": [fault.rule for _, fault in lines],
            "zh": [fault.zh for _, fault in lines],
            "en": [fault.en for _, fault in lines],
            # Joined and split again: building a column of lists from Python is slow.
            "candidates": ["\n".join(fault.candidates) for _, fault in lines],
        },
        schema=dict.fromkeys(_SAID, pl.String),
    )
    return flat.with_columns(pl.col("candidates").str.split("\n").list.filter(pl.element() != ""))


def shown(field: SharedField[Any]) -> pl.Expr:
    """The column ``value`` as it may be shown: masked for personal fields."""
    value = pl.col("value")
    return pl.when(value.is_not_null()).then(pl.lit(MASK)).alias("value") if field.sensitivity == "personal" else value


def about(field: SharedField[Any], place: int, rows: pl.DataFrame, what: pl.DataFrame) -> pl.DataFrame:
    """Join rows (``_row``, ``value``) with what is said about their values; told at this field."""
    told = rows.join(what, on="value", how="inner", nulls_equal=True, maintain_order="left_right")
    return told.select(
        pl.col(ROW).cast(pl.UInt32),
        pl.lit(field.name).alias("field"),
        shown(field),
        "rule",
        "zh",
        "en",
        "candidates",
        pl.lit(place, dtype=pl.Int32).alias(PLACE),
    )


def in_order(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """All lines by row, then by the order fields are declared in, then as they were found."""
    empty = pl.DataFrame(schema={**FAULT_COLUMNS, PLACE: pl.Int32()})
    return pl.concat([empty, *parts]).sort(ROW, PLACE, maintain_order=True).drop(PLACE)
