"""Applications for grants, and for changes to grants: what is asked for, and who must say yes.

政务信息资源目录编制指南 (2017) knows three share types: 无条件共享, 有条件共享, 不予共享. A record type
is filled by several sources, so the strictest of their share types decides, unless the application names
the sources it is about. Who decides, and how, is in ``gateway/access/deciding.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select
from sqlalchemy.engine import RowMapping

from certs.names import AGENCY_ADMINISTRATOR, SECURITY_ADMINISTRATOR
from connectors.spec import SourceSpec
from gateway.access.errors import Conflict, Invalid, NotFound
from gateway.access.giving import check_rows, check_scope, new_id
from gateway.access.grants import WHOLE, Grant, read_grant
from gateway.access.tables import applications
from gateway.audit import Action, append
from gateway.audit.registers import rows_told
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
    unmasked: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    percent: int = 100


@dataclass(frozen=True)
class Application:
    """A wish on its way. The fields are those of the table ``applications``.

    Attributes:
        share_type: strictest among the sources it is about; at least conditional if something is to be unmasked.
        providers: agencies that must approve; empty unless the share type is conditional.
        seats: whose yes it takes: see ``seat_of``.
        approvals: seat -> ``{"by": urn, "at": instant}``.
        status: ``waiting``, ``granted``, ``refused`` or ``retracted``.
        reason: ground of the refusal.
        filed_by: the system itself or the administrator who applied for it.
        replaces: the grant that is to be changed; None for a new one.
        escalated_at: when the log was told that its clock had run out.
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
    filed_by: str
    unmasked: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    percent: int = 100
    seats: tuple[str, ...] = ()
    replaces: str | None = None
    escalated_at: str | None = None
    decided_by: str | None = None
    decided_at: str | None = None
    grant_id: str | None = None

    @property
    def applicant(self) -> str:
        """The agency whose system it is for."""
        return self.system_urn.split(":")[2]

    @property
    def missing(self) -> tuple[str, ...]:
        """Seats that have not said yes."""
        return tuple(seat for seat in self.seats if seat not in self.approvals)


def seat_of(duty: str, agency: str = "") -> str:
    """Whose yes is meant: a duty, and for agency administrators the agency.

    >>> seat_of("security_administrator"), seat_of("agency_administrator", "health")
    ('security_administrator', 'agency_administrator:health')
    """
    return f"{duty}:{agency}" if agency else duty


def store_application(
    conn: Connection,
    system_urn: str,
    wish: Wish,
    sources: Iterable[SourceSpec],
    filed_by: str,
    now: datetime,
    *,
    replaces: str | None = None,
    must_endorse: bool = False,
) -> Application:
    """Store an application with its entry; refused already if what it asks for is not shared.

    Args:
        sources: every source of the catalogue.
        replaces: the active grant of the same system and record type that it would change.
        must_endorse: whether an unconditional one needs the yes of the applicant's own administrator.

    Raises:
        Invalid: the wish names an unknown record type, field or source, ends before it begins, or nothing fills it.
        NotFound, Conflict: there is no such grant to change, or it is not an active one of this system and type.
    """
    _check(wish)
    filling = _filling(wish, sources)
    if replaces is not None:
        _check_replaced(read_grant(conn, replaces), system_urn, wish)
    application = _new(system_urn, wish, filling, filed_by, now, replaces)
    if application.share_type == "unconditional" and must_endorse:
        application = replace(application, seats=(seat_of(AGENCY_ADMINISTRATOR, application.applicant),))
    conn.execute(insert(applications).values(**asdict(application)))
    append(
        conn,
        action=Action.APPLICATION_FILED,
        actor=filed_by,
        at=now,
        facts=told(application, filling) | rows_told(conn, (applications, application.id)),
    )
    return application


