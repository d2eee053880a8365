"""Giving and withdrawing grants: each act is stored and audited in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Literal

from sqlalchemy import Connection, insert, update

from gateway.access.errors import Conflict, Invalid
from gateway.access.grants import WHOLE, Grant, read_grant
from gateway.access.tables import grants
from gateway.audit import Action, append
from gateway.clock import instant
from schemas.columnar import contract
from schemas.records import RECORD_TYPES


def give(conn: Connection, grant: Grant, now: datetime) -> Grant:
    """Store a grant with its audit entry.

    Args:
        grant: made by ``new_grant``.

    Raises:
        Invalid: unknown record type or field, or a period that ends before it begins.
    """
    _check(grant)
    row = asdict(grant)
    conn.execute(insert(grants).values(**row))
    append(conn, action=Action.GRANT_GIVEN, actor=grant.given_by, at=now, facts=_told(grant))
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
    unmasked: Sequence[str] = (),
    application_id: str | None = None,
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
    )


def withdraw(conn: Connection, grant_id: str, by: str, now: datetime) -> Grant:
    """End a grant at once; the next read under it is refused.

    Raises:
        NotFound: no such grant.
        Conflict: it was withdrawn before.
    """
    grant = read_grant(conn, grant_id)
    done = conn.execute(
        update(grants)
        .where(grants.c.id == grant_id, grants.c.status == "active")
        .values(status="withdrawn", withdrawn_by=by, withdrawn_at=instant(now))
    )
    if done.rowcount != 1:
        raise Conflict(f"授权 {grant_id} 先前已撤回。", f"Grant {grant_id} was withdrawn before.", grant=grant_id)
    facts = {"grant": grant_id, "system": grant.system_urn}
    append(conn, action=Action.GRANT_WITHDRAWN, actor=by, at=now, facts=facts)
    return replace(grant, status="withdrawn")


def new_id(prefix: str) -> str:
    """An identifier that cannot be guessed and says what it names, e.g. ``g-1f0c…``."""
    return f"{prefix}-{secrets.token_hex(8)}"


def check_scope(record_type: str, columns: Sequence[str] | Literal["*"], unmasked: Sequence[str] = ()) -> None:
    """Refuse names that the contract does not have.

    Raises:
        Invalid: unknown record type, unknown field, or a field unmasked that is not personal or not shown.
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
    if wrong := sorted(set(unmasked) - (set(shown) & set(contract(record_type).personal))):
        raise Invalid(
            f"只有同时列入授权字段的个人信息字段才能取消掩码：{'、'.join(wrong)}。",
            f"Only personal fields that are among the granted columns can be unmasked: {', '.join(wrong)}.",
            problems={"unmasked": wrong},
        )


def _check(grant: Grant) -> None:
    check_scope(grant.record_type, grant.columns, grant.unmasked)
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
    }
