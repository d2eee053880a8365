"""Stages: where the judged and hashed rows of a delivery wait until all of them are there.

A delivery of several chunks is staged chunk by chunk, each in a transaction of its own, so that a crash loses
at most the chunk that was being written. The register and the stages are *unlogged* on PostgreSQL: a crash of
the database empties all of them together, so a chunk that the register names is always there. A delivery of
one chunk is staged in a temporary table of the transaction that lands it.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import polars as pl
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    FromClause,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    Text,
    delete,
    select,
)

from gateway.store import dialect
from gateway.store.tables import deliveries, facet_columns, rejections, staged_chunks
from gateway.store.types import Document

PUT, WITHDRAW, MENTIONED = "put", "withdraw", "mention"
"""What a staged row asks for. ``mention``: a snapshot's rejected row whose key can be read; it withdraws nothing."""

STAGED = ("ord", "record_key", "op", "uscc", "payload", "sealed", "content_hash")
"""Columns of a staged frame, beside the facets: Int64, Binary(16), String, String, Binary, Binary, Binary(32)."""

DIGEST = ("ord", "record_key", "op", "uscc", "content_hash")
"""Columns of a chunk's digest: what Merkle roots are made of, so that they need not be read back row by row."""

UNCHANGED = {
    "ord": pl.Int64,
    "op": pl.String,
    "content_hash": pl.Binary,
    "file": pl.UInt32,
    "place": pl.UInt32,
}
"""Columns of rows that are known to say what stands, and so are not staged: they are in the chunk's digest alone, with
the file of what is remembered of their source and their place in it (``gateway.remembered``)."""

ROW_BITS = 32
"""``ord`` of a staged row: the number of its part of the delivery, then, in this many bits, its row in the part."""


def puts_of(digest: pl.DataFrame) -> pl.DataFrame:
    """The rows of a digest that are put; most have no others."""
    is_put = digest["op"] == PUT
    return digest if is_put.all() else digest.filter(is_put)


@dataclass(frozen=True)
class Stage:
    """The tables of one delivery's stage.

    Attributes:
        rows: ``STAGED`` and the facets; one row per accepted row, in order of ``ord``.
        rejected: rows for quarantine, as they will lie there, with their ``ord``.
    """

    rows: Table
    rejected: Table


@dataclass(frozen=True)
class Chunk:
    """One bounded chunk of a delivery, ready to be staged.

    Attributes:
        part, number: of the delivery, of the part; from 0.
        is_last: of its part.
        rows: columns of ``Stage.rows``.
        rejected: columns of ``Stage.rejected``.
        tally: what it counts, as JSON.
        unchanged: rows that need not be staged; columns of ``UNCHANGED``.
    """

    part: int
    number: int
    is_last: bool
    rows: pl.DataFrame
    rejected: pl.DataFrame
    tally: dict[str, Any]
    unchanged: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=UNCHANGED))

    @property
    def digest(self) -> pl.DataFrame:
        """What Merkle roots are made of: ``DIGEST`` of every accepted row, and the rest of ``UNCHANGED`` of some."""
        staged = self.rows.select(DIGEST)
        if self.unchanged.is_empty():
            return staged
        return pl.concat([staged, self.unchanged], how="diagonal").sort("ord")


def stage_of(conn: Connection, record_type: str, delivery_id: str) -> Stage:
    """The stage of a delivery, whether it is there or not."""
    unlogged = ["UNLOGGED"] if conn.dialect.name == "postgresql" else []
    # Gone before the server's cleaning up behind it would be worth while.
    left_alone = {"autovacuum_enabled": False}
    rejected = [Column("ord", BigInteger, primary_key=True, autoincrement=False)]
    rejected += [Column(c.name, c.type) for c in rejections.c if c.name != "id"]
    return Stage(
        Table(
            f"staged_{delivery_id}",
            MetaData(),
            *row_columns(record_type),
            prefixes=unlogged,
            postgresql_with=left_alone,
        ),
        Table(f"rejected_{delivery_id}", MetaData(), *rejected, prefixes=unlogged, postgresql_with=left_alone),
    )