def _check(wish: Wish) -> None:
    check_scope(wish.record_type, wish.columns, wish.unmasked)
    check_rows(wish.record_type, wish.sources, wish.percent)
    if wish.valid_until < wish.valid_from:
        raise Invalid(
            f"申请期止 {wish.valid_until} 早于期起 {wish.valid_from}。",
            f"The period ends on {wish.valid_until}, before it begins on {wish.valid_from}.",
            problems={"valid_until": wish.valid_until.isoformat()},
        )


def _filling(wish: Wish, sources: Iterable[SourceSpec]) -> list[SourceSpec]:
    filling = [
        spec
        for spec in sources
        if spec.record_type == wish.record_type and (not wish.sources or spec.source in wish.sources)
    ]
    if not filling:
        raise Invalid(
            f"目录中没有提供 {wish.record_type} 的数据源，无法共享。",
            f"No source of the catalogue provides {wish.record_type}; what is not in the catalogue is not shared.",
            problems={"record_type": wish.record_type},
        )
    return filling


def _check_replaced(grant: Grant, system_urn: str, wish: Wish) -> None:
    if (grant.status, grant.system_urn, grant.record_type) != ("active", system_urn, wish.record_type):
        raise Conflict(
            f"授权 {grant.id} 不是 {system_urn} 对 {wish.record_type} 的有效授权，不能变更。",
            f"Grant {grant.id} is no active grant of {system_urn} for {wish.record_type}; it cannot be changed.",
            grant=grant.id,
        )


def _new(
    system_urn: str, wish: Wish, filling: Sequence[SourceSpec], by: str, now: datetime, replaces: str | None
) -> Application:
    share_type = max((spec.catalogue.share_type for spec in filling), key=STRICTNESS.index)
    asked = {spec.agency for spec in filling if spec.catalogue.share_type == "conditional"}
    if wish.unmasked and share_type == "unconditional":
        # What is shown in clear is never without conditions, and then it is every provider's to say.
        share_type, asked = "conditional", {spec.agency for spec in filling}
    grounds = [f"{spec.title_zh}：{spec.catalogue.refusal_ground}" for spec in filling if spec.catalogue.refusal_ground]
    refused = share_type == "refused"
    providers = tuple(sorted(asked)) if share_type == "conditional" else ()
    seats = tuple(seat_of(AGENCY_ADMINISTRATOR, agency) for agency in providers)
    return Application(
        id=new_id("a"),
        system_urn=system_urn,
        **asdict(wish),
        share_type=share_type,
        providers=providers,
        seats=(*seats, SECURITY_ADMINISTRATOR) if seats else (),
        approvals={},
        status="refused" if refused else "waiting",
        reason="；".join(grounds) if refused else None,
        filed_by=by,
        applied_at=instant(now),
        replaces=replaces,
        decided_by="rule:refused" if refused else None,
        decided_at=instant(now) if refused else None,
    )


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
    return agency in application.providers or application.applicant == agency


def told(application: Application, filling: Sequence[SourceSpec] = ()) -> dict[str, object]:
    """What the log says of an application."""
    catalogue = [
        {"source": spec.source, "code": spec.catalogue.code, "share_type": spec.catalogue.share_type}
        for spec in filling
    ]
    return {
        "application": application.id,
        "system": application.system_urn,
        "record_type": application.record_type,
        "columns": application.columns if application.columns == WHOLE else list(application.columns),
        "unmasked": list(application.unmasked),
        "region_prefixes": list(application.region_prefixes),
        "sources": list(application.sources),
        "percent": application.percent,
        "purpose": application.purpose,
        "legal_basis": application.legal_basis,
        "share_type": application.share_type,
        "catalogue": catalogue,
        "seats": list(application.seats),
        "status": application.status,
        "reason": application.reason,
        "replaces": application.replaces,
    }


_TUPLES = ("columns", "region_prefixes", "providers", "unmasked", "sources", "seats")


def _application(row: RowMapping) -> Application:
    values: dict[str, Any] = {f.name: row[f.name] for f in fields(Application)}
    for name in _TUPLES:
        values[name] = WHOLE if values[name] == WHOLE else tuple(values[name])
    return Application(**values)
