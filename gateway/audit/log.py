"""Sealing: entries get their place in the log, the tree grows, a checkpoint is signed.

The order makes a crash harmless: tiles first (covered by no checkpoint yet), then the
database, then the checkpoint file. Whatever was cut off, the next seal does again.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import BigInteger, Connection, Engine, Row, bindparam, exists, func, select, update
from sqlalchemy.sql.dml import ReturningUpdate

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

__all__ = ["Published", "Sealer", "append", "current_checkpoint", "publishing", "seal", "seal_committed"]

_BATCH = 256 * WIDTH
"""Entries sealed in one transaction, so that a long backlog needs little memory."""

# Made once: making a statement costs as much again as executing it.
_NOTE = select(seal_state.c.checkpoint)
_WORK = select(exists().where(entries.c.idx.is_(None)), _NOTE.scalar_subquery())
_HELD = select(seal_state).with_for_update()
_BETWEEN = (
    select(entries.c.body)
    .where(entries.c.idx >= bindparam("first"), entries.c.idx < bindparam("end"))
    .order_by(entries.c.idx)
)
_SEALING = update(seal_state)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Published:
    """What a seal came to.

    Attributes:
        checkpoint: the newest.
        numbered: id of an entry -> its place in the log and its body, of entries that this very seal numbered last.
    """

    checkpoint: Checkpoint
    numbered: Mapping[int, tuple[int, bytes]]


@dataclass(frozen=True)
class _Sealed:
    """A batch that was sealed and is not published yet.

    Attributes:
        numbered: id, place, leaf hash and body of its entries, in order.
        replaced: the signed note before it.
        checkpoint: over it; None where others had sealed everything.
    """

    numbered: Sequence[Row[Any]]
    replaced: str
    checkpoint: Checkpoint | None


def seal(store: Store, now: datetime) -> Checkpoint:
    """Number every committed entry, extend the tree and publish a signed checkpoint.

    Safe to call from any number of threads and processes; costs nothing when nothing is new.

    Raises:
        certs.errors.KeyUnusable: the home has no log key, or it cannot be opened here.
    """
    return seal_committed(store, now).checkpoint if _work_to_do(store) else _publish(store, None)


def seal_committed(store: Store, now: datetime) -> Published:
    """The same for a caller who has just committed an entry: whether there is any need is not asked."""
    sealed = _seal_batch(store, now)
    # What commits while a batch is sealed is sealed by whoever committed it; only a full batch leaves more.
    while len(sealed.numbered) == _BATCH:
        sealed = _seal_batch(store, now)
    return Published(_publish(store, sealed), {row.id: (row.idx, row.body) for row in sealed.numbered})


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


def _seal_batch(store: Store, now: datetime) -> _Sealed:
    """Seal at most ``_BATCH`` of the entries that have been committed."""
    with store.write() as conn:
        state = _held_state(conn, now)
        edge = unpack_edge(state.size, state.edge)
        numbered = _number_entries(conn, edge.size)
        # Another sealer may have had the row while this one waited, and have sealed what it came for.
        is_new = bool(numbered) or not state.checkpoint
        checkpoint = _extend(conn, store, edge, numbered, now) if is_new else None
    return _Sealed(numbered, state.checkpoint, checkpoint)


def _held_state(conn: Connection, now: datetime) -> Row[Any]:
    """The state of the log, locked: one sealer at a time. SQLite has one writer, PostgreSQL waits for the row."""
    state = conn.execute(_HELD).one_or_none()
    if state is None:
        start = {"id": 1, "size": 0, "edge": b"", "checkpoint": "", "sealed_at": instant(now)}
        insert_missing_row(conn, seal_state, start)
        state = conn.execute(_HELD).one()
    return state


def _extend(conn: Connection, store: Store, edge: Edge, numbered: Sequence[Row[Any]], now: datetime) -> Checkpoint:
    extended, tiles = edge.extend([row.leaf_hash for row in numbered])
    if numbered:
        bodies = [*_unfilled(conn, store, edge), *(row.body for row in numbered)]
        tiles.update(bundles(edge.size // WIDTH, bodies))
        _UNFILLED[store.engine] = extended, bodies[len(bodies) - extended.size % WIDTH :]
    write_tiles(log_folder(store.settings), tiles, committed=edge.size)
    checkpoint = sign_checkpoint(load_signer(store.settings), extended.size, extended.root())
    sealed = {"size": extended.size, "edge": extended.pack(), "checkpoint": checkpoint.note, "sealed_at": instant(now)}
    conn.execute(_SEALING, sealed)
    return checkpoint


_UNFILLED: WeakKeyDictionary[Engine, tuple[Edge, Sequence[bytes]]] = WeakKeyDictionary()
"""The entries of the last bundle as this process sealed it. Its edge holds their hashes: where the log has the same
one, whoever sealed it, these are its entries; after a rollback or in a database that was put back it has another."""


def _unfilled(conn: Connection, store: Store, edge: Edge) -> Sequence[bytes]:
    """Bodies of the entries that do not fill a bundle yet; at most 255."""
    kept, bodies = _UNFILLED.get(store.engine, (None, ()))
    if kept == edge:
        return bodies
    first = edge.size - edge.size % WIDTH
    return () if first == edge.size else conn.execute(_BETWEEN, {"first": first, "end": edge.size}).scalars().all()


def _number_entries(conn: Connection, size: int) -> Sequence[Row[Any]]:
    """Give the next places to committed entries in order of id; returns them.

    One statement sees one state, so an entry that commits meanwhile simply waits for the
    next seal, even if its id is lower.
    """
    return sorted(conn.execute(_numbering(_BATCH), {"before": size - 1}).all(), key=attrgetter("idx"))


@lru_cache
def _numbering(most: int) -> ReturningUpdate[Any]:
    waiting = (
        select(entries.c.id, func.row_number().over(order_by=entries.c.id).label("place"))
        .where(entries.c.idx.is_(None))
        .order_by(entries.c.id)
        .limit(most)
        .subquery()
    )
    before = bindparam("before", type_=BigInteger)
    numbering = update(entries).where(entries.c.id == waiting.c.id).values(idx=before + waiting.c.place)
    return numbering.returning(entries.c.id, entries.c.idx, entries.c.leaf_hash, entries.c.body)


def _publish(store: Store, sealed: _Sealed | None) -> Checkpoint:
    """Bring the checkpoint file up to the database, also after a crash between the two.

    Args:
        sealed: by this seal, if it was.
    """
    path = log_folder(store.settings) / "checkpoint"
    with publishing(store.settings):
        # Cosignatures of witnesses stand below the log's own and stay.
        filed = _filed(path)
        if sealed and sealed.checkpoint and sealed.replaced and filed.startswith(sealed.replaced):
            # Nobody has published since, so what is newer than this, if anything, is published after it.
            _file(path, sealed.checkpoint.note)
            return sealed.checkpoint
        with store.ask() as conn:
            note: str = conn.execute(_NOTE).scalar_one()
        if not filed.startswith(note):
            _file(path, note)
    return open_checkpoint(note, load_verifier(store.settings))


def _filed(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""


def _file(path: Path, note: str) -> None:
    # What a power cut takes back is written again, from the database.
    write_whole(path, note.encode(), syncs_folder=False)


@contextmanager
def publishing(settings: Settings) -> Iterator[None]:
    """Hold what is published: two processes that seal in turn must not publish in the opposite order."""
    folder = log_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
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
