"""Rows of one delivery that speak of the same record: which of them count can only be told of the whole delivery.

A row that repeats another word for word is accepted once and counted. Rows that say different things about the same
record: in ``changes`` the last one is the newest and wins, and the others are counted; in a ``snapshot`` nothing
says which is true, so all of them are faulted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import polars as pl
from sqlalchemy import Connection, FromClause, Table, delete, func, literal, select, update

from gateway.judge import RECORD_KEY, contested
from gateway.sealing import Sealer
from gateway.staging import DIGEST_SUFFIX, SALT
from gateway.steps import ENTITY, ENTITY_BY
from gateway.store.landing import mentioned_once
from gateway.store.stage import MENTIONED, PUT, WITHDRAW
from schemas.canonical import canonical_json

_GONE = {"ord": pl.Int64, "op": pl.String, "uscc": pl.String}
_NONE = pl.DataFrame(schema=_GONE)
_NO_CONTEST = pl.DataFrame(schema={**_GONE, RECORD_KEY: pl.Binary})


@dataclass(frozen=True)
class Repetitions:
    """What was taken out of a stage because other rows speak of the same record.

    Attributes:
        repeated: ``ord``, ``op`` and ``uscc`` of rows that are counted and not landed.
        contested: the same and ``record_key`` of rows that contradict another; they are quarantined.
    """

    repeated: pl.DataFrame
    contested: pl.DataFrame

    @property
    def gone(self) -> pl.Series:
        """``ord`` of every row that is no longer to be landed."""
        return pl.concat([self.repeated["ord"], self.contested["ord"]])

    def __bool__(self) -> bool:
        return self.repeated.height + self.contested.height > 0

    def count(self, op: str) -> int:
        """Rows of an operation that are no longer to be landed."""
        return self._all().filter(pl.col("op") == op).height

    @property
    def unresolved(self) -> int:
        """Puts without an entity that are no longer to be landed."""
        return self._all().filter((pl.col("op") == PUT) & pl.col("uscc").is_null()).height

    def _all(self) -> pl.DataFrame:
        return pl.concat([self.repeated, self.contested.select(self.repeated.columns)])


def take_out(conn: Connection, rows: FromClause, *, is_snapshot: bool, sealer: Sealer) -> Repetitions:
    """Take rows out of a stage until every record is spoken of once, in the transaction that lands it."""
    if not isinstance(rows, Table) or mentioned_once(conn, rows):
        return Repetitions(_NONE, _NO_CONTEST)
    if not is_snapshot:
        return Repetitions(_keep_one(conn, rows, [rows.c.record_key], rows.c.ord.desc()), _NO_CONTEST)
    refused = _contest(conn, rows, sealer)
    # What is left says the same; the first one stays.
    return Repetitions(_keep_one(conn, rows, [rows.c.record_key], rows.c.ord), refused)


def _keep_one(conn: Connection, rows: Table, same: list[Any], order: Any) -> pl.DataFrame:
    place = func.row_number().over(partition_by=same, order_by=order)
    ranked = select(rows.c.ord, place.label("place")).where(rows.c.op != MENTIONED).subquery()
    others = select(ranked.c.ord).where(ranked.c.place > 1)
    gone = conn.execute(delete(rows).where(rows.c.ord.in_(others)).returning(rows.c.ord, rows.c.op, rows.c.uscc))
    return pl.DataFrame([tuple(row) for row in gone], schema=_GONE, orient="row")


def _contest(conn: Connection, rows: Table, sealer: Sealer) -> pl.DataFrame:
    """Turn rows that contradict each other into mere mentions of their record."""
    said = rows.c.op + func.coalesce(func.hex(rows.c.content_hash), literal(""))
    if conn.dialect.name == "postgresql":
        said = rows.c.op + func.coalesce(func.encode(rows.c.content_hash, literal("hex")), literal(""))
    differing = (
        select(rows.c.record_key)
        .where(rows.c.op != MENTIONED)
        .group_by(rows.c.record_key)
        .having(func.count(said.distinct()) > 1)
    )
    names = ("ord", "op", "uscc", RECORD_KEY, "payload", "sealed")
    found = conn.execute(
        select(*(rows.c[name] for name in names))
        .where(rows.c.record_key.in_(differing), rows.c.op != MENTIONED)
        .order_by(rows.c.ord)
    ).all()
    kinds = {**_GONE, RECORD_KEY: pl.Binary, "said": pl.Binary}
    frame = pl.DataFrame(
        [(*row[:4], _statement(row.payload, row.sealed, row.record_key, sealer)) for row in found],
        schema=kinds,
        orient="row",
    )
    # Hashes also differ where one row was resolved later than the other, or got another salt.
    keys = contested(frame.select(RECORD_KEY, "op", "said"))
    refused = frame.filter(pl.col(RECORD_KEY).is_in(keys.implode())).drop("said")
    for ords in refused["ord"].to_frame().iter_slices(5_000):
        conn.execute(update(rows).where(rows.c.ord.in_(ords["ord"].to_list())).values(op=MENTIONED))
    return refused


def _statement(payload: bytes | None, sealed: bytes | None, key: bytes, sealer: Sealer) -> bytes:
    """What a row itself says: without the entity we found for it, personal values in clear."""
    if payload is None:
        return WITHDRAW.encode()
    record = {name: v for name, v in json.loads(payload).items() if name not in (ENTITY, ENTITY_BY)}
    if sealed is not None:
        personal = json.loads(sealer.open(bytes(sealed), bytes(key)))
        personal.pop(SALT, None)
        record = {name: v for name, v in record.items() if name.removesuffix(DIGEST_SUFFIX) not in personal}
        record |= personal
    return canonical_json(record)
