"""The columnar validator and marshmallow give the same answer, cell for cell, for every record type."""

from __future__ import annotations

import gc
import os
from itertools import combinations
from typing import Any

import marshmallow as ma
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.columnar import NARROWED_KEPT, Contract, contract
from schemas.faults import Fault
from schemas.judging import judge_columns
from schemas.judging_rows import judge_rows
from schemas.records import RECORD_TYPES

from .cells import specimens

Said = tuple[str, str, str, tuple[str, ...]]
TYPES = sorted(RECORD_TYPES)
EXAMPLES = int(os.environ.get("XINQIAO_TEST_EXAMPLES", "10"))
"""Examples per record type; set higher to search longer."""


def plain(
    agreed: Contract, rows: list[dict[str, str | None]]
) -> tuple[dict[int, dict[str, Any]], dict[int, dict[str, list[Said]]]]:
    """What plain marshmallow says: cells of accepted rows and errors of the others, by row number from 1.

    Two values are equal when their cells are: a ``Decimal`` is compared by its canonical text, everything else as is.
    """
    try:
        loaded, errors = agreed.schema().load(rows, many=True), {}
    except ma.ValidationError as error:
        errors = error.messages_dict
        loaded = error.valid_data
    cells = {
        number: {name: None if row[name] is None else agreed.fields[name].cell(row[name]) for name in agreed.fields}
        for number, row in enumerate(loaded, 1)
        if number - 1 not in errors
    }
    return cells, {
        index + 1: {name: list(map(told, said)) for name, said in row.items()} for index, row in errors.items()
    }


def told(fault: Fault) -> Said:
    """Everything a fault says."""
    return fault.rule, fault.zh, fault.en, fault.candidates


def columns(agreed: Contract, rows: list[dict[str, str | None]]) -> pl.DataFrame:
    """The rows as a mapped frame."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))
    return frame.with_columns(
        pl.arange(1, len(rows) + 1, dtype=pl.UInt32, eager=True).alias("_row"), pl.lit("put").alias("_op")
    )


def accepted(frame: pl.DataFrame) -> dict[int, dict[str, Any]]:
    """Accepted cells by row number."""
    return {row["_row"]: {k: v for k, v in row.items() if not k.startswith("_")} for row in frame.to_dicts()}


def errors(frame: pl.DataFrame) -> dict[int, dict[str, list[Said]]]:
    """Faults by row number and field."""
    found: dict[int, dict[str, list[Said]]] = {}
    for line in frame.to_dicts():
        fault = (line["rule"], line["zh"], line["en"], tuple(line["candidates"]))
        found.setdefault(line["_row"], {}).setdefault(line["field"], []).append(fault)
    return found


@st.composite
def some_rows(draw: st.DrawFn, agreed: Contract) -> list[dict[str, str | None]]:
    """Rows of specimens and of any text; mostly right, so that some are accepted."""
    fields = agreed.fields
    good = {name: [t for t in specimens(f) if f.required is False or t] for name, f in fields.items()}
    cell = {n: st.sampled_from(good[n][:3]) | st.sampled_from(specimens(f)) for n, f in fields.items()}
    wild = st.none() | st.text(max_size=20)
    dirt = draw(st.lists(st.sampled_from(list(fields)), max_size=4))
    absent = set(draw(st.lists(st.sampled_from(list(fields)), max_size=2)))
    firsts = {n: st.sampled_from(good[n][:3]) for n in fields}
    row = {n: (cell[n] | wild if n in dirt else firsts[n]) for n in fields if n not in absent}
    return draw(st.lists(st.fixed_dictionaries(row), min_size=1, max_size=12))


@pytest.mark.parametrize("record_type", TYPES)
def test_columns_say_what_marshmallow_says(record_type: str) -> None:
    agreed = contract(record_type)

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(some_rows(agreed))
    def holds(rows: list[dict[str, str | None]]) -> None:
        judged = judge_columns(agreed, columns(agreed, rows), agreed.fields)

        assert (accepted(judged.accepted), errors(judged.faults)) == plain(agreed, rows)

    holds()


@pytest.mark.parametrize("record_type", TYPES)
def test_every_specimen_is_judged_alike_by_column_by_row_and_by_marshmallow(record_type: str) -> None:
    agreed = contract(record_type)
    right = {name: specimens(field)[0] for name, field in agreed.fields.items()}
    rows = [{**right, name: text} for name, field in agreed.fields.items() for text in specimens(field)]
    frame = columns(agreed, rows)

    by_column = judge_columns(agreed, frame, agreed.fields)
    by_row = judge_rows(agreed, frame)

    assert (accepted(by_column.accepted), errors(by_column.faults)) == plain(agreed, rows)
    assert by_column.accepted.equals(by_row.accepted)
    assert by_column.faults.equals(by_row.faults)
    assert by_column.warnings.equals(by_row.warnings)
    assert by_column.accepted.height > len(rows) // 4
    assert by_column.faults.height > 0


def test_however_many_sets_of_fields_rows_leave_out_few_schemas_are_kept() -> None:
    schema = RECORD_TYPES["registration"]
    agreed = Contract(schema)
    right = {name: specimens(field)[0] for name, field in agreed.fields.items()}
    optional = [name for name, field in agreed.fields.items() if not field.required]
    rows = [{n: t for n, t in right.items() if n not in left_out} for left_out in combinations(optional, 2)]
    before = alive(schema)

    first = agreed.load_row(rows[0])
    for row in rows:
        agreed.load_row(row)

    assert len(rows) > NARROWED_KEPT
    assert alive(schema) - before == NARROWED_KEPT
    assert agreed.load_row(rows[0]) == first


def alive(kind: type[object]) -> int:
    """Objects of this very type that anything still holds."""
    gc.collect()
    return sum(type(found) is kind for found in gc.get_objects())
