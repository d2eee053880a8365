"""Reading entries a page at a time, and holding columns and index tables to what the bodies say.

Column-wise, because a log is verified whole: at millions of entries only what is done to
each of them counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import polars as pl
from sqlalchemy import ColumnElement, Connection, Table, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.audit.actions import Action
from gateway.audit.merkle import leaf_hashes
from gateway.audit.problems import Problems, unreadable
from gateway.audit.registers import ROWS
from gateway.audit.tables import entries, ranges, read_body, subjects
from gateway.store.dialect import fetch

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
    ROWS: pl.List(pl.String()),
}
"""What of a body is held against columns and index tables."""

_SHAPE = {"id": pl.Int64(), "idx": pl.Int64(), "leaf_hash": pl.Binary(), "body": pl.Binary()}
_NAMED = {"uscc": pl.String()}
_COVERED = {"record_type": pl.String(), "span": pl.Int64(), "first_seq": pl.Int64(), "last_seq": pl.Int64()}
"""Columns of the index tables beside the entry's id."""

_BESIDE = {"action": pl.String(), "actor": pl.String(), "at": pl.String()}


class _Told(msgspec.Struct):
    """`_TOLD` as one body is decoded: a quarter of the work of decoding it by column."""

    action: str | None = None
    actor: str | None = None
    at: str | None = None
    usccs: list[str] | None = None
    record_type: str | None = None
    first_seq: int | None = None
    last_seq: int | None = None
    register_rows: list[str] | None = None


_decode = msgspec.json.Decoder(_Told).decode


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
        told: what the bodies say: ``id``, ``idx`` and the columns of `_TOLD`.
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
    told = _told(frame, problems).insert_column(0, frame["idx"]).insert_column(0, frame["id"])
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
        return fetch(conn, select(*columns).where(which).order_by(entries.c.idx, entries.c.id), {**_SHAPE, **_BESIDE})
    except UNREADABLE:
        # Something in this page is of another type than its column: find out which.
        ids = conn.execute(select(entries.c.id, entries.c.idx).where(which).order_by(entries.c.idx, entries.c.id))
        return pl.concat([_nothing(), *(_single(conn, columns, row.id, row.idx, problems) for row in ids.all())])


def _single(
    conn: Connection, columns: Sequence[ColumnElement[Any]], entry_id: int, idx: int | None, problems: Problems
) -> pl.DataFrame:
    try:
        return fetch(conn, select(*columns).where(entries.c.id == entry_id), {**_SHAPE, **_BESIDE})
    except UNREADABLE as error:
        problems.add(idx, _name(idx, entry_id), *unreadable(error))
        return _nothing()


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(schema={**_SHAPE, **_BESIDE})


def _told(frame: pl.DataFrame, problems: Problems) -> pl.DataFrame:
    try:
        told = [_decode(body) for body in frame["body"]]
        return pl.DataFrame([pl.Series(name, [getattr(one, name) for one in told], _TOLD[name]) for name in _TOLD])
    except (msgspec.MsgspecError, UnicodeDecodeError, *UNREADABLE):
        # At least one body is no JSON object of ours: find out which.
        rows = frame.select("id", "idx", "body").iter_rows()
        plain = [_told_plainly(entry_id, idx, body, problems) for entry_id, idx, body in rows]
        return pl.DataFrame(plain, schema=_TOLD, orient="row")


def _told_plainly(entry_id: int, idx: int | None, body: bytes, problems: Problems) -> tuple[Any, ...]:
    try:
        entry = read_body(body)
        return pl.DataFrame([entry], schema=_TOLD).row(0)
    except UNREADABLE:
        problems.add(idx, _name(idx, entry_id), "内容不是审计条目", "the body is not an audit entry")
        return (None,) * len(_TOLD)


def verify_indexes(conn: Connection, page: Page, problems: Problems) -> None:
    """The tables behind who-read say exactly what the bodies say."""
    if page.told.is_empty():
        return
    named = page.told.filter(pl.col("usccs").is_not_null()).select("id", "idx", "usccs").explode("usccs")
    _compare(named.rename({"usccs": "uscc"}), _indexed(conn, subjects, _NAMED, page), "audit_subjects", problems)
    _compare(_ranges(page.told), _indexed(conn, ranges, _COVERED, page), "audit_ranges", problems)


def _indexed(conn: Connection, table: Table, columns: Mapping[str, pl.DataType], page: Page) -> pl.DataFrame:
    """The rows of an index table that belong to the entries of a page."""
    first, last = page.told["id"].min(), page.told["id"].max()
    found = fetch(
        conn,
        select(table.c.entry_id, *(table.c[name] for name in columns)).where(table.c.entry_id.between(first, last)),
        {"id": pl.Int64(), **columns},
    )
    return found.join(page.told.select("id", "idx"), on="id").select("id", "idx", *columns)


def _ranges(told: pl.DataFrame) -> pl.DataFrame:
    """What `gateway.audit.tables.covered_range` and `span_of` give, for all of a page."""
    some = told.drop_nulls(["record_type", "first_seq", "last_seq"]).filter(pl.col("first_seq") <= pl.col("last_seq"))
    distances = (some["last_seq"] - some["first_seq"]).alias("distance")
    spans = {distance: distance.bit_length() for distance in distances.unique()}
    span = distances.replace_strict(list(spans), list(spans.values()), return_dtype=pl.Int64)
    return some.with_columns(span.alias("span")).select("id", "idx", *_COVERED)


def _compare(told: pl.DataFrame, stored: pl.DataFrame, table: str, problems: Problems) -> None:
    for missing in told.join(stored, on=told.columns, how="anti").sort("idx").iter_rows():
        problems.add(
            missing[1], f"{table} {list(missing[2:])}", "索引表缺少此行", "the entry says so, the table does not"
        )
    for extra in stored.join(told, on=told.columns, how="anti").sort("idx").iter_rows():
        problems.add(extra[1], f"{table} {list(extra[2:])}", "索引表多出此行", "the table says so, the entry does not")


def _tell(rows: pl.DataFrame, zh: str, en: str, problems: Problems) -> None:
    for entry_id, idx in rows.select("id", "idx").iter_rows():
        problems.add(idx, _name(idx, entry_id), zh, en)


def _name(idx: int | None, entry_id: int) -> str:
    return f"entry {idx}" if idx is not None else f"unsealed entry with id {entry_id}"
