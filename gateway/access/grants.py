"""Grants: which system may read which record type, which columns of it, where, for what and how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import Connection, select
from sqlalchemy.engine import RowMapping

from gateway.access.errors import NotFound, NotGranted
from gateway.access.tables import grants
from gateway.store.reading import Rows
from schemas.china_time import CHINA

WHOLE: Literal["*"] = "*"
"""As ``columns``: the whole payload, whatever fields later versions of the contract add."""


NONE_HELD = "grant_none"
"""Code of the reason when a system holds no grant at all for a record type."""


@dataclass(frozen=True)
class Grant:
    """One permission. The fields are those of the table ``grants``.

    Attributes:
        columns: ``"*"`` for the whole payload as stored, or the names of the fields that are shown.
        unmasked: restricted and personal fields that are shown in clear; others of them are masked.
        region_prefixes: GB/T 2260 prefixes of the records that are shown; empty for all.
        sources: whose records are shown, ``<agency>/<source>``; empty for every source of the record type.
        percent: share of the records that is shown, 1 to 100; see ``gateway.store.reading.Rows``.
        valid_from: first day in Asia/Shanghai.
        valid_until: last day in Asia/Shanghai.
        status: ``active``, ``withdrawn``, or ``replaced`` by a changed one.
        approvals: seat -> by whom and when; see ``gateway.access.deciding``.
    """

    id: str
    system_urn: str
    record_type: str
    columns: tuple[str, ...] | Literal["*"]
    unmasked: tuple[str, ...]
    purpose: str
    legal_basis: str
    region_prefixes: tuple[str, ...]
    valid_from: date
    valid_until: date
    status: str
    given_by: str
    given_at: str
    application_id: str | None = None
    sources: tuple[str, ...] = ()
    percent: int = 100
    approvals: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def rows(self) -> Rows:
        """Which records it lets through, as the store is asked for them."""
        return Rows(self.region_prefixes, self.sources, self.percent)

    def filter(self) -> dict[str, object]:
        """What this grant lets through, as it is written into the audit entry of a read."""
        return {
            "grant": self.id,
            "columns": self.columns if self.columns == WHOLE else list(self.columns),
            "unmasked": list(self.unmasked),
            "region_prefixes": list(self.region_prefixes),
            "sources": list(self.sources),
            "percent": self.percent,
        }


def find_grant(conn: Connection, system_urn: str, record_type: str, purpose: str | None, now: datetime) -> Grant:
    """The grant under which a system reads a record type for a purpose now.

    Raises:
        NotGranted: with the reason: none at all, another purpose, not yet, expired or withdrawn.
    """
    held = list_grants(conn, system_urn=system_urn, record_type=record_type)
    return choose_grant(held, system_urn, record_type, purpose, now)


def choose_grant(held: Sequence[Grant], system_urn: str, record_type: str, purpose: str | None, now: datetime) -> Grant:
    """Of the grants a system holds for a record type, the one that allows a read now; see ``find_grant``.

    Of several the widest is taken: the whole payload before named columns, what shows more in clear, all
    records before some of them, then the one that lasts longest.
    """
    if not purpose:
        raise NotGranted(
            "purpose_missing",
            "请求未说明用途；请在 Xinqiao-Purpose 中写明授权所载的用途。",
            "The request names no purpose; name the one of your grant in Xinqiao-Purpose.",
            record_type=record_type,
        )
    today = now.astimezone(CHINA).date()
    current = [grant for grant in held if _refusal(grant, purpose, today) is None]
    if current:
        return max(current, key=_width)
    raise _not_granted(held, system_urn, record_type, purpose, today)


def _width(grant: Grant) -> tuple[object, ...]:
    rows = (not grant.region_prefixes, not grant.sources, grant.percent)
    return (grant.columns == WHOLE, len(grant.unmasked), *rows, grant.valid_until, grant.id)


_REASONS = ("grant_other_purpose", "grant_withdrawn", "grant_not_yet", "grant_expired")


def _refusal(grant: Grant, purpose: str, today: date) -> str | None:
    if grant.purpose != purpose:
        return "grant_other_purpose"
    if grant.status != "active":
        return "grant_withdrawn"
    if today < grant.valid_from:
        return "grant_not_yet"
    if today > grant.valid_until:
        return "grant_expired"
    return None


def _not_granted(held: Sequence[Grant], system_urn: str, record_type: str, purpose: str, today: date) -> NotGranted:
    if not held:
        return NotGranted(
            NONE_HELD,
            f"系统 {system_urn} 没有读取 {record_type} 的授权；请先提出申请（/v1/applications）。",
            f"System {system_urn} holds no grant to read {record_type}; apply for one first (/v1/applications).",
            record_type=record_type,
        )
    # The grant that came nearest to allowing it gives the most useful reason.
    reason, nearest = max(
        ((_refusal(grant, purpose, today) or "", grant) for grant in held),
        key=lambda pair: (_REASONS.index(pair[0]), pair[1].valid_until, pair[1].id),
    )
    zh, en = {
        "grant_other_purpose": (
            f"授权 {nearest.id} 的用途是“{nearest.purpose}”，不是“{purpose}”。",
            f"Grant {nearest.id} is for the purpose '{nearest.purpose}', not '{purpose}'.",
        ),
        "grant_withdrawn": (
            f"授权 {nearest.id} 已被撤回。",
            f"Grant {nearest.id} has been withdrawn.",
        ),
        "grant_not_yet": (
            f"授权 {nearest.id} 自 {nearest.valid_from} 起有效，今天是 {today}。",
            f"Grant {nearest.id} is valid from {nearest.valid_from}; today is {today}.",
        ),
        "grant_expired": (
            f"授权 {nearest.id} 已于 {nearest.valid_until} 到期；请重新申请。",
            f"Grant {nearest.id} ended on {nearest.valid_until}; apply again.",
        ),
    }[reason]
    return NotGranted(reason, zh, en, record_type=record_type, grant=nearest.id)


def read_grant(conn: Connection, grant_id: str) -> Grant:
    """One grant by its id.

    Raises:
        NotFound: no such grant.
    """
    row = conn.execute(select(grants).where(grants.c.id == grant_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"没有编号为 {grant_id} 的授权。", f"There is no grant {grant_id}.", grant=grant_id)
    return _grant(row)


def list_grants(
    conn: Connection,
    *,
    system_urn: str | None = None,
    agency: str | None = None,
    record_type: str | None = None,
) -> list[Grant]:
    """Grants in the order they were given, of one system, one agency's systems, or all."""
    query = select(grants).order_by(grants.c.given_at, grants.c.id)
    if system_urn is not None:
        query = query.where(grants.c.system_urn == system_urn)
    if agency is not None:
        query = query.where(grants.c.system_urn.startswith(f"urn:xinqiao:{agency}:", autoescape=True))
    if record_type is not None:
        query = query.where(grants.c.record_type == record_type)
    return [_grant(row) for row in conn.execute(query).mappings()]


def _grant(row: RowMapping) -> Grant:
    values: dict[str, Any] = {f.name: row[f.name] for f in fields(Grant)}
    for name in ("columns", "unmasked", "region_prefixes", "sources"):
        values[name] = WHOLE if values[name] == WHOLE else tuple(values[name])
    return Grant(**values)
