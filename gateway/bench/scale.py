"""A city's holdings, first load: every record type, millions of rows, through the one pipeline; then read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from connectors.delivery import Delivery
from connectors.vault import Vault
from gateway.bench import reading
from gateway.bench.apart import Apart, Kept, deliver_abreast
from gateway.bench.bare import bare_seconds
from gateway.bench.mixed import counts, mixed_rows
from gateway.bench.rows import bench_spec
from gateway.bench.stores import empty_store, server
from gateway.clock import utc_now
from gateway.settings import Settings
from gateway.store import Store

DELIVERY_ROWS = 10_000_000
"""Rows of one delivery at most: an agency sends its holdings of a record type in one piece, if it is no larger."""

_CHUNK = 100_000
"""Rows made at a time, so that making them needs no memory to speak of."""

SMALL_ROWS = 1_000_000
"""What the large load is compared with, row for row."""

BARE_ROWS = 200_000
"""Rows, of the same mixture, that the database alone is given finished."""


@dataclass
class Load:
    """One first load: the agencies deliver side by side, each its own record type.

    Attributes:
        at_once: deliveries that are landed at a time.
        seconds: of landing, from the first begin to the last end.
        landing_seconds: the same without starting processes and without those that are left alone at the end: what
            each delivery took, divided by how many are landed at a time.
        landed: record type -> rows, and the seconds that they took while others landed beside them.
    """

    store: Store
    entities: int
    seed: int
    told: Callable[[str], None]
    at_once: int = 1
    seconds: float = 0.0
    landing_seconds: float = 0.0
    landed: dict[str, tuple[int, float]] = field(default_factory=dict)
    peak_rss_mb: int = 0

    @property
    def rows(self) -> int:
        return sum(rows for rows, _ in self.landed.values())

    def run(self, shares: Mapping[str, int], delivery_rows: int) -> None:
        """Deliver so many rows of each record type, at most ``delivery_rows`` at once.

        Registrations come first: what names its entity by name alone finds it then.
        """
        # Making and keeping the files is the agencies' work and the network's, not the landing's.
        self.told("rows")
        kept = self._kept(shares, delivery_rows)
        first = {name: queue for name, queue in kept.items() if name == "registration"}
        self._land(first, shares, 1)
        self._land({name: queue for name, queue in kept.items() if name not in first}, shares, self.at_once)

    def _kept(self, shares: Mapping[str, int], delivery_rows: int) -> dict[str, list[Kept]]:
        """The deliveries of each record type, the longest queue first, so that none is left alone at the end."""
        sizes = sorted(((rows, name) for name, rows in shares.items() if rows), reverse=True)
        wanted = [
            (self.store.settings.home, name, range(start, min(rows, start + delivery_rows)), self.entities, self.seed)
            for rows, name in sizes
            for start in range(0, rows, delivery_rows)
        ]
        queues: dict[str, list[Kept]] = {name: [] for _, name in sizes}
        for of, kept in zip(wanted, self._made(wanted), strict=True):
            queues[of[1]].append(kept)
        return queues

    def _made(self, wanted: Sequence[tuple[Path, str, range, int, int]]) -> list[Kept]:
        if sum(len(numbers) for _, _, numbers, *_ in wanted) <= _CHUNK:
            return [keep_rows(*of) for of in wanted]
        with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as makers:
            return list(makers.map(keep_rows, *zip(*wanted, strict=True)))

    def _land(self, queues: Mapping[str, Sequence[Kept]], shares: Mapping[str, int], at_once: int) -> None:
        names = list(queues)
        if not names:
            return

        def told(number: int, landed: Sequence[Apart]) -> None:
            name, spent = names[number], sum(one.seconds for one in landed)
            self.landed[name] = (shares[name], spent)
            for _, delivery in queues[name]:
                for part in delivery.parts:
                    part.path.unlink()
            peak = max(one.peak_rss_mb for one in landed)
            self.told(f"{name} {shares[name]:,} rows {shares[name] / spent:,.0f}/s; RSS {peak} MB")

        abreast = deliver_abreast(self.store, [queues[name] for name in names], at_once, told)
        self.seconds += abreast.seconds
        self.landing_seconds += sum(self.landed[name][1] for name in names) / abreast.at_once
        self.peak_rss_mb = max(self.peak_rss_mb, abreast.peak_rss_mb)


def keep_rows(home: Path, record_type: str, numbers: range, entities: int, seed: int) -> Kept:
    """Make the rows of one delivery, as CSV in GB18030, and keep them in an installation's vault."""

    def chunks() -> Iterator[bytes]:
        for start in range(numbers.start, numbers.stop, _CHUNK):
            size = min(_CHUNK, numbers.stop - start)
            frame = mixed_rows(record_type, size, entities, first=start, seed=seed)
            yield frame.write_csv(include_header=start == numbers.start).encode("gb18030")

    spec = bench_spec(record_type, mixed_rows(record_type, 1, entities).columns)
    part = Vault(home).keep("bench.csv", "text/csv", chunks())
    return spec, Delivery(spec.source, (part,), "bench", utc_now())


