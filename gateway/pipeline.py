"""The one way through, as code: receive → decode → map → validate → resolve → land → feed.

There is one pipeline: a delivery of one row and a delivery of a million take these same steps.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from connectors.decode import decode
from connectors.delivery import Delivery, Mapped
from connectors.errors import ExpectationFailed, SignatureRefused, SourceChanged, Undecodable
from connectors.mapping import map_sheet
from connectors.spec import SourceSpec
from gateway import deliveries, quarantine
from gateway.audit.log import seal
from gateway.clock import instant
from gateway.erasure.listed import screen
from gateway.expect import check_delivery
from gateway.judge import judge
from gateway.landing import land_resolved
from gateway.linking import link_waiting
from gateway.receipts import proven, refusal, write_receipt
from gateway.resolve import resolve
from gateway.signatures.admission import Presented, admit, demand_admitted
from gateway.steps import Landed
from gateway.store import Store
from gateway.store.landing import hold_feed
from schemas.columnar import contract

STOPPED = (Undecodable, SourceChanged, ExpectationFailed, SignatureRefused)
"""What stops a whole delivery: its bytes are kept, the agency is told, nothing is landed."""


def receive(store: Store, delivery: Delivery, spec: SourceSpec, signature: Presented | None = None) -> str:
    """Register a delivery whose bytes are in the vault; returns its id.

    Raises:
        SignatureRefused: see ``gateway/signatures/admission.py``; the refusal is in the log.
    """
    return admit(store, delivery, spec, signature)


def deliver(store: Store, delivery_id: str, spec: SourceSpec, now: datetime) -> dict[str, Any]:
    """Take a registered delivery all the way; the same delivery again gets the original receipt.

    Returns:
        the receipt, with its proof of inclusion in the audit log; only after the landing is committed.

    Raises:
        Undecodable, SourceChanged, ExpectationFailed: nothing was landed; the refusal is in the log.
        SignatureRefused: it was refused when it was received.
        Refused: the kept bytes are gone or altered; the delivery stays received.
    """
    with store.read() as conn:
        delivery = deliveries.load(conn, delivery_id, store.settings.home)
        demand_admitted(conn, delivery_id, spec)
        again = deliveries.original_of(conn, delivery_id, delivery.digest, spec)
    if again is not None:
        return repeat(store, delivery_id, again.id, spec, now)
    deliveries.check_bytes(delivery)
    try:
        mapped = map_sheet(decode(delivery, spec, store.settings.max_unpacked_bytes), spec)
        return land(store, delivery_id, mapped, spec, now)
    except STOPPED as error:
        refusal(store, delivery_id, error, now)
        raise


def land(
    store: Store,
    delivery_id: str,
    mapped: Mapped,
    spec: SourceSpec,
    now: datetime,
    then: Callable[[Connection, Landed], None] | None = None,
) -> dict[str, Any]:
    """Judge, resolve and land mapped rows in one transaction with their audit entry and their quarantine.

    Args:
        then: done in the same transaction, after the landing.

    Raises:
        ExpectationFailed: nothing was landed.
    """
    rules = contract(spec.record_type)
    judged = screen(store, judge(mapped, rules, spec), rules)
    is_partial = mapped.sheet.delivery.is_partial
    findings = () if is_partial else check_delivery(judged, spec, rules)
    # Rows for quarantine are made ready while the database takes in the good ones.
    with ThreadPoolExecutor(1) as aside, store.write() as conn:
        rejected = aside.submit(quarantine.prepare, store, judged, spec, delivery_id)
        position = hold_feed(conn, spec.record_type, instant(now))
        # Asked again under the lock: the same bytes may have arrived twice at once.
        digest = mapped.sheet.delivery.digest
        again = None if is_partial else deliveries.original_of(conn, delivery_id, digest, spec)
        if again is None:
            resolved = resolve(conn, judged, rules)
            landed = land_resolved(conn, store, position, resolved, spec, delivery_id)
            quarantine.keep(conn, rejected.result())
            write_receipt(conn, delivery_id, resolved, landed, spec, (*mapped.findings, *findings), now)
            if then is not None:
                then(conn, landed)
    if again is not None:
        return repeat(store, delivery_id, again.id, spec, now)
    seal(store, now)
    link_waiting(store, spec.record_type, resolved.generation, now)
    return proven(store, delivery_id)


def repeat(store: Store, delivery_id: str, original_id: str, spec: SourceSpec, now: datetime) -> dict[str, Any]:
    """Note, once, that a delivery says nothing new, and give back the original's receipt.

    The first time may have been cut off between landing and linking, so linking is done again.
    """
    with store.write() as conn:
        if deliveries.row_of(conn, delivery_id).status not in ("landed", "repeated"):
            deliveries.note_repeat(conn, delivery_id, original_id, now, store.settings.home)
    seal(store, now)
    link_waiting(store, spec.record_type, None, now)
    return proven(store, original_id)