def row_columns(record_type: str) -> list[Column[Any]]:
    """Columns of staged rows; their order is that of the versions table."""
    return [
        # In order of ord, rows are read back in the order of the delivery without sorting them.
        Column("ord", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
        Column("record_key", LargeBinary, nullable=False),
        Column("uscc", String(18)),
        Column("op", String(8), nullable=False),
        Column("payload", Document),
        Column("sealed", LargeBinary),
        Column("content_hash", LargeBinary),
        *facet_columns(record_type),
        *(Column(name, Text) for name in lesson_columns(record_type)),
    ]


LESSONS: dict[str, tuple[str, ...]] = {
    "registration": (
        "name",
        "name_form",
        "name_history",
        "region_code",
        "address_form",
        "registration_no",
        "organisation_code",
    ),
    "customs_registration": ("customs_code",),
}
"""Record type -> what the entity tables learn from it: fields, and the forms in which names and addresses compare."""


def lesson_columns(record_type: str) -> dict[str, str]:
    """Column of the stage -> lesson that stands in it, of record types that teach about entities."""
    return {f"lesson_{name}": name for name in LESSONS.get(record_type, ())}


@contextmanager
def temporary_rows(conn: Connection, record_type: str, rows: pl.DataFrame) -> Iterator[FromClause]:
    """Rows of a delivery of one chunk, staged for this transaction alone.

    Yields:
        a ``Table``; of few rows that each speak of another record something that is none: it goes along with each
        statement, and nothing can be taken out of it.
    """
    if rows.height <= dialect.FEW and dialect.takes_rows(conn) and _each_is_another(rows):
        columns, given = _given(record_type)
        with dialect.giving(columns, rows):
            yield given
        return
    with dialect.temporary(conn, "staged", row_columns(record_type)) as table:
        dialect.bulk_load(conn, table, rows)
        yield table


@lru_cache
def _given(record_type: str) -> tuple[Sequence[Column[Any]], FromClause]:
    """Staged rows that go along with each statement; made once, so that statements that name them can be, too."""
    columns = row_columns(record_type)
    return columns, dialect.rows_given("staged", columns)


def _each_is_another(rows: pl.DataFrame) -> bool:
    keys = [key for key, op in zip(rows["record_key"], rows["op"], strict=True) if op != MENTIONED]
    return len(keys) == len(set(keys))


def prepare_stage(conn: Connection, record_type: str, delivery_id: str, rules: Collection[str]) -> None:
    """Make the stage of a delivery unless it is there; one whose rows were judged by other rules begins anew."""
    # Parts may be staged at once, and one of them makes the tables.
    conn.execute(select(deliveries.c.id).where(deliveries.c.id == delivery_id).with_for_update()).one()
    stage = stage_of(conn, record_type, delivery_id)
    known = chunks_of(conn, delivery_id)
    is_there = dialect.has_table(conn, stage.rows.name)
    if is_there and all(chunk.rules in rules for chunk in known):
        return
    discard(conn, record_type, delivery_id)
    stage.rows.create(conn, checkfirst=False)
    stage.rejected.create(conn, checkfirst=False)


def discard(conn: Connection, record_type: str, delivery_id: str) -> None:
    """Remove the stage of a delivery that has landed or was refused, or begins anew; none there is none to remove."""
    stage = stage_of(conn, record_type, delivery_id)
    for table in (stage.rows, stage.rejected):
        table.drop(conn, checkfirst=True)
    conn.execute(delete(staged_chunks).where(staged_chunks.c.delivery_id == delivery_id))


def put_chunk(conn: Connection, record_type: str, delivery_id: str, rules: str, chunk: Chunk) -> bool:
    """Stage one chunk, rows and register together; a chunk that is there already stays as it is.

    Returns:
        whether it was staged now.
    """
    stage = stage_of(conn, record_type, delivery_id)
    entry = {
        "delivery_id": delivery_id,
        "part": chunk.part,
        "chunk": chunk.number,
        "is_last": chunk.is_last,
        "rules": rules,
        "tally": chunk.tally,
        "digest": _packed(chunk.digest),
    }
    # Whoever comes second waits here for the first, and then has nothing to do.
    if not dialect.insert_missing_row(conn, staged_chunks, entry):
        return False
    dialect.bulk_load(conn, stage.rows, chunk.rows)
    dialect.bulk_load(conn, stage.rejected, chunk.rejected)
    return True


def chunks_of(conn: Connection, delivery_id: str) -> Sequence[Row[Any]]:
    """The register of a delivery's staged chunks, in order, without their digests."""
    shown = [c for c in staged_chunks.c if c.name != "digest"]
    return conn.execute(
        select(*shown)
        .where(staged_chunks.c.delivery_id == delivery_id)
        .order_by(staged_chunks.c.part, staged_chunks.c.chunk)
    ).all()


def digest_of(conn: Connection, delivery_id: str, part: int, chunk: int) -> pl.DataFrame:
    """The digest of one staged chunk: see ``Chunk.digest``."""
    packed = dialect.fetch_bytes(
        conn,
        select(staged_chunks.c.digest).where(
            staged_chunks.c.delivery_id == delivery_id, staged_chunks.c.part == part, staged_chunks.c.chunk == chunk
        ),
    )
    return pl.read_ipc(io.BytesIO(packed))


def _packed(frame: pl.DataFrame) -> bytes:
    packed = io.BytesIO()
    # Lengths beside the bytes rather than views of them: a third of the size, mostly hashes, which nothing compresses.
    frame.write_ipc(packed, compression="lz4", compat_level=pl.CompatLevel.oldest())
    return packed.getvalue()
