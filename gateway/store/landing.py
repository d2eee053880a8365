"""Landing: one set-based comparison with what is current, then insert only what is new or changed.

Everything here runs inside the caller's write transaction. ``hold_feed`` takes the lock of the
record type's feed first, so positions are handed out gapless and in commit order, and a
consumer that remembers a number can never miss a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl
from sqlalchemy import (
    Column,
    Connection,
    Insert,
    Integer,
    Label,
    LargeBinary,
    Select,
    String,
    Table,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    not_,
    null,
    select,
    update,
)

from gateway.store import dialect
from gateway.store.tables import facet_columns, positions, versions_table

STAGED = ("ord", "record_key", "op", "uscc", "payload", "sealed", "content_hash")
"""Columns of a staged frame, beside the facets: Int64, Binary(16), String, String, Binary, Binary, Binary(32)."""


@dataclass(frozen=True)
class Position:
    """Where a feed stands while its lock is held.

    Attributes:
        record_type: of the feed.
        last_seq: last position handed out.
        landed_at: instant text for what is landed under this lock; never before the one of the last landing.
    """

    record_type: str
    last_seq: int
    landed_at: str


@dataclass(frozen=True)
class Change:
    """What landing did: counts by kind, and the positions it used."""

    new: int
    changed: int
    unchanged: int
    withdrawn: int
    first_seq: int | None
    last_seq: int | None


def hold_feed(conn: Connection, record_type: str, now: str) -> Position:
    """Wait for the feed's landing lock and hold it until the transaction ends."""
    row = conn.execute(
        select(positions.c.last_seq, positions.c.last_landed_at)
        .where(positions.c.record_type == record_type)
        .with_for_update()
    ).one()
    # A clock that was set back must not put a later version before an earlier one in time.
    return Position(record_type, row.last_seq, max(now, row.last_landed_at))


def standing(conn: Connection, record_type: str, source: str) -> int:
    """How many records of a source stand now."""
    versions = versions_table(record_type)
    current = and_(versions.c.source == source, versions.c.superseded_seq.is_(None), versions.c.op == "put")
    return conn.execute(select(func.count()).select_from(versions).where(current)).scalar_one()


def land(
    conn: Connection,
    position: Position,
    staged: pl.DataFrame,
    *,
    source: str,
    delivery_id: str,
    seen: pl.Series | None = None,
) -> Change:
    """Land the staged rows.

    Args:
        staged: the columns of ``STAGED`` and the facets of the record type; one row per ``record_key``,
            ``op`` is ``put`` or ``withdraw``.
        seen: for a snapshot, the record keys it mentions, also in rows that were rejected; what the
            source said before and is not among them is withdrawn. None for changes.

    Returns:
        Change: counts and positions.
    """
    versions = versions_table(position.record_type)
    facets = [c.name for c in facet_columns(position.record_type)]
    with (
        dialect.temporary(conn, "staged", _stage_columns(position.record_type)) as stage,
        dialect.temporary(conn, "delta", _delta_columns(position.record_type)) as delta,
    ):
        dialect.bulk_load(conn, stage, staged)
        conn.execute(_insert_delta(delta, stage, versions, source, facets))
        if seen is not None:
            _withdraw_unseen(conn, delta, versions, source, seen, facets)
        kinds = conn.execute(select(delta.c.kind, func.count().label("rows")).group_by(delta.c.kind))
        counts: dict[str, int] = {row.kind: row.rows for row in kinds}
        written = sum(counts.values())
        if written:
            _write_versions(conn, delta, versions, position, source, delivery_id, facets)
    puts = int((staged["op"] == "put").sum())
    return Change(
        new=counts.get("new", 0),
        changed=counts.get("changed", 0),
        unchanged=puts - counts.get("new", 0) - counts.get("changed", 0),
        withdrawn=counts.get("withdrawn", 0),
        first_seq=position.last_seq + 1 if written else None,
        last_seq=position.last_seq + written if written else None,
    )


def _stage_columns(record_type: str) -> list[Column[object]]:
    return [
        Column("ord", Integer, primary_key=True),
        Column("record_key", LargeBinary),
        Column("op", String(8)),
        Column("uscc", String(18)),
        Column("payload", LargeBinary),
        Column("sealed", LargeBinary),
        Column("content_hash", LargeBinary),
        *facet_columns(record_type),
    ]


def _delta_columns(record_type: str) -> list[Column[object]]:
    return [*_stage_columns(record_type), Column("version", Integer), Column("kind", String(10))]


