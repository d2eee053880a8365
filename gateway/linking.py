"""Back-filling (回填): records that waited for their entity are linked when it arrives, as new versions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select, Table, exists, literal, select, union_all

from connectors.delivery import Delivery
from connectors.registry import source
from gateway import deliveries
from gateway.audit.log import seal
from gateway.awaited import awaited_of
from gateway.clock import instant
from gateway.entities import TEACHERS
from gateway.landing import hashing, summed
from gateway.receipts import counts, settle
from gateway.resolve import entity_generation, last_positions, resolve_frame, subject_fields
from gateway.staging import order
from gateway.steps import ENTITY, ENTITY_BY, Landed, Taught
from gateway.store import Store
from gateway.store.landing import hold_feed, land_frame
from gateway.store.tables import facet_columns, versions_table
from gateway.tally import Tally
from schemas.canonical import canonical_json, leaf_hashes
from schemas.columnar import contract
from schemas.judgement import ROW
from schemas.records import RECORD_TYPES

_BATCH = 20_000


@dataclass(frozen=True)
class Since:
    """A landing after which something that waits may be linked.

    Attributes:
        tally: says how often the entity tables had changed when the landed rows were resolved, and whether any waits.
        landed: says what it taught.
        findable: the names and numbers by which what it taught is found; None if they are not told one by one.
    """

    tally: Tally
    landed: Landed
    findable: frozenset[str] | None


def link_waiting(store: Store, landed_type: str, since: Since | None, now: datetime) -> int:
    """Try waiting records again if entities have become known.

    Args:
        landed_type: record type that has just landed; one that teaches about entities wakes every type.
        since: None tries whatever became known.

    Returns:
        how many records were linked.
    """
    if since is not None:
        if not since.landed.taught and not _was_taught_meanwhile(store, since.tally):
            return 0
        if since.findable is not None and since.landed.taught is not Taught.CHANGED:
            found = _found_by(store, landed_type, since, since.findable)
            return sum(link(store, record_type, now) for record_type in found)
    woken = tuple(sorted(RECORD_TYPES)) if landed_type in TEACHERS else (landed_type,)
    with store.ask() as conn:
        waited = conn.execute(_types_waiting(woken)).scalars().all()
    return sum(link(store, record_type, now) for record_type in waited)


def _was_taught_meanwhile(store: Store, tally: Tally) -> bool:
    """Whether others have taught since rows were resolved of which some found no entity."""
    if not tally.unresolved:
        return False
    with store.ask() as conn:
        return entity_generation(conn) != tally.generation


def _found_by(store: Store, landed_type: str, since: Since, findable: frozenset[str]) -> list[str]:
    """Record types of which something waits that may be found now.

    What was taught leads nobody to an entity who does not have one of its names and numbers. Only what has just
    landed without an entity may also be found by what others taught meanwhile.
    """
    kept, landed = awaited_of(store), since.landed
    if not since.tally.unresolved and landed.first_seq is not None and landed.last_seq is not None:
        kept.pass_over(landed_type, landed.first_seq, landed.last_seq)

    def positions() -> Mapping[str, int]:
        with store.ask() as conn:
            return last_positions(conn)

    found = kept.found_by(positions, partial(_batches, store), findable)
    return sorted(found | {landed_type} if since.tally.unresolved else found)


def _batches(store: Store, record_type: str, after: int) -> Iterator[pl.DataFrame]:
    """What waits behind a position, a batch at a time."""
    while True:
        with store.read() as conn:
            waiting = _waiting(conn, record_type, after)
        yield waiting
        if waiting.height < _BATCH:
            return
        after = int(waiting["seq"][-1])


def link(store: Store, record_type: str, now: datetime) -> int:
    """Link every waiting record of one type whose entity is known by now; returns how many.

    Most of what waits goes on waiting, so it is looked at without the lock of the feed, and once more under it only
    where something was found.
    """
    linked, after = 0, 0
    for waiting in _batches(store, record_type, after):
        with store.read() as conn:
            found = _found(conn, waiting, record_type)
        if found.height:
            linked += _link_batch(store, record_type, after, now)
        if waiting.height:
            after = int(waiting["seq"][-1])
    if linked:
        awaited_of(store).read_anew(record_type)
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