def run_reading(
    what: str, rows: int, settings: Settings, seed: int = 7, told: Callable[[str], None] = lambda step: None
) -> dict[str, Any]:
    """Land licences about a fortieth as many entities, then measure one of ``READINGS`` on them."""
    entities = max(100, rows // 40)
    with server(settings, postgres=True) as url, empty_store(url, 0) as store:
        load = Load(store, entities, seed, told)
        load.run({"licence": rows}, DELIVERY_ROWS)
        told(what)
        return {"rows": rows, "entities": entities, **READINGS[what](store, "licence")}


READINGS = {"lookup": reading.lookups, "feed": reading.feed}
"""Name of the command -> what it measures of a store and a record type."""


def run(
    rows: int,
    entities: int,
    settings: Settings,
    *,
    record_type: str | None = None,
    delivery_rows: int = DELIVERY_ROWS,
    at_once: int | None = None,
    seed: int = 7,
    told: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Load ``rows`` records about ``entities`` entities into an empty PostgreSQL, then look up and stream.

    The same mixture is first loaded small, into a database of its own, so that the price of a row at both sizes
    is known from one run; and as the limit, finished rows of it are given to the database alone.

    Args:
        record_type: load this one alone instead of the mixture of all of them.
        delivery_rows: rows of one delivery at most.
        at_once: deliveries, of different record types, that are landed at a time; None: one for each core.

    Returns:
        ``rows``, ``entities``, ``at_once``, ``seconds`` and ``rows_per_s`` of the first load; ``small_rows_per_s`` and
        ``cost_ratio``, landing time per row at full size against ``SMALL_ROWS``, without the starts of processes, which
        weigh more in the small load; ``bare_load_rows_per_s``, of finished rows over one connection, and
        ``ratio_to_copy``, against it; ``peak_rss_mb``, the greatest peaks of as many loading processes as there are at
        once (``small_rss_mb`` of the small load); rates by record type, while others land beside it; the figures of
        ``gateway.bench.reading``.
    """
    read_type = record_type or "licence"
    lanes = at_once or len(os.sched_getaffinity(0))

    def load(store: Store, size: int, about: int) -> Load:
        shares = counts(size, about) if record_type is None else {record_type: size}
        done = Load(store, about, seed, told, lanes)
        done.run(shares, delivery_rows)
        return done

    with server(settings, postgres=True) as url:
        small_rows = min(SMALL_ROWS, rows)
        few = max(1, entities * small_rows // rows)
        with empty_store(url, 0) as store:
            bare_rows = min(BARE_ROWS, rows)
            bare = bare_rate(store, bare_rows, max(1, entities * bare_rows // rows), record_type, seed, told)
            small = load(store, small_rows, few)
        with empty_store(url, 1) as store:
            whole = load(store, rows, entities)
            told("lookup")
            read = reading.lookups(store, read_type) | reading.status(store)
            told("feed")
            read |= reading.feed(store, read_type)
    rate, price = whole.rows / whole.seconds, whole.landing_seconds / whole.rows
    small_rate, small_price = small.rows / small.seconds, small.landing_seconds / small.rows
    return {
        "rows": rows,
        "entities": entities,
        "at_once": lanes,
        "seconds": round(whole.seconds),
        "rows_per_s": round(rate),
        "small_rows_per_s": round(small_rate),
        "cost_ratio": round(price / small_price, 2),
        "bare_load_rows_per_s": round(bare),
        "ratio_to_copy": round(rate / bare, 2),
        "peak_rss_mb": whole.peak_rss_mb,
        "small_rss_mb": small.peak_rss_mb,
        **{f"{name}_rows_per_s": round(count / spent) for name, (count, spent) in sorted(whole.landed.items())},
        **read,
    }


def bare_rate(
    store: Store, rows: int, entities: int, record_type: str | None, seed: int, told: Callable[[str], None]
) -> float:
    """Finished rows a second that the database alone takes in, of the mixture or of one record type."""
    told("bare load")
    shares = counts(rows, min(entities, rows)) if record_type is None else {record_type: rows}
    taken = []
    for name, count in shares.items():
        if count:
            spec, delivery = keep_rows(store.settings.home, name, range(count), entities, seed)
            taken.append(bare_seconds(store, spec, delivery))
    return sum(count for count, _ in taken) / sum(seconds for _, seconds in taken)
