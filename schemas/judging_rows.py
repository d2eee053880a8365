"""Judging a handful of rows: each goes straight through its marshmallow schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import marshmallow as ma
import polars as pl

from schemas.faults import Fault
from schemas.fields import MASK
from schemas.judgement import FAULT_COLUMNS, OPERATION, ROW, Judgement, no_faults

if TYPE_CHECKING:
    from schemas.columnar import Contract


def judge_rows(contract: Contract, frame: pl.DataFrame) -> Judgement:
    """Judge row by row; the same answer as ``schemas.judging.judge_columns``, cell for cell."""
    accepted: list[list[Any]] = []
    faults: list[tuple[Any, ...]] = []
    warnings: list[tuple[Any, ...]] = []
    absent = dict.fromkeys(contract.fields)
    for row in frame.to_dicts():
        number, operation = row.pop(ROW), row.pop(OPERATION)
        try:
            loaded = contract.load_row(row, operation)
        except ma.ValidationError as error:
            faults += _faults(contract, number, row, error.messages_dict)
            continue
        cells = {**absent, **{n: contract.fields[n].cell(v) for n, v in loaded.items() if v is not None}}
        accepted.append([number, operation, *cells.values()])
        warnings += _warnings(contract, number, cells, loaded)
    schema = {ROW: pl.UInt32(), OPERATION: pl.String()} | {n: f.dtype for n, f in contract.fields.items()}
    return Judgement(
        pl.DataFrame(accepted, schema=schema, orient="row"),
        _lines(faults),
        _lines(warnings),
    )


def _lines(told: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(told, schema=FAULT_COLUMNS, orient="row") if told else no_faults()


def _line(number: int, name: str, value: str | None, fault: Fault) -> tuple[Any, ...]:
    return (number, name, value, fault.rule, fault.zh, fault.en, list(fault.candidates))


def _faults(contract: Contract, number: int, row: Mapping[str, Any], errors: Mapping[str, Any]) -> Iterator[Any]:
    for name, field in contract.fields.items():
        value = row.get(name)
        shown = MASK if field.sensitivity == "personal" and value is not None else value
        yield from (_line(number, name, shown, fault) for fault in errors.get(name, ()))


def _warnings(contract: Contract, number: int, cells: Mapping[str, Any], loaded: Mapping[str, Any]) -> Iterator[Any]:
    for name, warns, rules in contract.remarks:
        if warns and cells[name] is not None:
            found = contract.memos[name].warnings(cells[name])
            yield from (_line(number, name, str(cells[name]), fault) for fault in found)
        for rule in rules:
            if all(needed in loaded for needed in rule.fields) and not rule.holds(loaded):
                yield _line(number, name, None if cells[name] is None else str(cells[name]), rule.fault())
