"""Challenges (校核纠错): a reader says that a value is wrong; the agency that provided it decides, on a clock.

Upheld, the corrected record lands as a delivery of its own, and every system that had read the wrong value is told
in the same transaction. Rejected, the challenger is told why. What is believed and why is sealed: it may be personal.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, insert, or_, select, update

from certs.names import PREFIX
from connectors.errors import Refused
from gateway.access.context import Context
from gateway.access.errors import Conflict, Invalid, NotFound, NotYours
from gateway.access.giving import check_scope, new_id
from gateway.access.grants import WHOLE, find_grant
from gateway.access.reads import admitted
from gateway.access.tables import challenges
from gateway.audit import Action, append
from gateway.audit.given import given_to
from gateway.audit.log import seal
from gateway.audit.registers import rows_told
from gateway.certificates_holders import active_systems
from gateway.clock import instant
from gateway.correcting import correct_record
from gateway.erasure.quarantined import challenge_context
from gateway.notifications.outbox import CORRECTED, RAISED, REJECTED, UPHELD, News, post
from gateway.sealing import Sealer, load_sealer
from gateway.staging import DIGEST_SUFFIX
from gateway.steps import Landed
from gateway.store import Store, reading
from gateway.store.reading import Version
from gateway.working_days import load_working_days
from schemas.canonical import canonical_json
from schemas.china_time import CHINA

DECIDE_WITHIN = 5
"""Working days that the providing agency has to decide, the day of the challenge not counted."""

OPEN = "open"

_UNSAID: dict[str, str | None] = {"believed": None, "evidence": None}
_IDS_PER_ENTRY = 1_000


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


@dataclass(frozen=True)
class Ruling:
    """How the providing agency decides.

    Attributes:
        decision: ``upheld`` or ``rejected``.
        reason: why.
        corrected: the right value, text as the field reads it; None for the one that the challenger believes.
        empties: whether the field is to hold nothing.
    """

    decision: str
    reason: str
    corrected: str | None = None
    empties: bool = False


def challenge(context: Context, doubt: Doubt, purpose: str | None) -> dict[str, Any]:
    """Open a challenge; it goes to the agency that provided the version, and its clock begins.

    Raises:
        Invalid: unknown record type or field.
        NotGranted: the caller may not read the record type, so it cannot have read the value.
        QuotaExceeded, Busy: the caller has used up what it may for now; challenging counts like reading.
        Conflict: the caller's challenge of this field of this version is open already.
        NotFound: there is no such version, or the grant does not show it or the field.
    """
    check_scope(doubt.record_type, (doubt.field,))
    asked = {"read": "challenge", "record_type": doubt.record_type, "purpose": purpose}
    with admitted(context, asked, []), context.store.write() as conn:
        grant = find_grant(conn, context.caller.urn, doubt.record_type, purpose, context.now)
        version = reading.version_at(conn, doubt.record_type, doubt.seq, rows=grant.rows)
        if version is None or (grant.columns != WHOLE and doubt.field not in grant.columns):
            raise NotFound(
                f"没有可供贵方校核的 {doubt.record_type} 第 {doubt.seq} 号版本的字段 {doubt.field}。",
                f"There is no field {doubt.field} of version {doubt.seq} of {doubt.record_type} for you to doubt.",
            )
        _demand_new(conn, context.caller.urn, doubt)
        challenge_id, agency = new_id("c"), version.source.split("/")[0]
        clock = load_working_days(context.store.settings.home).deadline(context.now, DECIDE_WITHIN)
        said = canonical_json({"believed": doubt.believed, "evidence": doubt.evidence})
        row = {
            "id": challenge_id,
            "record_type": doubt.record_type,
            "seq": doubt.seq,
            "source": version.source,
            "agency": agency,
            "field": doubt.field,
            "sealed": context.sealer.seal(said, challenge_context(challenge_id)),
            "system_urn": context.caller.urn,
            "purpose": purpose,
            "status": OPEN,
            "opened_at": instant(context.now),
            "due_on": clock.due_on,
        }
        conn.execute(insert(challenges).values(**row))
        # The values stay out of the log: they may be personal.
        facts = {**_about(row, version), "due_on": clock.due_on.isoformat()}
        entry = facts | rows_told(conn, (challenges, challenge_id))
        append(conn, Action.CHALLENGE_RAISED, context.caller.urn, entry, context.now, _usccs(version))
        told = dict.fromkeys(active_systems(conn, agency))
        post(conn, News(RAISED, doubt.record_type, facts), told, context.now)
    return read_challenge(context, challenge_id)


def _demand_new(conn: Connection, system_urn: str, doubt: Doubt) -> None:
    c = challenges.c
    same = (c.record_type == doubt.record_type) & (c.seq == doubt.seq) & (c.field == doubt.field)
    query = select(c.id).where(same, c.system_urn == system_urn, c.status == OPEN)
    if (waiting := conn.scalar(query)) is not None:
        raise Conflict(
            f"贵系统对该版本字段 {doubt.field} 的校核 {waiting} 尚未办结。",
            f"Your challenge {waiting} of field {doubt.field} of this version is still open.",
            challenge=waiting,
        )


def decide(context: Context, challenge_id: str, ruling: Ruling) -> dict[str, Any]:
    """Uphold or reject a challenge of a record that the caller's agency provided: see ``rule``.

    Raises:
        NotFound, NotYours: not a challenge that the caller's agency decides.
    """
    with context.store.read() as conn:
        found = _row(conn, challenge_id)
    if found["agency"] != context.caller.agency:
        if not found["system_urn"].startswith(f"{PREFIX}{context.caller.agency}:"):
            raise _missing(challenge_id)
        raise NotYours(
            f"校核 {challenge_id} 由 {found['agency']} 处理。",
            f"Challenge {challenge_id} is decided by {found['agency']}.",
            challenge=challenge_id,
        )
    rule(context.store, challenge_id, ruling, context.caller.urn, context.now)
    return read_challenge(context, challenge_id)


def rule(store: Store, challenge_id: str, ruling: Ruling, by: str, now: datetime) -> None:
    """Decide a challenge. Upheld, the corrected record lands and whoever had read the wrong value is told.

    Raises:
        NotFound: no such challenge.
        Invalid: another decision than ``upheld`` or ``rejected``, no reason, or no value to correct to.
        Conflict: it is decided already, or the record has been withdrawn since.
        Refused: the corrected record has faults.
    """
    if ruling.decision not in ("upheld", "rejected") or not ruling.reason.strip():
        raise Invalid(
            "校核结果应为 upheld 或 rejected，并说明理由。",
            "The decision must be upheld or rejected, with a reason.",
            problems={"decision": ruling.decision, "reason": ruling.reason},
        )
    with store.read() as conn:
        row = _row(conn, challenge_id)
    if row["status"] != OPEN:
        raise _decided(challenge_id)
    if ruling.decision == "rejected":
        _reject(store, row, ruling, by, now)
    else:
        _uphold(store, row, ruling, by, now)
    seal(store, now)


def _reject(store: Store, row: RowMapping, ruling: Ruling, by: str, now: datetime) -> None:
    with store.write() as conn:
        _close(conn, row["id"], ruling, by, now)
        version = _version(conn, row)
        facts = {**_about(row, version), "reason": ruling.reason}
        entry = facts | rows_told(conn, (challenges, row["id"]))
        append(conn, Action.CHALLENGE_REJECTED, by, entry, now, _usccs(version))
        post(conn, News(REJECTED, row["record_type"], facts), {row["system_urn"]: row["purpose"]}, now)


def _uphold(store: Store, row: RowMapping, ruling: Ruling, by: str, now: datetime) -> None:
    sealer = load_sealer(store.settings.home)
    value = _right_value(row, ruling, sealer)
    with store.read() as conn:
        challenged = _version(conn, row)
        wrong = _saying_the_same(conn, challenged, row["field"])
        current = reading.history(conn, row["record_type"], challenged.record_key)[-1]
    if current.op == "withdraw":
        raise Conflict(
            f"被校核的记录已由报送单位撤回（第 {current.seq} 号版本），无可更正；请驳回并说明。",
            f"The record was withdrawn since (version {current.seq}); nothing can be corrected. Reject it and say so.",
            challenge=row["id"],
        )

    def close(conn: Connection, landed: Landed) -> None:
        _close(conn, row["id"], ruling, by, now, landed.last_seq or current.seq)
        facts = {
            **_about(row, challenged),
            "reason": ruling.reason,
            "wrong_seqs": [version.seq for version in wrong],
            "corrected_seq": landed.last_seq or current.seq,
        }
        told = given_to(conn, wrong, row["field"])
        entry = {**facts, "told": sorted(told), **rows_told(conn, (challenges, row["id"]))}
        append(conn, Action.CHALLENGE_UPHELD, by, entry, now, _usccs(challenged))
        post(conn, News(CORRECTED, row["record_type"], facts, landed.last_seq or current.seq), told, now)
        post(conn, News(UPHELD, row["record_type"], facts), {row["system_urn"]: row["purpose"]}, now)

    try:
        correct_record(store, sealer, current, {row["field"]: value}, f"challenge:{row['id']}", now, close)
    except Refused as error:
        if "faults" in error.details:
            raise Invalid(error.zh, error.en, problems={"corrected": error.details["faults"]}) from error
        raise


def _right_value(row: RowMapping, ruling: Ruling, sealer: Sealer) -> str | None:
    if ruling.empties:
        return None
    value = ruling.corrected if ruling.corrected is not None else _said(row, sealer)["believed"]
    if value is None:
        raise Invalid(
            "校核者所主张的值已删除；请给出正确的值（corrected）。",
            "What the challenger believed has been erased; give the right value (corrected).",
            problems={"corrected": None},
        )
    return value


def _saying_the_same(conn: Connection, challenged: Version, field: str) -> list[Version]:
    """Versions of the record that say of the field what the challenged one says."""
    said = _saying(challenged, field)
    history = reading.history(conn, challenged.record_type, challenged.record_key)
    return [version for version in history if _saying(version, field) == said]


def _saying(version: Version, field: str) -> object:
    payload = json.loads(version.payload)
    # Of a personal field the digest is there; its salt stays the same from version to version.
    return payload.get(field, payload.get(field + DIGEST_SUFFIX))


def _close(
    conn: Connection, challenge_id: str, ruling: Ruling, by: str, now: datetime, corrected_seq: int | None = None
) -> None:
    done = conn.execute(
        update(challenges)
        .where(challenges.c.id == challenge_id, challenges.c.status == OPEN)
        .values(
            status=ruling.decision,
            decided_by=by,
            decided_at=instant(now),
            reason=ruling.reason,
            corrected_seq=corrected_seq,
        )
    )
    if done.rowcount != 1:
        raise _decided(challenge_id)


def _decided(challenge_id: str) -> Conflict:
    return Conflict(f"校核 {challenge_id} 已有结果。", f"Challenge {challenge_id} is decided already.")


def _about(row: Any, version: Version) -> dict[str, object]:
    """Which record and field a challenge is about, without values."""
    return {
        "challenge": row["id"],
        "record_type": row["record_type"],
        "record_key": version.record_key,
        "uscc": version.uscc,
        "source": row["source"],
        "seq": row["seq"],
        "field": row["field"],
    }


def _usccs(version: Version) -> list[str]:
    return [version.uscc] if version.uscc else []


def _version(conn: Connection, row: RowMapping) -> Version:
    version = reading.version_at(conn, row["record_type"], row["seq"])
    if version is None:
        raise AssertionError("a version is never deleted")
    return version


def _row(conn: Connection, challenge_id: str) -> RowMapping:
    row = conn.execute(select(challenges).where(challenges.c.id == challenge_id)).mappings().one_or_none()
    if row is None:
        raise _missing(challenge_id)
    return row


def _missing(challenge_id: str) -> NotFound:
    return NotFound(
        f"没有编号为 {challenge_id} 的校核。", f"There is no challenge {challenge_id}.", challenge=challenge_id
    )


def source_of(conn: Connection, challenge_id: str) -> str:
    """The source whose record is challenged.

    Raises:
        NotFound: no such challenge.
    """
    return str(_row(conn, challenge_id)["source"])


def read_challenge(context: Context, challenge_id: str) -> dict[str, Any]:
    """One challenge that the caller's agency raised or decides, as ``own_challenges`` shows it.

    Raises:
        NotFound: there is none that concerns the caller.
    """
    found = _own(context, challenges.c.id == challenge_id)
    if not found:
        raise _missing(challenge_id)
    return found[0]


def own_challenges(context: Context) -> list[dict[str, Any]]:
    """Challenges that the caller's agency raised or decides, in the order they were opened.

    What was said is shown to the system that said it and to the agency that decides, to nobody else of the agency
    that raised it: it may be a personal value, and the others may hold no grant that shows it. Showing it is an
    entry of the log.
    """
    return _own(context)


def _own(context: Context, *which: ColumnElement[bool]) -> list[dict[str, Any]]:
    agency = context.caller.agency
    concerned = or_(
        challenges.c.agency == agency,
        challenges.c.system_urn.startswith(f"{PREFIX}{agency}:", autoescape=True),
    )
    query = select(challenges).where(concerned, *which).order_by(challenges.c.opened_at, challenges.c.id)
    with context.store.write() as conn:
        rows = conn.execute(query).mappings().all()
        told = [row["id"] for row in rows if row["sealed"] is not None and _hears(context, row)]
        if told:
            facts = {"challenges": told[:_IDS_PER_ENTRY], "records": len(told)}
            append(conn, Action.CHALLENGE_READ, context.caller.urn, facts, context.now)
    return [
        _shown(row, context.now) | (_said(row, context.sealer) if _hears(context, row) else _UNSAID) for row in rows
    ]


def _hears(context: Context, row: RowMapping) -> bool:
    return bool(row["agency"] == context.caller.agency or row["system_urn"] == context.caller.urn)


def list_challenges(
    conn: Connection, now: datetime, *, agency: str | None = None, status: str | None = None, overdue: bool = False
) -> list[dict[str, Any]]:
    """Challenges in the order they were opened, without what was said.

    Args:
        overdue: only open ones whose clock has run out.
    """
    query = select(challenges).order_by(challenges.c.opened_at, challenges.c.id)
    if agency is not None:
        query = query.where(challenges.c.agency == agency)
    if status is not None:
        query = query.where(challenges.c.status == status)
    shown = [_shown(row, now) for row in conn.execute(query).mappings()]
    return [one for one in shown if one["overdue"] or not overdue]


def note_overdue(store: Store, now: datetime) -> list[str]:
    """Write into the log, once, which open challenges have run over their clock; returns their ids."""
    today = now.astimezone(CHINA).date()
    with store.write() as conn:
        late = (challenges.c.status == OPEN) & (challenges.c.due_on < today) & challenges.c.overdue_at.is_(None)
        rows = conn.execute(select(challenges).where(late).order_by(challenges.c.opened_at)).mappings().all()
        for row in rows:
            conn.execute(update(challenges).where(challenges.c.id == row["id"]).values(overdue_at=instant(now)))
            facts = {**_about(row, _version(conn, row)), "agency": row["agency"], "due_on": row["due_on"].isoformat()}
            facts |= rows_told(conn, (challenges, row["id"]))
            append(conn, Action.CHALLENGE_OVERDUE, "clock", facts, now)
    seal(store, now)
    return [row["id"] for row in rows]


def _shown(row: RowMapping, now: datetime) -> dict[str, Any]:
    due_on: date = row["due_on"]
    is_late = row["status"] == OPEN and now.astimezone(CHINA).date() > due_on
    shown = {name: value for name, value in row.items() if name not in ("sealed", "purpose")}
    return {**shown, "due_on": due_on.isoformat(), "overdue": is_late}


def _said(row: RowMapping, sealer: Sealer) -> dict[str, str | None]:
    """What the challenger said; null once it was erased."""
    if row["sealed"] is None:
        return _UNSAID
    said: dict[str, str | None] = json.loads(sealer.open(row["sealed"], challenge_context(row["id"])))
    return said
