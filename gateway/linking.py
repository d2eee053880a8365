"""Back-filling (回填): records that waited for their entity are linked when it arrives, as new versions."""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select, Table, exists, literal, select, union_all

from connectors.delivery import Delivery
from connectors.registry import source
from gateway import deliveries
from gateway.audit.log import seal
from gateway.clock import instant
from gateway.entities import TEACHERS
from gateway.landing import hashing, summed
from gateway.receipts import counts, settle
from gateway.resolve import entity_generation, resolve_frame, subject_fields
from gateway.staging import order
from gateway.steps import ENTITY, ENTITY_BY
from gateway.store import Store
from gateway.store.landing import hold_feed, land_frame
from gateway.store.tables import facet_columns, versions_table
from schemas.canonical import canonical_json, leaf_hashes
from schemas.columnar import contract
from schemas.judgement import ROW
from schemas.records import RECORD_TYPES

_BATCH = 20_000


def link_waiting(store: Store, landed_type: str, generation: int | None, now: datetime) -> int:
    """Try waiting records again if entities have become known since ``generation``.

    Args:
        generation: of the entity tables when the landed rows were resolved; None tries in any case.
        landed_type: record type that has just landed; one that teaches about entities wakes every type.

    Returns:
        how many records were linked.
    """
    with store.ask() as conn:
        if entity_generation(conn) == generation:
            return 0
    woken = tuple(sorted(RECORD_TYPES)) if landed_type in TEACHERS else (landed_type,)
    with store.ask() as conn:
        waited = conn.execute(_types_waiting(woken)).scalars().all()
    return sum(link(store, record_type, now) for record_type in waited)


def link(store: Store, record_type: str, now: datetime) -> int:
    """Link every waiting record of one type whose entity is known by now; returns how many.

    Most of what waits goes on waiting, so it is looked at without the lock of the feed, and once more under it only
    where something was found.
    """
    linked, after = 0, 0
    while True:
        with store.read() as conn:
            waiting = _waiting(conn, record_type, after)
            found = _found(conn, waiting, record_type)
        if found.height:
            linked += _link_batch(store, record_type, after, now)
        if waiting.height < _BATCH:
            break
        after = int(waiting["seq"][-1])
    if linked:
        seal(store, now)
    return linked


def _link_batch(store: Store, record_type: str, after: int, now: datetime) -> int:
    with store.write() as conn:
        position = hold_feed(conn, record_type, instant(now))
        found = _found(conn, _waiting(conn, record_type, after), record_type)
        return sum(
            _land_links(conn, store, record_type, str(name), rows, position.landed_at, now)
            for (name,), rows in found.group_by(["source"], maintain_order=True)
        )


def _found(conn: Connection, waiting: pl.DataFrame, record_type: str) -> pl.DataFrame:
    return resolve_frame(conn, waiting, contract(record_type)).filter(pl.col(ENTITY).is_not_null())


@lru_cache
def _types_waiting(record_types: tuple[str, ...]) -> Select[Any] | CompoundSelect[Any]:
    """Those of the record types of which anything waits, by one statement, made once."""
    waiting = (exists().where(*_waits(versions_table(record_type))) for record_type in record_types)
    asked = [select(literal(name)).where(any_of) for name, any_of in zip(record_types, waiting, strict=True)]
    return asked[0] if len(asked) == 1 else union_all(*asked)


def _waits(versions: Table) -> tuple[ColumnElement[bool], ...]:
    return (versions.c.superseded_seq.is_(None), versions.c.uscc.is_(None), versions.c.op == "put")


def _waiting(conn: Connection, record_type: str, after: int) -> pl.DataFrame:
    versions = versions_table(record_type)
    facets = [c.name for c in facet_columns(record_type)]
    names = ["seq", "record_key", "source", "payload", "sealed", *facets]
    rows = conn.execute(
        select(*(versions.c[name] for name in names))
        .where(*_waits(versions), versions.c.seq > after)
        .order_by(versions.c.seq)
        .limit(_BATCH)
    ).all()
    rules = contract(record_type)
    subject = [name for name in subject_fields(rules) if name not in facets]
    schema: dict[str, Any] = {
        ROW: pl.UInt32,
        "seq": pl.Int64,
        "record_key": pl.Binary,
        "source": pl.String,
        "payload": pl.Binary,
        "sealed": pl.Binary,
        **rules.facets,
        **dict.fromkeys(subject, pl.String),
    }
    documents = [json.loads(row.payload) for row in rows]
    return pl.DataFrame(
        [
            (number, *row, *(document.get(name) for name in subject))
            for number, (row, document) in enumerate(zip(rows, documents, strict=True), start=1)
        ],
        schema=schema,
        orient="row",
    )


def _land_links(
    conn: Connection, store: Store, record_type: str, name: str, rows: pl.DataFrame, landed_at: str, now: datetime
) -> int:
    spec = source(name)
    act = Delivery(source=name, parts=(), origin="link", received_at=now, is_partial=True)
    delivery_id = deliveries.register(conn, act, spec, store.settings.home, kind=deliveries.LINK)
    payload = pl.Series(
        [
            canonical_json(json.loads(old) | {ENTITY: uscc, ENTITY_BY: by})
            for old, uscc, by in rows.select("payload", ENTITY, ENTITY_BY).iter_rows()
        ],
        dtype=pl.Binary,
    )
    staged = rows.select(
        order(0),
        "record_key",
        pl.lit("put").alias("op"),
        pl.col(ENTITY).alias("uscc"),
        payload.alias("payload"),
        "sealed",
        leaf_hashes(payload).alias("content_hash"),
        *contract(record_type).facets,
    )
    position = hold_feed(conn, record_type, landed_at)
    with hashing(store.settings.home, delivery_id, lambda: [staged]) as roots:
        change = land_frame(conn, position, staged, source=name, delivery_id=delivery_id, told=roots.add)
        landed = summed(change, roots.accepted(), roots.versions(), position, 0)
    facts = {
        "delivery_id": delivery_id,
        "source": name,
        "record_type": record_type,
        "received": staged.height,
        "accepted": staged.height,
        "rejected": 0,
        **counts(landed),
    }
    settle(conn, delivery_id, {**facts, "landed_at": position.landed_at}, facts, actor="link", now=now)
    return change.changed
