"""Judging many rows by column. Nothing here knows a rule: fields and rules say what they accept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from schemas.judgement import OPERATION, PLACE, ROW, Judgement, about, in_order, said
from schemas.memo import Memo

if TYPE_CHECKING:
    from schemas.columnar import Contract

_OK = "\x00ok "
"""Prefix of the column that says which cells of a field are canonical."""


@dataclass(frozen=True)
class _Column:
    """One judged column: typed values, which cells are wrong, and what is said about them."""

    values: pl.Series
    wrong: pl.Series | None
    faults: pl.DataFrame | None


def judge_columns(contract: Contract, frame: pl.DataFrame, names: Iterable[str]) -> Judgement:
    """Judge the named fields of all rows, then the rules whose fields are all among them."""
    names = tuple(names)
    canonical = _canonical(contract, frame, names)
    places = {name: place for place, name in enumerate(contract.fields)}
    columns = {name: _column(contract.memos[name], places[name], frame, canonical) for name in names}
    values = pl.DataFrame([frame[ROW].cast(pl.UInt32), frame[OPERATION], *(c.values for c in columns.values())])
    wrong = {name: column.wrong for name, column in columns.items() if column.wrong is not None}
    broken = list(_broken(contract, frame, values, wrong, warning=False))
    masks = [*wrong.values(), *(mask for mask, _ in broken)]
    refused = pl.select(pl.any_horizontal(masks)).to_series() if masks else None
    accepted = values if refused is None else values.filter(~refused)
    faults = [column.faults for column in columns.values() if column.faults is not None]
    faults += [
        lines.with_columns(pl.lit(places[lines["field"][0]], dtype=pl.Int32).alias(PLACE)) for _, lines in broken
    ]
    warnings = _warnings(contract, accepted, names, places)
    whole = accepted.select(
        ROW,
        OPERATION,
        *(pl.col(n) if n in columns else pl.lit(None, dtype=f.dtype).alias(n) for n, f in contract.fields.items()),
    )
    return Judgement(whole, in_order(faults), in_order(warnings))


def _canonical(contract: Contract, frame: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    """For each field that can be judged by column: which cells are canonical, and their values (else null)."""
    answers: list[pl.Expr] = []
    masked: list[pl.Expr] = []
    for name in names:
        if name in frame.columns and frame.schema[name] == pl.String:
            plan = contract.plans[name]
            if plan is not None:
                predicate, value = plan
                answers += [predicate.fill_null(value=False).alias(_OK + name), value.alias(name)]
                # A value that is not asked for may be out of any range: it is masked before it leaves Polars.
                masked.append(pl.when(pl.col(_OK + name)).then(pl.col(name)).alias(name))
    # Lazily, so that what predicate and value have in common is computed once.
    return frame.lazy().select(answers).with_columns(masked).collect() if answers else frame.select()


def _column(memo: Memo, place: int, frame: pl.DataFrame, canonical: pl.DataFrame) -> _Column:
    """Values of one field: canonical cells as computed, every other distinct text through the field itself."""
    field, name = memo.field, str(memo.field.name)
    texts = _texts(frame, name)
    if _OK + name in canonical.columns:
        values, known = canonical[name].cast(field.dtype), canonical[_OK + name] | texts.is_null()
    else:
        values, known = pl.repeat(None, frame.height, dtype=field.dtype, eager=True), texts.is_null()
    faults: list[pl.DataFrame] = []
    wrong: pl.Series | None = None
    if not known.all():
        odd = (~known).arg_true()
        odd_texts = texts.gather(odd)
        distinct = odd_texts.unique()
        verdicts = [memo.verdict(text) for text in distinct.to_list()]
        cells = pl.Series([verdict.cell for verdict in verdicts], dtype=field.dtype)
        told = odd_texts.replace_strict(distinct, cells, return_dtype=field.dtype)
        values = told if len(odd) == len(values) else values.scatter(odd, told)
        bad = [(text, v.faults) for text, v in zip(distinct.to_list(), verdicts, strict=True) if v.faults]
        if bad:
            what = said([text for text, _ in bad], [found for _, found in bad])
            wrong = ~known & texts.is_in([text for text, _ in bad])
            faults.append(about(field, place, _rows(frame, texts, wrong), what))
    if texts.null_count():
        if field.required:
            what = said([None], [memo.verdict(None).faults])
            faults.append(about(field, place, _rows(frame, texts, texts.is_null()), what))
            wrong = texts.is_null() if wrong is None else wrong | texts.is_null()
        elif field.when_empty is not None:
            values = values.fill_null(field.cell(field.when_empty))
    return _Column(values.alias(name), wrong, pl.concat(faults) if faults else None)


def _texts(frame: pl.DataFrame, name: str) -> pl.Series:
    """The column as text; all null where the frame has none."""
    if name in frame.columns:
        return frame[name].cast(pl.String)
    return pl.repeat(None, frame.height, dtype=pl.String, eager=True)


def _rows(frame: pl.DataFrame, texts: pl.Series, wrong: pl.Series) -> pl.DataFrame:
    return pl.DataFrame([frame[ROW], texts.alias("value")]).filter(wrong)


def _broken(
    contract: Contract, frame: pl.DataFrame, values: pl.DataFrame, wrong: dict[str, pl.Series], *, warning: bool
) -> Iterator[tuple[pl.Series, pl.DataFrame]]:
    """Each rule that some row breaks: which rows, and the lines that say so."""
    for rule in contract.schema.rules:
        if rule.warning != warning or not set(rule.fields) <= set(values.columns):
            continue
        mask = values.select((~rule.expr()).fill_null(value=False).alias(ROW)).to_series()
        for name in rule.fields:
            if name in wrong:
                mask = mask & ~wrong[name]
        if mask.any():
            field = contract.fields[rule.fields[0]]
            texts = _texts(frame, str(field.name))
            rows = _rows(frame, texts, mask)
            what = said([None], [[rule.fault()]]).drop("value")
            lines = about(field, 0, rows, rows.select("value").unique().join(what, how="cross"))
            yield mask, lines.drop(PLACE)


def _warnings(
    contract: Contract, accepted: pl.DataFrame, names: tuple[str, ...], places: dict[str, int]
) -> list[pl.DataFrame]:
    """What fields and rules remark about accepted rows."""
    parts: list[pl.DataFrame] = []
    for name in names:
        if name in contract.doubts:
            # Most columns that warn are optional: what is not there need not be looked at.
            told = accepted.select(ROW, name).drop_nulls(name)
            rows = told.filter(contract.doubts[name].fill_null(value=False)).rename({name: "value"})
            if rows.height:
                memo, distinct = contract.memos[name], rows["value"].unique().to_list()
                what = said(distinct, [memo.warnings(value) for value in distinct])
                parts.append(about(memo.field, places[name], rows, what))
    for _, lines in _broken(contract, accepted, accepted, {}, warning=True):
        parts.append(lines.with_columns(pl.lit(places[lines["field"][0]], dtype=pl.Int32).alias(PLACE)))
    return parts
