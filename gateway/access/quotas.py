"""Quotas of systems: requests per period and records per day, the same over every worker process.

What has been used is counted in the database, so that all processes count together. A process does not ask for
every request: it takes a few at a time, fewer the less is left, and spends them itself. So the limit is never
passed, the last ones go one by one, and no system waits for the row of another.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from gateway.access.errors import Busy, QuotaExceeded
from gateway.access.tables import quota_use, quotas
from gateway.audit import Action, append
from gateway.audit.registers import rows_told
from gateway.certificates_tables import systems
from gateway.clock import instant
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.dialect import count_up
from schemas.china_time import CHINA

REQUESTS, RECORDS = "requests", "records"

DEFAULT_PERIOD_S = 60

_REMEMBERED_S = 2.0
"""How long a process goes on with a quota before it reads it again."""

_MOST_AT_ONCE = 256
_PART = 16
"""A process takes a sixteenth of what is left."""

_RECENT_S = 5.0
"""A system that asked within this many seconds is one for which room is kept."""


@dataclass(frozen=True)
class Quota:
    """What a system may do; 0 is no limit.

    Attributes:
        requests: reads per period.
        period_s: length of a period in seconds; periods begin at multiples of it.
        records: records per day in China.
    """

    requests: int = 0
    period_s: int = DEFAULT_PERIOD_S
    records: int = 0


def default_quota(settings: Settings) -> Quota:
    """The quota of a system that has none of its own."""
    return Quota(requests=settings.quota_requests, records=settings.quota_records)


def set_quota(conn: Connection, system_urn: str, quota: Quota, by: str, now: datetime) -> None:
    """Give a system a quota of its own, with its entry; every process goes by it within two seconds."""
    said = {"requests": quota.requests, "period_s": quota.period_s, "records": quota.records}
    conn.execute(delete(quotas).where(quotas.c.system_urn == system_urn))
    conn.execute(insert(quotas).values(system_urn=system_urn, **said, set_by=by, set_at=instant(now)))
    append(conn, Action.QUOTA_SET, by, {"system": system_urn, **said, **rows_told(conn, (quotas, system_urn))}, now)


def read_quota(conn: Connection, system_urn: str, settings: Settings) -> Quota:
    """The quota of a system: its own, or the default."""
    query = select(quotas.c.requests, quotas.c.period_s, quotas.c.records).where(quotas.c.system_urn == system_urn)
    row = conn.execute(query).one_or_none()
    return Quota(row.requests, row.period_s, row.records) if row else default_quota(settings)


def list_quotas(conn: Connection, agency: str | None, settings: Settings, now: datetime) -> list[dict[str, object]]:
    """Every registered system, or one agency's, with its quota and what it has used of it."""
    chosen = select(systems.c.urn).order_by(systems.c.urn)
    if agency is not None:
        chosen = chosen.where(systems.c.agency == agency)
    found: list[dict[str, object]] = []
    for urn in conn.execute(chosen).scalars():
        quota = read_quota(conn, urn, settings)
        found.append({"system": urn, **asdict(quota), "used": usage(conn, urn, quota, now)})
    return found


def usage(conn: Connection, system_urn: str, quota: Quota, now: datetime) -> dict[str, int]:
    """What has been taken of the running period and day; requests that a process holds ready count as taken."""
    return {
        REQUESTS: _used(conn, system_urn, REQUESTS, _period(quota, now)),
        RECORDS: _used(conn, system_urn, RECORDS, _day(now)),
    }


def records_left(conn: Connection, system_urn: str, quota: Quota, now: datetime) -> int | None:
    """How many records a system may still read today; None for no limit.

    Raises:
        QuotaExceeded: none.
    """
    if not quota.records:
        return None
    left = quota.records - _used(conn, system_urn, RECORDS, _day(now))
    if left <= 0:
        raise _exceeded(RECORDS, quota.records, _seconds_until(_day(now) + 86_400, now))
    return left


def take_records(conn: Connection, system_urn: str, quota: Quota, count: int, now: datetime) -> None:
    """Count records that are about to be shown, in the transaction that reads them and writes their entry.

    Raises:
        QuotaExceeded: they are more than are left; nothing is counted, because the transaction leaves nothing.
    """
    if not quota.records or not count:
        return
    day = _day(now)
    total = count_up(conn, quota_use, _key(system_urn, RECORDS, day), "used", count)
    if total > quota.records:
        raise _exceeded(RECORDS, quota.records, _seconds_until(day + 86_400, now))
    if total == count:
        _forget_older(conn, system_urn, RECORDS, day)


