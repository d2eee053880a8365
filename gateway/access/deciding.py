"""Deciding on applications: two people of different duties for every grant and every change of one.

有条件共享 takes the administrator of every providing agency and the security administrator. 无条件共享 is
granted at once: its first pair of eyes published the catalogue entry that says so, its second is the
administrator of the applying agency, who answers for purpose and legal basis; a system that applies by
itself waits for him. Before the duties are separated, the operator of the machine may sit on every seat,
and the entry says ``bootstrap``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, select, update

from certs.names import AGENCY_ADMINISTRATOR, SECURITY_ADMINISTRATOR
from certs.verify import Identity
from connectors.registry import sources
from connectors.spec import SourceSpec
from gateway.access.applications import Application, Wish, concerns, read_application, seat_of, store_application
from gateway.access.errors import Conflict, Invalid, NotYours, WrongDuty
from gateway.access.giving import end, give, new_grant
from gateway.access.grants import Grant
from gateway.access.separation import is_separated
from gateway.access.tables import applications
from gateway.audit import Action, append
from gateway.audit.registers import rows_told
from gateway.certificates_tables import systems
from gateway.clock import instant
from gateway.store import Store

UNCONDITIONAL = "rule:unconditional"


@dataclass(frozen=True)
class Actor:
    """Who acts on an application.

    Attributes:
        name: as it is written into the log: a URN, or ``cli:<user>``.
        duty: of a person; empty for systems and for the operator.
        agency: of a system or an agency administrator.
        is_operator: sits at the machine before the duties are separated, and may take every seat.
    """

    name: str
    duty: str = ""
    agency: str = ""
    is_operator: bool = False

    @property
    def seat(self) -> str | None:
        """The seat this person can take; None for systems and for duties that decide nothing here."""
        if self.duty not in (AGENCY_ADMINISTRATOR, SECURITY_ADMINISTRATOR):
            return None
        return seat_of(self.duty, self.agency)


def actor_of(identity: Identity) -> Actor:
    """A verified caller as an actor."""
    return Actor(identity.urn, identity.duty, identity.agency)


def apply_for(
    conn: Connection,
    system_urn: str,
    wish: Wish,
    catalogue: Iterable[SourceSpec],
    by: Actor,
    now: datetime,
    replaces: str | None = None,
) -> Application:
    """File an application and decide it as far as that can be done at once.

    Whoever files it and has a seat in it has thereby said yes.

    Args:
        system_urn: the system that would hold the grant.
        catalogue: every source.
        replaces: the grant it would change.

    Raises:
        NotYours: the system belongs to another agency than the applicant.
        Invalid, NotFound, Conflict: as ``store_application``.
    """
    filed = store_application(
        conn, system_urn, wish, catalogue, by.name, now, replaces=replaces, must_endorse=is_separated(conn)
    )
    if not _may_apply(by, system_urn, filed):
        raise NotYours(
            f"{by.name} 不能为 {system_urn} 提出申请。",
            f"{by.name} may not apply for {system_urn}.",
            system=system_urn,
        )
    if filed.status != "waiting":
        return filed
    if not filed.seats:
        return _grant_it(conn, filed, UNCONDITIONAL, now)
    if by.seat in filed.seats:
        return _say_yes(conn, filed, by, (by.seat,), now)
    return filed


def _may_apply(by: Actor, system_urn: str, application: Application) -> bool:
    if by.is_operator or by.name == system_urn or by.duty == SECURITY_ADMINISTRATOR:
        return True
    return by.duty == AGENCY_ADMINISTRATOR and concerns(application, by.agency)


def registered_system(store: Store, urn: str) -> str:
    """The URN, if a system of this name is registered.

    Raises:
        Invalid: there is none; a person is none either.
    """
    with store.read() as conn:
        is_known = conn.execute(select(systems.c.urn).where(systems.c.urn == urn)).first() is not None
    if not is_known:
        raise Invalid(f"没有登记系统 {urn}。", f"No system {urn} is registered.", problems={"system": urn})
    return urn


def demand_concerned(caller: Identity, grant: Grant) -> None:
    """Let the security duty, a providing agency and the holding agency pass; they may end a grant.

    Raises:
        NotYours: the caller administers another agency.
    """
    providing = {spec.agency for spec in sources().values() if spec.record_type == grant.record_type}
    if caller.duty == SECURITY_ADMINISTRATOR or caller.agency in {*providing, grant.system_urn.split(":")[2]}:
        return
    raise NotYours(
        f"授权 {grant.id} 与 {caller.agency} 无关。",
        f"Grant {grant.id} is no concern of {caller.agency}.",
        grant=grant.id,
    )


def approve(conn: Connection, application_id: str, by: Actor, now: datetime) -> Application:
    """Say yes for one's own seat; the last yes gives the grant.

    Raises:
        NotFound: no such application.
        NotYours: the person has no seat in it; WrongDuty if nobody of this duty can have one.
        Conflict: it is decided already, this seat has said yes, or it was the same person for another one.
    """
    application = _waiting(conn, application_id)
    if by.is_operator:
        return _say_yes(conn, application, by, application.missing, now)
    return _say_yes(conn, application, by, (_seat(application, by),), now)


def refuse(conn: Connection, application_id: str, by: Actor, reason: str, now: datetime) -> Application:
    """Refuse with the ground; one seat is enough, and it is final.

    Raises:
        Invalid: no reason is given.
        NotFound, NotYours, Conflict: as in ``approve``.
    """
    if not reason.strip():
        raise Invalid("拒绝申请须说明理由。", "A refusal needs its reason.", problems={"reason": reason})
    application = _waiting(conn, application_id)
    if not by.is_operator:
        _seat(application, by)
    return _close(conn, application, "refused", Action.APPLICATION_REFUSED, by, reason, now)


def retract(conn: Connection, application_id: str, by: Actor, reason: str, now: datetime) -> Application:
    """Take an application back, for the agency that made it.

    Raises:
        NotFound: no such application.
        NotYours: it is another agency's.
        Conflict: it is decided already.
    """
    application = _waiting(conn, application_id)
    if not by.is_operator and by.agency != application.applicant:
        raise NotYours(
            f"申请 {application_id} 由 {application.applicant} 提出，只能由其撤回。",
            f"Application {application_id} was made by {application.applicant}, which alone can take it back.",
            application=application_id,
        )
    return _close(conn, application, "retracted", Action.APPLICATION_WITHDRAWN, by, reason, now)


def _waiting(conn: Connection, application_id: str) -> Application:
    # Locked, so that two seats that approve at once do not both see the other one missing.
    conn.execute(select(applications.c.id).where(applications.c.id == application_id).with_for_update())
    application = read_application(conn, application_id)
    if application.status != "waiting":
        raise Conflict(
            f"申请 {application_id} 已有结果：{application.status}。",
            f"Application {application_id} is decided already: {application.status}.",
            application=application_id,
        )
    return application


def _seat(application: Application, by: Actor) -> str:
    if by.seat is None:
        raise WrongDuty(
            f"申请须由部门管理员或安全管理员审批；{by.name} 不是。",
            f"An application is decided by agency administrators and the security administrator; {by.name} is neither.",
            application=application.id,
        )
    if by.seat not in application.seats:
        raise NotYours(
            f"申请 {application.id} 不由 {by.seat} 审批；审批方：{'、'.join(application.seats) or '无'}。",
            f"Application {application.id} is not decided by {by.seat}; "
            f"it is by: {', '.join(application.seats) or 'nobody'}.",
            application=application.id,
        )
    return by.seat


def _say_yes(
    conn: Connection, application: Application, by: Actor, seats: tuple[str, ...], now: datetime
) -> Application:
    _demand_second_person(application, by, seats)
    said = {"by": by.name, "at": instant(now)}
    application = replace(application, approvals={**application.approvals, **dict.fromkeys(seats, said)})
    _store(conn, application)
    facts = {"application": application.id, "seats": list(seats), **_bootstrap(by), **_row(conn, application)}
    append(conn, Action.APPLICATION_APPROVED, by.name, facts, now)
    return application if application.missing else _grant_it(conn, application, by.name, now)


def _demand_second_person(application: Application, by: Actor, seats: tuple[str, ...]) -> None:
    if taken := [seat for seat in seats if seat in application.approvals]:
        raise Conflict(
            f"申请 {application.id} 已由 {taken[0]} 同意。",
            f"Application {application.id} has been approved by {taken[0]} already.",
            application=application.id,
        )
    if by.name in {said["by"] for said in application.approvals.values()}:
        raise Conflict(
            f"{by.name} 已同意过申请 {application.id}；须由另一人确认。",
            f"{by.name} has approved application {application.id} already; it takes a second person.",
            application=application.id,
        )


def _bootstrap(by: Actor) -> dict[str, object]:
    return {"bootstrap": True} if by.is_operator else {}


def _grant_it(conn: Connection, application: Application, by: str, now: datetime) -> Application:
    if application.replaces is not None:
        end(conn, application.replaces, "replaced", by, now)
    grant = new_grant(
        system_urn=application.system_urn,
        record_type=application.record_type,
        columns=application.columns,
        unmasked=application.unmasked,
        purpose=application.purpose,
        legal_basis=application.legal_basis,
        region_prefixes=application.region_prefixes,
        sources=application.sources,
        percent=application.percent,
        valid_from=application.valid_from,
        valid_until=application.valid_until,
        given_by=by,
        now=now,
        application_id=application.id,
        approvals=application.approvals,
    )
    granted = replace(application, status="granted", decided_by=by, decided_at=instant(now), grant_id=grant.id)
    # Before the grant, whose entry tells of both rows.
    _store(conn, granted)
    give(conn, grant, now, replaces=application.replaces)
    return granted


def _close(
    conn: Connection, application: Application, status: str, action: Action, by: Actor, reason: str, now: datetime
) -> Application:
    closed = replace(application, status=status, reason=reason, decided_by=by.name, decided_at=instant(now))
    _store(conn, closed)
    facts = {"application": application.id, "reason": reason, **_bootstrap(by), **_row(conn, application)}
    append(conn, action, by.name, facts, now)
    return closed


def _row(conn: Connection, application: Application) -> dict[str, object]:
    return rows_told(conn, (applications, application.id))


def _store(conn: Connection, application: Application) -> None:
    changed = {
        name: getattr(application, name)
        for name in ("approvals", "status", "reason", "decided_by", "decided_at", "grant_id")
    }
    conn.execute(update(applications).where(applications.c.id == application.id).values(**changed))
