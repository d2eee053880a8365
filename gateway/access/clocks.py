"""The working-day clocks of applications: what is due when, what is late, and that the log is told of it.

政务信息资源共享管理暂行办法 (国发〔2016〕51号), article 12, gives the providing agency ten working days to
answer an application for 有条件共享. An unconditional application that waits for the applicant's own
administrator has one; nobody else can be late with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, update

from gateway.access.applications import Application, list_applications
from gateway.access.tables import applications
from gateway.audit import Action, append
from gateway.audit.registers import rows_told
from gateway.clock import instant, parse_instant
from gateway.store import Store
from gateway.working_days import Deadline, WorkingDays, load_working_days

CLOCKS = {"conditional": 10, "unconditional": 1}
"""Working days to decide in, by share type."""

NOBODY = "xinqiao"
"""The actor of what the gateway does by itself."""


def deadline(application: Application, calendar: WorkingDays) -> Deadline | None:
    """When an application must be decided; None if its share type was the decision."""
    days = CLOCKS.get(application.share_type)
    return None if days is None else calendar.deadline(parse_instant(application.applied_at), days)


def is_late(application: Application, calendar: WorkingDays, now: datetime) -> bool:
    """Whether an application still waits although its last day has passed."""
    due = deadline(application, calendar)
    return application.status == "waiting" and due is not None and due.is_over(now)


def clock(application: Application, calendar: WorkingDays, now: datetime) -> dict[str, object] | None:
    """The clock of a waiting application as it is shown; None if it waits no more.

    Returns:
        ``due_on``, ``working_days``, ``overdue``, and ``provisional``: years it reaches into that
        nobody has announced yet, so that the day may still move.
    """
    due = deadline(application, calendar)
    if application.status != "waiting" or due is None:
        return None
    return {
        "due_on": due.due_on.isoformat(),
        "working_days": due.working_days,
        "overdue": due.is_over(now),
        "provisional": list(due.provisional),
    }


def overdue(conn: Connection, calendar: WorkingDays, now: datetime) -> Sequence[Application]:
    """Applications that wait although their last day has passed, in the order they were made."""
    return [one for one in list_applications(conn, status="waiting") if is_late(one, calendar, now)]


def escalate(store: Store, now: datetime) -> list[Application]:
    """Tell the log, once, of each application whose clock has run out: who was asked, and did not answer.

    Safe to call from any number of processes at once.

    Returns:
        those the log was told of by this call.
    """
    calendar = load_working_days(store.settings.home)
    with store.read() as conn:
        late = [one for one in overdue(conn, calendar, now) if one.escalated_at is None]
    if not late:
        return []
    with store.write() as conn:
        return [replace(one, escalated_at=instant(now)) for one in late if _escalate(conn, one, calendar, now)]


def _escalate(conn: Connection, application: Application, calendar: WorkingDays, now: datetime) -> bool:
    # The condition stands in the UPDATE, so that of several processes only one writes the entry.
    mine = conn.execute(
        update(applications)
        .where(
            applications.c.id == application.id,
            applications.c.status == "waiting",
            applications.c.escalated_at.is_(None),
        )
        .values(escalated_at=instant(now))
    )
    if mine.rowcount != 1:
        return False
    facts = {
        "application": application.id,
        "system": application.system_urn,
        "record_type": application.record_type,
        "missing": list(application.missing),
        **(clock(application, calendar, now) or {}),
        **rows_told(conn, (applications, application.id)),
    }
    append(conn, Action.APPLICATION_OVERDUE, NOBODY, facts, now)
    return True
