"""Writing notifications, and what each says when it is given out: never more than the reader's grant shows by then."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from gateway.access.errors import NotFound, NotGranted
from gateway.access.giving import new_id
from gateway.access.grants import find_grant
from gateway.access.projection import line, project
from gateway.audit import Action, append
from gateway.clock import instant
from gateway.notifications.tables import notifications
from gateway.sealing import Sealer
from gateway.store import reading

WAITING, DELIVERED, ACKNOWLEDGED, GIVEN_UP = "waiting", "delivered", "acknowledged", "given_up"
UNSEEN = (WAITING, GIVEN_UP)
"""States in which a notification stands in the mailbox."""

CORRECTED, RAISED, UPHELD, REJECTED = "record.corrected", "challenge.raised", "challenge.upheld", "challenge.rejected"

PUSH, MAILBOX = "push", "mailbox"


@dataclass(frozen=True)
class News:
    """What is to be told.

    Attributes:
        kind: ``CORRECTED``, ``RAISED``, ``UPHELD`` or ``REJECTED``.
        record_type: of the record it is about.
        facts: which record, which field, which challenge; no value.
        seq: version to be shown with it, or None.
    """

    kind: str
    record_type: str
    facts: Mapping[str, object]
    seq: int | None = None


def post(conn: Connection, news: News, recipients: Mapping[str, str | None], now: datetime) -> None:
    """Put a notification into the outbox, one for each system, in the transaction of the act it tells of.

    Args:
        recipients: URN of the system -> purpose for which it had read the record, or None.
    """
    rows = [
        {
            "id": new_id("n"),
            "system_urn": urn,
            "kind": news.kind,
            "record_type": news.record_type,
            "seq": news.seq,
            "purpose": purpose,
            "facts": dict(news.facts),
            "status": WAITING,
            "created_at": instant(now),
            "attempts": 0,
            "next_at": instant(now),
        }
        for urn, purpose in sorted(recipients.items())
    ]
    if rows:
        conn.execute(insert(notifications), rows)


def give_out(conn: Connection, row: Row[Any], sealer: Sealer, how: str, now: datetime) -> bytes:
    """What a notification says, as JSON; that it is said is an entry of the log, and a read if a record is shown.

    Args:
        row: of the table ``notifications``.
        how: ``PUSH`` or ``MAILBOX``.
    """
    document: dict[str, Any] = {
        "id": row.id,
        "kind": row.kind,
        "created_at": row.created_at,
        "record_type": row.record_type,
        **row.facts,
    }
    facts: dict[str, object] = {"notification": row.id, "kind": row.kind, "how": how, "record_type": row.record_type}
    usccs = [str(row.facts["uscc"])] if row.facts.get("uscc") else []
    if row.seq is None:
        append(conn, Action.NOTIFICATION_GIVEN, row.system_urn, facts, now)
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    shown: bytes | None = None
    try:
        grant = find_grant(conn, row.system_urn, row.record_type, row.purpose, now)
    except NotGranted as error:
        document["not_granted"] = error.code
    else:
        version = reading.version_at(conn, row.record_type, row.seq, rows=grant.rows)
        if version is not None:
            shown = line(project([version], grant, sealer)[0])
            facts |= {"purpose": row.purpose, "filter": grant.filter(), "records": 1}
            facts |= {"first_seq": row.seq, "last_seq": row.seq}
    append(conn, Action.RECORD_PUSHED if shown else Action.NOTIFICATION_GIVEN, row.system_urn, facts, now, usccs)
    around = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return around[:-1] + b',"version":' + (shown or b"null") + b"}"


def mailbox(
    conn: Connection, system_urn: str, sealer: Sealer, now: datetime, after: int = 0, limit: int = 100
) -> tuple[list[bytes], int]:
    """What a system has not acknowledged yet, oldest first.

    Returns:
        the notifications, and the number to give as ``after`` for the next ones.
    """
    query = (
        select(notifications)
        .where(
            notifications.c.system_urn == system_urn,
            notifications.c.status.in_(UNSEEN),
            notifications.c.number > after,
        )
        .order_by(notifications.c.number)
        .limit(limit)
    )
    rows = conn.execute(query).all()
    return [give_out(conn, row, sealer, MAILBOX, now) for row in rows], rows[-1].number if rows else after


def acknowledge(conn: Connection, system_urn: str, notification_id: str, now: datetime) -> dict[str, Any]:
    """Take a notification out of the mailbox of its system; once more changes nothing.

    Raises:
        NotFound: the system has none of this id.
    """
    mine = (notifications.c.id == notification_id) & (notifications.c.system_urn == system_urn)
    done = conn.execute(
        update(notifications)
        .where(mine, notifications.c.status != ACKNOWLEDGED)
        .values(status=ACKNOWLEDGED, settled_at=instant(now))
    )
    row = conn.execute(
        select(notifications.c.id, notifications.c.status, notifications.c.settled_at).where(mine)
    ).first()
    if row is None:
        raise NotFound(
            f"没有发给 {system_urn} 的通知 {notification_id}。",
            f"There is no notification {notification_id} for {system_urn}.",
            notification=notification_id,
        )
    if done.rowcount:
        append(conn, Action.NOTIFICATION_ACKNOWLEDGED, system_urn, {"notification": notification_id}, now)
    return dict(row._mapping)


def list_notifications(
    conn: Connection, system_urn: str | None = None, status: str | None = None, limit: int = 1000
) -> Sequence[dict[str, Any]]:
    """Notifications, the newest first, without what they say."""
    query = select(notifications).order_by(notifications.c.number.desc()).limit(limit)
    if system_urn is not None:
        query = query.where(notifications.c.system_urn == system_urn)
    if status is not None:
        query = query.where(notifications.c.status == status)
    return [dict(row._mapping) for row in conn.execute(query)]
