"""Landing what was set aside: corrected rows, rows whose mapping was mended, deliveries refused whole."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Column, Connection, LargeBinary, select

from connectors.decode import decode_chunks
from connectors.delivery import LINE, PART, Delivery, Mapped, Sheet
from connectors.errors import Refused
from connectors.mapping import map_sheet, one_mapping
from connectors.registry import source
from connectors.spec import SourceSpec
from gateway import deliveries, pipeline, quarantine
from gateway.judge import RECORD_KEY, contested, judge
from gateway.parts import CHUNK_ROWS
from gateway.quarantine import CORRECTED, OPEN, REPLAYED
from gateway.receipts import refusal
from gateway.steps import Landed
from gateway.store import Store, dialect
from gateway.store.tables import deliveries as deliveries_table
from gateway.store.tables import rejections, versions_table
from schemas.canonical import canonical_json
from schemas.columnar import contract
from schemas.judgement import ROW


def correct(
    store: Store, rejection_id: int, values: dict[str, str | None], actor: str, now: datetime
) -> dict[str, Any]:
    """Land a quarantined row with some of its values corrected, under the identity it always had.

    Args:
        values: shared field, or the agency's own heading, -> corrected text; None empties the field.

    Returns:
        the receipt of the one-row replay.

    Raises:
        Refused: not open; an unknown field; the row still has faults, which are in ``details``; or a newer
            delivery has said something about the same record since.
    """
    with store.read() as conn:
        rejection = quarantine.open_rejection(conn, store, rejection_id)
        original = deliveries.row_of(conn, rejection.row.delivery_id)
    _demand_open(rejection.row.status, rejection_id)
    rules = contract(rejection.row.record_type)
    headings = {fault["heading"]: fault["field"] for fault in rejection.row.faults if fault["heading"]}
    fields = {headings.get(name, name): value for name, value in values.items()}
    if unknown := sorted(set(fields) - set(rules.fields)):
        raise Refused(
            f"没有字段 {'、'.join(unknown)}；可更正的字段：{'、'.join(rules.fields)}",
            f"no fields {unknown}; fields that can be corrected: {list(rules.fields)}",
            fields=unknown,
        )
    corrected = {**rejection.mapped, **fields}
    part = deliveries.vault_of(store).keep(
        f"rejection-{rejection_id}.json", "application/json", [canonical_json(corrected)]
    )
    delivery = Delivery(original.source, (part,), f"correction:{actor}", now, is_partial=True)
    mapped = _one_row(delivery, rejection, corrected)
    spec = source(original.source)
    faults = judge(mapped, rules, spec).faults
    if not faults.is_empty():
        raise Refused(
            f"更正后的行仍有 {faults.height} 处不符合要求，未入库",
            f"the corrected row still has {faults.height} faults; nothing landed",
            faults=faults.drop(ROW).to_dicts(),
        )
    return _land(store, delivery, mapped, original.id, [rejection_id], CORRECTED, actor, now)


def replay(store: Store, delivery_id: str, actor: str, now: datetime) -> dict[str, Any]:
    """Read a delivery's kept bytes again, with the mapping and the rules of today.

    A delivery that was refused whole goes the whole way again. Of a landed one, the quarantined
    rows that are without fault now are landed; the others stay where they are, and so do rows about
    whose record a newer delivery has said something since.

    Returns:
        the receipt.

    Raises:
        Refused: nothing of it is waiting, or every waiting row is still faulty or overtaken.
        Undecodable, SourceChanged, ExpectationFailed: as at the first time.
    """
    with store.read() as conn:
        row = deliveries.row_of(conn, delivery_id)
        delivery = deliveries.load(conn, delivery_id, store.settings.home)
        waiting = _waiting_rows(conn, delivery_id)
    spec = source(row.source)
    if row.status in ("refused", "received"):
        return pipeline.deliver(store, delivery_id, spec, now)
    if waiting.is_empty():
        raise Refused(
            f"交付 {delivery_id} 没有待处理的隔离行",
            f"delivery {delivery_id} has no open quarantined rows",
            delivery_id=delivery_id,
        )
    deliveries.check_bytes(delivery)
    partial = replace(delivery, is_partial=True, origin=f"replay:{actor}", received_at=now, cursor=None)
    mapped = _mapped_again(partial, waiting, spec, store.settings.max_unpacked_bytes)
    places = mapped.sheet.frame.select(ROW, PART, LINE).join(waiting, on=[PART, LINE], how="inner")
    accepted = judge(mapped, contract(spec.record_type), spec).accepted
    good = accepted.select(ROW, RECORD_KEY)
    if spec.delivery == "snapshot":
        # Rows that contradict each other do so still.
        good = good.filter(~pl.col(RECORD_KEY).is_in(contested(accepted.drop(ROW)).implode()))
    with store.read() as conn:
        stale = _overtaken(conn, spec.record_type, good[RECORD_KEY], row.audit_entry)
    good = good.filter(~pl.col(RECORD_KEY).is_in(stale.implode()))
    mended = places.join(good, on=ROW, how="semi")
    if mended.is_empty():
        raise Refused(
            f"{waiting.height} 行仍不符合要求，或已有更新的交付；请先修改映射、联系报送单位或驳回",
            f"all {waiting.height} rows are still faulty or overtaken by a newer delivery; "
            "mend the mapping, ask the agency, or dismiss them",
            delivery_id=delivery_id,
        )
    landable = _only(mapped, mended[ROW].to_list())
    return _land(store, partial, landable, delivery_id, mended["id"].to_list(), REPLAYED, actor, now)


def _waiting_rows(conn: Connection, delivery_id: str) -> pl.DataFrame:
    # Part and line are the agency's own; the number of a row moves when a mended mapping sets notes aside.
    found = conn.execute(
        select(rejections.c.id, rejections.c.part, rejections.c.line).where(
            rejections.c.delivery_id == delivery_id, rejections.c.status == OPEN
        )
    )
    schema = {"id": pl.Int64, PART: pl.String, LINE: pl.UInt32}
    return pl.DataFrame([tuple(row) for row in found], schema=schema, orient="row")


def _mapped_again(delivery: Delivery, waiting: pl.DataFrame, spec: SourceSpec, max_unpacked_bytes: int) -> Mapped:
    """The waiting rows as today's mapping reads them; of each chunk only these and its findings are kept."""
    found = []
    for sheet in decode_chunks(delivery, spec, max_unpacked_bytes, CHUNK_ROWS):
        mapped = map_sheet(sheet, spec)
        places = mapped.sheet.frame.select(ROW, PART, LINE).join(waiting, on=[PART, LINE], how="semi")
        found.append(_only(mapped, places[ROW].to_list()))
    return one_mapping(found)


