"""Reading entries a page at a time, and holding columns and index tables to what the bodies say.

Column-wise, because a log is verified whole: at millions of entries only what is done to
each of them counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import polars as pl
from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.audit.actions import Action
from gateway.audit.merkle import leaf_hashes
from gateway.audit.problems import Problems, unreadable
from gateway.audit.tables import covered_range, entries, ranges, read_body, span_of, subjects

T = TypeVar("T")

UNREADABLE = (ValueError, TypeError, OverflowError, SQLAlchemyError, pl.exceptions.PolarsError)
"""What a driver or Polars raises over a value of another type than the column's; SQLite stores any."""

_TOLD = {
    "action": pl.String(),
    "actor": pl.String(),
    "at": pl.String(),
    "usccs": pl.List(pl.String()),
    "record_type": pl.String(),
    "first_seq": pl.Int64(),
    "last_seq": pl.Int64(),
}
"""What of a body is held against columns and index tables."""

_SHAPE = {"id": pl.Int64(), "idx": pl.Int64(), "leaf_hash": pl.Binary(), "body": pl.Binary()}
_BESIDE = {"action": pl.String(), "actor": pl.String(), "at": pl.String()}


@dataclass(frozen=True)
class Landing:
    """What an entry says about a landed delivery.

    Attributes:
        index: place of the entry; None while it waits to be sealed.
        entry_id: its id.
        entry: all it says.
    """

    index: int | None
    entry_id: int
    entry: dict[str, Any]


@dataclass(frozen=True)
class Page:
    """Entries in order of their places.

    Attributes:
        places: of each entry; empty for entries that wait to be sealed.
        bodies: of each entry.
        leaves: computed from the bodies.
        told: what the bodies say: ``idx`` and the columns of `_TOLD`.
        landings: those that tell of a landed delivery.
    """

    places: list[int]
    bodies: list[bytes]
    leaves: list[bytes]
    told: pl.DataFrame
    landings: list[Landing]

    def filled(self, values: Sequence[T], start: int, end: int, lost: T) -> Sequence[T]:
        """One value per place from ``start`` to ``end``, ``lost`` where there is no entry."""
        if len(values) == end - start:
            return values
        by_place = dict(zip(self.places, values, strict=True))
        return [by_place.get(place, lost) for place in range(start, end)]


def read_page(conn: Connection, which: ColumnElement[bool], problems: Problems) -> Page:
    """Read entries, compute their leaves, and report what does not agree with its body."""
    frame = _read(conn, which, problems)
    bodies = frame["body"].to_list()
    leaves = leaf_hashes(bodies)
    if leaves != frame["leaf_hash"].to_list():
        differs = pl.Series(leaves, dtype=pl.Binary).ne_missing(frame["leaf_hash"])
        _tell(
            frame.filter(differs),
            "内容与叶哈希不符",
            "the body does not have the leaf hash that was stored with it",
            problems,
        )
    told = _told(frame, problems).insert_column(0, frame["idx"])
    differs = pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True)
    for name in _BESIDE:
        differs |= told[name].ne_missing(frame[name])
    _tell(
        frame.filter(differs),
        "动作、主体或时间列与内容不符",
        "its action, actor or time column differs from its body",
        problems,
    )
    landed = frame.filter(told["action"] == Action.DELIVERY_LANDED.value).select("idx", "id", "body")
    landings = [Landing(idx, entry_id, read_body(body)) for idx, entry_id, body in landed.iter_rows()]
    return Page(frame["idx"].drop_nulls().to_list(), bodies, leaves, told, landings)


def _read(conn: Connection, which: ColumnElement[bool], problems: Problems) -> pl.DataFrame:
    columns = [entries.c[name] for name in (*_SHAPE, *_BESIDE)]
    try:
        return _frame(conn.execute(select(*columns).where(which).order_by(entries.c.idx, entries.c.id)).all())
    except UNREADABLE:
        # Something in this page is of another type than its column: find out which.
        ids = conn.execute(select(entries.c.id, entries.c.idx).where(which).order_by(entries.c.idx, entries.c.id))
        return pl.concat([_frame([]), *(_single(conn, columns, row.id, row.idx, problems) for row in ids.all())])


