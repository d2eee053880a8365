"""A city's holdings, first load: every record type, millions of rows, through the one pipeline; then read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from connectors.delivery import Delivery
from connectors.spec import SourceSpec
from connectors.vault import Vault
from gateway.bench import reading
from gateway.bench.apart import deliver_apart
from gateway.bench.mixed import counts, entity_table, mixed_rows
from gateway.bench.pipeline import empty_store, server
from gateway.bench.rows import bench_spec
from gateway.clock import utc_now
from gateway.settings import Settings
from gateway.store import Store

DELIVERY_ROWS = 1_000_000
"""Rows of one delivery: a city's agencies send their holdings in pieces of about this size."""

_CHUNK = 100_000
"""Rows made at a time, so that making them needs no memory to speak of."""

SMALL_ROWS = 1_000_000
"""What the large load is compared with, row for row."""


@dataclass
class Load:
    """One first load, delivery by delivery, the record types taking turns."""

    store: Store
    entities: int
    seed: int
    told: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)
    landed: dict[str, int] = field(default_factory=dict)
    peak_rss_mb: int = 0

    def run(self, shares: dict[str, int], delivery_rows: int) -> None:
        """Deliver so many rows of each record type, at most ``delivery_rows`` at once."""
        left = {name: count for name, count in shares.items() if count}
        first = dict.fromkeys(left, 0)
        while left:
            for name in list(left):
                size = min(delivery_rows, left[name])
                self.deliver(name, first[name], size)
                first[name] += size
                left[name] -= size
                if not left[name]:
                    del left[name]

    def deliver(self, record_type: str, first: int, rows: int) -> None:
        """Make one delivery, land it, note the time of landing."""
        spec = bench_spec(record_type, mixed_rows(record_type, 1, self.entities).columns)
        # Making and keeping the file is the agency's work and the network's, not the landing's.
        delivery = _kept(self.store, spec, self._chunks(record_type, first, rows))
        landed = deliver_apart(self.store, spec, delivery)
        for part in delivery.parts:
            part.path.unlink()
        self.seconds[record_type] = self.seconds.get(record_type, 0.0) + landed.seconds
        self.landed[record_type] = self.landed.get(record_type, 0) + rows
        self.peak_rss_mb = max(self.peak_rss_mb, landed.peak_rss_mb)
        done, spent = sum(self.landed.values()), sum(self.seconds.values())
        self.told(
            f"{record_type} {rows:,} rows {rows / landed.seconds:,.0f}/s; {done:,} in {spent:,.0f} s = "
            f"{done / spent:,.0f}/s; RSS {landed.peak_rss_mb} MB"
        )

    def _chunks(self, record_type: str, first: int, rows: int) -> Iterator[bytes]:
        for start in range(first, first + rows, _CHUNK):
            size = min(_CHUNK, first + rows - start)
            frame = mixed_rows(record_type, size, self.entities, first=start, seed=self.seed)
            yield frame.write_csv(include_header=start == first).encode("gb18030")


def run_reading(
    what: str, rows: int, settings: Settings, seed: int = 7, told: Callable[[str], None] = lambda step: None
) -> dict[str, Any]:
    """Land licences about a fortieth as many entities, then measure one of ``READINGS`` on them."""
    entities = max(100, rows // 40)
    with server(settings, postgres=True) as url, empty_store(url, 0) as store:
        load = Load(store, entities, seed, told)
        load.deliver("licence", 0, rows)
        told(what)
        return {"rows": rows, "entities": entities, **READINGS[what](store, "licence")}


READINGS = {"lookup": reading.lookups, "feed": reading.feed}
"""Name of the command -> what it measures of a store and a record type."""


def _kept(store: Store, spec: SourceSpec, chunks: Iterator[bytes]) -> Delivery:
    part = Vault(store.settings.home).keep("bench.csv", "text/csv", chunks)
    return Delivery(spec.source, (part,), "bench", utc_now())


def run(
    rows: int,
    entities: int,
    settings: Settings,
    *,
    record_type: str | None = None,
    delivery_rows: int = DELIVERY_ROWS,
    seed: int = 7,
    told: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Load ``rows`` records about ``entities`` entities into an empty PostgreSQL, then look up and stream.

    The same mixture is first loaded small, into a database of its own, so that the price of a row at both sizes
    is known from one run.

    Args:
        record_type: load this one alone instead of the mixture of all of them.
        delivery_rows: rows of one delivery at most.

    Returns:
        ``rows``, ``entities``, ``seconds`` and ``rows_per_s`` of the first load; ``small_rows_per_s`` and
        ``cost_ratio``, time per row at full size against ``SMALL_ROWS``; ``peak_rss_mb`` of the loading process
        (``small_rss_mb`` after the small load); rates by record type; the figures of ``gateway.bench.reading``.
    """
    entity_table(entities)
    read_type = record_type or "licence"

    def shares(size: int, about: int) -> dict[str, int]:
        return counts(size, about) if record_type is None else {record_type: size}

    with server(settings, postgres=True) as url:
        small_rows = min(SMALL_ROWS, rows)
        with empty_store(url, 0) as store:
            few = max(1, entities * small_rows // rows)
            small = Load(store, few, seed, told)
            small.run(shares(small_rows, few), delivery_rows)
        with empty_store(url, 1) as store:
            whole = Load(store, entities, seed, told)
            whole.run(shares(rows, entities), delivery_rows)
            told("lookup")
            read = reading.lookups(store, read_type)
            told("feed")
            read |= reading.feed(store, read_type)
    seconds, small_seconds = sum(whole.seconds.values()), sum(small.seconds.values())
    return {
        "rows": rows,
        "entities": entities,
        "seconds": round(seconds),
        "rows_per_s": round(rows / seconds),
        "small_rows_per_s": round(small_rows / small_seconds),
        "cost_ratio": round((seconds / rows) / (small_seconds / small_rows), 2),
        "peak_rss_mb": whole.peak_rss_mb,
        "small_rss_mb": small.peak_rss_mb,
        **{f"{name}_rows_per_s": round(whole.landed[name] / spent) for name, spent in sorted(whole.seconds.items())},
        **read,
    }
