"""Sealing again, under the newest data key, what lies under older ones: in bounded batches, while all goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, LargeBinary, Row, Table, and_, bindparam, func, select, update

from gateway.access.tables import challenges
from gateway.audit import Action, append
from gateway.audit.log import seal
from gateway.erasure.quarantined import challenge_context
from gateway.erasure.requests import context_of as erasure_context
from gateway.erasure.tables import erasures
from gateway.quarantine import rejection_context
from gateway.sealing import Sealer, load_sealer
from gateway.store import Store
from gateway.store.tables import rejections, versions_table
from schemas.columnar import contract
from schemas.records import RECORD_TYPES

BATCH = 1_000
"""Rows sealed again in one transaction: a few milliseconds in which a writer may have to wait."""


@dataclass(frozen=True)
class Place:
    """A column that holds sealed bytes.

    Attributes:
        table: it stands in.
        column: the bytes.
        order: column by which the table is gone through; unique.
        told: further columns that the context is made of.
        context: of one row.
    """

    table: Table
    column: Column[Any]
    order: Column[Any]
    told: Sequence[Column[Any]]
    context: Callable[[Row[Any]], bytes]


def places() -> Iterator[Place]:
    """Every column of the database that holds sealed bytes."""
    for record_type in sorted(RECORD_TYPES):
        if contract(record_type).personal:
            versions = versions_table(record_type)
            yield Place(
                versions, versions.c.sealed, versions.c.seq, [versions.c.record_key], lambda row: bytes(row.record_key)
            )
    yield Place(
        rejections,
        rejections.c.sealed,
        rejections.c.id,
        [rejections.c.delivery_id, rejections.c.row],
        lambda row: rejection_context(row.delivery_id, row.row),
    )
    yield Place(challenges, challenges.c.sealed, challenges.c.id, [], lambda row: challenge_context(row.id))
    yield Place(erasures, erasures.c.sealed, erasures.c.id, [], lambda row: erasure_context(row.id))


def reseal(
    store: Store,
    actor: str,
    now: datetime,
    batch: int = BATCH,
    progress: Callable[[str, int], None] = lambda table, done: None,
) -> int:
    """Seal everything anew that does not lie under the newest data key; a run that was cut off is simply run again.

    Args:
        batch: rows in one transaction.
        progress: told the table and how many rows of it are done, after each transaction.

    Returns:
        how many rows were sealed anew.

    Raises:
        cryptography.exceptions.InvalidTag: something was altered; ``xinqiao audit verify`` says what.
    """
    sealer = load_sealer(store.settings.home)
    current = sealer.current
    done = {place.table.name: _reseal(store, sealer, place, batch, progress) for place in places()}
    with store.write() as conn:
        facts = {"data_key": current, "rows": {name: count for name, count in done.items() if count}}
        append(conn, Action.KEYS_RESEALED, actor, facts, now)
    seal(store, now)
    return sum(done.values())


def _reseal(store: Store, sealer: Sealer, place: Place, batch: int, progress: Callable[[str, int], None]) -> int:
    done, after = 0, None
    # What is under the newest key begins with these bytes; the database leaves it out.
    newest = sealer.seal(b"", b"")[: Sealer.PREFIX_BYTES]
    stale = func.substr(place.column, 1, len(newest), type_=LargeBinary) != newest
    while True:
        where = stale if after is None else and_(stale, place.order > after)
        rows = select(place.order, place.column, *place.told).where(place.column.is_not(None), where)
        with store.write() as conn:
            found = conn.execute(rows.order_by(place.order).limit(batch)).all()
            if not found:
                return done
            after = found[-1][0]
            changes = [
                {
                    "at": row[0],
                    "old": row[1],
                    "new": sealer.seal(sealer.open(row[1], place.context(row)), place.context(row)),
                    **{f"told_{column.name}": value for column, value in zip(place.told, row[2:], strict=True)},
                }
                for row in found
            ]
            # Only while the old bytes still lie there: what was erased in between stays erased.
            here = and_(
                place.order == bindparam("at"),
                place.column == bindparam("old"),
                *(column == bindparam(f"told_{column.name}") for column in place.told),
            )
            conn.execute(update(place.table).where(here).values({place.column.name: bindparam("new")}), changes)
        done += len(found)
        progress(place.table.name, done)
