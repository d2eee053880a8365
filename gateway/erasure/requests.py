"""Asking for an erasure. Nothing is erased here; see ``gateway.erasure.erasing``."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import marshmallow as ma
from sqlalchemy import Connection, Row, insert, select, update

from gateway.access.errors import Conflict, Invalid, NotFound
from gateway.access.giving import check_scope, new_id
from gateway.audit import Action, append
from gateway.audit.registers import rows_told
from gateway.clock import instant
from gateway.erasure.tables import erasures
from gateway.sealing import Sealer
from schemas.columnar import contract
from schemas.identifiers import uscc as uscc_rules

WAITING, ERASING, DONE, REFUSED = "waiting", "erasing", "done", "refused"


@dataclass(frozen=True)
class Wanted:
    """Whose data are to be erased.

    Attributes:
        record_type: of the records.
        ground: why: the law, the person's request.
        record_key: one record, hex; or None.
        uscc: the records of one entity; or None.
        values: personal field -> value by which the person is known; empty for whatever the records hold.
        fields: personal fields that are about this person; empty for all of the record type.
    """

    record_type: str
    ground: str
    record_key: str | None = None
    uscc: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    fields: Sequence[str] = ()


def ask(conn: Connection, sealer: Sealer, wanted: Wanted, by: str, now: datetime) -> dict[str, Any]:
    """Write down that an erasure is asked for; another person must approve it.

    Raises:
        Invalid: names no personal field, nothing to look by, no ground, or a value that the field cannot have.
    """
    fields, values = _checked(wanted)
    erasure_id = new_id("e")
    row = {
        "id": erasure_id,
        "record_type": wanted.record_type,
        "record_key": wanted.record_key,
        "uscc": wanted.uscc and uscc_rules.normalize(wanted.uscc),
        "fields": fields,
        "sealed": sealer.seal(json.dumps(values).encode(), context_of(erasure_id)),
        "ground": wanted.ground,
        "status": WAITING,
        "asked_by": by,
        "asked_at": instant(now),
    }
    conn.execute(insert(erasures).values(**row))
    told = {name: row[name] for name in ("record_type", "record_key", "fields", "ground") if row[name] is not None}
    facts = {"erasure": erasure_id, "looked_for_by": sorted(values), **told, **rows_told(conn, (erasures, erasure_id))}
    append(conn, Action.ERASURE_ASKED, by, facts, now, usccs=[str(row["uscc"])] if row["uscc"] else [])
    return read_erasure(conn, erasure_id)


def refuse(conn: Connection, erasure_id: str, reason: str, by: str, now: datetime) -> dict[str, Any]:
    """Refuse an erasure that waits, with the reason; the values that were looked for are forgotten.

    Raises:
        NotFound: no such request.
        Conflict: it no longer waits.
        Invalid: no reason.
    """
    if not reason.strip():
        raise Invalid("须说明理由。", "It needs a reason.", problems={"reason": reason})
    demand_waiting(row_of(conn, erasure_id))
    conn.execute(
        update(erasures)
        .where(erasures.c.id == erasure_id)
        .values(status=REFUSED, reason=reason, decided_by=by, decided_at=instant(now), sealed=None)
    )
    facts = {"erasure": erasure_id, "reason": reason, **rows_told(conn, (erasures, erasure_id))}
    append(conn, Action.ERASURE_REFUSED, by, facts, now)
    return read_erasure(conn, erasure_id)


def read_erasure(conn: Connection, erasure_id: str) -> dict[str, Any]:
    """One request, without the values that are looked for.

    Raises:
        NotFound: there is none of this id.
    """
    return _shown(row_of(conn, erasure_id))


def list_erasures(
    conn: Connection, status: str | None = None, asked_by: Collection[str] | None = None
) -> list[dict[str, Any]]:
    """Requests in the order asked, without values.

    Args:
        asked_by: who asked, URNs; None for everybody.
    """
    query = select(erasures).order_by(erasures.c.asked_at, erasures.c.id)
    if asked_by is not None:
        query = query.where(erasures.c.asked_by.in_(asked_by))
    if status is not None:
        query = query.where(erasures.c.status == status)
    return [_shown(row) for row in conn.execute(query)]


def row_of(conn: Connection, erasure_id: str) -> Row[Any]:
    """The row of the table, locked until the transaction ends.

    Raises:
        NotFound: there is none of this id.
    """
    row = conn.execute(select(erasures).where(erasures.c.id == erasure_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(
            f"没有编号为 {erasure_id} 的删除申请。", f"There is no erasure {erasure_id}.", erasure=erasure_id
        )
    return row


def demand_waiting(row: Row[Any]) -> None:
    """Refuse what is decided already.

    Raises:
        Conflict: with the state it is in.
    """
    if row.status != WAITING:
        raise Conflict(
            f"删除申请 {row.id} 的状态是“{row.status}”。", f"Erasure {row.id} is {row.status}.", erasure=row.id
        )


def context_of(erasure_id: str) -> bytes:
    """What the sealed values of a request are bound to."""
    return f"erasure:{erasure_id}".encode()


def _checked(wanted: Wanted) -> tuple[list[str], dict[str, str]]:
    check_scope(wanted.record_type, (*wanted.fields, *wanted.values))
    rules = contract(wanted.record_type)
    problems: dict[str, object] = {}
    if foreign := sorted({*wanted.fields, *wanted.values} - set(rules.personal)) or not rules.personal:
        problems["fields"] = foreign
    if not (wanted.record_key or wanted.uscc or wanted.values):
        problems["record_key"] = "record_key, uscc or values"
    if wanted.record_key and not _is_key(wanted.record_key):
        problems["record_key"] = wanted.record_key
    if wanted.uscc and uscc_rules.validate(uscc_rules.normalize(wanted.uscc)):
        problems["uscc"] = wanted.uscc
    if not wanted.ground.strip():
        problems["ground"] = wanted.ground
    values: dict[str, str] = {}
    for name, text in wanted.values.items():
        try:
            values[name] = rules.fields[name].deserialize(text)
        except ma.ValidationError:
            # The value itself is personal and stays out of the answer and the log.
            problems["values"] = name
    if problems:
        raise Invalid(
            f"删除申请不完整或有误：{'、'.join(problems)}；须写明个人信息字段、查找条件（记录、主体或字段值）和依据。",
            f"The erasure is not acceptable: {', '.join(problems)}; it needs personal fields, what to look by "
            "(record, entity or values) and a ground.",
            problems=problems,
        )
    return list(wanted.fields or rules.personal), values


def _is_key(text: str) -> bool:
    return len(text) == 32 and set(text) <= set("0123456789abcdef")


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {name: value for name, value in row._mapping.items() if name != "sealed"}
