"""Sealing: entries get their place in the log, the tree grows, a checkpoint is signed.

The order makes a crash harmless: tiles first (covered by no checkpoint yet), then the
database, then the checkpoint file. Whatever was cut off, the next seal does again.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any

import structlog
from sqlalchemy import BigInteger, Connection, Row, Update, bindparam, exists, func, select, update

from certs.keys import write_whole
from gateway.audit.files import log_folder, write_tiles
from gateway.audit.keys import load_signer, load_verifier
from gateway.audit.notes import Checkpoint, open_checkpoint, sign_checkpoint
from gateway.audit.tables import append, entries, seal_state
from gateway.audit.tiles import WIDTH, Edge, bundles, unpack_edge
from gateway.clock import instant, utc_now
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.dialect import insert_missing_row

__all__ = ["Sealer", "append", "current_checkpoint", "publishing", "seal"]

_BATCH = 256 * WIDTH
"""Entries sealed in one transaction, so that a long backlog needs little memory."""

# Made once: making a statement costs as much again as executing it.
_NOTE = select(seal_state.c.checkpoint)
_WORK = select(exists().where(entries.c.idx.is_(None)), _NOTE.scalar_subquery())
_HELD = select(seal_state).with_for_update()
_FROM_PLACE = (
    select(entries.c.idx, entries.c.leaf_hash, entries.c.body)
    .where(entries.c.idx >= bindparam("place"))
    .order_by(entries.c.idx)
)
_SEALING = update(seal_state)

log = structlog.get_logger(__name__)


def seal(store: Store, now: datetime, *, is_needed: bool = False) -> Checkpoint:
    """Number every committed entry, extend the tree and publish a signed checkpoint.

    Safe to call from any number of threads and processes; costs nothing when nothing is new.

    Args:
        is_needed: the caller has just committed an entry; whether there is any need not be asked.

    Raises:
        certs.errors.KeyUnusable: the home has no log key, or it cannot be opened here.
    """
    if is_needed or _work_to_do(store):
        # What commits while a batch is sealed is sealed by whoever committed it; only a full batch leaves more.
        while _seal_batch(store, now) == _BATCH:
            pass
    return _publish(store)


def current_checkpoint(store: Store) -> Checkpoint | None:
    """The newest signed checkpoint; None before the first seal.

    Raises:
        gateway.audit.notes.NoteError: it was altered.
    """
    with store.ask() as conn:
        note = conn.execute(_NOTE).scalar_one_or_none()
    return None if not note else open_checkpoint(note, load_verifier(store.settings))


def _work_to_do(store: Store) -> bool:
    """Look without a lock, so that an idle sealer never stands in a writer's way."""
    with store.ask() as conn:
        asked = conn.execute(_WORK).one()
    return bool(asked[0]) or not asked[1]


def _seal_batch(store: Store, now: datetime) -> int:
    """Seal at most ``_BATCH`` of the entries that have been committed; returns how many it were."""
    with store.write() as conn:
        state = _held_state(conn, now)
        edge = unpack_edge(state.size, state.edge)
        numbered = _number_entries(conn, edge.size)
        # Another sealer may have had the row while this one waited, and have sealed what it came for.
        if numbered or not state.checkpoint:
            _extend(conn, store.settings, edge, now)
    return numbered


def _held_state(conn: Connection, now: datetime) -> Row[Any]:
    """The state of the log, locked: one sealer at a time. SQLite has one writer, PostgreSQL waits for the row."""
    state = conn.execute(_HELD).one_or_none()
    if state is None:
        start = {"id": 1, "size": 0, "edge": b"", "checkpoint": "", "sealed_at": instant(now)}
        insert_missing_row(conn, seal_state, start)
        state = conn.execute(_HELD).one()
    return state


def _extend(conn: Connection, settings: Settings, edge: Edge, now: datetime) -> None:
    bundle_start = edge.size - edge.size % WIDTH
    rows = conn.execute(_FROM_PLACE, {"place": bundle_start}).all()
    extended, tiles = edge.extend([row.leaf_hash for row in rows if row.idx >= edge.size])
    if extended.size > edge.size:
        tiles.update(bundles(bundle_start // WIDTH, [row.body for row in rows]))
    write_tiles(log_folder(settings), tiles, committed=edge.size)
    checkpoint = sign_checkpoint(load_signer(settings), extended.size, extended.root())
    sealed = {"size": extended.size, "edge": extended.pack(), "checkpoint": checkpoint.note, "sealed_at": instant(now)}
    conn.execute(_SEALING, sealed)


def _number_entries(conn: Connection, size: int) -> int:
    """Give the next places to committed entries in order of id; returns to how many.

    One statement sees one state, so an entry that commits meanwhile simply waits for the
    next seal, even if its id is lower.
    """
    return conn.execute(_numbering(_BATCH), {"before": size - 1}).rowcount


@lru_cache
def _numbering(most: int) -> Update:
    waiting = (
        select(entries.c.id, func.row_number().over(order_by=entries.c.id).label("place"))
        .where(entries.c.idx.is_(None))
        .order_by(entries.c.id)
        .limit(most)
        .subquery()
    )
    before = bindparam("before", type_=BigInteger)
    return update(entries).where(entries.c.id == waiting.c.id).values(idx=before + waiting.c.place)


def _publish(store: Store) -> Checkpoint:
    """Bring the checkpoint file up to the database, also after a crash between the two."""
    folder = log_folder(store.settings)
    path = folder / "checkpoint"
    verifier = load_verifier(store.settings)
    with publishing(store.settings), store.ask() as conn:
        note: str = conn.execute(_NOTE).scalar_one()
        # Cosignatures of witnesses stand below the log's own and stay.
        if not path.exists() or not path.read_text("utf-8").startswith(note):
            # What a power cut takes back is written again, from the database.
            write_whole(path, note.encode(), syncs_folder=False)
    return open_checkpoint(note, verifier)


@contextmanager
def publishing(settings: Settings) -> Iterator[None]:
    """Hold what is published: two processes that seal in turn must not publish in the opposite order."""
    log_folder(settings).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(settings.home / "log" / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Sealer(threading.Thread):
    """Seals every second beside a running server.

    A seal that fails is logged and tried again; entries wait in the database meanwhile.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now, every_s: float = 1.0) -> None:
        super().__init__(name="audit-sealer", daemon=True)
        self._store, self._clock, self._every_s = store, clock, every_s
        self._stopping = threading.Event()

    def run(self) -> None:
        """Seal until stopped, and once more at the end."""
        while not self._stopping.wait(self._every_s):
            self._seal()
        self._seal()

    def stop(self, timeout_s: float = 30.0) -> None:
        """Seal what is left and end the thread."""
        self._stopping.set()
        self.join(timeout_s)

    def _seal(self) -> None:
        try:
            seal(self._store, self._clock())
        # The edge of a thread: what is not caught here would end sealing unseen.
        except Exception:
            log.exception("seal failed")
