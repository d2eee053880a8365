"""Applications for grants: granted at once, waiting for the providing agencies, or refused with the ground.

政务信息资源目录编制指南 (2017) knows three share types: 无条件共享, 有条件共享, 不予共享. A record type
is filled by several sources, so the strictest of their share types decides, and every agency
that shares under conditions must approve.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.engine import RowMapping

from connectors.spec import SourceSpec
from gateway.access.errors import Conflict, Invalid, NotFound, NotYours
from gateway.access.giving import check_scope, give, new_grant, new_id
from gateway.access.grants import WHOLE
from gateway.access.tables import applications
from gateway.audit import Action, append
from gateway.clock import instant

STRICTNESS = ("unconditional", "conditional", "refused")


@dataclass(frozen=True)
class Wish:
    """What an applicant asks for; meanings as in ``Grant``."""

    record_type: str
    columns: tuple[str, ...] | Literal["*"]
    purpose: str
    legal_basis: str
    valid_from: date
    valid_until: date
    region_prefixes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Application:
    """A wish on its way. The fields are those of the table ``applications``.

    Attributes:
        share_type: strictest among the sources that fill the record type.
        providers: agencies that must approve; empty unless the share type is conditional.
        approvals: agency -> ``{"by": urn, "at": instant}``.
        status: ``waiting``, ``granted`` or ``refused``.
        reason: ground of the refusal.
    """

    id: str
    system_urn: str
    record_type: str
    columns: tuple[str, ...] | Literal["*"]
    purpose: str
    legal_basis: str
    region_prefixes: tuple[str, ...]
    valid_from: date
    valid_until: date
    share_type: str
    providers: tuple[str, ...]
    approvals: Mapping[str, Mapping[str, str]]
    status: str
    reason: str | None
    applied_at: str
    decided_by: str | None = None
    decided_at: str | None = None
    grant_id: str | None = None


def apply_for(
    conn: Connection, system_urn: str, wish: Wish, sources: Iterable[SourceSpec], now: datetime
) -> Application:
    """Store an application and decide it where its share type decides it.

    Args:
        sources: every source of the catalogue.

    Raises:
        Invalid: the wish names an unknown record type or field, ends before it begins, or nothing fills the type.
    """
    check_scope(wish.record_type, wish.columns)
    if wish.valid_until < wish.valid_from:
        raise Invalid(
            f"申请期止 {wish.valid_until} 早于期起 {wish.valid_from}。",
            f"The period ends on {wish.valid_until}, before it begins on {wish.valid_from}.",
            problems={"valid_until": wish.valid_until.isoformat()},
        )
    filling = [spec for spec in sources if spec.record_type == wish.record_type]
    if not filling:
        raise Invalid(
            f"目录中没有提供 {wish.record_type} 的数据源，无法共享。",
            f"No source of the catalogue provides {wish.record_type}; what is not in the catalogue is not shared.",
            problems={"record_type": wish.record_type},
        )
    application = _new(system_urn, wish, filling, now)
    conn.execute(insert(applications).values(**asdict(application)))
    append(conn, action=Action.APPLICATION_FILED, actor=system_urn, at=now, facts=_told(application))
    if application.share_type == "unconditional":
        return _grant_it(conn, application, "rule:unconditional", now)
    return application


def _new(system_urn: str, wish: Wish, filling: Sequence[SourceSpec], now: datetime) -> Application:
    share_type = max((spec.catalogue.share_type for spec in filling), key=STRICTNESS.index)
    conditional = sorted({spec.agency for spec in filling if spec.catalogue.share_type == "conditional"})
    grounds = [f"{spec.title_zh}：{spec.catalogue.refusal_ground}" for spec in filling if spec.catalogue.refusal_ground]
    refused = share_type == "refused"
    return Application(
        id=new_id("a"),
        system_urn=system_urn,
        **asdict(wish),
        share_type=share_type,
        providers=tuple(conditional) if share_type == "conditional" else (),
        approvals={},
        status="refused" if refused else "waiting",
        reason="；".join(grounds) if refused else None,
        applied_at=instant(now),
        decided_by="rule:refused" if refused else None,
        decided_at=instant(now) if refused else None,
    )


def approve(conn: Connection, application_id: str, agency: str | None, by: str, now: datetime) -> Application:
    """Approve for one providing agency; the last approval gives the grant.

    Args:
        agency: on whose behalf; None for the operator, who approves for every agency that is still missing.
        by: who decides, as it is written into the log.

    Raises:
        NotFound: no such application.
        NotYours: the agency provides nothing that is asked for.
        Conflict: it is decided already.
    """
    application = _waiting(conn, application_id, agency)
    said = {"by": by, "at": instant(now)}
    agencies = application.providers if agency is None else (agency,)
    approvals = {**dict.fromkeys(agencies, said), **application.approvals}
    application = replace(application, approvals=approvals)
    _store(conn, application)
    facts = {"application": application_id, "agencies": list(agencies)}
    append(conn, action=Action.APPLICATION_APPROVED, actor=by, at=now, facts=facts)
    if set(application.providers) <= set(approvals):
        return _grant_it(conn, application, by, now)
    return application


def refuse(
    conn: Connection, application_id: str, agency: str | None, by: str, reason: str, now: datetime
) -> Application:
    """Refuse; one providing agency is enough.

    Raises:
        Invalid: no reason is given.
        NotFound, NotYours, Conflict: as in ``approve``.
    """
    if not reason.strip():
        raise Invalid("拒绝申请须说明理由。", "A refusal needs its reason.", problems={"reason": reason})
    application = replace(
        _waiting(conn, application_id, agency),
        status="refused",
        reason=reason,
        decided_by=by,
        decided_at=instant(now),
    )
    _store(conn, application)
    facts = {"application": application_id, "reason": reason}
    append(conn, action=Action.APPLICATION_REFUSED, actor=by, at=now, facts=facts)
    return application


def list_applications(
    conn: Connection, *, concerning: str | None = None, status: str | None = None
) -> list[Application]:
    """Applications in the order they were made.

    Args:
        concerning: agency that applied or must approve; None for all.
        status: only those in this state.
    """
    query = select(applications).order_by(applications.c.applied_at, applications.c.id)
    if status is not None:
        query = query.where(applications.c.status == status)
    found = [_application(row) for row in conn.execute(query).mappings()]
    return [one for one in found if concerning is None or concerns(one, concerning)]


def read_application(conn: Connection, application_id: str) -> Application:
    """One application by its id.

    Raises:
        NotFound: no such application.
    """
    query = select(applications).where(applications.c.id == application_id)
    row = conn.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(
            f"没有编号为 {application_id} 的申请。",
            f"There is no application {application_id}.",
            application=application_id,
        )
    return _application(row)


def concerns(application: Application, agency: str) -> bool:
    """Whether an agency applied for it or must approve it."""
    return agency in application.providers or application.system_urn.startswith(f"urn:xinqiao:{agency}:")


def _waiting(conn: Connection, application_id: str, agency: str | None) -> Application:
    # Locked, so that two agencies that approve at once do not both see the other one missing.
    conn.execute(select(applications.c.id).where(applications.c.id == application_id).with_for_update())
    application = read_application(conn, application_id)
    if agency is not None and agency not in application.providers:
        raise NotYours(
            f"申请 {application_id} 不由 {agency} 审批；审批单位：{'、'.join(application.providers) or '无'}。",
            f"Application {application_id} is not decided by {agency}; "
            f"it is by: {', '.join(application.providers) or 'nobody'}.",
            application=application_id,
        )
    if application.status != "waiting":
        raise Conflict(
            f"申请 {application_id} 已有结果：{application.status}。",
            f"Application {application_id} is decided already: {application.status}.",
            application=application_id,
        )
    return application


def _grant_it(conn: Connection, application: Application, by: str, now: datetime) -> Application:
    grant = new_grant(
        system_urn=application.system_urn,
        record_type=application.record_type,
        columns=application.columns,
        purpose=application.purpose,
        legal_basis=application.legal_basis,
        region_prefixes=application.region_prefixes,
        valid_from=application.valid_from,
        valid_until=application.valid_until,
        given_by=by,
        now=now,
        application_id=application.id,
    )
    give(conn, grant, now)
    granted = replace(application, status="granted", decided_by=by, decided_at=instant(now), grant_id=grant.id)
    _store(conn, granted)
    return granted


def _store(conn: Connection, application: Application) -> None:
    changed = {
        name: getattr(application, name)
        for name in ("approvals", "status", "reason", "decided_by", "decided_at", "grant_id")
    }
    conn.execute(update(applications).where(applications.c.id == application.id).values(**changed))


def _told(application: Application) -> dict[str, object]:
    return {
        "application": application.id,
        "record_type": application.record_type,
        "columns": application.columns if application.columns == WHOLE else list(application.columns),
        "purpose": application.purpose,
        "legal_basis": application.legal_basis,
        "share_type": application.share_type,
        "status": application.status,
        "reason": application.reason,
    }


def _application(row: RowMapping) -> Application:
    values: dict[str, Any] = {f.name: row[f.name] for f in fields(Application)}
    for name in ("columns", "region_prefixes", "providers"):
        values[name] = WHOLE if values[name] == WHOLE else tuple(values[name])
    return Application(**values)
