"""Giving and withdrawing grants: each act is stored and audited in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Literal

from sqlalchemy import Connection, insert, update

from certs.names import PERSON, PREFIX
from connectors.registry import sources as registered
from gateway.access.errors import Conflict, Invalid
from gateway.access.grants import WHOLE, Grant, read_grant
from gateway.access.projection import restricted_fields
from gateway.access.tables import applications, grants
from gateway.audit import Action, append
from gateway.audit.registers import rows_told
from gateway.clock import instant
from schemas.columnar import contract
from schemas.records import RECORD_TYPES


def give(conn: Connection, grant: Grant, now: datetime, replaces: str | None = None) -> Grant:
    """Store a grant with its audit entry.

    Args:
        grant: made by ``new_grant``.
        replaces: the grant that it changes, which has been ended. The application it comes from is settled too.

    Raises:
        Invalid: unknown record type or field, or a period that ends before it begins.
    """
    _check(grant)
    row = asdict(grant)
    conn.execute(insert(grants).values(**row))
    action = Action.GRANT_CHANGED if replaces else Action.GRANT_GIVEN
    touched = [(grants, one) for one in (grant.id, replaces) if one]
    touched += [(applications, grant.application_id)] if grant.application_id else []
    facts = {**_told(grant), "replaces": replaces, **rows_told(conn, *touched)}
    append(conn, action=action, actor=grant.given_by, at=now, facts=facts)
    return grant


def new_grant(
    *,
    system_urn: str,
    record_type: str,
    columns: Sequence[str] | Literal["*"],
    purpose: str,
    legal_basis: str,
    valid_from: date,
    valid_until: date,
    given_by: str,
    now: datetime,
    region_prefixes: Sequence[str] = (),
    sources: Sequence[str] = (),
    percent: int = 100,
    unmasked: Sequence[str] = (),
    application_id: str | None = None,
    approvals: Mapping[str, Mapping[str, str]] | None = None,
) -> Grant:
    """An active grant with a new id; nothing is stored."""
    return Grant(
        id=new_id("g"),
        system_urn=system_urn,
        record_type=record_type,
        columns=WHOLE if columns == WHOLE else tuple(columns),
        unmasked=tuple(unmasked),
        purpose=purpose,
        legal_basis=legal_basis,
        region_prefixes=tuple(region_prefixes),
        valid_from=valid_from,
        valid_until=valid_until,
        status="active",
        given_by=given_by,
        given_at=instant(now),
        application_id=application_id,
        sources=tuple(sources),
        percent=percent,
        approvals=dict(approvals or {}),
    )


def withdraw(conn: Connection, grant_id: str, by: str, now: datetime, reason: str = "") -> Grant:
    """End a grant at once; the next read under it is refused.

    One person is enough: it takes away, and a danger does not wait for a second one.

    Raises:
        NotFound: no such grant.
        Conflict: it was ended before.
    """
    grant = end(conn, grant_id, "withdrawn", by, now)
    facts = {"grant": grant_id, "system": grant.system_urn, "record_type": grant.record_type, "reason": reason}
    told = rows_told(conn, (grants, grant_id))
    append(conn, action=Action.GRANT_WITHDRAWN, actor=by, at=now, facts={**facts, **told})
    return grant


def end(conn: Connection, grant_id: str, status: str, by: str, now: datetime) -> Grant:
    """Give an active grant another status, from the next read on; the caller writes the entry.

    Raises:
        NotFound: no such grant.
        Conflict: it was ended before.
    """
    grant = read_grant(conn, grant_id)
    done = conn.execute(
        update(grants)
        .where(grants.c.id == grant_id, grants.c.status == "active")
        .values(status=status, withdrawn_by=by, withdrawn_at=instant(now))
    )
    if done.rowcount != 1:
        raise Conflict(
            f"授权 {grant_id} 已不再有效，当前为 {read_grant(conn, grant_id).status}。",
            f"Grant {grant_id} is no longer active, it is {read_grant(conn, grant_id).status}.",
            grant=grant_id,
        )
    return replace(grant, status=status)


def new_id(prefix: str) -> str:
    """An identifier that cannot be guessed and says what it names, e.g. ``g-1f0c…``."""
    return f"{prefix}-{secrets.token_hex(8)}"


def check_scope(record_type: str, columns: Sequence[str] | Literal["*"], unmasked: Sequence[str] = ()) -> None:
    """Refuse names that the contract does not have.

    Raises:
        Invalid: unknown record type, unknown field, or a field unmasked that is never masked or not shown.
    """
    if record_type not in RECORD_TYPES:
        raise Invalid(
            f"没有记录类型“{record_type}”。",
            f"There is no record type '{record_type}'; known: {', '.join(sorted(RECORD_TYPES))}.",
            problems={"record_type": record_type},
        )
    shown = () if columns == WHOLE else tuple(columns)
    if unknown := sorted(set(shown) - set(contract(record_type).fields)):
        raise Invalid(
            f"{record_type} 没有这些字段：{'、'.join(unknown)}。",
            f"{record_type} has no fields {', '.join(unknown)}.",
            problems={"columns": unknown},
        )
    restricted = set(restricted_fields(record_type))
    maskable = (restricted if columns == WHOLE else restricted & set(shown)) | (
        set(shown) & set(contract(record_type).personal)
    )
    if wrong := sorted(set(unmasked) - maskable):
        raise Invalid(
            f"只有授权字段中的受限字段或个人信息字段才能取消掩码：{'、'.join(wrong)}。",
            f"Only restricted or personal fields among the granted columns can be unmasked: {', '.join(wrong)}.",
            problems={"unmasked": wrong},
        )


def check_rows(record_type: str, sources: Sequence[str], percent: int) -> None:
    """Refuse a choice of records that cannot be one.

    Raises:
        Invalid: a source that does not fill the record type, or a share outside 1 to 100.
    """
    filling = {name for name, spec in registered().items() if spec.record_type == record_type}
    if unknown := sorted(set(sources) - filling):
        raise Invalid(
            f"这些数据源不提供 {record_type}：{'、'.join(unknown)}；提供的有：{'、'.join(sorted(filling))}。",
            f"No {record_type} comes from {', '.join(unknown)}; it comes from: {', '.join(sorted(filling))}.",
            problems={"sources": unknown},
        )
    if not 1 <= percent <= 100:
        raise Invalid(
            f"共享比例应为 1 至 100（百分比），收到 {percent}。",
            f"The share of the records is a percentage from 1 to 100, got {percent}.",
            problems={"percent": percent},
        )


def _check(grant: Grant) -> None:
    if grant.system_urn.startswith(f"{PREFIX}{PERSON}:"):
        raise Invalid(
            f"{grant.system_urn} 是人员；数据只授权给系统，人员不得持有。",
            f"{grant.system_urn} is a person; only systems hold grants, and no person holds a system.",
            problems={"system": grant.system_urn},
        )
    check_scope(grant.record_type, grant.columns, grant.unmasked)
    check_rows(grant.record_type, grant.sources, grant.percent)
    if grant.columns != WHOLE and not grant.columns:
        raise Invalid("授权没有列出任何字段。", "The grant names no column.", problems={"columns": []})
    if grant.valid_until < grant.valid_from:
        raise Invalid(
            f"授权期止 {grant.valid_until} 早于期起 {grant.valid_from}。",
            f"The grant ends on {grant.valid_until}, before it begins on {grant.valid_from}.",
            problems={"valid_until": grant.valid_until.isoformat()},
        )


def _told(grant: Grant) -> dict[str, object]:
    return {
        **grant.filter(),
        "system": grant.system_urn,
        "record_type": grant.record_type,
        "purpose": grant.purpose,
        "legal_basis": grant.legal_basis,
        "valid_from": grant.valid_from.isoformat(),
        "valid_until": grant.valid_until.isoformat(),
        "application": grant.application_id,
        "approvals": {seat: said["by"] for seat, said in grant.approvals.items()},
    }
