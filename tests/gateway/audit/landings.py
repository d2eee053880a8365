"""Landing complaints without the steps before it: what the log is told, and nothing else, is under test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256

import polars as pl

from connectors.delivery import Delivery
from connectors.registry import source
from gateway.audit.leaves import keep_leaves
from gateway.audit.merkle import leaf_hash
from gateway.audit.roots import root, version_leaf_hashes
from gateway.clock import instant
from gateway.deliveries import register
from gateway.receipts import counts, settle
from gateway.steps import Landed
from gateway.store import Store
from gateway.store.landing import hold_feed, land_frame
from schemas.canonical import canonical_json

ADA = "91330100MA2ABCDE0N"
BOB = "91330100MA2ABCDF9K"
SOURCE = "market_supervision/complaints"


@dataclass(frozen=True)
class Complaint:
    """One row as landing takes it."""

    number: str
    uscc: str | None
    op: str
    topic: str | None
    received_on: date = date(2026, 3, 1)

    @property
    def payload(self) -> bytes:
        """The record as it is stored."""
        said = {"complaint_no": self.number, "kind_code": "1", "received_on": self.received_on.isoformat()}
        more = {"topic": self.topic, "entity_uscc": self.uscc}
        return canonical_json(said | {name: value for name, value in more.items() if value is not None})


def complaint(number: str, uscc: str | None, op: str = "put", topic: str | None = "广告") -> Complaint:
    """A complaint with little in it."""
    return Complaint(number, uscc, op, topic)


def land_complaints(store: Store, rows: Sequence[Complaint], now: datetime) -> str:
    """Land the rows with their register row and audit entry; nothing is sealed.

    Returns:
        id of the delivery.
    """
    staged = pl.DataFrame([_staged(order, row) for order, row in enumerate(rows, start=1)], infer_schema_length=None)
    staged = staged.with_columns(
        pl.col("closed_on").cast(pl.Date), pl.col("sealed", "payload", "content_hash").cast(pl.Binary)
    ).with_columns(pl.col("uscc", "topic", "status_code").cast(pl.String))
    leaves = [leaf_hash(row.payload) for row in rows if row.op == "put"]
    with store.write() as conn:
        act = Delivery(source=SOURCE, parts=(), origin="test", received_at=now)
        delivery_id = register(conn, act, source(SOURCE), store.settings.home)
        position = hold_feed(conn, "complaint", instant(now))
        versions: list[pl.DataFrame] = []
        change = land_frame(conn, position, staged, source=SOURCE, delivery_id=delivery_id, told=versions.append)
        accepted_root = keep_leaves(store.settings.home, delivery_id, [leaves])
        landed = Landed(
            new=change.new,
            changed=change.changed,
            unchanged=change.unchanged,
            withdrawn=change.withdrawn,
            absent=change.absent,
            unresolved=0,
            first_seq=change.first_seq,
            last_seq=change.last_seq,
            accepted_root=accepted_root.hex(),
            versions_root=root([leaf for page in versions for leaf in version_leaf_hashes(page)]).hex(),
            landed_at=position.landed_at,
        )
        facts = {"delivery_id": delivery_id, "source": SOURCE, "record_type": "complaint", **counts(landed)}
        settle(conn, delivery_id, facts, facts, actor="test", now=now)
    return delivery_id


def _staged(order: int, row: Complaint) -> dict[str, object]:
    is_put = row.op == "put"
    return {
        "ord": order,
        "record_key": sha256(row.number.encode()).digest()[:16],
        "op": row.op,
        "uscc": row.uscc,
        "payload": row.payload if is_put else None,
        "sealed": None,
        "content_hash": leaf_hash(row.payload) if is_put else None,
        "kind_code": "1",
        "received_on": row.received_on,
        "topic": row.topic,
        "status_code": None,
        "closed_on": None,
    }
