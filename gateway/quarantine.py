"""Quarantine: rows with faults, kept exactly as sent, each with every fault, until a person settles them.

Nothing here lands a row; see ``gateway.replay``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Column, ColumnElement, Connection, Row, Select, Table, insert, select, update

from connectors.delivery import LINE, PART
from connectors.errors import Refused
from connectors.spec import SourceSpec
from gateway.audit import append
from gateway.clock import instant
from gateway.sealing import load_sealer
from gateway.staging import order
from gateway.steps import Judged
from gateway.store import Store, counts, dialect
from gateway.store.stage import ROW_BITS
from gateway.store.tables import rejections
from schemas.columnar import contract
from schemas.judgement import ROW

_PREPARED = {
    "ord": pl.Int64,
    "delivery_id": pl.String,
    "source": pl.String,
    "record_type": pl.String,
    "row": pl.Int64,
    "part": pl.String,
    "line": pl.UInt32,
    "form": pl.String,
    "sealed": pl.Binary,
    "faults": pl.String,
    "status": pl.String,
}
_NONE = pl.DataFrame(schema=_PREPARED)
_NAMED = 1_000
MAX_REASON = 2_000
_CHUNK = 5_000
_FAULTS = "_faults"
OPEN, CORRECTED, REPLAYED, DISMISSED = "open", "corrected", "replayed", "dismissed"


@dataclass(frozen=True)
class Rejection:
    """One quarantined row, opened.

    Attributes:
        row: its line in the ``rejections`` table.
        sent: heading -> text as the agency sent it.
        mapped: shared field -> text as it was mapped, with ``_op``.
    """

    row: Row[Any]
    sent: dict[str, str | None]
    mapped: dict[str, str | None]


def prepare(
    store: Store, judged: Judged, spec: SourceSpec, delivery_id: str, part: int = 0, rows_before: int = 0
) -> pl.DataFrame:
    """Every faulted row of a chunk of a delivery as it will lie in quarantine; nothing is written yet.

    Args:
        part: of the delivery, whose rows ``_row`` counts.
        rows_before: rows of the delivery before that part, where they are known already; see ``keep_staged``.

    Returns:
        columns of the table ``rejections`` and ``ord``; ``faults`` as JSON text.
    """
    if judged.faults.is_empty():
        return _NONE
    sealer = load_sealer(store.settings.home)
    told = _told(judged, contract(spec.record_type).personal)
    sent = told.join(judged.mapped.sheet.frame, on=ROW, how="left", maintain_order="left")
    mapped = told.select(ROW).join(judged.mapped.frame, on=ROW, how="left", maintain_order="left").drop(ROW)
    numbers = sent[ROW].cast(pl.Int64) + rows_before
    as_sent, as_mapped = (pl.lit(_objects(frame)) for frame in (sent.drop(ROW, PART, LINE, _FAULTS), mapped))
    contents = pl.select(
        pl.concat_str(pl.lit('{"sent": '), as_sent, pl.lit(', "mapped": '), as_mapped, pl.lit("}")).cast(pl.Binary)
    )
    sealed = sealer.seal_all(
        contents.to_series().to_list(), [rejection_context(delivery_id, row) for row in numbers.to_list()]
    )
    return sent.select(
        order(part),
        pl.lit(delivery_id).alias("delivery_id"),
        pl.lit(spec.source).alias("source"),
        pl.lit(spec.record_type).alias("record_type"),
        numbers.alias("row"),
        pl.col(PART).alias("part"),
        pl.col(LINE).alias("line"),
        pl.lit(judged.mapped.form).alias("form"),
        pl.Series("sealed", sealed, dtype=pl.Binary),
        pl.col(_FAULTS).alias("faults"),
        pl.lit(OPEN).alias("status"),
    )


def keep(conn: Connection, rows: pl.DataFrame) -> None:
    """Put prepared rows into quarantine, in the transaction of their delivery's landing."""
    dialect.bulk_load(conn, rejections, rows)
    if rows.height:
        counts.count(conn, counts.REJECTIONS, rows["source"][0], OPEN, rows.height)


