"""One exchange with a source: receive what it has, then land it. What DAG tasks and ``xinqiao run`` do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from connectors.connections import Connections
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
