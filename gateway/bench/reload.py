"""What it costs to deliver again what has landed: a twentieth changed, a two-hundredth, nothing."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from connectors.spec import SourceSpec
from connectors.vault import Vault
from gateway.bench.apart import deliver_apart
from gateway.bench.bare import bare_seconds
from gateway.bench.beside import FIRST, RELOAD, Beside, beside
from gateway.bench.pipeline import changed_every, csv_of, delivery_of, fields_of
from gateway.bench.rows import RECORD_TYPES_MEASURED, bench_spec
from gateway.bench.stores import empty_store, server
from gateway.settings import Settings

ROUNDS = 3

_AGAIN = (RELOAD, "reload_few", "reload_none")


def run(
    rows: int,
    settings: Settings,
    postgres: bool,
    record_type: str = "licence",
    seed: int = 7,
    told: Callable[[str], None] = lambda step: None,
    peers_folder: Path | None = None,
) -> dict[str, Any]:
    """Land synthetic rows with 3 % dirt in a new, empty database, then the same source's rows again, in each round.

    Args:
        rows, settings, postgres, record_type, seed, told, peers_folder: as ``gateway.bench.pipeline.run`` takes them.
            The peers get the first load and the 5 % in each round.

    Returns:
        rates in rows per second, medians: ``rows_per_s`` of the first load, ``reload_rows_per_s`` with 5 % of the rows
        changed since, ``reload_few_rows_per_s`` with 0.5 % changed since that, ``reload_none_rows_per_s`` with none;
        ``..._ratio``: the time of each against the first load; as the limit ``bare_load_rows_per_s``, finished rows
        that the database alone takes in anew (a file of SQLite has grown by them when the first load comes);
        ``peak_rss_mb`` of all processes, the greatest of all; with peers what ``gateway.bench.beside.Beside.figures``
        tells.

    Raises:
        Refused: as ``gateway.bench.beside`` says.
    """
    with beside(peers_folder, postgres, record_type) as others, server(settings, postgres) as url:
        frame = RECORD_TYPES_MEASURED[record_type](rows, seed)
        spec = bench_spec(record_type, [name for name in frame.columns if not name.startswith("_")])
        sent = _sent(frame, spec, others)
        del frame
        seconds: dict[str, list[float]] = {name: [] for name in sent}
        bare: list[float] = []
        peak = 0
        for number in range(ROUNDS):
            with empty_store(url, number) as store:
                vault = Vault(store.settings.home)
                told("bare load")
                finished, taken = bare_seconds(store, spec, delivery_of(vault, spec, sent[FIRST]))
                bare.append(finished / taken)
                for name, content in sent.items():
                    told(name)
                    landed = deliver_apart(store, spec, delivery_of(vault, spec, content))
                    seconds[name].append(landed.seconds)
                    peak = max(peak, landed.peak_rss_mb)
            others.take_turns(url, number, told)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "rows": rows,
        "record_type": record_type,
        "database": "postgresql" if postgres else "sqlite",
        "rows_per_s": round(rows / median[FIRST]),
        "bare_load_rows_per_s": round(statistics.median(bare)),
        **{f"{name}_rows_per_s": round(rows / median[name]) for name in _AGAIN},
        **{f"{name}_ratio": round(median[name] / median[FIRST], 2) for name in _AGAIN},
        **others.figures(rows, median),
        "peak_rss_mb": peak,
    }


def _sent(frame: pl.DataFrame, spec: SourceSpec, others: Beside) -> dict[str, bytes]:
    """The deliveries of a round in their order; the peers get the first two."""
    frames = {FIRST: frame, RELOAD: changed_every(frame, 20)}
    for name, rows in frames.items():
        others.give(name, fields_of(rows, spec))
    frames["reload_few"] = changed_every(frames[RELOAD], 200)
    sent = {name: csv_of(rows, spec) for name, rows in frames.items()}
    # A blank line at the end makes another file of the same rows: the same bytes would be known at once.
    return sent | {"reload_none": sent["reload_few"] + b"\n"}