def _demand_open(status: str, rejection_id: int) -> None:
    if status != OPEN:
        raise Refused(
            f"隔离行 {rejection_id} 的状态是“{status}”，不能再更正",
            f"quarantined row {rejection_id} is {status}; it cannot be corrected any more",
            rejection=rejection_id,
        )


def _one_row(delivery: Delivery, rejection: quarantine.Rejection, values: dict[str, str | None]) -> Mapped:
    place = {ROW: rejection.row.row, PART: rejection.row.part, LINE: rejection.row.line}
    kinds: dict[str, Any] = {ROW: pl.UInt32, PART: pl.String, LINE: pl.UInt32}
    sent = pl.DataFrame([place | rejection.sent], schema=kinds | dict.fromkeys(rejection.sent, pl.String))
    frame = pl.DataFrame(
        [{ROW: rejection.row.row} | values], schema={ROW: pl.UInt32} | dict.fromkeys(values, pl.String)
    )
    return Mapped(Sheet(delivery, sent), frame, rejection.row.form)


def _only(mapped: Mapped, rows: list[int]) -> Mapped:
    wanted = pl.col(ROW).is_in(rows)
    sheet = replace(mapped.sheet, frame=_apart(mapped.sheet.frame.filter(wanted)))
    faults = _apart(mapped.faults.filter(wanted))
    return replace(mapped, sheet=sheet, frame=_apart(mapped.frame.filter(wanted)), faults=faults)


def _apart(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with their own text: a filtered column keeps the text of every row of its chunk in memory."""
    written = io.BytesIO()
    rows.write_ipc(written)
    written.seek(0)
    return pl.read_ipc(written)


def _land(
    store: Store,
    delivery: Delivery,
    mapped: Mapped,
    replay_of: str,
    settled: list[int],
    status: str,
    actor: str,
    now: datetime,
) -> dict[str, Any]:
    spec = source(delivery.source)
    with store.write() as conn:
        act = deliveries.register(conn, delivery, spec, store.settings.home, deliveries.REPLAY, replay_of)

    def close_rows(conn: Connection, landed: Landed) -> None:
        _demand_newest(conn, spec.record_type, landed, replay_of)
        quarantine.settle(conn, settled, status, actor=actor, now=now, landed_in=act)

    try:
        return pipeline.land(store, act, mapped, spec, now, then=close_rows)
    except Refused as error:
        # Somebody else was quicker; the act is not left behind as if it were still to be landed.
        refusal(store, act, error, now)
        raise


def _overtaken(conn: Connection, record_type: str, keys: pl.Series, since: int) -> pl.Series:
    """Those of the record keys about which a delivery after the audit entry ``since`` has said something."""
    versions = versions_table(record_type)
    with dialect.temporary(conn, "asked", [Column("record_key", LargeBinary, primary_key=True)]) as asked:
        dialect.bulk_load(conn, asked, pl.DataFrame({"record_key": keys.unique()}))
        newer = conn.execute(
            select(versions.c.record_key)
            .distinct()
            .join(asked, asked.c.record_key == versions.c.record_key)
            .join(deliveries_table, deliveries_table.c.id == versions.c.delivery_id)
            .where(deliveries_table.c.kind == deliveries.DELIVERY, deliveries_table.c.audit_entry > since)
        )
        return pl.Series(RECORD_KEY, [row.record_key for row in newer], dtype=pl.Binary)


def _demand_newest(conn: Connection, record_type: str, landed: Landed, original_id: str) -> None:
    """Asked after the landing, under its lock: what was just landed must not be older than what it replaced."""
    if landed.first_seq is None:
        return
    versions = versions_table(record_type)
    mine = versions.c.seq.between(landed.first_seq, landed.last_seq)
    keys = pl.Series(
        [row.record_key for row in conn.execute(select(versions.c.record_key).where(mine))], dtype=pl.Binary
    )
    stale = _overtaken(conn, record_type, keys, deliveries.row_of(conn, original_id).audit_entry)
    if not stale.is_empty():
        raise Refused(
            f"{stale.len()} 条记录已有更新的交付，旧的更正不能覆盖；请核对后驳回该隔离行",
            f"a newer delivery has said something about {stale.len()} of these records; an older correction may not "
            "overwrite it; check, and dismiss the quarantined row",
            delivery_id=original_id,
        )
