"""Landing a record with some of its values corrected: a delivery of its own, the same one way through."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Connection

from connectors.delivery import LINE, PART, Delivery, Mapped, Sheet
from connectors.errors import Refused
from connectors.registry import source
from gateway import deliveries, pipeline
from gateway.judge import RECORD_KEY, judge
from gateway.receipts import refusal
from gateway.sealing import Sealer
from gateway.staging import SALT
from gateway.steps import Landed
from gateway.store import Store
from gateway.store.reading import Version
from schemas.canonical import canonical_json
from schemas.columnar import Contract, contract
from schemas.judgement import OPERATION, ROW

_FORM = "correction"


def correct_record(
    store: Store,
    sealer: Sealer,
    version: Version,
    values: Mapping[str, str | None],
    origin: str,
    now: datetime,
    then: Callable[[Connection, Landed], None],
) -> dict[str, Any]:
    """Land the record of a version with corrected values.

    A value of the natural key makes it another record; then the one of before is withdrawn in the same delivery.

    Args:
        version: the current one of its record.
        values: field -> corrected text; None empties the field.
        origin: who corrects, and why, as the register and the log name it.
        then: done in the transaction of the landing.

    Returns:
        the receipt.

    Raises:
        Refused: the corrected record has faults, which are in ``details``; they quote no personal value.
    """
    rules, spec = contract(version.record_type), source(version.source)
    said = _texts(version, rules, sealer)
    corrected = {**said, **values}
    # Kept are the corrected values alone, not a second copy of the record with all its personal fields.
    told = {"record_key": version.record_key, "values": dict(values)}
    part = deliveries.vault_of(store).keep(f"{_FORM}-{version.seq}.json", "application/json", [canonical_json(told)])
    delivery = Delivery(version.source, (part,), origin, now, is_partial=True)
    mapped = _mapped(delivery, [("put", corrected)])
    judged = judge(mapped, rules, spec)
    if not judged.faults.is_empty():
        raise Refused(
            f"更正后的记录有 {judged.faults.height} 处不符合要求，未入库",
            f"the corrected record has {judged.faults.height} faults; nothing landed",
            faults=judged.faults.drop(ROW).to_dicts(),
        )
    if judged.accepted[RECORD_KEY][0] != bytes.fromhex(version.record_key):
        mapped = _mapped(delivery, [("withdraw", said), ("put", corrected)])
    with store.write() as conn:
        delivery_id = deliveries.register(conn, delivery, spec, store.settings.home, deliveries.REPLAY)
    try:
        return pipeline.land(store, delivery_id, mapped, spec, now, then=then)
    except Refused as error:
        # Somebody else was quicker; the act is not left behind as if it were still to be landed.
        refusal(store, delivery_id, error, now)
        raise


def _texts(version: Version, rules: Contract, sealer: Sealer) -> dict[str, str | None]:
    """Every field of a version as text that the contract reads back to the same value."""
    said: dict[str, Any] = json.loads(version.payload)
    if version.sealed is not None:
        said |= json.loads(sealer.open(version.sealed, bytes.fromhex(version.record_key)))
        said.pop(SALT)
    return {name: _text(said[name]) if name in said else None for name in rules.fields}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    return str(value)


def _mapped(delivery: Delivery, rows: list[tuple[str, Mapping[str, str | None]]]) -> Mapped:
    names = list(rows[0][1])
    place = {ROW: pl.UInt32, PART: pl.String, LINE: pl.UInt32}
    numbered = list(enumerate(rows, start=1))
    sent = pl.DataFrame(
        [{ROW: number, PART: _FORM, LINE: number, **values} for number, (_, values) in numbered],
        schema={**place, **dict.fromkeys(names, pl.String)},
    )
    frame = pl.DataFrame(
        [{ROW: number, OPERATION: operation, **values} for number, (operation, values) in numbered],
        schema={ROW: pl.UInt32, OPERATION: pl.String, **dict.fromkeys(names, pl.String)},
    )
    return Mapped(Sheet(delivery, sent), frame, _FORM)