def _insert_delta(delta: Table, stage: Table, versions: Table, source: str, facets: list[str]) -> Insert:
    current = versions.alias("current")
    there = and_(current.c.record_key.is_not(None), current.c.op == "put")
    gone = stage.c.op == "withdraw"

    # A withdrawal repeats what is withdrawn: its consumer sees what it was, and the proof covers it.
    def said(name: str) -> Label[Any]:
        return case((gone, current.c[name]), else_=stage.c[name]).label(name)

    kind = case((gone, "withdrawn"), (there, "changed"), else_="new")
    rows: Select[Any] = (
        select(
            stage.c.ord,
            stage.c.record_key,
            stage.c.op,
            *(said(name) for name in ("uscc", "payload", "sealed", "content_hash", *facets)),
            (func.coalesce(current.c.version, 0) + 1).label("version"),
            kind.label("kind"),
        )
        .select_from(stage)
        .outerjoin(
            current,
            and_(
                current.c.source == source,
                current.c.record_key == stage.c.record_key,
                current.c.superseded_seq.is_(None),
            ),
        )
        .where(
            case(
                (gone, there),
                else_=not_(and_(there, func.coalesce(current.c.content_hash == stage.c.content_hash, False))),
            )
        )
    )
    return insert(delta).from_select([c.name for c in rows.selected_columns], rows)


def _withdraw_unseen(
    conn: Connection, delta: Table, versions: Table, source: str, seen: pl.Series, facets: list[str]
) -> None:
    with dialect.temporary(conn, "seen", [Column("record_key", LargeBinary, primary_key=True)]) as mentioned:
        dialect.bulk_load(conn, mentioned, pl.DataFrame({"record_key": seen.unique()}))
        start = conn.execute(select(func.coalesce(func.max(delta.c.ord), 0))).scalar_one()
        rows = select(
            (func.row_number().over(order_by=versions.c.seq) + start).label("ord"),
            versions.c.record_key,
            literal("withdraw").label("op"),
            *(versions.c[name] for name in ("uscc", "payload", "sealed", "content_hash", *facets)),
            (versions.c.version + 1).label("version"),
            literal("withdrawn").label("kind"),
        ).where(
            versions.c.source == source,
            versions.c.superseded_seq.is_(None),
            versions.c.op == "put",
            not_(exists().where(mentioned.c.record_key == versions.c.record_key)),
        )
        conn.execute(insert(delta).from_select([c.name for c in rows.selected_columns], rows))


def _write_versions(
    conn: Connection,
    delta: Table,
    versions: Table,
    position: Position,
    source: str,
    delivery_id: str,
    facets: list[str],
) -> None:
    copied = ("record_key", "uscc", "version", "op", "payload", "sealed", "content_hash", *facets)
    numbered = select(
        (func.row_number().over(order_by=delta.c.ord) + position.last_seq).label("seq"),
        *(delta.c[name] for name in copied),
        literal(source).label("source"),
        literal(delivery_id).label("delivery_id"),
        literal(position.landed_at).label("landed_at"),
        null().label("superseded_seq"),
    )
    conn.execute(insert(versions).from_select([c.name for c in numbered.selected_columns], numbered))
    newer = versions.alias("newer")
    conn.execute(
        update(versions)
        .where(
            newer.c.seq > position.last_seq,
            newer.c.record_key == versions.c.record_key,
            newer.c.version == versions.c.version + 1,
        )
        .values(superseded_seq=newer.c.seq)
    )
    conn.execute(
        update(positions)
        .where(positions.c.record_type == position.record_type)
        .values(
            last_seq=select(func.max(versions.c.seq)).scalar_subquery(),
            last_landed_at=position.landed_at,
        )
    )


def landed_versions(conn: Connection, record_type: str, delivery_id: str) -> pl.DataFrame:
    """The versions one delivery landed, in feed order, with the columns that ``audit.roots`` hashes."""
    versions = versions_table(record_type)
    names = ("seq", "record_key", "version", "op", "uscc", "source", "delivery_id", "content_hash", "landed_at")
    rows = conn.execute(
        select(*(versions.c[name] for name in names))
        .where(versions.c.delivery_id == delivery_id)
        .order_by(versions.c.seq)
    )
    schema = {
        "seq": pl.Int64,
        "record_key": pl.Binary,
        "version": pl.Int64,
        "op": pl.String,
        "uscc": pl.String,
        "source": pl.String,
        "delivery_id": pl.String,
        "content_hash": pl.Binary,
        "landed_at": pl.String,
    }
    return pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")
