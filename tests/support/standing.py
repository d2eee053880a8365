"""What stands in a store after a test has acted: payloads, facets, operations, quarantine."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import func, select

from gateway import quarantine
from gateway.audit.verify import VerifyReport, verify
from gateway.store import Store
from gateway.store.reading import Version, feed_page
from gateway.store.tables import deliveries, versions_table

COUNTS = ("received", "accepted", "rejected", "duplicates", "new", "changed", "unchanged", "withdrawn", "unresolved")


def counts(receipt: dict[str, Any]) -> dict[str, int]:
    """The counts of a receipt that are not zero."""
    return {name: receipt[name] for name in COUNTS if receipt[name]}


def feed(store: Store, record_type: str, after: int = 0) -> list[Version]:
    """The whole feed of a record type after a position."""
    with store.read() as conn:
        return feed_page(conn, record_type, after, 10_000)


def told(store: Store, record_type: str, *fields: str) -> list[tuple[Any, ...]]:
    """The feed as (op, version, the named payload fields), in order."""
    return [(v.op, v.version, *map(json.loads(v.payload).get, fields)) for v in feed(store, record_type)]


def current(store: Store, record_type: str, *fields: str) -> set[tuple[Any, ...]]:
    """The named payload fields of every record that stands."""
    standing = [v for v in feed(store, record_type) if v.superseded_seq is None and v.op == "put"]
    return {tuple(map(json.loads(v.payload).get, fields)) for v in standing}


def facets(store: Store, record_type: str, *names: str) -> list[tuple[Any, ...]]:
    """The named columns of the versions table, in feed order."""
    table = versions_table(record_type)
    with store.read() as conn:
        return [tuple(row) for row in conn.execute(select(*(table.c[n] for n in names)).order_by(table.c.seq))]


def rejected(store: Store, status: str | None = quarantine.OPEN) -> list[dict[str, Any]]:
    """Quarantined rows, oldest first."""
    with store.read() as conn:
        return quarantine.listing(conn, status=status)


def rules_of(rejection: dict[str, Any]) -> set[tuple[str, str]]:
    """(field, rule) of every fault of a quarantined row."""
    return {(fault["field"], fault["rule"]) for fault in rejection["faults"]}


def status(store: Store, delivery_id: str) -> str:
    """How a delivery stands in the register."""
    with store.read() as conn:
        return str(conn.execute(select(deliveries.c.status).where(deliveries.c.id == delivery_id)).scalar_one())


def registered(store: Store) -> dict[str, int]:
    """How many deliveries there are of each status."""
    with store.read() as conn:
        rows = conn.execute(select(deliveries.c.status, func.count()).group_by(deliveries.c.status))
        return {str(name): int(number) for name, number in rows}


def verified(store: Store) -> VerifyReport:
    """The whole log and everything it vouches for, recomputed."""
    return verify(store)
