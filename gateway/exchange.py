"""One exchange with a source: receive what it has, then land it. What DAG tasks and ``xinqiao run`` do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from connectors.connections import Connections
from connectors.decode import Piece, Span
from connectors.delivery import Delivery
from connectors.errors import SignatureRefused
from connectors.receive import acknowledge, receive
from connectors.spec import SourceSpec
from gateway import deliveries, pipeline
from gateway.audit import Action, append
from gateway.audit.log import seal
from gateway.audit.tables import entries, read_body
from gateway.clock import instant
from gateway.store import Store


def receive_source(store: Store, spec: SourceSpec, now: datetime) -> list[str]:
    """Fetch what a source has to say since the last landed delivery; the bytes are kept, nothing is landed.

    Returns:
        ids of deliveries to land, oldest first; those that an interrupted run left behind come first.

    Raises:
        Unavailable: could not be reached; try again.
        Refused: a person must act.
    """
    connections = Connections.load(store.settings.home)
    with store.read() as conn:
        cursor = deliveries.last_cursor(conn, spec.source)
        waiting = list(deliveries.unfinished(conn, spec.source))
    arriving = receive(spec, connections, deliveries.vault_of(store), cursor, now)
    return [*waiting, *(_receive(store, delivery, spec) for delivery in arriving)]


def _receive(store: Store, delivery: Delivery, spec: SourceSpec) -> str:
    """Register what was fetched; what is refused at the door is taken like other refused deliveries, when it lands."""
    try:
        return pipeline.receive(store, delivery, spec)
    except SignatureRefused as error:
        return str(error.details["delivery_id"])


def parts_to_stage(store: Store, spec: SourceSpec, delivery_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The parts of those deliveries that are large enough for several workers to stage beside each other.

    Returns:
        ``delivery_id`` and ``part`` of each, as plain values that travel between tasks: references, never rows.
        Empty for deliveries of one part, for those that have landed before, and for those that will be refused.
    """
    return [
        {"delivery_id": delivery_id, "part": asdict(part)}
        for delivery_id in delivery_ids
        for part in _parts(store, spec, delivery_id)
    ]


def _parts(store: Store, spec: SourceSpec, delivery_id: str) -> list[Piece]:
    with store.read() as conn:
        row, original = deliveries.row_and_original(conn, delivery_id, spec)
        if row.status != "received" or original is not None:
            return []
    try:
        parts = pipeline.plan_parts(store, delivery_id, spec)
    except pipeline.STOPPED:
        # Whoever lands it finds the same, and refuses it with an entry.
        return []
    return parts if len(parts) > 1 else []


def stage_received(store: Store, spec: SourceSpec, work: Mapping[str, Any]) -> None:
    """Stage one of ``parts_to_stage``; landing finds it done. Done once more, or after the landing, it does nothing.

    Raises:
        Refused: there is no such delivery.
    """
    delivery_id, told = work["delivery_id"], work["part"]
    part = Piece(**{**told, "span": Span(**told["span"]) if told["span"] else None, **_tuples(told)})
    with store.read() as conn:
        if deliveries.row_of(conn, delivery_id).status != "received":
            return
    # What stops the delivery is met again by whoever lands it, and is refused there, with an entry.
    with suppress(*pipeline.STOPPED):
        pipeline.stage_part(store, delivery_id, part, spec)


def _tuples(told: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """JSON has no tuples."""
    return {name: tuple(value) for name, value in told.items() if isinstance(value, list)}


def land_received(
    store: Store, spec: SourceSpec, delivery_ids: Sequence[str], clock: Callable[[], datetime]
) -> list[dict[str, Any]]:
    """Land received deliveries in order and tell the source that they have been taken.

    A refused one is taken too: its bytes and the reason are kept, and a bad file must not keep the
    good ones behind it from landing.

    Returns:
        one receipt each.

    Raises:
        Undecodable, SourceChanged, ExpectationFailed, SignatureRefused: of the first one that was refused, after the
            others have landed.
    """
    receipts, refused = [], []
    for delivery_id in delivery_ids:
        try:
            receipts.append(pipeline.deliver(store, delivery_id, spec, clock()))
        except pipeline.STOPPED as error:
            refused.append(error)
        with store.read() as conn:
            delivery = deliveries.load(conn, delivery_id, store.settings.home)
        acknowledge(delivery, spec, Connections.load(store.settings.home))
    if refused:
        raise refused[0]
    return receipts


def summary(receipt: dict[str, Any]) -> dict[str, Any]:
    """The counts of a receipt: small enough to travel between tasks."""
    names = ("delivery_id", "source", "status", "received", "accepted", "rejected", "unresolved")
    kept = (*names, "new", "changed", "unchanged", "withdrawn", "first_seq", "last_seq")
    return {name: receipt.get(name) for name in kept}


def note_failure(
    store: Store, source: str, reason: str, run_id: str, now: datetime, unless_noted_since: datetime | None = None
) -> None:
    """Write into the audit log that a run of a source ended red.

    Args:
        unless_noted_since: write nothing if this failure of this run was noted at or after that instant.
    """
    with store.write() as conn:
        if unless_noted_since is not None and _is_noted(conn, source, run_id, unless_noted_since):
            return
        facts = {"source": source, "reason": reason[:2000], "run_id": run_id}
        append(conn, Action.RUN_FAILED, "airflow", facts, now)
    seal(store, now)


def _is_noted(conn: Connection, source: str, run_id: str, since: datetime) -> bool:
    bodies = conn.execute(
        select(entries.c.body)
        .where(
            entries.c.actor == "airflow",
            entries.c.action == Action.RUN_FAILED.value,
            entries.c.at >= instant(since),
        )
        .order_by(entries.c.id.desc())
    ).scalars()
    return any((entry["source"], entry["run_id"]) == (source, run_id) for entry in map(read_body, bodies))
