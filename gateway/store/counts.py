"""Counters: what status pages and expectations ask for, kept in the transaction of what they count.

Whoever writes says what changes (``count``); ``Store.write`` adds it to the counters as the last thing before it
commits, in the order of their keys. So a counter is locked for the moment of a commit, never while rows are written,
and two transactions cannot wait for each other's counters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Select, String, Table, func, insert, literal, select

from gateway.store import dialect
from gateway.store.metadata import metadata
from gateway.store.tables import deliveries, rejections, versions_table
from schemas.records import RECORD_TYPES

DELIVERIES, REJECTIONS, STANDING = "deliveries", "rejections", "standing"
"""What is counted, by source: deliveries and quarantined rows by status, and records that stand by record type."""

Key = tuple[str, str, str]
"""What, source, and the status or record type."""

counts = Table(
    "counts",
    metadata,
    Column("what", String(16), primary_key=True, comment="deliveries, rejections or standing"),
    Column("source", String(80), primary_key=True),
    Column("state", String(40), primary_key=True, comment="a status; of standing records the record type"),
    Column("n", BigInteger, nullable=False),
    comment="repeats what other tables hold, so that a status page need not read them; audit verify compares",
)

_PENDING = "xinqiao_counts"


@contextmanager
def counting(conn: Connection) -> Iterator[None]:
    """Within it ``count`` may be used; what was counted is added at its end, and forgotten if it fails."""
    pending: Counter[Key] = Counter()
    conn.execution_options(**{_PENDING: pending})
    yield
    changed = {key: n for key, n in sorted(pending.items()) if n}
    if changed:
        dialect.add(conn, counts, "n", _rows(changed))


def count(conn: Connection, what: str, source: str, state: str, n: int) -> None:
    """Say that there are ``n`` more of something, or fewer, when this transaction commits.

    Raises:
        KeyError: the transaction is none of ``Store.write``.
    """
    conn.get_execution_options()[_PENDING][what, source, state] += n


def counted(conn: Connection, what: str) -> list[tuple[str, str, int]]:
    """Source, state and number of everything of a kind of which there is any, as it was last committed."""
    query = select(counts.c.source, counts.c.state, counts.c.n).where(counts.c.what == what, counts.c.n != 0)
    return [(row.source, row.state, row.n) for row in conn.execute(query.order_by(counts.c.source, counts.c.state))]


def count_of(conn: Connection, what: str, source: str, state: str) -> int:
    """One number, as it was last committed."""
    one = (counts.c.what == what) & (counts.c.source == source) & (counts.c.state == state)
    return int(conn.execute(select(counts.c.n).where(one)).scalar() or 0)


def recounted(conn: Connection) -> dict[Key, int]:
    """What the counters must say: everything is read."""
    return {tuple(row[:3]): row[3] for query in _scans() for row in conn.execute(query)}


def kept(conn: Connection) -> dict[Key, int]:
    """What the counters say, without those that are 0."""
    return {tuple(row[:3]): row[3] for row in conn.execute(select(*counts.c).where(counts.c.n != 0))}


def recount_missing(conn: Connection) -> None:
    """Fill the counters if they are empty: an installation from before there were any, or one that lost them."""
    if conn.execute(select(counts.c.what).limit(1)).first() is None and (found := recounted(conn)):
        conn.execute(insert(counts), _rows(found))


def _scans() -> Iterator[Select[Any]]:
    for what, table in ((DELIVERIES, deliveries), (REJECTIONS, rejections)):
        key = (table.c.source, table.c.status)
        yield select(literal(what), *key, func.count()).group_by(*key)
    for record_type in RECORD_TYPES:
        versions = versions_table(record_type)
        stands = versions.c.superseded_seq.is_(None) & (versions.c.op == "put")
        found = select(literal(STANDING), versions.c.source, literal(record_type), func.count())
        yield found.where(stands).group_by(versions.c.source)


def _rows(found: Mapping[Key, int]) -> list[dict[str, Any]]:
    return [dict(zip(("what", "source", "state", "n"), (*key, n), strict=True)) for key, n in found.items()]
