"""How fast a GB18030 CSV becomes landed, audited versions, step by step, beside plain marshmallow and bare loading."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from connectors.decode import decode_chunks
from connectors.delivery import Delivery
from connectors.spec import SourceSpec
from connectors.vault import Vault
from gateway.bench.apart import deliver_apart
from gateway.bench.bare import empty_table, finished_rows, load_bare, map_and_judge
from gateway.bench.beside import FIRST, beside
from gateway.bench.contract import PLAIN_ROWS, plain_load
from gateway.bench.rows import RECORD_TYPES_MEASURED, bench_spec
from gateway.bench.stores import empty_store, server
from gateway.clock import utc_now
from gateway.parts import CHUNK_ROWS
from gateway.settings import Settings
from gateway.store import Store
from schemas.columnar import Contract
from schemas.records import RECORD_TYPES

ROUNDS = 3


def run(
    rows: int,
    settings: Settings,
    postgres: bool,
    record_type: str = "licence",
    seed: int = 7,
    told: Callable[[str], None] = lambda step: None,
    peers_folder: Path | None = None,
) -> dict[str, Any]:
    """Measure on synthetic rows of 14 columns with 3 % dirt; every round lands in a new, empty database.

    Args:
        rows: rows of the delivery.
        settings: its ``database_url`` names the server if it is a PostgreSQL; otherwise one is started.
        postgres: land in PostgreSQL rather than SQLite.
        record_type: ``licence``, or ``registration``, whose rows also teach the entity tables (name, numbers).
        told: called with the name of each thing measured, before it is.
        peers_folder: environments of the peers (``make peers``), which then take their turn in each round; they know
            ``licence`` alone.

    Returns:
        rates in rows per second (medians), ``ratio_to_marshmallow`` (map and judge against plain
        ``Schema.load(many=True)``), ``ratio_to_copy`` (end to end against bare loading of the finished
        rows into the same table with the same indexes), ``reload_ratio`` (time of re-delivering with 5 % of the
        rows changed, against the first load), ``peak_rss_mb`` (of all processes that stage and land, together, the
        greater of both); with peers ``ratio_to_<peer>``, our first load against theirs.

    Raises:
        Refused: as ``gateway.bench.beside`` says.
    """
    with beside(peers_folder, postgres, record_type) as others, server(settings, postgres) as url:
        frame = RECORD_TYPES_MEASURED[record_type](rows, seed)
        spec = bench_spec(record_type, [name for name in frame.columns if not name.startswith("_")])
        rounds = _Round(spec, csv_of(frame, spec), csv_of(changed_every(frame, 20), spec), frame.head(PLAIN_ROWS), told)
        others.give(FIRST, fields_of(frame, spec))
        del frame
        for number in range(ROUNDS):
            with empty_store(url, number) as store:
                rounds.run(store)
            others.take_turns(url, number, told)
    seconds = {name: statistics.median(values) for name, values in rounds.seconds.items()}
    beside_ours = others.figures(rows, {FIRST: seconds["end_to_end"]})
    return _report(rows, record_type, postgres, seconds, rounds.peak_rss_mb, beside_ours)


@dataclass
class _Round:
    """One after the other, every step and what it is compared with, on the same rows."""

    spec: SourceSpec
    sent: bytes
    changed: bytes
    sample: pl.DataFrame
    told: Callable[[str], None]
    seconds: dict[str, list[float]] = field(default_factory=dict)
    peak_rss_mb: int = 0

    def run(self, store: Store) -> None:
        vault = Vault(store.settings.home)
        delivery = delivery_of(vault, self.spec, self.sent)
        rules = Contract(RECORD_TYPES[self.spec.record_type])
        sheets = self._time("decode", lambda: list(decode_chunks(delivery, self.spec, rows=CHUNK_ROWS)))
        judged = self._time("map_judge", map_and_judge, sheets, rules, self.spec)
        finished = finished_rows(store, judged, rules, self.spec)
        del sheets, judged
        sample = fields_of(self.sample, self.spec).to_dicts()
        self._time("marshmallow", plain_load, sample, self.spec.record_type)
        self._time("bare_load", load_bare, store, self.spec.record_type, finished)
        del finished
        empty_table(store, self.spec.record_type)
        self._land("end_to_end", store, delivery)
        self._land("reload", store, delivery_of(vault, self.spec, self.changed))

    def _land(self, name: str, store: Store, delivery: Delivery) -> None:
        self.told(name)
        landed = deliver_apart(store, self.spec, delivery)
        self.seconds.setdefault(name, []).append(landed.seconds)
        self.peak_rss_mb = max(self.peak_rss_mb, landed.peak_rss_mb)

    def _time(self, name: str, act: Callable[..., Any], *arguments: object) -> Any:
        self.told(name)
        gc.collect()
        begun = time.perf_counter()
        result = act(*arguments)
        self.seconds.setdefault(name, []).append(time.perf_counter() - begun)
        return result


def fields_of(frame: pl.DataFrame, spec: SourceSpec) -> pl.DataFrame:
    """What of a frame the source of ``bench_spec`` sends, and the peers are given."""
    return frame.select(column.field for column in spec.forms[0].columns)


def csv_of(frame: pl.DataFrame, spec: SourceSpec) -> bytes:
    """The rows of a frame as the source of ``bench_spec`` sends them."""
    return fields_of(frame, spec).write_csv().encode("gb18030")


def changed_every(frame: pl.DataFrame, nth: int) -> pl.DataFrame:
    """The rows of a bench with every ``nth`` one changed in its name."""
    is_changed = pl.col("_row") % nth == 0
    name = "name" if "name" in frame.columns else "item_name"
    return frame.with_columns(pl.when(is_changed).then(pl.col(name) + "改").otherwise(pl.col(name)).alias(name))


def delivery_of(vault: Vault, spec: SourceSpec, content: bytes) -> Delivery:
    """A delivery of one CSV file, kept."""
    part = vault.keep("bench.csv", "text/csv", [content])
    return Delivery(spec.source, (part,), "bench", utc_now())


def _report(
    rows: int,
    record_type: str,
    postgres: bool,
    seconds: dict[str, float],
    peak_rss_mb: int,
    beside_ours: dict[str, float],
) -> dict[str, Any]:
    rates = {name: rows / spent for name, spent in seconds.items()}
    rates["marshmallow"] = min(rows, PLAIN_ROWS) / seconds["marshmallow"]
    return {
        "rows": rows,
        "record_type": record_type,
        "database": "postgresql" if postgres else "sqlite",
        "rows_per_s": round(rates["end_to_end"]),
        "decode_rows_per_s": round(rates["decode"]),
        "map_judge_rows_per_s": round(rates["map_judge"]),
        "reload_rows_per_s": round(rates["reload"]),
        "bare_load_rows_per_s": round(rates["bare_load"]),
        "marshmallow_rows_per_s": round(rates["marshmallow"]),
        "land_rows_per_s": round(rows / max(1e-9, seconds["end_to_end"] - seconds["decode"] - seconds["map_judge"])),
        "ratio_to_marshmallow": round(rates["map_judge"] / rates["marshmallow"], 1),
        "ratio_to_copy": round(rates["end_to_end"] / rates["bare_load"], 2),
        "reload_ratio": round(seconds["reload"] / seconds["end_to_end"], 2),
        **beside_ours,
        "peak_rss_mb": peak_rss_mb,
    }
