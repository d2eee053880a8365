"""How fast rows are mapped and judged, beside plain marshmallow on the same rows in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import marshmallow as ma
import polars as pl

from connectors.decode import CHUNK
from connectors.delivery import Delivery, Layout, Sheet
from connectors.mapping import map_sheet
from connectors.spec import SourceSpec
from gateway.bench.rows import RECORD_TYPES_MEASURED, bench_spec
from gateway.clock import utc_now
from schemas.columnar import Contract, contract
from schemas.judgement import Judgement
from schemas.records import RECORD_TYPES

ROUNDS = 3
"""Interleaved runs of each way; the medians are reported."""

PLAIN_ROWS = 20_000
"""Plain marshmallow judges this many rows per round: its rate does not depend on their number."""


def run(rows: int = 200_000, seed: int = 7, record_type: str = "licence") -> dict[str, Any]:
    """Measure ``map_sheet`` and ``Contract.judge`` against ``Schema.load(many=True)`` on synthetic rows with 3 % dirt.

    Rows come in the sheets that decoding makes of a delivery. Each round begins with an empty memory of judged
    values. Plain marshmallow is given rows that are mapped already. Time is that of the processor, of all threads
    together: rates are those of one core, also where others use the machine.

    Returns:
        rates in rows per second (medians of interleaved runs) and their ratios to ``marshmallow_rows_per_second``:
        ``ratio_to_marshmallow`` of mapping and judging, ``judge_ratio_to_marshmallow`` of judging alone; as the limit
        ``bare_rows_per_second``, of looking at every cell once (its hash, by the same engine), and ``ratio_to_bare`` of
        mapping and judging; ``accepted`` and ``rejected``; ``slow_fields``: fields of any record type that have no
        vectorised judgement.
    """
    frame = RECORD_TYPES_MEASURED[record_type](rows, seed)
    names = [name for name in frame.columns if not name.startswith("_")]
    spec = bench_spec(record_type, names)
    sheets = list(_sheets(frame.select("_row", *names), spec))
    sample = frame.head(PLAIN_ROWS).select(names).to_dicts()
    seconds: dict[str, list[float]] = {"map": [], "judge": [], "plain": [], "bare": []}
    accepted = 0
    contract(record_type).judge(frame.head(1_000))
    for _ in range(ROUNDS):
        agreed = Contract(RECORD_TYPES[record_type])
        mapped = _timed(seconds["map"], lambda: [map_sheet(sheet, spec).frame for sheet in sheets])
        judged: list[Judgement] = _timed(seconds["judge"], lambda: list(map(agreed.judge, mapped)))  # noqa: B023  # called at once
        accepted = sum(judgement.accepted.height for judgement in judged)
        _timed(seconds["plain"], lambda: plain_load(sample, record_type))
        _timed(seconds["bare"], lambda: [sheet.frame.select(pl.col(names).hash()) for sheet in sheets])
    both = [sum(spent) for spent in zip(seconds["map"], seconds["judge"], strict=True)]
    plain = len(sample) / statistics.median(seconds["plain"])
    bare = rows / statistics.median(seconds["bare"])
    judging, mapping = rows / statistics.median(seconds["judge"]), rows / statistics.median(both)
    return {
        "rows": rows,
        "record_type": record_type,
        "map_judge_rows_per_second": round(mapping),
        "judge_rows_per_second": round(judging),
        "marshmallow_rows_per_second": round(plain),
        "ratio_to_marshmallow": round(mapping / plain, 1),
        "judge_ratio_to_marshmallow": round(judging / plain, 1),
        "bare_rows_per_second": round(bare),
        "ratio_to_bare": round(mapping / bare, 3),
        "accepted": accepted,
        "rejected": rows - accepted,
        "slow_fields": slow_fields(),
    }


def slow_fields() -> list[str]:
    """``record_type.field`` of every field without a vectorised judgement: each distinct value is read by itself."""
    return [
        f"{record_type}.{name}"
        for record_type in sorted(RECORD_TYPES)
        for name, plan in contract(record_type).plans.items()
        if plan is None
    ]


def _sheets(frame: pl.DataFrame, spec: SourceSpec) -> list[Sheet]:
    """The rows as decoding hands them on: text under the agency's headings."""
    delivery = Delivery(spec.source, (), "bench", utc_now())
    names = tuple(name for name in frame.columns if name != "_row")
    placed = frame.select("_row", pl.lit("bench").alias("_part"), pl.col("_row").alias("_line"), *names)
    return [
        Sheet(delivery, placed.slice(start, CHUNK), layouts=(Layout(("bench",), names),))
        for start in range(0, frame.height, CHUNK)
    ]


def _timed(spent: list[float], act: Callable[[], Any]) -> Any:
    begun = time.process_time()
    result = act()
    spent.append(time.process_time() - begun)
    return result


def plain_load(sample: list[dict[str, Any]], record_type: str) -> None:
    """The plain way: one ``Schema.load(many=True)``, errors and all."""
    try:
        RECORD_TYPES[record_type]().load(sample, many=True)
    except ma.ValidationError as error:
        if not error.messages:
            raise
