"""How fast what has landed is read: look-ups by code, a feed from end to end, pages anywhere in it."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, func, select

from gateway.api.encodings import encoded
from gateway.api.metrics import counters
from gateway.store import Store
from gateway.store.reading import feed_page, last_position, records
from gateway.store.streaming import feed_lines
from gateway.store.tables import versions_table

LOOKUPS = 2_000
"""Look-ups of each kind, interleaved."""

PAGE = 1_000

ROUNDS = 3


def lookups(store: Store, record_type: str) -> dict[str, Any]:
    """Look up entities by code in one record type, as they stand and as of an instant, over one connection.

    Returns:
        milliseconds: ``p50`` and ``p99`` of ``lookup``, ``lookup_as_of``, and as the limit of ``bare``, the same
        rows by a prepared query of the driver's own; ``first_touch``: the look-up that came before these of the same
        code, whose pages may have to come from the disk. ``lookup_ratio_to_bare``: the bare query's p50 by the
        look-up's.
    """
    codes, as_of = _codes(store, record_type, LOOKUPS)
    with store.read() as conn:
        versions = versions_table(record_type)
        bare = select(versions.c.payload).where(versions.c.uscc == bindparam("code"))
        ways: dict[str, Callable[[str], object]] = {
            "first_touch": lambda code: records(conn, record_type, code),
            "lookup": lambda code: records(conn, record_type, code),
            "lookup_as_of": lambda code: records(conn, record_type, code, as_of=as_of),
            "bare": lambda code: conn.execute(bare, {"code": code}).all(),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for code in codes:
            for name, way in ways.items():
                taken[name].append(_seconds(lambda code=code, way=way: way(code)))  # type: ignore[misc]  # bound per turn
    figures = {
        f"{name}_{quantile}_ms": round(_quantile(values, share) * 1_000, 2)
        for name, values in taken.items()
        for quantile, share in (("p50", 0.50), ("p99", 0.99))
    }
    ratio = _quantile(taken["bare"], 0.50) / _quantile(taken["lookup"], 0.50)
    return figures | {"lookup_ratio_to_bare": round(ratio, 2)}


def status(store: Store) -> dict[str, float]:
    """How long the counts of a status page take: what the database part of ``/metrics`` tells.

    Returns:
        ``counts_p50_ms`` and ``counts_max_ms`` of a hundred.
    """
    taken = [_seconds(lambda: counters(store)) for _ in range(100)]
    return {
        "counts_p50_ms": round(statistics.median(taken) * 1_000, 2),
        "counts_max_ms": round(max(taken) * 1_000, 2),
    }


def feed(store: Store, record_type: str) -> dict[str, Any]:
    """Stream a feed from its beginning to its end, plain and compressed, and read pages at its ends and in its middle.

    Returns:
        ``feed_rows_per_s``, ``feed_gzip_rows_per_s``, ``feed_zstd_rows_per_s``; as the limit
        ``bare_rows_per_s``: payloads alone, fetched and thrown away, and ``feed_ratio_to_bare``, the plain feed
        against it; ``page_ms`` by place, medians; ``feed_rss_growth_mb``: how much the process grew while it streamed.
    """
    with store.read() as conn:
        until = last_position(conn, record_type)
    ways: dict[str, Callable[[], int]] = {
        "feed": lambda: _drain(feed_lines(store, record_type, 0, until)),
        "feed_gzip": lambda: _drain(encoded(feed_lines(store, record_type, 0, until), "gzip")),
        "feed_zstd": lambda: _drain(encoded(feed_lines(store, record_type, 0, until), "zstd")),
        "bare": lambda: _bare(store, record_type),
    }
    before = _rss_mb()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            seconds[name].append(_seconds(way))
    grown = _rss_mb() - before
    median = {name: statistics.median(spent) for name, spent in seconds.items()}
    rates = {f"{name}_rows_per_s": round(until / spent) for name, spent in median.items()}
    ratio = {"feed_ratio_to_bare": round(median["bare"] / median["feed"], 2)}
    return {**rates, **ratio, **_pages(store, record_type, until), "feed_rss_growth_mb": grown}


def _pages(store: Store, record_type: str, until: int) -> dict[str, float]:
    places = {"page_first_ms": 0, "page_middle_ms": until // 2, "page_last_ms": max(0, until - PAGE)}
    taken: dict[str, list[float]] = {name: [] for name in places}
    with store.read() as conn:
        for _ in range(20):
            for name, after in places.items():
                taken[name].append(_seconds(lambda after=after: feed_page(conn, record_type, after, PAGE)))  # type: ignore[misc]  # bound per turn
    return {name: round(statistics.median(values) * 1_000, 2) for name, values in taken.items()}


def _codes(store: Store, record_type: str, wanted: int) -> tuple[Sequence[str], str]:
    """Codes from all over the table, and an instant at which all of it had landed."""
    versions = versions_table(record_type)
    with store.read() as conn:
        until = last_position(conn, record_type)
        places = [1 + place * until // wanted for place in range(wanted)]
        found = conn.execute(select(versions.c.uscc).where(versions.c.seq.in_(places), versions.c.uscc.is_not(None)))
        latest = conn.execute(select(func.max(versions.c.landed_at)).where(versions.c.seq == until)).scalar_one()
        return list(found.scalars()), str(latest)


def _bare(store: Store, record_type: str) -> int:
    versions = versions_table(record_type)
    with store.read() as conn:
        found = conn.execution_options(yield_per=5_000).execute(select(versions.c.payload))
        return sum(1 for _ in found)


def _drain(blocks: Iterable[bytes]) -> int:
    return sum(len(block) for block in blocks)


def _seconds(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _rss_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
