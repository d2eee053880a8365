"""How fast an auditor is answered by a log of many entries: questions, proofs, and verifying all of it."""

from __future__ import annotations

import random
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import polars as pl
from sqlalchemy import Connection, bindparam, select, text

from gateway.audit.files import log_folder
from gateway.audit.giving_proofs import inclusion_at
from gateway.audit.keys import load_verifier
from gateway.audit.log import current_checkpoint
from gateway.audit.merkle import leaf_hashes
from gateway.audit.problems import Problems
from gateway.audit.reading import Listed, what_did, who_changed, who_read
from gateway.audit.static_log import log_in_folder, verify_static
from gateway.audit.tables import entries
from gateway.audit.verify_log import verify_log
from gateway.bench.audit_fill import SYSTEMS, Scale, fill, system, uscc
from gateway.bench.stores import empty_store, server
from gateway.clock import utc_now
from gateway.settings import Settings
from gateway.store import Store

ASKED = 50
"""Questions of each kind."""

PROOFS = 300

_BODY_AT = select(entries.c.body).where(entries.c.idx == bindparam("place"))

_HASHED = 200_000
"""Entries whose hashing is timed as the limit."""


def run(
    count: int, settings: Settings, postgres: bool, seed: int, told: Callable[[str], None] = lambda step: None
) -> dict[str, Any]:
    """Fill a log of ``count`` entries and measure.

    Args:
        settings: its ``database_url`` names the server if it is a PostgreSQL; otherwise one is started.

    Returns:
        milliseconds of each question and proof (median and slowest), as the limit ``..._bare_ms`` (the same entries by
        their ids alone, thrown away; of a proof its entry by its place) and ``..._ratio_to_bare``, that by the
        question's median; ``verify_entries_per_s`` (entries, index
        tables, tree and files of the database's log) and ``verify_static_entries_per_s`` (the static files alone),
        ``verify_entries_per_cpu_s`` (per second of this process' processor time, all threads), ``sha256_entries_per_s``
        (of a processor hashing the same bodies and nothing else) and the ratio of the two.
    """
    scale = Scale(count, max(1, count // 11), max(20_000, count // 10), seed)
    with _filled(settings, postgres, scale, told) as store:
        spent = time.perf_counter()
        figures: dict[str, Any] = {"entries": count, "database": "postgresql" if postgres else "sqlite"}
        for name, asked in _questions(store, scale, told).items():
            milliseconds, bare = map(statistics.median, zip(*asked, strict=True))
            figures[f"{name}_ms"] = _rounded(milliseconds)
            figures[f"{name}_slowest_ms"] = _rounded(max(taken for taken, _ in asked))
            figures[f"{name}_bare_ms"] = _rounded(bare)
            figures[f"{name}_ratio_to_bare"] = _rounded(bare / milliseconds)
        figures |= _verified(store, count, told)
    figures["measured_in_s"] = round(time.perf_counter() - spent)
    figures["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return figures


def _questions(store: Store, scale: Scale, told: Callable[[str], None]) -> dict[str, list[tuple[float, float]]]:
    """Name of the question -> milliseconds of each that was asked, and of its limit right after it."""
    drawn = random.Random(scale.seed)  # noqa: S311 - which entities are asked about is no secret
    asked = pl.DataFrame(
        {
            "entity": [drawn.randrange(scale.entities) for _ in range(ASKED)],
            "system": [drawn.randrange(SYSTEMS) for _ in range(ASKED)],
        }
    ).select(uscc(pl.col("entity")).alias("uscc"), system(pl.col("system")).alias("urn"))
    told("who-read, who-changed, what-did, proof")
    with store.read() as conn:
        found = {
            "who_read": [_answered(conn, who_read, code) for code in asked["uscc"]],
            "who_changed": [_answered(conn, who_changed, code) for code in asked["uscc"]],
            "what_did": [_answered(conn, what_did, urn) for urn in asked["urn"]],
        }
    places = [drawn.randrange(scale.entries) for _ in range(PROOFS)]
    return found | {"proof": [_proved(store, place) for place in places]}


def _answered(conn: Connection, ask: Callable[[Connection, str], list[Listed]], about: str) -> tuple[float, float]:
    taken, found = _timed(ask, conn, about)
    bare, _ = _timed(_fetch_bare, conn, [one.entry_id for one in found])
    return taken, bare


def _fetch_bare(conn: Connection, ids: Sequence[int]) -> None:
    """The bodies of entries, neither looked for nor read."""
    # Databases limit the number of parameters of one statement.
    for start in range(0, len(ids), 1_000):
        conn.execute(select(entries.c.body).where(entries.c.id.in_(ids[start : start + 1_000]))).all()


def _proved(store: Store, place: int) -> tuple[float, float]:
    def bare() -> None:
        with store.ask() as conn:
            conn.execute(_BODY_AT, {"place": place}).one()

    taken, _ = _timed(inclusion_at, store, place)
    return taken, _timed(bare)[0]


def _timed(act: Callable[..., Any], *arguments: object) -> tuple[float, Any]:
    """Milliseconds, and what came of it."""
    begun = time.perf_counter()
    result = act(*arguments)
    return (time.perf_counter() - begun) * 1000, result


def _verified(store: Store, count: int, told: Callable[[str], None]) -> dict[str, Any]:
    """Verify everything, with the limit measured before and after."""
    limits = [_hashing(store)]
    told("verify")
    problems = Problems()
    verifier, checkpoint = load_verifier(store.settings), current_checkpoint(store)
    begun, busy = time.perf_counter(), time.process_time()
    with store.read() as conn:
        state = verify_log(conn, store, verifier, checkpoint, None, problems, lambda what, so_far: None)
    in_database, busy = time.perf_counter() - begun, time.process_time() - busy
    limits.append(_hashing(store))
    told("verify-log")
    begun = time.perf_counter()
    report = verify_static(log_in_folder(log_folder(store.settings)), verifier)
    in_files = time.perf_counter() - begun
    limits.append(_hashing(store))
    if problems.count or (state.size, report.entries) != (count, count):
        raise AssertionError(f"the log that was made does not verify: {problems.found[:3]}")
    limit = statistics.median(limits)
    return {
        "verify_entries_per_s": round(count / in_database),
        "verify_static_entries_per_s": round(count / in_files),
        "sha256_entries_per_s": round(limit),
        "verify_entries_per_cpu_s": round(count / busy),
        "verify_ratio_to_sha256": round(count / busy / limit, 2),
    }


def _hashing(store: Store) -> float:
    """The limit: leaf hashes per second of bodies that lie in memory, on one core."""
    with store.read() as conn:
        bodies = conn.execute(select(entries.c.body).where(entries.c.idx < _HASHED)).scalars().all()
    # Of processor time, which other work on the machine does not change.
    begun = time.process_time()
    leaf_hashes(bodies)
    return len(bodies) / (time.process_time() - begun)


@contextmanager
def _filled(settings: Settings, postgres: bool, scale: Scale, told: Callable[[str], None]) -> Iterator[Store]:
    with server(settings, postgres) as url, empty_store(url, 0) as store:
        begun = time.perf_counter()
        fill(store, scale, utc_now(), lambda what, so_far: told(f"{what} {so_far:,}"))
        _settle(store)
        told(f"filled in {time.perf_counter() - begun:.0f} s")
        yield store


def _settle(store: Store) -> None:
    """Statistics as a database that has lived has them; without them the planner guesses."""
    with store.write() as conn:
        conn.execute(text("ANALYZE"))


def _rounded(milliseconds: float) -> float:
    return round(milliseconds, 2)