def keep_staged(conn: Connection, store: Store, staged: Table, source: str, starts: Mapping[int, int]) -> None:
    """The same for rows that were staged chunk by chunk, counted through the parts of their delivery.

    Args:
        starts: part -> rows of the delivery before it, which were not known when it was staged.
    """
    kept = 0
    for part, rows_before in starts.items():
        here = staged.c.ord.between(part << ROW_BITS, ((part + 1) << ROW_BITS) - 1)
        if rows_before:
            kept += _keep_counted_on(conn, store, staged, here, rows_before)
        else:
            kept += _keep_rows_of(conn, select(staged).where(here))
    counts.count(conn, counts.REJECTIONS, source, OPEN, kept)


def _keep_counted_on(conn: Connection, store: Store, staged: Table, here: ColumnElement[bool], rows_before: int) -> int:
    columns = [Column(c.name, c.type, primary_key=c.primary_key) for c in _counted(staged)]
    with dialect.temporary(conn, "counted_on", columns) as counted_on:
        for page in _counted_on(conn, store, staged, here, rows_before):
            dialect.bulk_load(conn, counted_on, page)
        same = (c for c in staged.c if c.name not in ("row", "sealed"))
        moved = select(*same, counted_on.c.row, counted_on.c.sealed)
        return _keep_rows_of(conn, moved.join_from(counted_on, staged, staged.c.ord == counted_on.c.ord))


def _keep_rows_of(conn: Connection, query: Select[Any]) -> int:
    """Put the rows of a query into quarantine in order of ``ord``; returns how many there are."""
    names = [c.name for c in rejections.c if c.name != "id"]
    rows = query.subquery()
    kept = select(*(rows.c[name] for name in names)).order_by(rows.c.ord)
    return dialect.counted(conn, insert(rejections).from_select(names, kept, include_defaults=False))


def _counted(staged: Table) -> list[Column[Any]]:
    return [staged.c.ord, staged.c.row, staged.c.sealed]


def _counted_on(
    conn: Connection, store: Store, staged: Table, here: ColumnElement[bool], rows_before: int
) -> Iterator[pl.DataFrame]:
    """Number and content of staged rows, some at a time; the content is bound to the number, so it is sealed anew."""
    sealer = load_sealer(store.settings.home)
    after = -1
    asked = select(*_counted(staged), staged.c.delivery_id).where(here).order_by(staged.c.ord).limit(_CHUNK)
    while rows := conn.execute(asked.where(staged.c.ord > after)).all():
        after = rows[-1].ord
        plains = [sealer.open(row.sealed, rejection_context(row.delivery_id, row.row)) for row in rows]
        numbers = [row.row + rows_before for row in rows]
        contexts = [rejection_context(row.delivery_id, number) for row, number in zip(rows, numbers, strict=True)]
        said = {"ord": [row.ord for row in rows], "row": numbers, "sealed": sealer.seal_all(plains, contexts)}
        yield pl.DataFrame(said, schema={name: _PREPARED[name] for name in said})


def _told(judged: Judged, personal: Sequence[str]) -> pl.DataFrame:
    """The faulted rows in order: ``_row`` and every fault of the row, as a JSON list of objects."""
    field, heading = pl.col("field"), judged.mapped.headings
    is_personal = field.is_in(list(personal))
    # The list of faults is read by more people than the row may be.
    hidden = {
        "value": pl.lit(None, pl.String),
        "zh": pl.format("个人信息字段不符合规则 {}（内容已隐去）；请在原始文件中核对", "rule"),
        "en": pl.format("a personal field breaks rule {} (value not shown); check it in the original file", "rule"),
        "candidates": pl.lit([], pl.List(pl.String)),
    }
    shown = judged.faults.sort(ROW, maintain_order=True).with_columns(
        *(pl.when(is_personal).then(said).otherwise(name).alias(name) for name, said in hidden.items()),
        field.replace_strict(heading, default=None, return_dtype=pl.String).alias("heading"),
    )
    return (
        shown.select(ROW, _objects(shown.drop(ROW)).alias(_FAULTS))
        .group_by(ROW, maintain_order=True)
        .agg(pl.format("[{}]", pl.col(_FAULTS).str.join(", ")))
    )


def _objects(frame: pl.DataFrame) -> pl.Series:
    """Every row as a JSON object; nulls are in it."""
    if not frame.width:
        return pl.Series(["{}"], dtype=pl.String).new_from_index(0, frame.height)
    return frame.select(pl.struct(pl.all()).struct.json_encode()).to_series()