@dataclass
class _Held:
    """What one process knows of one system's requests; its lock is this system's alone."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    quota: Quota = field(default_factory=Quota)
    quota_until: float = 0.0
    window: int = -1
    left: int = 0
    spent_at: int = 0
    """The limit that was found used up in this window; 0 while there was something left."""
    is_told: bool = False
    """Whether the log has been told in this window."""
    told_on: int = -1
    """The day on which the log was told that the records are used up."""
    inside: int = 0
    seen: float = 0.0


class Meter:
    """Counts the requests of this process and keeps room for every system; made once per process.

    Args:
        places: how many requests the process answers at once; 0 for no bound. While another system has
            asked within the last seconds, none may hold them all: one place stays for the others.
    """

    def __init__(self, places: int = 0) -> None:
        self._places = places
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()

    @contextmanager
    def admitted(self, store: Store, system_urn: str, now: datetime) -> Iterator[Quota]:
        """One read of a system, as long as the block lasts.

        Raises:
            QuotaExceeded: its requests of this period are used up.
            Busy: it holds its share of the places, and others want the rest.
        """
        held = self._enter(system_urn)
        try:
            yield self._admit(store, system_urn, held, now)
        except QuotaExceeded as error:
            if error.details["quota"] == RECORDS:
                error.is_first, held.told_on = held.told_on != _day(now), _day(now)
            raise
        finally:
            with self._lock:
                held.inside -= 1

    def _enter(self, system_urn: str) -> _Held:
        at = time.monotonic()
        with self._lock:
            held = self._held.setdefault(system_urn, _Held())
            others = any(one.seen > at - _RECENT_S for urn, one in self._held.items() if urn != system_urn)
            held.seen = at
            if others and self._places and held.inside >= max(1, self._places - 1):
                raise Busy
            held.inside += 1
            return held

    def _admit(self, store: Store, system_urn: str, held: _Held, now: datetime) -> Quota:
        with held.lock:
            quota = _current(store, system_urn, held)
            if not quota.requests:
                return quota
            window = _period(quota, now)
            if held.window != window:
                held.window, held.left, held.spent_at, held.is_told = window, 0, 0, False
            if not held.left and held.spent_at != quota.requests:
                held.left = _take(store, system_urn, window, quota.requests)
                held.spent_at = 0 if held.left else quota.requests
            if not held.left:
                first, held.is_told = not held.is_told, True
                raise _exceeded(REQUESTS, quota.requests, _seconds_until(window + quota.period_s, now), first)
            held.left -= 1
            return quota


def _current(store: Store, system_urn: str, held: _Held) -> Quota:
    if time.monotonic() >= held.quota_until:
        with store.read() as conn:
            held.quota = read_quota(conn, system_urn, store.settings)
        held.quota_until = time.monotonic() + _REMEMBERED_S
    return held.quota


def _take(store: Store, system_urn: str, window: int, limit: int) -> int:
    """Take requests of this window for this process; 0 if there are none left."""
    with store.read() as conn:
        left = limit - _used(conn, system_urn, REQUESTS, window)
    if left <= 0:
        return 0
    wanted = min(max(left // _PART, 1), _MOST_AT_ONCE)
    key = _key(system_urn, REQUESTS, window)
    with store.write() as conn:
        total = count_up(conn, quota_use, key, "used", wanted)
        if total == wanted:
            _forget_older(conn, system_urn, REQUESTS, window)
        over = max(total - limit, 0)
        if over:
            # Others took some since we looked; what went over the limit is given back before anybody sees it.
            conn.execute(update(quota_use).where(*_matches(key)).values(used=max(limit, total - wanted)))
    return max(wanted - over, 0)


def _used(conn: Connection, system_urn: str, kind: str, window: int) -> int:
    query = select(quota_use.c.used).where(*_matches(_key(system_urn, kind, window)))
    return conn.execute(query).scalar_one_or_none() or 0


def _forget_older(conn: Connection, system_urn: str, kind: str, window: int) -> None:
    c = quota_use.c
    conn.execute(delete(quota_use).where(c.system_urn == system_urn, c.kind == kind, c.window < window))


def _key(system_urn: str, kind: str, window: int) -> dict[str, object]:
    return {"system_urn": system_urn, "kind": kind, "window": window}


def _matches(key: dict[str, object]) -> list[ColumnElement[bool]]:
    return [quota_use.c[name] == value for name, value in key.items()]


def _period(quota: Quota, now: datetime) -> int:
    return int(now.timestamp()) // quota.period_s * quota.period_s


def _day(now: datetime) -> int:
    midnight = now.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    return int(midnight.timestamp())


def _seconds_until(end: int, now: datetime) -> int:
    return max(1, math.ceil(end - now.timestamp()))


def _exceeded(kind: str, limit: int, retry_after_s: int, is_first: bool = True) -> QuotaExceeded:
    again = timedelta(seconds=retry_after_s)
    zh, en = {
        REQUESTS: (f"本周期的 {limit} 次请求已用完", f"the {limit} requests of this period are used up"),
        RECORDS: (f"今日的 {limit} 条记录已读完或不足", f"the {limit} records of today do not suffice for this read"),
    }[kind]
    return QuotaExceeded(
        f"{zh}；{again} 后重试。",
        f"{en}; try again in {again}.",
        is_first,
        quota=kind,
        limit=limit,
        retry_after_s=retry_after_s,
    )
