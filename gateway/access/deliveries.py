"""What an agency sees of its own deliveries: the register, receipts, quarantined rows and their settlement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from gateway import quarantine, replay
from gateway.access.context import Context
from gateway.access.errors import NotFound
from gateway.audit import Action, append
from gateway.receipts import proven
from gateway.store import reading
from gateway.store.tables import deliveries, rejections


def own_deliveries(context: Context, *, source: str | None, before: str | None, limit: int) -> list[dict[str, Any]]:
    """Deliveries of the caller's agency, the newest first, each with its receipt or problem.

    Args:
        before: id to continue below; ids sort by time.
    """
    with context.store.read() as conn:
        rows = reading.delivery_listing(conn, agency=context.caller.agency, source=source, before=before, limit=limit)
    # Where the bytes lie and how far a pull has come is the installation's business.
    hidden = ("id", "parts", "cursor", "audit_entry")
    return [
        {"delivery_id": row["id"], **{name: value for name, value in row.items() if name not in hidden}} for row in rows
    ]


def own_receipt(context: Context, delivery_id: str) -> dict[str, Any]:
    """The receipt of one delivery of the caller's agency with its proof; or where it stands, or why it was refused.

    Raises:
        NotFound: none of this agency's deliveries has this id.
    """
    _demand_own(context, delivery_id)
    return proven(context.store, delivery_id)


def own_rejections(
    context: Context, delivery_id: str, *, status: str | None, after: int, limit: int
) -> list[dict[str, Any]]:
    """Quarantined rows of one delivery, each with every fault; their content stays sealed.

    Faults quote what was sent, so the reading is an entry of the log.

    Raises:
        NotFound: none of this agency's deliveries has this id.
    """
    _demand_own(context, delivery_id)
    with context.store.write() as conn:
        found = quarantine.listing(conn, delivery_id=delivery_id, status=status, after=after, limit=limit)
        facts = {"delivery_id": delivery_id, "records": len(found)}
        append(conn, action=Action.QUARANTINE_READ, actor=context.caller.urn, at=context.now, facts=facts)
    return found


def correct_rejection(context: Context, rejection_id: int, values: Mapping[str, str | None]) -> dict[str, Any]:
    """Land a quarantined row of the caller's agency with corrected values; gives the receipt.

    Raises:
        NotFound: none of this agency's rows has this id.
        Refused: it is settled already, or still has faults.
    """
    _demand_own_rejection(context, rejection_id)
    return replay.correct(context.store, rejection_id, dict(values), context.caller.urn, context.now)


def dismiss_rejection(context: Context, rejection_id: int, reason: str) -> None:
    """Close a quarantined row of the caller's agency without landing it.

    Raises:
        NotFound: none of this agency's rows has this id.
        Refused: it is settled already.
    """
    _demand_own_rejection(context, rejection_id)
    quarantine.dismiss(context.store, rejection_id, reason, context.caller.urn, context.now)


def _demand_own(context: Context, delivery_id: str) -> None:
    query = select(deliveries.c.source).where(deliveries.c.id == delivery_id)
    with context.store.read() as conn:
        source = conn.execute(query).scalar_one_or_none()
    # What belongs to others is not told apart from what does not exist.
    if source is None or source.split("/")[0] != context.caller.agency:
        raise NotFound(
            f"贵单位没有编号为 {delivery_id} 的交付。",
            f"Your agency has no delivery {delivery_id}.",
            delivery_id=delivery_id,
        )


def _demand_own_rejection(context: Context, rejection_id: int) -> None:
    query = select(rejections.c.source).where(rejections.c.id == rejection_id)
    with context.store.read() as conn:
        source = conn.execute(query).scalar_one_or_none()
    if source is None or source.split("/")[0] != context.caller.agency:
        raise NotFound(
            f"贵单位没有编号为 {rejection_id} 的隔离行。",
            f"Your agency has no quarantined row {rejection_id}.",
            rejection=rejection_id,
        )
