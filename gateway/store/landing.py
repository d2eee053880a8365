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
    BigInteger,
    Column,
    Connection,
    LargeBinary,
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
from gateway.store.tables import positions, versions_table

STAGED = ("ord", "record_key", "op", "uscc", "payload", "sealed", "content_hash")
"""Columns of a staged frame, beside the facets: Int64, Binary(16), String, String, Binary, Binary, Binary(32)."""

LANDED = {
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
"""Columns of ``Change.versions``: what the Merkle root of a delivery's versions is made of."""

NEW, CHANGED, WITHDRAWN = "new", "changed", "withdrawn"


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
    """What landing did.

    Attributes:
        new: records that were not there, or had been withdrawn.
        changed: records whose content differs from the current version.
        unchanged: records that said what was already known.
        withdrawn: records that are no longer so.
        absent: withdrawals of records that were not there.
        versions: the versions landed, in feed order, with the columns that ``gateway.audit.roots`` hashes.
    """

    new: int
    changed: int
    unchanged: int
    withdrawn: int
    absent: int
    versions: pl.DataFrame

    @property
    def first_seq(self) -> int | None:
        """Position of the first version landed, or None if none was."""
        return None if self.versions.is_empty() else int(self.versions["seq"][0])

    @property
    def last_seq(self) -> int | None:
        """Position of the last version landed, or None if none was."""
        return None if self.versions.is_empty() else int(self.versions["seq"][-1])


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
    """Plan and write in one go; see there."""
    return write(conn, plan(conn, position, staged, source=source, delivery_id=delivery_id, seen=seen))


@dataclass(frozen=True)
class Plan:
    """What will be written, decided under the lock.

    Attributes:
        puts: the new versions, with every column but ``superseded_seq``.
        fates: what becomes of each row that changes something, numbered.
        unchanged: records that said what was already known.
        absent: withdrawals of records that were not there.
    """

    position: Position
    delivery_id: str
    puts: pl.DataFrame
    fates: pl.DataFrame
    unchanged: int
    absent: int


def plan(
    conn: Connection,
    position: Position,
    staged: pl.DataFrame,
    *,
    source: str,
    delivery_id: str,
    seen: pl.Series | None = None,
) -> Plan:
    """Compare the staged rows with what is current and number what is new.

    Args:
        staged: the columns of ``STAGED`` and the facets of the record type; one row per ``record_key``,
            ``op`` is ``put`` or ``withdraw``.
        seen: for a snapshot, the record keys it mentions, also in rows that were rejected; what the
            source said before and is not among them is withdrawn. None for changes.
    """
    versions = versions_table(position.record_type)
    # In an empty feed nothing stands that could be compared with: a first load need not ask.
    fates = _fates(conn, versions, staged, source) if position.last_seq else _all_new(staged)
    if seen is not None:
        fates = pl.concat([fates, _unseen(conn, versions, source, seen)])
    fates = fates.with_columns(seq=pl.int_range(1, pl.len() + 1, dtype=pl.Int64) + position.last_seq)
    put = fates.filter(pl.col("kind") != WITHDRAWN).select("ord", "seq", "version")
    puts = staged.join(put, on="ord", how="inner", maintain_order="left").with_columns(
        source=pl.lit(source), delivery_id=pl.lit(delivery_id), landed_at=pl.lit(position.landed_at)
    )
    taken_back = fates.filter((pl.col("kind") == WITHDRAWN) & pl.col("ord").is_not_null()).height
    said = staged.filter(pl.col("op") == "put").height
    unchanged, absent = said - puts.height, staged.height - said - taken_back
    return Plan(position, delivery_id, puts.drop("ord"), fates, unchanged, absent)


def write(conn: Connection, planned: Plan) -> Change:
    """Close what is superseded and append the versions of a plan, in the transaction that made it."""
    versions = versions_table(planned.position.record_type)
    put = planned.fates.filter(pl.col("kind") != WITHDRAWN)
    with dialect.temporary(conn, "superseded", _succession()) as succession:
        dialect.bulk_load(conn, succession, put.drop_nulls("old_seq").select("seq", "old_seq"))
        _close(conn, versions, succession)
    dialect.bulk_load(conn, versions, planned.puts)
    withdrawals = _write_withdrawals(conn, versions, planned)
    landed = pl.concat([planned.puts.select(list(LANDED)), withdrawals]).sort("seq")
    if not landed.is_empty():
        conn.execute(
            update(positions)
            .where(positions.c.record_type == planned.position.record_type)
            .values(last_seq=int(landed["seq"][-1]), last_landed_at=planned.position.landed_at)
        )
    new, changed, withdrawn = (
        planned.fates.filter(pl.col("kind") == kind).height for kind in (NEW, CHANGED, WITHDRAWN)
    )
    return Change(new, changed, planned.unchanged, withdrawn, planned.absent, landed)


_FATES = {"ord": pl.Int64, "kind": pl.String, "old_seq": pl.Int64, "version": pl.Int64}
"""What becomes of a staged row that changes something; ``ord`` is null for withdrawals of what was not mentioned."""


def _fates(conn: Connection, versions: Table, staged: pl.DataFrame, source: str) -> pl.DataFrame:
    """Compare keys and hashes with what is current, as one set; rows that say nothing new are left out."""
    columns: list[Column[Any]] = [
        Column("ord", BigInteger),
        Column("record_key", LargeBinary),
        Column("op", String(8)),
        Column("content_hash", LargeBinary),
    ]
    with dialect.temporary(conn, "staged", columns) as stage:
        # Payloads stay here: only what is compared travels twice.
        dialect.bulk_load(conn, stage, staged.select(column.name for column in columns))
        current = versions.alias("current")
        stands = and_(current.c.record_key.is_not(None), current.c.op == "put")
        gone = stage.c.op == "withdraw"
        is_same = and_(stands, func.coalesce(current.c.content_hash == stage.c.content_hash, False))
        return dialect.fetch(
            conn,
            select(
                stage.c.ord,
                case((gone, WITHDRAWN), (stands, CHANGED), else_=NEW),
                current.c.seq,
                func.coalesce(current.c.version, 0) + 1,
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
            .where(case((gone, stands), else_=not_(is_same)))
            .order_by(stage.c.ord),
            _FATES,
        )


def _all_new(staged: pl.DataFrame) -> pl.DataFrame:
    return staged.filter(pl.col("op") == "put").select(
        "ord", kind=pl.lit(NEW), old_seq=pl.lit(None, pl.Int64), version=pl.lit(1, pl.Int64)
    )


def _unseen(conn: Connection, versions: Table, source: str, seen: pl.Series) -> pl.DataFrame:
    """Withdrawals of everything that stands and is not mentioned, in feed order."""
    with dialect.temporary(conn, "seen", [Column("record_key", LargeBinary, primary_key=True)]) as mentioned:
        dialect.bulk_load(conn, mentioned, pl.DataFrame({"record_key": seen.unique()}))
        return dialect.fetch(
            conn,
            select(null(), literal(WITHDRAWN), versions.c.seq, versions.c.version + 1)
            .where(
                versions.c.source == source,
                versions.c.superseded_seq.is_(None),
                versions.c.op == "put",
                not_(exists().where(mentioned.c.record_key == versions.c.record_key)),
            )
            .order_by(versions.c.seq),
            _FATES,
        )


def _write_withdrawals(conn: Connection, versions: Table, planned: Plan) -> pl.DataFrame:
    """Append withdrawals, each a copy of what it withdraws: its reader sees what it was, and the proof covers it."""
    withdrawn = planned.fates.filter(pl.col("kind") == WITHDRAWN).select("seq", "old_seq")
    if withdrawn.is_empty():
        return pl.DataFrame(schema=LANDED)
    with dialect.temporary(conn, "withdrawn", _succession()) as succession:
        dialect.bulk_load(conn, succession, withdrawn)
        changed = {
            "seq": succession.c.seq,
            "version": versions.c.version + 1,
            "op": literal("withdraw"),
            "delivery_id": literal(planned.delivery_id),
            "landed_at": literal(planned.position.landed_at),
            "superseded_seq": null(),
        }
        copies = select(*(changed.get(c.name, c).label(c.name) for c in versions.c)).join(
            succession, succession.c.old_seq == versions.c.seq
        )
        conn.execute(insert(versions).from_select([c.name for c in versions.c], copies))
        _close(conn, versions, succession)
        rows = conn.execute(
            select(*(versions.c[name] for name in LANDED)).join(succession, succession.c.seq == versions.c.seq)
        )
        return pl.DataFrame([tuple(row) for row in rows], schema=LANDED, orient="row")


def _succession() -> list[Column[Any]]:
    return [Column("seq", BigInteger), Column("old_seq", BigInteger, primary_key=True, autoincrement=False)]


def _close(conn: Connection, versions: Table, succession: Table) -> None:
    conn.execute(update(versions).where(versions.c.seq == succession.c.old_seq).values(superseded_seq=succession.c.seq))