def rejection_context(delivery_id: str, row: int) -> bytes:
    """What the sealed content of a quarantined row is bound to."""
    return f"rejection:{delivery_id}:{row}".encode()


def open_rejection(conn: Connection, store: Store, rejection_id: int) -> Rejection:
    """One quarantined row with its content.

    Raises:
        Refused: there is none with this id.
    """
    row = conn.execute(select(rejections).where(rejections.c.id == rejection_id)).one_or_none()
    if row is None:
        raise Refused(
            f"隔离区没有编号为 {rejection_id} 的行；可用 xinqiao quarantine 查看",
            f"no quarantined row {rejection_id}; `xinqiao quarantine` lists them",
            rejection=rejection_id,
        )
    content = json.loads(load_sealer(store.settings.home).open(row.sealed, rejection_context(row.delivery_id, row.row)))
    return Rejection(row, content.get("sent", {}), content.get("mapped", {}))


def listing(
    conn: Connection,
    *,
    delivery_id: str | None = None,
    source: str | None = None,
    agency: str | None = None,
    status: str | None = OPEN,
    after: int = 0,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Quarantined rows with every fault, oldest first, without their sealed content.

    Args:
        after: id to continue from.
        limit: at most this many.
    """
    shown = [c for c in rejections.c if c.name != "sealed"]
    query = select(*shown).where(rejections.c.id > after).order_by(rejections.c.id).limit(limit)
    if delivery_id is not None:
        query = query.where(rejections.c.delivery_id == delivery_id)
    if source is not None:
        query = query.where(rejections.c.source == source)
    if agency is not None:
        query = query.where(rejections.c.source.startswith(agency + "/", autoescape=True))
    if status is not None:
        query = query.where(rejections.c.status == status)
    return [dict(row._mapping) for row in conn.execute(query)]


def settle(
    conn: Connection,
    rows: Sequence[int],
    status: str,
    *,
    actor: str,
    now: datetime,
    landed_in: str | None = None,
    reason: str | None = None,
) -> None:
    """Close quarantined rows and say so in the audit log.

    Raises:
        Refused: one of them is no longer open: another person was quicker.
    """
    closing = update(rejections).values(
        status=status, settled_by=actor, settled_at=instant(now), settled_in=landed_in, reason=reason
    )
    # A statement can carry some ten thousands of values, a delivery can have more rows in quarantine.
    closed = 0
    for start in range(0, len(rows), _CHUNK):
        here = closing.where(rejections.c.id.in_(rows[start : start + _CHUNK]), rejections.c.status == OPEN)
        for source, number in Counter(conn.execute(here.returning(rejections.c.source)).scalars()).items():
            counts.count(conn, counts.REJECTIONS, source, OPEN, -number)
            counts.count(conn, counts.REJECTIONS, source, status, number)
            closed += number
    if closed != len(rows):
        raise Refused(
            f"{len(rows) - closed} 行已由他人处理；请刷新后再试",
            f"{len(rows) - closed} of the rows have been settled by someone else; reload and try again",
            rejections=list(rows),
        )
    # An entry is small; which rows, when there are very many, stands in the table itself.
    facts = {"rejections": list(rows)[:_NAMED], "count": len(rows), "delivery_id": landed_in, "reason": reason}
    known = {name: value for name, value in facts.items() if value is not None}
    append(conn, f"quarantine.{status}", actor, known, now)


def dismiss(store: Store, rejection_id: int, reason: str, actor: str, now: datetime) -> None:
    """Close a row without landing it; the reason goes into the log.

    Raises:
        Refused: no such row, it is not open, or the reason is empty or longer than ``MAX_REASON`` characters.
    """
    if not 0 < len(reason.strip()) <= MAX_REASON:
        raise Refused(
            f"理由应为 1 至 {MAX_REASON} 个字符，收到 {len(reason)} 个",
            f"the reason must have 1 to {MAX_REASON} characters, got {len(reason)}",
            rejection=rejection_id,
        )
    with store.write() as conn:
        open_rejection(conn, store, rejection_id)
        settle(conn, [rejection_id], DISMISSED, actor=actor, now=now, reason=reason)
