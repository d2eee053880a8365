"""Whether sources that deliver at the same moment keep the sum of the rates that they have one after the other."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from gateway import pipeline
from gateway.bench.mixed import SHARES
from gateway.bench.scale import DELIVERY_ROWS, Load, keep_rows
from gateway.bench.stores import empty_store, server
from gateway.clock import utc_now
from gateway.settings import Settings

ROUNDS = 3

_ENTITIES = 1_000


def run(
    rows: int, sources: int, settings: Settings, seed: int = 7, told: Callable[[str], None] = lambda step: None
) -> dict[str, Any]:
    """Land first loads of so many record types in an empty PostgreSQL: one after the other, and all at once.

    One after the other, each stages with every core; at once, each is a process of its own.

    Args:
        rows: of each source.
        sources: each delivers another record type.

    Returns:
        ``alone_rows_per_s`` and ``together_rows_per_s``, rows of all sources by the time from the first begin to the
        last end, medians of interleaved rounds; ``ratio_together``, the second against the first; ``peak_rss_mb`` of
        all processes at once, their peaks added up.
    """
    shares = dict.fromkeys(sorted(set(SHARES) - {"registration"})[:sources], rows)
    seconds: dict[int, list[float]] = {1: [], sources: []}
    peak = 0
    with server(settings, postgres=True) as url:
        for number in range(ROUNDS):
            for at_once, taken in seconds.items():
                told(f"{at_once} at once")
                with empty_store(url, number) as store:
                    spec, registrations = keep_rows(
                        store.settings.home, "registration", range(_ENTITIES), _ENTITIES, seed
                    )
                    pipeline.deliver(store, pipeline.receive(store, registrations, spec), spec, utc_now())
                    load = Load(store, _ENTITIES, seed, told, at_once)
                    load.run(shares, DELIVERY_ROWS)
                    taken.append(load.seconds)
                    peak = max(peak, load.peak_rss_mb)
    alone, together = (rows * len(shares) / statistics.median(taken) for taken in seconds.values())
    return {
        "rows": rows,
        "sources": len(shares),
        "alone_rows_per_s": round(alone),
        "together_rows_per_s": round(together),
        "ratio_together": round(together / alone, 2),
        "peak_rss_mb": peak,
    }
