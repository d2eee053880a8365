"""What staging asks of the memory, chunk by chunk, and what it leaves for the next delivery."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import polars as pl
import structlog
from sqlalchemy import Connection, select

from connectors.delivery import Mapped
from connectors.spec import SourceSpec
from gateway.remembered.files import UnusableError, shelf_of, shelves_of
from gateway.remembered.recall import is_remembered, last_landed, recall, touched
from gateway.remembered.rows import FOUND, Recogniser, row_digests, rows_to_keep
from gateway.sealing import load_sealer
from gateway.steps import Judged
from gateway.store import Store
from gateway.store.tables import deliveries
from schemas.columnar import contract

log = structlog.get_logger(__name__)

_RECOGNISERS = 2
"""Kept by a process: staging goes through one delivery after the other."""


@dataclass(frozen=True)
class Seen:
    """A mapped chunk held against what its source said last.

    Attributes:
        digests: of its rows, in their order; None where the source's rows cannot be recognised.
        found: rows that say exactly what was said before; columns of ``rows.FOUND``.
    """

    digests: pl.Series | None
    found: pl.DataFrame


def hold_against(store: Store, delivery_id: str, memory: str, mapped: Mapped, spec: SourceSpec) -> Seen:
    """Find the rows of a chunk that need not be judged.

    Args:
        delivery_id: of the delivery that is staged.
        memory: of which delivery's rows; empty for none.
    """
    nothing = pl.DataFrame(schema=FOUND)
    if not is_remembered(spec):
        return Seen(None, nothing)
    digests = row_digests(mapped.frame, load_sealer(store.settings.home), spec.source)
    recogniser = _RECOGNISING.of(store, delivery_id, memory, spec) if memory else None
    if recogniser is None:
        return Seen(digests, nothing)
    try:
        return Seen(digests, recogniser.find(mapped, digests))
    except UnusableError as error:
        log.warning("memory not usable", source=spec.source, delivery_id=memory, reason=str(error))
        return Seen(digests, nothing)


def to_keep(seen: Seen, judged: Judged, staged: pl.DataFrame, spec: SourceSpec, part: int) -> pl.DataFrame | None:
    """What is to be remembered of a chunk; None where the source's rows cannot be recognised."""
    uscc = contract(spec.record_type).subject.uscc
    if seen.digests is None or uscc is None:
        return None
    return rows_to_keep(judged, staged, seen.found, seen.digests, uscc, part)


def keep_chunk(store: Store, spec: SourceSpec, delivery_id: str, part: int, chunk: int, rows: pl.DataFrame) -> None:
    """Write what is remembered of a chunk, by whoever staged it: hashes of personal rows differ between two who try."""
    shelf = shelf_of(store.settings.home, load_sealer(store.settings.home), spec.source, delivery_id)
    try:
        shelf.write_rows(part, chunk, rows)
    except OSError as error:
        # What an attempt by other rules may have left under that name must not be taken for it: landing finds nothing,
        # and the delivery is not remembered.
        shelf.forget()
        log.warning("chunk not remembered", source=spec.source, delivery_id=delivery_id, reason=str(error))


def forget_delivery(store: Store, source: str, delivery_id: str) -> None:
    """Remove what is remembered of one delivery: it was refused, repeats another or is not sure any more."""
    shelf_of(store.settings.home, load_sealer(store.settings.home), source, delivery_id).forget()


def tidy(store: Store, spec: SourceSpec) -> None:
    """Remove what is remembered of settled deliveries, except of the one that later ones are held against."""
    home = store.settings.home
    shelves = {shelf.folder.name: shelf for shelf in shelves_of(home, load_sealer(home), spec.source)}
    if not shelves:
        return
    with store.read() as conn:
        last = last_landed(conn, spec, list(shelves))
        waiting = select(deliveries.c.id).where(deliveries.c.id.in_(shelves), deliveries.c.status == "received")
        kept = {*conn.execute(waiting).scalars(), *([last.id] if last else [])}
    for name in shelves.keys() - kept:
        shelves[name].forget()


class _Recognising:
    """The recognisers of a process, so that neighbouring chunks find the memory open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, ...], Recogniser | None] = OrderedDict()

    def of(self, store: Store, delivery_id: str, memory: str, spec: SourceSpec) -> Recogniser | None:
        name = (str(store.settings.home), spec.source, memory, delivery_id)
        with self._lock:
            if name not in self._kept:
                with store.read() as conn:
                    self._kept[name] = _recogniser(conn, store, memory, spec)
                while len(self._kept) > _RECOGNISERS:
                    self._kept.popitem(last=False)
            return self._kept[name]


_RECOGNISING = _Recognising()


def _recogniser(conn: Connection, store: Store, memory: str, spec: SourceSpec) -> Recogniser | None:
    found = recall(conn, store, spec)
    if found is None or found.manifest.delivery_id != memory:
        return None
    try:
        return Recogniser(found, touched(conn, found, spec))
    except UnusableError as error:
        log.warning("memory not usable", source=spec.source, delivery_id=memory, reason=str(error))
        return None
