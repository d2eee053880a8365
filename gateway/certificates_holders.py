"""Who may hold certificates: systems and people, registered, suspended and resumed; each act with its audit entry."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Table, insert, literal, select, update

from certs.names import PERSON, PREFIX, SYSTEM_ADMINISTRATOR, Name, SystemName
from connectors.errors import Refused
from gateway.access.tables import separation
from gateway.audit import Action, append
from gateway.audit.registers import rows_told
from gateway.certificates_tables import people, systems
from gateway.clock import instant

ACTIVE, SUSPENDED = "active", "suspended"


def register(conn: Connection, name: Name, title: str, actor: str, now: datetime, brought_by: str = "") -> None:
    """Enter a system or a person who may hold certificates; active at once.

    Args:
        brought_by: who asked for it, if somebody else did.

    Raises:
        Refused: it is registered already; or the duties are separated and neither is ``actor`` a system
            administrator nor was a system brought by its agency's administrator.
    """
    _demand_registrar(conn, name, actor, brought_by)
    if holder_status(conn, name.urn) is not None:
        raise Refused(f"{name.urn} 已登记。", f"{name.urn} is registered already", urn=name.urn)
    row = {"urn": name.urn, "agency": name.agency, "title": title, "status": ACTIVE, "created_at": instant(now)}
    extra = {"system": name.system} if isinstance(name, SystemName) else {"duty": name.duty}
    conn.execute(insert(_holders(name.urn)).values(**row, **extra))
    action = Action.SYSTEM_REGISTERED if isinstance(name, SystemName) else Action.PERSON_REGISTERED
    append(conn, action, actor, {"holder": name.uri, "title": title, **_row(conn, name.urn)}, now)


def suspend_holder(conn: Connection, urn: str, actor: str, now: datetime) -> None:
    """Close the door to a system or person, whatever certificates it holds; from its next request on."""
    _set_holder(conn, urn, SUSPENDED, actor, now)


def resume_holder(conn: Connection, urn: str, actor: str, now: datetime) -> None:
    """Open the door again to a suspended system or person."""
    _set_holder(conn, urn, ACTIVE, actor, now)


def holder_rows(conn: Connection) -> list[dict[str, str]]:
    """Every system, then every person: urn, agency, duty (empty of systems), title, status, created_at."""
    found = []
    for table, duty in ((systems, literal("")), (people, people.c.duty)):
        c = table.c
        chosen = select(c.urn, c.agency, duty.label("duty"), c.title, c.status, c.created_at).order_by(c.urn)
        found += [dict(row) for row in conn.execute(chosen).mappings()]
    return found


def holder_status(conn: Connection, urn: str) -> str | None:
    """``active`` or ``suspended``; None if nobody of that name is registered."""
    table = _holders(urn)
    return conn.scalar(select(table.c.status).where(table.c.urn == urn))


def active_systems(conn: Connection, agency: str) -> list[str]:
    """URNs of the systems of an agency that are not suspended."""
    found = select(systems.c.urn).where(systems.c.agency == agency, systems.c.status == ACTIVE).order_by(systems.c.urn)
    return list(conn.execute(found).scalars())


def administrators(conn: Connection, agency: str) -> list[str]:
    """URNs of an agency's administrators, suspended ones too."""
    return list(conn.execute(select(people.c.urn).where(people.c.agency == agency).order_by(people.c.urn)).scalars())


def _set_holder(conn: Connection, urn: str, status: str, actor: str, now: datetime) -> None:
    table = _holders(urn)
    changed = conn.execute(update(table).where(table.c.urn == urn, table.c.status != status).values(status=status))
    if changed.rowcount != 1:
        got = holder_status(conn, urn) or "unregistered"
        raise Refused(f"{urn} 当前为 {got}，无需变更。", f"{urn} is {got} already or unknown", urn=urn, status=got)
    append(conn, _HOLDER_ACTS[table.name, status], actor, {"holder": urn, **_row(conn, urn)}, now)


_HOLDER_ACTS = {
    ("systems", SUSPENDED): Action.SYSTEM_SUSPENDED,
    ("systems", ACTIVE): Action.SYSTEM_RESUMED,
    ("people", SUSPENDED): Action.PERSON_SUSPENDED,
    ("people", ACTIVE): Action.PERSON_RESUMED,
}


def _demand_registrar(conn: Connection, name: Name, actor: str, brought_by: str) -> None:
    """Once the duties are separated, who issues cannot also invent the holder: that is another person's."""
    if conn.execute(select(separation.c.id)).first() is None:
        return
    duties = {row.urn: row for row in conn.execute(select(people).where(people.c.urn.in_((actor, brought_by))))}
    if actor in duties and duties[actor].duty == SYSTEM_ADMINISTRATOR:
        return
    asker = duties.get(brought_by)
    if isinstance(name, SystemName) and asker is not None and asker.agency == name.agency and brought_by != actor:
        return
    raise Refused(
        f"三员分立后，{name.urn} 须先由系统管理员登记（xinqiao duties register），或由其部门管理员提交证书申请。",
        f"with the duties separated {name.urn} is first registered by a system administrator "
        "(xinqiao duties register), or brought by its agency's administrator",
        actor=actor,
    )


def _row(conn: Connection, urn: str) -> dict[str, object]:
    return rows_told(conn, (_holders(urn), urn))


def _holders(urn: str) -> Table:
    return people if urn.startswith(f"{PREFIX}{PERSON}:") else systems
