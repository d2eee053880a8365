"""Challenges (校核纠错): a reader says that a value is wrong; the agency that provided it decides."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.engine import RowMapping

from gateway.access.context import Context
from gateway.access.errors import Conflict, Invalid, NotFound, NotYours
from gateway.access.giving import check_scope, new_id
from gateway.access.grants import WHOLE, find_grant
from gateway.access.tables import challenges
from gateway.audit import Action, append
from gateway.audit.registers import rows_told
from gateway.clock import instant
from gateway.erasure.quarantined import challenge_context
from gateway.sealing import Sealer
from gateway.store import reading
from schemas.canonical import canonical_json

DECISIONS = {"upheld": Action.CHALLENGE_UPHELD, "rejected": Action.CHALLENGE_REJECTED}


@dataclass(frozen=True)
class Doubt:
    """What the challenger says.

    Attributes:
        record_type: of the record.
        seq: feed position of the version that was read.
        field: whose value is doubted.
        believed: the value believed to be right.
        evidence: why, in words or by reference.
    """

    record_type: str
    seq: int
    field: str
    believed: str
    evidence: str


def challenge(context: Context, doubt: Doubt, purpose: str | None) -> dict[str, Any]:
    """Open a challenge; it goes to the agency that provided the version.

    Raises:
        Invalid: unknown record type or field.
        NotGranted: the caller may not read the record type, so it cannot have read the value.
        NotFound: there is no such version, or the grant does not show it or the field.
    """
    check_scope(doubt.record_type, (doubt.field,))
    with context.store.write() as conn:
        grant = find_grant(conn, context.caller.urn, doubt.record_type, purpose, context.now)
        version = reading.version_at(conn, doubt.record_type, doubt.seq, rows=grant.rows)
        if version is None or (grant.columns != WHOLE and doubt.field not in grant.columns):
            raise NotFound(
                f"没有可供贵方校核的 {doubt.record_type} 第 {doubt.seq} 号版本的字段 {doubt.field}。",
                f"There is no field {doubt.field} of version {doubt.seq} of {doubt.record_type} for you to doubt.",
            )
        challenge_id = new_id("c")
        said = canonical_json({"believed": doubt.believed, "evidence": doubt.evidence})
        row = {
            "id": challenge_id,
            "record_type": doubt.record_type,
            "seq": doubt.seq,
            "source": version.source,
            "agency": version.source.split("/")[0],
            "field": doubt.field,
            "sealed": context.sealer.seal(said, challenge_context(challenge_id)),
            "system_urn": context.caller.urn,
            "status": "open",
            "opened_at": instant(context.now),
        }
        conn.execute(insert(challenges).values(**row))
        # The values stay out of the log: they may be personal.
        facts = {"challenge": row["id"], "record_type": doubt.record_type, "seq": doubt.seq, "field": doubt.field}
        facts |= rows_told(conn, (challenges, challenge_id))
        about = [version.uscc] if version.uscc else []
        append(
            conn,
            action=Action.CHALLENGE_RAISED,
            actor=context.caller.urn,
            at=context.now,
            facts=facts,
            usccs=about,
        )
    return read_challenge(context, str(row["id"]))


def decide(context: Context, challenge_id: str, decision: str, reason: str) -> dict[str, Any]:
    """Uphold or reject a challenge of a record that the caller's agency provided.

    An upheld challenge changes nothing by itself: the agency delivers the corrected record, which
    lands as a new version and reaches everyone who reads the feed.

    Raises:
        Invalid: another decision than ``upheld`` or ``rejected``, or no reason.
        NotFound, NotYours: not a challenge that the caller's agency decides.
        Conflict: it is decided already.
    """
    if decision not in DECISIONS or not reason.strip():
        raise Invalid(
            "校核结果应为 upheld 或 rejected，并说明理由。",
            "The decision must be upheld or rejected, with a reason.",
            problems={"decision": decision, "reason": reason},
        )
    found = read_challenge(context, challenge_id)
    if found["agency"] != context.caller.agency:
        raise NotYours(
            f"校核 {challenge_id} 由 {found['agency']} 处理。",
            f"Challenge {challenge_id} is decided by {found['agency']}.",
            challenge=challenge_id,
        )
    with context.store.write() as conn:
        done = conn.execute(
            update(challenges)
            .where(challenges.c.id == challenge_id, challenges.c.status == "open")
            .values(status=decision, decided_by=context.caller.urn, decided_at=instant(context.now), reason=reason)
        )
        if done.rowcount != 1:
            raise Conflict(f"校核 {challenge_id} 已有结果。", f"Challenge {challenge_id} is decided already.")
        facts = {"challenge": challenge_id, "reason": reason, **rows_told(conn, (challenges, challenge_id))}
        append(conn, action=DECISIONS[decision], actor=context.caller.urn, at=context.now, facts=facts)
    return read_challenge(context, challenge_id)


def read_challenge(context: Context, challenge_id: str) -> dict[str, Any]:
    """One challenge that the caller's agency raised or decides.

    Raises:
        NotFound: there is none that concerns the caller.
    """
    found = [one for one in own_challenges(context) if one["id"] == challenge_id]
    if not found:
        raise NotFound(
            f"没有编号为 {challenge_id} 的校核。", f"There is no challenge {challenge_id}.", challenge=challenge_id
        )
    return found[0]


def own_challenges(context: Context) -> list[dict[str, Any]]:
    """Challenges that the caller's agency raised or decides, in the order they were opened."""
    agency = context.caller.agency
    query = (
        select(challenges)
        .where(
            or_(
                challenges.c.agency == agency,
                challenges.c.system_urn.startswith(f"urn:xinqiao:{agency}:", autoescape=True),
            )
        )
        .order_by(challenges.c.opened_at, challenges.c.id)
    )
    with context.store.read() as conn:
        return [_shown(row, context.sealer) for row in conn.execute(query).mappings()]


def _shown(row: RowMapping, sealer: Sealer) -> dict[str, Any]:
    """A challenge as both sides see it; what was said is null once it was erased."""
    said = {"believed": None, "evidence": None}
    if row["sealed"] is not None:
        said = json.loads(sealer.open(row["sealed"], challenge_context(row["id"])))
    return {name: value for name, value in row.items() if name != "sealed"} | said
