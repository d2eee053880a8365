"""Legal holds: what an auditor has put under hold is neither removed by retention nor erased until it is released."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, String, Table, Text, insert, select, update

from connectors.errors import Refused
from gateway.audit.actions import Action
from gateway.audit.registers import rows_told
from gateway.audit.tables import append
from gateway.clock import instant
from gateway.store.metadata import metadata
from gateway.store.tables import deliveries, versions_table
from schemas.records import RECORD_TYPES

EVERYTHING, SOURCE, DELIVERY, ENTITY = "everything", "source", "delivery", "entity"
SCOPES = (EVERYTHING, SOURCE, DELIVERY, ENTITY)

holds = Table(
    "audit_holds",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("scope", String(12), nullable=False, comment="everything, source, delivery or entity"),
    Column("value", String(80), nullable=False, comment="source, id of a delivery, USCC; empty for everything"),
    Column("reason", Text, nullable=False),
    Column("placed_by", String(200), nullable=False),
    Column("placed_at", String(27), nullable=False),
    Column("released_by", String(200)),
    Column("released_at", String(27)),
    Column("release_reason", Text),
)


@dataclass(frozen=True)
class Hold:
    """One hold; fields as in the table ``audit_holds``."""

    id: str
    scope: str
    value: str
    reason: str
    placed_by: str
    placed_at: str
    released_by: str | None = None
    released_at: str | None = None
    release_reason: str | None = None


def place(conn: Connection, scope: str, value: str, reason: str, by: str, now: datetime) -> Hold:
    """Put something under hold.

    Raises:
        Refused: an unknown scope, no value where one is needed, or no reason.
    """
    if scope not in SCOPES or bool(value) == (scope == EVERYTHING) or not reason.strip():
        raise Refused(
            f"保全须写明范围（{'、'.join(SCOPES)} 之一）、对象和理由。",
            f"a hold names its scope (one of {', '.join(SCOPES)}), what it holds, and a reason",
        )
    hold = Hold(f"h-{secrets.token_hex(8)}", scope, value, reason, by, instant(now))
    conn.execute(insert(holds).values(**vars(hold)))
    facts = {"hold": hold.id, "scope": scope, "value": value, "reason": reason, **rows_told(conn, (holds, hold.id))}
    append(conn, Action.HOLD_PLACED, by, facts, now, usccs=[value] if scope == ENTITY else [])
    return hold


def release(conn: Connection, hold_id: str, reason: str, by: str, now: datetime) -> None:
    """End a hold.

    Raises:
        Refused: no reason, no such hold, or it was released before.
    """
    if not reason.strip():
        raise Refused("解除保全须说明理由。", "releasing a hold needs a reason")
    done = conn.execute(
        update(holds)
        .where(holds.c.id == hold_id, holds.c.released_at.is_(None))
        .values(released_by=by, released_at=instant(now), release_reason=reason)
    )
    if done.rowcount != 1:
        raise Refused(f"没有生效中的保全 {hold_id}。", f"there is no hold {hold_id} in force", hold=hold_id)
    facts = {"hold": hold_id, "reason": reason, **rows_told(conn, (holds, hold_id))}
    append(conn, Action.HOLD_RELEASED, by, facts, now)


def list_holds(conn: Connection, in_force: bool = False) -> list[Hold]:
    """Holds in the order placed; all, or those in force."""
    query = select(holds).order_by(holds.c.placed_at, holds.c.id)
    if in_force:
        query = query.where(holds.c.released_at.is_(None))
    return [Hold(**row) for row in conn.execute(query).mappings()]


def held_deliveries(conn: Connection, found: Iterable[tuple[str, str]]) -> dict[str, Hold]:
    """Which of these deliveries a hold covers, and which hold it is.

    Args:
        found: id and source of each.
    """
    in_force = list_holds(conn, in_force=True)
    everything = next((hold for hold in in_force if hold.scope == EVERYTHING), None)
    by_value = {(hold.scope, hold.value): hold for hold in in_force}
    about = {
        delivery: hold for hold in in_force if hold.scope == ENTITY for delivery in _deliveries_about(conn, hold.value)
    }
    held = {}
    for delivery, source in found:
        hold = everything or by_value.get((DELIVERY, delivery)) or by_value.get((SOURCE, source)) or about.get(delivery)
        if hold is not None:
            held[delivery] = hold
    return held


def demand_no_hold(conn: Connection, sources: Iterable[str], usccs: Iterable[str]) -> None:
    """Refuse to destroy what concerns these sources and entities while something of it is under hold.

    Raises:
        Refused: it is; names the hold.
    """
    names, codes = set(sources), set(usccs)
    for hold in list_holds(conn, in_force=True):
        concerned = {EVERYTHING: True, SOURCE: hold.value in names, ENTITY: hold.value in codes}
        if concerned.get(hold.scope, False) or (hold.scope == DELIVERY and _source_of(conn, hold.value) in names):
            raise Refused(
                f"处于法律保全之下（{hold.id}：{hold.reason}），解除前不得删除。",
                f"it is under legal hold ({hold.id}: {hold.reason}) and may not be destroyed before that is released",
                hold=hold.id,
            )


def _deliveries_about(conn: Connection, uscc: str) -> Sequence[str]:
    found: set[str] = set()
    for record_type in RECORD_TYPES:
        versions = versions_table(record_type)
        found.update(conn.execute(select(versions.c.delivery_id).where(versions.c.uscc == uscc).distinct()).scalars())
    return sorted(found)


def _source_of(conn: Connection, delivery_id: str) -> str | None:
    source: str | None = conn.execute(select(deliveries.c.source).where(deliveries.c.id == delivery_id)).scalar()
    return source
