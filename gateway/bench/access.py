"""What a read costs over mutual TLS, with grant, masking and audit entry, beside the same server with a fixed body."""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from certs.keys import save_key, write_whole
from certs.names import SystemName
from connectors.delivery import Delivery
from connectors.vault import Vault
from gateway import pipeline
from gateway.access.giving import give, new_grant
from gateway.access.grants import WHOLE
from gateway.audit.actions import Action
from gateway.audit.tables import entries
from gateway.authorities import open_issuing
from gateway.bench.fixed import FIXED, fixed_body
from gateway.bench.load import Access, Answered, get, keep_asking, keep_connecting
from gateway.bench.postgres import database, recommended, running_postgres
from gateway.bench.rows import RECORD_TYPES_MEASURED, bench_spec
from gateway.certificates import issue_certificate
from gateway.certificates_files import pki_files
from gateway.certificates_holders import register
from gateway.client import client
from gateway.clock import utc_now
from gateway.home import initialise, open_home
from gateway.server import ServerProcess, start
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.tables import versions_table

ROUNDS = 3
CLIENTS = (1, 10, 50, 250)
"""Open connections that ask at the same time."""

CONNECTING = 10
"""Clients that make a new connection for each request."""

_ASKED = 2_000
_PURPOSE = "bench"
_SYSTEM = SystemName("market_supervision", "bench")
_APP = "gateway.bench.fixed:create_measured_app"
# A connection left over, a machine that is busy: nothing of this lasts longer.
_TURN_PATIENCE_S = 120.0


