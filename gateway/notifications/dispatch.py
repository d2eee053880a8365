"""Pushing what is due: at least once, with backoff, a bounded number of times. The mailbox keeps what never arrives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row, select, update

from connectors.errors import Unavailable
from gateway.audit import Action, append
from gateway.audit.log import seal
from gateway.certificates_files import pki_files
from gateway.certificates_holders import ACTIVE
from gateway.certificates_tables import systems
from gateway.clock import instant
from gateway.notifications.endpoints import Endpoint, load_endpoints
from gateway.notifications.notifier import load_notifier
from gateway.notifications.outbox import DELIVERED, GIVEN_UP, PUSH, WAITING, give_out
from gateway.notifications.sending import push
from gateway.notifications.tables import notifications
from gateway.sealing import load_sealer
from gateway.store import Store

MAX_ATTEMPTS = 12
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=6)
"""Waits double from the first to the longest: twelve attempts take a good day."""
LEASE = timedelta(minutes=5)
"""For so long nobody else tries what one process is trying."""
_PAGE = 100
_LET_IN = notifications.c.system_urn.in_(select(systems.c.urn).where(systems.c.status == ACTIVE))
"""Who is suspended may not read, so nothing is read out to it either; what waits goes on when it is resumed."""

log = structlog.get_logger(__name__)


def dispatch(store: Store, clock: Callable[[], datetime]) -> dict[str, int]:
    """Push everything that is due to systems that have an endpoint and are not suspended.

    Several processes may do so at once. A system that fails is left alone for the rest of this run.

    Returns:
        how many were ``delivered``, ``failed`` (to be tried again) and ``given_up``.

    Raises:
        Refused: ``notifications.yml`` is wrong, or there is no certificate to push with.
    """
    endpoints = dict(load_endpoints(store.settings.home))
    counts: Counter[str] = Counter(delivered=0, failed=0, given_up=0)
    if not endpoints:
        return dict(counts)
    while due := _due(store, endpoints, clock()):
        for row in due:
            if row.system_urn in endpoints:
                outcome = _attempt(store, row, endpoints[row.system_urn], clock)
                counts[outcome] += 1
                if outcome not in (DELIVERED, "taken"):
                    del endpoints[row.system_urn]
    del counts["taken"]
    seal(store, clock())
    return dict(counts)


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts that failed."""
    return min(FIRST_WAIT * (1 << (attempts - 1)), LONGEST_WAIT)


def _due(store: Store, endpoints: Mapping[str, Endpoint], now: datetime) -> list[Row[Any]]:
    query = (
        select(notifications)
        .where(
            notifications.c.status == WAITING,
            notifications.c.next_at <= instant(now),
            notifications.c.system_urn.in_(sorted(endpoints)),
            _LET_IN,
        )
        .order_by(notifications.c.number)
        .limit(_PAGE)
    )
    with store.read() as conn:
        return list(conn.execute(query))


def _attempt(store: Store, row: Row[Any], endpoint: Endpoint, clock: Callable[[], datetime]) -> str:
    now = clock()
    notifier = load_notifier(store.settings)
    mine = (notifications.c.number == row.number) & (notifications.c.status == WAITING)
    with store.write() as conn:
        lease = update(notifications).where(mine, notifications.c.next_at == row.next_at, _LET_IN)
        taken = conn.execute(lease.values(attempts=row.attempts + 1, next_at=instant(now + LEASE)))
        if taken.rowcount != 1:
            return "taken"
        # The entry is committed before a byte leaves: what cannot be written down is not told.
        body = give_out(conn, row, load_sealer(store.settings.home), PUSH, now)
    try:
        push(endpoint, notifier, pki_files(store.settings).trust, row.id, body, now)
    except Unavailable as error:
        return _note_failure(store, row, error, clock())
    with store.write() as conn:
        conn.execute(
            update(notifications).where(mine).values(status=DELIVERED, settled_at=instant(clock()), error=None)
        )
        facts = {"notification": row.id, "attempt": row.attempts + 1}
        append(conn, Action.NOTIFICATION_DELIVERED, row.system_urn, facts, clock())
    return DELIVERED


def _note_failure(store: Store, row: Row[Any], error: Unavailable, now: datetime) -> str:
    attempts = row.attempts + 1
    is_last = attempts >= MAX_ATTEMPTS
    log.warning("notification not delivered", notification=row.id, system=row.system_urn, attempt=attempts)
    with store.write() as conn:
        mine = (notifications.c.number == row.number) & (notifications.c.status == WAITING)
        next_at = instant(now + wait_after(attempts))
        status = GIVEN_UP if is_last else WAITING
        conn.execute(update(notifications).where(mine).values(status=status, next_at=next_at, error=error.en))
        if is_last:
            facts = {"notification": row.id, "system": row.system_urn, "attempts": attempts}
            append(conn, Action.NOTIFICATION_GIVEN_UP, "dispatch", facts, now)
    return GIVEN_UP if is_last else "failed"
