"""The one way through, as code: receive → decode → map → validate → resolve → stage → land → feed.

There is one pipeline: a delivery of one row and a delivery of ten million take these same steps. What fits into one
chunk is staged inside the transaction that lands it; what does not is staged chunk by chunk before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection

from connectors.decode import Piece, decode_chunks
from connectors.delivery import Delivery, Mapped
from connectors.errors import ExpectationFailed, Refused, SignatureRefused, SourceChanged, Undecodable
from connectors.mapping import map_sheet
from connectors.spec import SourceSpec
from gateway import deliveries, quarantine
from gateway.audit.log import seal, seal_committed
from gateway.awaited import findable_by, made_good
from gateway.clock import instant
from gateway.entities import fits_its_row
from gateway.landing import Waiting, land_waiting
from gateway.linking import Since, link_waiting
from gateway.parts import CHUNK_ROWS, SMALL_BYTES, is_staged, judged_chunk, plan_parts, stage_part, staged_rows, waiting
from gateway.receipts import proven, refusal, with_proof, write_receipt
from gateway.remembered.landing import StaleError
from gateway.remembered.staging import forget_delivery, tidy
from gateway.signatures.admission import Presented, admit, demand_admitted
from gateway.staging_processes import staging_processes
from gateway.steps import Landed
from gateway.store import Store
from gateway.store.landing import hold_feed
from gateway.store.stage import DIGEST, discard, temporary_rows

__all__ = ["STOPPED", "deliver", "land", "land_staged", "plan_parts", "receive", "refusing", "repeat", "stage_part"]

log = structlog.get_logger(__name__)

STOPPED = (Undecodable, SourceChanged, ExpectationFailed, SignatureRefused)
"""What stops a whole delivery: its bytes are kept, the agency is told, nothing is landed."""

Also = Callable[[Connection, Landed], None]
"""Something done in the transaction of a landing, after it."""


def receive(store: Store, delivery: Delivery, spec: SourceSpec, signature: Presented | None = None) -> str:
    """Register a delivery whose bytes are in the vault; returns its id.

    Raises:
        SignatureRefused: see ``gateway/signatures/admission.py``; the refusal is in the log.
    """
    return admit(store, delivery, spec, signature)


def deliver(
    store: Store, delivery_id: str, spec: SourceSpec, now: datetime, processes: int | None = None
) -> dict[str, Any]:
    """Take a registered delivery all the way; the same delivery again gets the original receipt.

    Args:
        processes: that stage a large delivery, this one included; None leaves that to the settings.

    Returns:
        the receipt, with its proof of inclusion in the audit log; only after the landing is committed.

    Raises:
        Undecodable, SourceChanged, ExpectationFailed: nothing was landed; the refusal is in the log.
        SignatureRefused: it was refused when it was received.
        Refused: the kept bytes are gone or altered; the delivery stays received.
        Unavailable: a process that staged was ended; what is staged is not done twice when it is delivered again.
    """
    with store.read() as conn:
        row, again = deliveries.row_and_original(conn, delivery_id, spec)
    demand_admitted(row, spec)
    delivery = deliveries.registered(row, store.settings.home)
    if again is not None:
        return repeat(store, delivery_id, again.id, spec, now)
    deliveries.check_bytes(delivery)
    with refusing(store, delivery_id, spec, now):
        only = _only_chunk(delivery, spec, store.settings.max_unpacked_bytes)
        if only is not None:
            return land(store, delivery_id, only, spec, now)
        try:
            return _stage_and_land(store, delivery_id, delivery, spec, now, processes)
        except StaleError as error:
            # What rows were held against is not sure any more, or the stage was emptied.
            log.warning("staged anew", source=spec.source, delivery_id=delivery_id, reason=str(error))
        try:
            return _stage_and_land(store, delivery_id, delivery, spec, now, processes, with_memory=False)
        except StaleError as error:
            raise _not_staged(delivery_id) from error


def _stage_and_land(
    store: Store,
    delivery_id: str,
    delivery: Delivery,
    spec: SourceSpec,
    now: datetime,
    processes: int | None,
    *,
    with_memory: bool = True,
) -> dict[str, Any]:
    parts = plan_parts(store, delivery_id, spec)
    with staging_processes(store, delivery, spec, processes) as hand_over:
        for part in parts:
            stage_part(store, delivery_id, part, spec, hand_over, with_memory=with_memory)
    return _land_parts(store, delivery_id, parts, spec, now)


def _only_chunk(delivery: Delivery, spec: SourceSpec, max_unpacked_bytes: int) -> Mapped | None:
    """A delivery of few rows, mapped; None of one that is more than one chunk."""
    if delivery.size > SMALL_BYTES:
        return None
    sheets = decode_chunks(delivery, spec, max_unpacked_bytes, CHUNK_ROWS)
    first, second = next(sheets), next(sheets, None)
    return map_sheet(first, spec) if second is None else None


@contextmanager
def refusing(store: Store, delivery_id: str, spec: SourceSpec, now: datetime) -> Iterator[None]:
    """What stops a delivery is written down, and nothing of it is left staged."""
    try:
        yield
    except STOPPED as error:
        with store.write() as conn:
            discard(conn, spec.record_type, delivery_id)
        forget_delivery(store, spec.source, delivery_id)
        refusal(store, delivery_id, error, now)
        raise


def land(
    store: Store, delivery_id: str, mapped: Mapped, spec: SourceSpec, now: datetime, then: Also | None = None
) -> dict[str, Any]:
    """Land a delivery of one chunk: judged before, staged inside the transaction that lands it.

    Args:
        then: done in the same transaction, after the landing.

    Raises:
        ExpectationFailed: nothing was landed.
    """
    judged, counted = judged_chunk(store, mapped, spec)
    rejected = quarantine.prepare(store, judged, spec, delivery_id)

    @contextmanager
    def staged(conn: Connection) -> Iterator[Waiting]:
        rows, tally = staged_rows(conn, store, judged, counted, spec)
        digest = rows.select(DIGEST)
        with temporary_rows(conn, spec.record_type, rows) as table:
            yield Waiting(
                table,
                tally,
                lambda: [digest],
                lambda landing: quarantine.keep(landing, rejected),
                lambda ords: [(0, 0, judged)],
                findable=findable_by(spec.record_type, rows),
                fits=fits_its_row(spec.record_type, rows),
            )

    return _land(store, delivery_id, mapped.sheet.delivery, staged, spec, now, then)


def land_staged(store: Store, delivery_id: str, spec: SourceSpec, now: datetime) -> dict[str, Any]:
    """Land a delivery whose parts are all staged, in one transaction.

    Raises:
        Refused: a part of it is not staged, or no longer, because the database crashed in between or what its rows
            were held against has changed; stage it again.
        ExpectationFailed: nothing was landed; the refusal is in the log.
        SignatureRefused: it was refused when it was received.
    """
    with store.read() as conn:
        row = deliveries.row_of(conn, delivery_id)
    demand_admitted(row, spec)
    deliveries.check_bytes(deliveries.registered(row, store.settings.home))
    with refusing(store, delivery_id, spec, now):
        try:
            return _land_parts(store, delivery_id, plan_parts(store, delivery_id, spec), spec, now)
        except StaleError as error:
            raise _not_staged(delivery_id) from error


def _land_parts(
    store: Store, delivery_id: str, parts: Sequence[Piece], spec: SourceSpec, now: datetime
) -> dict[str, Any]:
    with store.read() as conn:
        delivery = deliveries.load(conn, delivery_id, store.settings.home)

    @contextmanager
    def staged(conn: Connection) -> Iterator[Waiting]:
        if not is_staged(conn, store, delivery_id, parts, spec):
            raise StaleError("not staged as a whole by the rules of now")
        yield waiting(conn, store, delivery_id, delivery, parts, spec)
        discard(conn, spec.record_type, delivery_id)

    return _land(store, delivery_id, delivery, staged, spec, now, None)


def _not_staged(delivery_id: str) -> Refused:
    return Refused(
        f"交付 {delivery_id} 尚未全部暂存，或暂存已失效（数据库崩溃而清空，或同一来源此后另有入库）；"
        "请再运行一次，仍有效的部分不会重做",
        f"delivery {delivery_id} is not staged as a whole, or its stage does not hold any more (emptied by a crash of "
        "the database, or something else of the source has landed since); run it again: what still holds is not done "
        "twice",
        delivery_id=delivery_id,
    )


def _land(
    store: Store,
    delivery_id: str,
    delivery: Delivery,
    staged: Callable[[Connection], Any],
    spec: SourceSpec,
    now: datetime,
    then: Also | None,
) -> dict[str, Any]:
    """Land what is staged in one transaction with its audit entry and its quarantine."""
    with ExitStack() as landing:
        with store.write() as conn:
            position = hold_feed(conn, spec.record_type, instant(now), is_sealed_next=True)
            # Asked again under the lock: the same bytes may have arrived twice at once.
            row, again = deliveries.row_and_original(conn, delivery_id, spec, is_held=True)
            if again is None or delivery.is_partial:
                with staged(conn) as rows:
                    tally, landed = land_waiting(conn, store, position, rows, spec, delivery_id, delivery.is_partial)
                settled = write_receipt(conn, row, tally, landed, spec, now)
                if then is not None:
                    then(conn, landed)
                # From here on: a commit whose answer is lost may have been one.
                landing.enter_context(made_good(store))
        if again is not None and not delivery.is_partial:
            return repeat(store, delivery_id, again.id, spec, now)
        tidy(store, spec)
        sealed = seal_committed(store, now)
        link_waiting(store, spec.record_type, Since(tally, landed, rows.findable), now)
    return with_proof(store, settled, sealed)


def repeat(store: Store, delivery_id: str, original_id: str, spec: SourceSpec, now: datetime) -> dict[str, Any]:
    """Note, once, that a delivery says nothing new, and give back the original's receipt.

    The first time may have been cut off between landing and linking, so linking is done again.
    """
    with store.write() as conn:
        if deliveries.row_of(conn, delivery_id).status not in ("landed", "repeated"):
            discard(conn, spec.record_type, delivery_id)
            deliveries.note_repeat(conn, delivery_id, original_id, now, store.settings.home)
    tidy(store, spec)
    seal(store, now)
    link_waiting(store, spec.record_type, None, now)
    return proven(store, original_id)