def run(
    entities: int,
    settings: Settings,
    postgres: bool,
    seed: int = 7,
    seconds: float = 3.0,
    clients: Sequence[int] = CLIENTS,
    told: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Measure a new installation with ``entities`` entities, each with a registration and a licence.

    Args:
        settings: its ``database_url`` names the server if it is a PostgreSQL; otherwise one is started. Its
            ``workers`` and ``threads`` are those of the gateway.
        seconds: of each turn; there are ``ROUNDS`` turns of each kind for each number of clients, interleaved.

    Returns:
        for each number of clients requests/s, p50 and p99 in milliseconds of lookups and of a fixed body of the same
        length, and their ratio (medians over the rounds); ``ratio_to_fixed_body``, the worst of these ratios;
        new connections with a whole handshake per second.

    Raises:
        AssertionError: a request was not answered, or an answer is not in the log.
    """
    with installed(settings, postgres, entities, seed, told) as (store, access, codes), _apart() as load:
        asked = [get(f"/v1/entities/{code}", Xinqiao_Purpose=_PURPOSE) for code in codes]
        fixed = get(FIXED)
        turns = _turns(load, access, {"lookup": asked, "fixed": [fixed]}, clients, seconds, told)
        answered = sum(
            len(turn.latencies_ms) for (kind, _), all_of in turns.items() for turn in all_of if kind == "lookup"
        )
        _demand_entries(store, answered)
        told(f"{CONNECTING} clients, a new connection each time")
        connected = [load(keep_connecting, access, fixed, CONNECTING, seconds) for _ in range(ROUNDS)]
        return {
            "entities": entities,
            "database": "postgresql" if postgres else "sqlite",
            "workers": store.settings.workers,
            "threads": store.settings.threads,
            **_figures(turns, clients),
            "handshakes_per_s": round(statistics.median(turn.per_second for turn in connected)),
        }


Load = Callable[..., Answered]


@contextmanager
def _apart() -> Iterator[Load]:
    """Runs a function of ``gateway.bench.load`` in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        yield lambda act, *arguments: pool.submit(act, *arguments).result(_TURN_PATIENCE_S)


def _turns(
    load: Load,
    access: Access,
    kinds: dict[str, list[bytes]],
    clients: Sequence[int],
    seconds: float,
    told: Callable[[str], None],
) -> dict[tuple[str, int], list[Answered]]:
    turns: dict[tuple[str, int], list[Answered]] = {}
    for number in clients:
        for turn in range(ROUNDS):
            told(f"{number} clients, {turn + 1} of {ROUNDS}")
            for kind, requests in kinds.items():
                turns.setdefault((kind, number), []).append(load(keep_asking, access, requests, number, seconds))
    return turns


def _figures(turns: dict[tuple[str, int], list[Answered]], clients: Sequence[int]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    ratios = []
    for number in clients:
        rates = {}
        for kind in ("lookup", "fixed"):
            rates[kind] = statistics.median(turn.per_second for turn in turns[kind, number])
            figures[f"{kind}_{number}_per_s"] = round(rates[kind])
            latencies = [latency for turn in turns[kind, number] for latency in turn.latencies_ms]
            figures[f"{kind}_{number}_p50_ms"], figures[f"{kind}_{number}_p99_ms"] = percentiles(latencies)
        # Of turns that followed each other: what else the machine did meanwhile fell on both.
        pairs = zip(turns["lookup", number], turns["fixed", number], strict=True)
        ratios.append(round(statistics.median(one.per_second / other.per_second for one, other in pairs), 2))
        figures[f"ratio_{number}"] = ratios[-1]
    return {**figures, "ratio_to_fixed_body": min(ratios)}


def percentiles(latencies_ms: Sequence[float]) -> tuple[float, float]:
    in_order = sorted(latencies_ms)
    return round(in_order[len(in_order) // 2], 2), round(in_order[len(in_order) * 99 // 100], 2)


def _demand_entries(store: Store, answered: int) -> None:
    """Every answer has its entry: what is measured is the read as it is promised."""
    with store.read() as conn:
        query = select(func.count()).select_from(entries).where(entries.c.action == Action.ENTITY_READ.value)
        written = conn.execute(query).scalar_one()
    if written < answered:
        raise AssertionError(f"{answered} lookups were answered and {written} are in the log")


@contextmanager
def installed(
    settings: Settings, postgres: bool, entities: int, seed: int, told: Callable[[str], None]
) -> Iterator[tuple[Store, Access, list[str]]]:
    """A running gateway with entities, a system that may read and deliver, and codes to ask about."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xinqiao-bench-")))
        own = Settings(home=home, port=0, workers=settings.workers, threads=settings.threads)
        if postgres:
            named = settings.database_url
            server = make_url(named) if named else stack.enter_context(running_postgres(recommended()))
            url = stack.enter_context(database(server, "xinqiao_bench_access"))
            own = replace(own, database_url=url.render_as_string(hide_password=False))
        told(f"landing {entities:,} entities")
        initialise(own, utc_now())
        store = stack.enter_context(open_home(own))
        for record_type in RECORD_TYPES_MEASURED:
            _land(store, record_type, entities, seed)
        certificate, key = _admit(store)
        codes = _codes(store, seed)
        running = stack.enter_context(start(own, _APP))
        access = Access(running.url, pki_files(own).trust, certificate, key)
        _copy_one_answer(running, access, codes[0], home)
        yield store, access, codes


def _land(store: Store, record_type: str, rows: int, seed: int) -> None:
    frame = RECORD_TYPES_MEASURED[record_type](rows, seed)
    spec = bench_spec(record_type, [name for name in frame.columns if not name.startswith("_")])
    content = frame.select(pl.exclude("_row", "_op")).write_csv().encode("gb18030")
    part = Vault(store.settings.home).keep("bench.csv", "text/csv", [content])
    delivery = Delivery(spec.source, (part,), "bench", utc_now())
    pipeline.deliver(store, pipeline.receive(store, delivery, spec), spec, utc_now())


def _admit(store: Store) -> tuple[Path, Path]:
    """A system with a certificate and two grants: named columns with a masked name, and a whole payload with masks."""
    now = utc_now()
    with store.write() as conn:
        register(conn, _SYSTEM, "测速系统", "bench", now)
        issued = issue_certificate(conn, open_issuing(store.settings), _SYSTEM, "bench", now)
        for record_type, columns in _GRANTED.items():
            given = new_grant(
                system_urn=_SYSTEM.urn,
                record_type=record_type,
                columns=columns,
                purpose=_PURPOSE,
                legal_basis="测速",
                valid_from=date.today() - timedelta(days=1),
                valid_until=date.today() + timedelta(days=30),
                given_by="bench",
                now=now,
            )
            give(conn, given, now)
    if issued.key is None:
        raise AssertionError("a certificate without a CSR comes with its key")
    certificate, key = store.settings.home / "client.pem", store.settings.home / "client.key"
    write_whole(certificate, issued.pem)
    save_key(key, issued.key)
    return certificate, key


_GRANTED: dict[str, Any] = {
    "registration": ("name", "uscc", "status_code", "legal_representative", "address", "region_code"),
    "licence": WHOLE,
}


def _codes(store: Store, seed: int) -> list[str]:
    versions = versions_table("licence")
    with store.read() as conn:
        found = conn.execute(select(versions.c.uscc).where(versions.c.uscc.is_not(None)).distinct()).scalars().all()
    return random.Random(seed).sample(sorted(found), min(_ASKED, len(found)))  # noqa: S311 - no secret


def _copy_one_answer(server: ServerProcess, access: Access, code: str, home: Path) -> None:
    with client(server.url, access.ca, access.certificate, access.key) as own:
        answer = own.get(f"/v1/entities/{code}", headers={"Xinqiao-Purpose": _PURPOSE})
    if answer.status_code != 200 or "*" not in answer.text:
        raise AssertionError(f"a picture with something masked was expected: {answer.text[:500]}")
    write_whole(fixed_body(home), answer.content)
