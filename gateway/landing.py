"""Landing one staged delivery: versions, entity tables, quarantine and the two Merkle roots of its audit entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
from sqlalchemy import Column, Connection, FromClause, LargeBinary, Table

from connectors.durable import beside
from connectors.spec import SourceSpec
from gateway import quarantine
from gateway.audit.leaves import keep_leaves
from gateway.audit.roots import GrowingTree, version_leaf_hashes
from gateway.entities import learn
from gateway.expect import check_delivery, check_withdrawals
from gateway.judge import RECORD_KEY, conflict_faults
from gateway.remembered.files import Memory
from gateway.remembered.landing import StaleError, Unchanged, noted, remember, restage, weigh
from gateway.repetitions import Repetitions, take_out
from gateway.sealing import load_sealer
from gateway.steps import Judged, Landed, Taught
from gateway.store import Store, dialect
from gateway.store.landing import Change, Position, Staged, land, standing
from gateway.store.stage import DIGEST, PUT, ROW_BITS, WITHDRAW, lesson_columns, puts_of, stage_of
from gateway.tally import Tally
from schemas.columnar import contract
from schemas.judgement import ROW

_AHEAD = 2
"""Pieces that may wait to be hashed while the database takes in rows; more would only fill memory."""


@dataclass(frozen=True)
class Waiting:
    """A delivery all of whose rows are staged.

    Attributes:
        rows: its stage.
        tally: what its chunks count together.
        digests: columns of ``stage.DIGEST``, a chunk at a time, in order; may be asked from any thread.
        rejected: puts the rows that were rejected when they were judged into quarantine.
        memory: of which recognised rows are a part, if there are any: they are in the digests and not in the stage.
        chunks: part and number of each chunk of which something is remembered, in order.
        again: given numbers ``ord`` of rows, judges the chunks that hold them once more: part, rows of the
            delivery before that part, and the judged chunk.
        findable: see ``gateway.awaited.findable_by``.
        fits: see ``gateway.entities.fits_its_row``.
    """

    rows: FromClause
    tally: Tally
    digests: Callable[[], Iterable[pl.DataFrame]]
    rejected: Callable[[Connection], None]
    again: Callable[[pl.Series], Iterable[tuple[int, int, Judged]]]
    memory: Memory | None = None
    chunks: Sequence[tuple[int, int]] = ()
    findable: frozenset[str] | None = None
    fits: bool = False

    @property
    def are_few(self) -> bool:
        """Whether its accepted rows are at most ``dialect.FEW``."""
        return self.tally.puts + self.tally.withdrawals <= dialect.FEW


def land_waiting(
    conn: Connection,
    store: Store,
    position: Position,
    waiting: Waiting,
    spec: SourceSpec,
    delivery_id: str,
    is_partial: bool,
) -> tuple[Tally, Landed]:
    """Land a staged delivery inside the caller's transaction.

    Args:
        is_partial: rows out of quarantine and links are single statements, never a new snapshot of everything.

    Returns:
        what was counted, with the findings of the whole, and what was landed.

    Raises:
        ExpectationFailed: not as the source promised, or a snapshot would withdraw too much; the caller's
            transaction must not commit.
        StaleError: recognised rows are not sure to be unchanged any more; nor must it then.
    """
    home = store.settings.home
    is_snapshot = spec.delivery == "snapshot"
    withdraws = is_snapshot and not is_partial
    unchanged = _unchanged(conn, waiting, spec, delivery_id, withdraws=withdraws)
    taken = take_out(conn, waiting.rows, is_snapshot=is_snapshot, sealer=load_sealer(home))
    tally = _without(waiting.tally, taken)
    if not is_partial:
        tally = replace(tally, findings=(*tally.findings, *check_delivery(tally, spec)))
    waiting.rejected(conn)
    _quarantine_contested(conn, store, waiting, taken, spec, delivery_id)
    gone = taken.gone.implode() if taken else None
    # Readers may wait from the landing to the end of the transaction, so what takes long comes before it.
    note = noted(store, spec, delivery_id, waiting.chunks)

    def digests() -> Iterator[pl.DataFrame]:
        if gone is None:
            return iter(waiting.digests())
        return (chunk.select(DIGEST).filter(~pl.col("ord").is_in(gone)) for chunk in waiting.digests())

    # Hashing is ours and writing is the database's: they go on side by side.
    with _unseen(conn, unchanged) as unseen, hashing(home, delivery_id, digests, are_few=waiting.are_few) as roots:
        taught: list[Taught] = []
        stood = standing(conn, spec.record_type, spec.source) if withdraws else 0
        change = land(
            conn,
            position,
            Staged(waiting.rows, digests, tally.puts, tally.withdrawals, unseen, has_unchanged=unchanged is not None),
            source=spec.source,
            delivery_id=delivery_id,
            is_snapshot=withdraws,
            told=roots.add,
            lessons=lesson_columns(spec.record_type),
            taught=lambda said: taught.append(
                learn(conn, spec.record_type, said, spec.authority, position.landed_at, fits=waiting.fits)
            ),
        )
        if withdraws:
            check_withdrawals(change.withdrawn, stood, spec)
        landed = summed(change, roots.accepted(), roots.versions(), position, tally.unresolved)
        landed = replace(landed, taught=max(taught, default=Taught.NOTHING))
        if note is not None:
            remember(conn, store, spec, delivery_id, note, taken.gone, landed.accepted_root)
        return tally, landed


def _unchanged(
    conn: Connection, waiting: Waiting, spec: SourceSpec, delivery_id: str, *, withdraws: bool
) -> Unchanged | None:
    """What recognised rows come to; those of whose record another row speaks too are put into the stage."""
    if waiting.memory is None:
        return None
    try:
        unchanged = weigh(conn, waiting.memory, waiting.digests, spec, withdraws=withdraws)
        if unchanged is not None:
            restage(conn, spec.record_type, stage_of(conn, spec.record_type, delivery_id).rows, unchanged.recalled)
    except StaleError:
        # Whoever stages the delivery anew must not meet it again.
        waiting.memory.shelf.forget()
        raise
    return unchanged


@contextmanager
def _unseen(conn: Connection, unchanged: Unchanged | None) -> Iterator[Table | None]:
    """The records that no row speaks of, where it is known which these may be."""
    if unchanged is None:
        yield None
        return
    with dialect.temporary(conn, "unseen", [Column(RECORD_KEY, LargeBinary, primary_key=True)]) as table:
        dialect.bulk_load(conn, table, unchanged.unseen.to_frame(RECORD_KEY))
        yield table


def _without(tally: Tally, taken: Repetitions) -> Tally:
    if not taken:
        return tally
    return replace(
        tally,
        rejected=tally.rejected + taken.contested.height,
        duplicates=taken.repeated.height,
        puts=tally.puts - taken.count(PUT),
        withdrawals=tally.withdrawals - taken.count(WITHDRAW),
        unresolved=tally.unresolved - taken.unresolved,
    )


def _quarantine_contested(
    conn: Connection, store: Store, waiting: Waiting, taken: Repetitions, spec: SourceSpec, delivery_id: str
) -> None:
    """Rows that contradict each other are only known now; their text is read once more from the kept bytes."""
    if taken.contested.is_empty():
        return
    places = taken.contested.with_columns(
        part=pl.col("ord") // (1 << ROW_BITS),
        row=(pl.col("ord") % (1 << ROW_BITS)).cast(pl.UInt32),
    )
    again = list(waiting.again(taken.contested["ord"]))
    before = {part: rows_before for part, rows_before, _ in again}
    numbers = places.with_columns(number=pl.col("row") + pl.col("part").replace_strict(before, return_dtype=pl.Int64))
    where = {
        key: "、".join(map(str, sorted(group))) for key, group in numbers.group_by(RECORD_KEY).agg("number").iter_rows()
    }
    for part, rows_before, judged in again:
        mine = places.filter(pl.col("part") == part)["row"]
        rows = judged.accepted.filter(pl.col(ROW).is_in(mine.implode()))
        doubtful = replace(judged, faults=conflict_faults(rows, where, contract(spec.record_type)))
        quarantine.keep(conn, quarantine.prepare(store, doubtful, spec, delivery_id, part, rows_before))


class Roots:
    """The two Merkle roots of a landing, computed beside it."""

    def __init__(self, hasher: ThreadPoolExecutor, accepted: Future[bytes]) -> None:
        self._hasher, self._accepted, self._tree = hasher, accepted, GrowingTree()
        self._waiting: list[Future[None]] = []

    def add(self, versions: pl.DataFrame) -> None:
        """Hash versions that were landed, in feed order; waits if too many wait already."""
        if not self._waiting and versions.height <= dialect.FEW:
            # Less than handing them to a thread costs. None wait, so none can be overtaken.
            self._tree.add(version_leaf_hashes(versions))
            return
        self._waiting.append(self._hasher.submit(lambda: self._tree.add(version_leaf_hashes(versions))))
        while len(self._waiting) > _AHEAD:
            self._waiting.pop(0).result()

    def accepted(self) -> bytes:
        """Root over the content hashes of the accepted rows; their file is complete."""
        return self._accepted.result()

    def versions(self) -> bytes:
        """Root over the versions landed."""
        for one in self._waiting:
            one.result()
        return self._tree.root()


@contextmanager
def hashing(
    home: Path, delivery_id: str, digests: Callable[[], Iterable[pl.DataFrame]], *, are_few: bool = False
) -> Iterator[Roots]:
    """Threads that hash what is landed and write the file of accepted hashes.

    Args:
        are_few: at most ``dialect.FEW`` rows; no thread is started for them.
    """

    def leaves() -> Iterator[Sequence[bytes]]:
        return (puts_of(chunk)["content_hash"].to_list() for chunk in digests())

    def keep() -> bytes:
        return keep_leaves(home, delivery_id, leaves())

    with ThreadPoolExecutor(1) as aside, ThreadPoolExecutor(1) as hasher:
        accepted = beside(keep) if are_few else aside.submit(keep)
        try:
            yield Roots(hasher, accepted)
        finally:
            wait([accepted])


def summed(change: Change, accepted: bytes, versions: bytes, position: Position, unresolved: int) -> Landed:
    """What a landing came to, with the two roots that its audit entry carries."""
    return Landed(
        new=change.new,
        changed=change.changed,
        unchanged=change.unchanged,
        withdrawn=change.withdrawn,
        absent=change.absent,
        unresolved=unresolved,
        first_seq=change.first_seq,
        last_seq=change.last_seq,
        accepted_root=accepted.hex(),
        versions_root=versions.hex(),
        landed_at=position.landed_at,
    )
