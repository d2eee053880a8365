"""Separating the duties: until then the operator of the machine acts, and the log says so; afterwards people do.

An installation begins with nobody appointed, so somebody must issue the first certificates: whoever sits at the
machine. ``separate`` ends that. From then on each administrative act takes a person's certificate of the right
duty, reading by the operator is closed, and giving it back (``reopen``) takes two of the three duties.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from certs.verify import Identity
from gateway.access.duties import THREE, TITLES, demand_duty
from gateway.access.errors import Conflict, Invalid
from gateway.access.tables import separation
from gateway.audit import Action, append
from gateway.audit.registers import rows_told
from gateway.certificates import GOOD
from gateway.certificates_holders import ACTIVE
from gateway.certificates_tables import certificates, people
from gateway.clock import instant

_ONE = 1


def is_separated(conn: Connection) -> bool:
    """Whether the duties are kept apart, so that the operator has no rights of theirs."""
    return conn.execute(select(separation.c.id)).first() is not None


def holders(conn: Connection, now: datetime) -> dict[str, list[str]]:
    """Duty -> URNs of the active people who hold it with a certificate that is good now."""
    query = (
        select(people.c.duty, people.c.urn)
        .join(certificates, certificates.c.urn == people.c.urn)
        .where(
            people.c.status == ACTIVE,
            certificates.c.status == GOOD,
            certificates.c.not_before <= instant(now),
            certificates.c.not_after > instant(now),
        )
        .distinct()
        .order_by(people.c.duty, people.c.urn)
    )
    found: dict[str, list[str]] = {}
    for duty, urn in conn.execute(query):
        found.setdefault(duty, []).append(urn)
    return found


def separate(conn: Connection, by: str, now: datetime) -> dict[str, list[str]]:
    """Keep the duties apart from now on.

    Returns:
        who holds each of the three.

    Raises:
        Conflict: they are apart already, or one of the three is held by nobody who can sign in.
    """
    if is_separated(conn):
        raise Conflict("三员职责已经分立。", "The duties are separated already.")
    held = holders(conn, now)
    if missing := [duty for duty in THREE if duty not in held]:
        zh, en = "、".join(TITLES[duty][0] for duty in missing), ", ".join(TITLES[duty][1] for duty in missing)
        raise Conflict(
            f"尚无人持有效证书担任：{zh}；请先签发（xinqiao certs issue --person … --duty …）。",
            f"Nobody holds a good certificate as {en}; issue one first (xinqiao certs issue --person … --duty …).",
            missing=missing,
        )
    conn.execute(insert(separation).values(id=_ONE, since=instant(now), by=by))
    facts = {"holders": {duty: held[duty] for duty in THREE}, **rows_told(conn, (separation, _ONE))}
    append(conn, Action.DUTIES_SEPARATED, by, facts, now)
    return {duty: held[duty] for duty in THREE}


def reopen(conn: Connection, by: Identity, reason: str, now: datetime) -> bool:
    """Give the operator of the machine his rights back: asked for by one of the three, confirmed by another.

    For the day on which a certificate of the three is lost and nobody is left to issue the next one.

    Returns:
        whether it is done; False after the first of the two.

    Raises:
        WrongDuty: none of the three duties.
        Invalid: no reason.
        Conflict: the duties are not separated, or the same person or duty asks again.
    """
    demand_duty(by, THREE)
    if not reason.strip():
        raise Invalid("须说明理由。", "It needs a reason.", problems={"reason": reason})
    row = conn.execute(select(separation).with_for_update()).one_or_none()
    if row is None:
        raise Conflict("三员职责尚未分立。", "The duties are not separated.")
    facts = {"duty": by.duty, "reason": reason}
    if row.reopen_asked_by is None:
        asked = {"reopen_asked_by": by.urn, "reopen_duty": by.duty, "reopen_reason": reason}
        conn.execute(update(separation).values(**asked))
        append(conn, Action.DUTIES_REOPEN_ASKED, by.urn, facts | rows_told(conn, (separation, _ONE)), now)
        return False
    if by.urn == row.reopen_asked_by or by.duty == row.reopen_duty:
        raise Conflict(
            f"{row.reopen_asked_by}（{TITLES[row.reopen_duty][0]}）已提请；须由另一职责的另一人确认。",
            f"{row.reopen_asked_by} ({TITLES[row.reopen_duty][1]}) has asked; another person of another duty confirms.",
        )
    conn.execute(delete(separation))
    told = {"asked_by": row.reopen_asked_by, **rows_told(conn, (separation, _ONE))}
    append(conn, Action.DUTIES_REOPENED, by.urn, {**facts, **told}, now)
    return True
