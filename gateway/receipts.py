"""Receipts and refusals: what the agency is told, what the audit log says, both from one place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from connectors.delivery import Finding
from connectors.errors import XinqiaoError
from connectors.spec import SourceSpec
from gateway import deliveries
from gateway.audit import Action, append
from gateway.audit.giving_proofs import inclusion
from gateway.audit.log import Published, seal
from gateway.signatures.own import signed
from gateway.steps import Landed
from gateway.store import Store
from gateway.tally import Tally


@dataclass(frozen=True)
class Settled:
    """How a delivery ended.

    Attributes:
        receipt: or the problem.
        status: landed, repeated or refused.
        entry: id of its audit entry.
    """

    receipt: dict[str, Any]
    status: str
    entry: int


def write_receipt(
    conn: Connection,
    row: Row[Any],
    tally: Tally,
    landed: Landed,
    spec: SourceSpec,
    now: datetime,
) -> Settled:
    """Write receipt and audit entry in the transaction of the landing.

    Args:
        row: of the register, held by this transaction.
    """
    receipt: dict[str, Any] = {
        "delivery_id": row.id,
        "source": spec.source,
        "record_type": spec.record_type,
        "digest": row.digest,
        "origin": row.origin,
        "received_at": row.received_at,
        **_signature(row),
        "landed_at": landed.landed_at,
        "form": tally.form,
        "received": tally.received,
        "accepted": tally.accepted,
        "rejected": tally.rejected,
        "duplicates": tally.duplicates,
        **counts(landed),
        "findings": [*map(_finding, tally.findings), *tally.warnings],
    }
    facts = {name: value for name, value in receipt.items() if name not in ("findings", "landed_at")}
    return settle(conn, row.id, receipt, facts, actor=row.origin, now=now, held=row)


def counts(landed: Landed) -> dict[str, Any]:
    """The part of a receipt that says what was landed, and where."""
    return {
        "new": landed.new,
        "changed": landed.changed,
        "unchanged": landed.unchanged,
        "withdrawn": landed.withdrawn,
        "absent": landed.absent,
        "unresolved": landed.unresolved,
        "first_seq": landed.first_seq,
        "last_seq": landed.last_seq,
        "accepted_root": landed.accepted_root,
        "versions_root": landed.versions_root,
    }


def settle(
    conn: Connection,
    delivery_id: str,
    receipt: dict[str, Any],
    facts: dict[str, Any],
    *,
    actor: str,
    now: datetime,
    held: Row[Any] | None = None,
) -> Settled:
    """Put a landed delivery's receipt into the register and its facts into the audit log.

    Args:
        held: its row of the register, if this transaction holds it already.
    """
    known = {name: value for name, value in facts.items() if value is not None}
    entry = append(conn, Action.DELIVERY_LANDED, actor, known, now)
    deliveries.settle(conn, delivery_id, "landed", receipt, now, entry, held)
    return Settled(receipt, "landed", entry)


def refusal(store: Store, delivery_id: str, error: XinqiaoError, now: datetime) -> None:
    """Write down that a delivery was refused whole, and why."""
    with store.write() as conn:
        refuse(conn, delivery_id, error, now)
    seal(store, now)


def refuse(conn: Connection, delivery_id: str, error: XinqiaoError, now: datetime) -> None:
    """The same within a transaction of the caller's, who seals the log after it."""
    problem = {"code": error.code, "zh": error.zh, "en": error.en, "details": error.details}
    row = deliveries.row_of(conn, delivery_id)
    facts = {"delivery_id": delivery_id, "source": row.source, "digest": row.digest, "code": error.code}
    entry = append(conn, Action.DELIVERY_REFUSED, row.origin, facts | _signature(row), now)
    receipt = {"delivery_id": delivery_id, **_signature(row), "problem": problem}
    deliveries.settle(conn, delivery_id, "refused", receipt, now, entry)


def proven(store: Store, delivery_id: str) -> dict[str, Any]:
    """The receipt (or the problem) of a settled delivery, with the proof that the log holds its entry, signed.

    Raises:
        Refused: there is no such delivery.
    """
    with store.ask() as conn:
        row = deliveries.row_of(conn, delivery_id)
    if row.receipt is None:
        return {"delivery_id": delivery_id, "source": row.source, "status": row.status}
    return with_proof(store, Settled(row.receipt, row.status, row.audit_entry))


def with_proof(store: Store, settled: Settled, sealed: Published | None = None) -> dict[str, Any]:
    """What is told of a settled delivery, as ``proven`` gives it.

    Args:
        sealed: what a seal has just published, if there was one.
    """
    proof = inclusion(store, settled.entry, sealed)
    return signed(store.settings, {**settled.receipt, "status": settled.status, "audit": proof})


def _signature(row: Row[Any]) -> dict[str, Any]:
    """The member that says what the delivery's signature proved; none for a delivery that was not signed."""
    return {} if row.proof is None else {"signature": row.proof}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "column": finding.column,
        "count": finding.count,
        "example": finding.example,
        "zh": finding.zh,
        "en": finding.en,
    }