def _single(
    conn: Connection, columns: Sequence[ColumnElement[Any]], entry_id: int, idx: int | None, problems: Problems
) -> pl.DataFrame:
    try:
        return _frame(conn.execute(select(*columns).where(entries.c.id == entry_id)).all())
    except UNREADABLE as error:
        problems.add(idx, _name(idx, entry_id), *unreadable(error))
        return _frame([])


def _frame(rows: Sequence[Any]) -> pl.DataFrame:
    schema = {**_SHAPE, **_BESIDE}
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    return pl.DataFrame(
        [pl.Series(name, values, dtype) for (name, dtype), values in zip(schema.items(), columns, strict=True)]
    )


def _told(frame: pl.DataFrame, problems: Problems) -> pl.DataFrame:
    try:
        return frame["body"].cast(pl.String).str.json_decode(pl.Struct(_TOLD)).struct.unnest()
    except pl.exceptions.PolarsError:
        # At least one body is no JSON object of ours: find out which.
        rows = frame.select("id", "idx", "body").iter_rows()
        told = [_told_plainly(entry_id, idx, body, problems) for entry_id, idx, body in rows]
        return pl.DataFrame(told, schema=_TOLD, orient="row")


def _told_plainly(entry_id: int, idx: int | None, body: bytes, problems: Problems) -> tuple[Any, ...]:
    try:
        entry = read_body(body)
        return pl.DataFrame([entry], schema=_TOLD).row(0)
    except UNREADABLE:
        problems.add(idx, _name(idx, entry_id), "内容不是审计条目", "the body is not an audit entry")
        return (None,) * len(_TOLD)


def verify_indexes(conn: Connection, start: int, end: int, page: Page, problems: Problems) -> None:
    """The tables behind who-read say exactly what the bodies say."""
    here = (entries.c.idx >= start) & (entries.c.idx < end)
    stored = conn.execute(
        select(entries.c.idx, subjects.c.uscc).join(entries, entries.c.id == subjects.c.entry_id).where(here)
    )
    named = page.told.filter(pl.col("usccs").is_not_null()).select("idx", "usccs").explode("usccs")
    _compare(set(named.iter_rows()), {tuple(row) for row in stored.all()}, "audit_subjects", problems)
    stored = conn.execute(
        select(entries.c.idx, ranges.c.record_type, ranges.c.span, ranges.c.first_seq, ranges.c.last_seq)
        .join(entries, entries.c.id == ranges.c.entry_id)
        .where(here)
    )
    _compare(_ranges(page.told), {tuple(row) for row in stored.all()}, "audit_ranges", problems)


def _ranges(told: pl.DataFrame) -> set[tuple[Any, ...]]:
    some = told.drop_nulls(["record_type", "first_seq", "last_seq"])
    found = ((row["idx"], covered_range(row)) for row in some.iter_rows(named=True))
    return {(idx, one[0], span_of(one[1], one[2]), one[1], one[2]) for idx, one in found if one}


def _compare(told: set[tuple[Any, ...]], stored: set[tuple[Any, ...]], table: str, problems: Problems) -> None:
    for idx, *row in sorted(told - stored, key=repr):
        problems.add(idx, f"{table} {row}", "索引表缺少此行", "the entry says so, the table does not")
    for idx, *row in sorted(stored - told, key=repr):
        problems.add(idx, f"{table} {row}", "索引表多出此行", "the table says so, the entry does not")


def _tell(rows: pl.DataFrame, zh: str, en: str, problems: Problems) -> None:
    for entry_id, idx in rows.select("id", "idx").iter_rows():
        problems.add(idx, _name(idx, entry_id), zh, en)


def _name(idx: int | None, entry_id: int) -> str:
    return f"entry {idx}" if idx is not None else f"unsealed entry with id {entry_id}"
