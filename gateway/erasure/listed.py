"""The erasure list: values that were erased, as keyed digests, and what is done when one of them comes again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import polars as pl
from sqlalchemy import Connection, bindparam, func, select

from gateway.erasure.tables import erased_values
from gateway.judge import RECORD_KEY
from gateway.sealing import Sealer, load_sealer
from gateway.steps import Judged
from gateway.store import Store, dialect
from schemas.columnar import Contract
from schemas.judgement import FAULT_COLUMNS, ROW

REFUSE, FLAG = "refuse", "flag"
"""What ``Settings.erased_again`` may be: the value is left out, or it lands; either way the receipt says so."""

RULE = "personal.erased"

_LISTED = select(erased_values.c.record_key, erased_values.c.field, erased_values.c.digest).where(
    erased_values.c.record_type == bindparam("of_type")
)


def keep_list(
    conn: Connection,
    sealer: Sealer,
    record_type: str,
    erasure_id: str,
    values: Mapping[bytes, Mapping[str, Iterable[str]]],
) -> None:
    """Put erased values on the list.

    Args:
        values: record key -> personal field -> the values it had.
    """
    rows = [
        (record_type, key, name, _digest(sealer, record_type, key, name, value), erasure_id)
        for key, by_field in values.items()
        for name, some in by_field.items()
        for value in some
    ]
    frame = pl.DataFrame(rows, schema=[column.name for column in erased_values.c], orient="row")
    dialect.insert_missing(conn, erased_values, frame)


def erased_count(conn: Connection, record_type: str) -> int:
    """How many values of a record type are on the list: what was screened before the last of them must be again."""
    listed = select(func.count()).select_from(erased_values).where(erased_values.c.record_type == record_type)
    return int(conn.execute(listed).scalar_one())


def screen(store: Store, judged: Judged, contract: Contract) -> Judged:
    """Take accepted values that were erased before out of a delivery, or only tell of them, as configured.

    The row lands without the value: nothing of it is stored, not even in quarantine, and a warning in the receipt
    asks the agency to take it out at home.
    """
    if not contract.personal:
        return judged
    with store.ask() as conn:
        listed = conn.execute(_LISTED, {"of_type": contract.record_type}).all()
    if not listed:
        return judged
    known = {(bytes(row.record_key), row.field, row.digest) for row in listed}
    again = _again(judged.accepted, contract, load_sealer(store.settings.home), known)
    if not again:
        return judged
    accepted = judged.accepted
    if store.settings.erased_again == REFUSE:
        for name in {name for _, name in again}:
            rows = [row for row, field in again if field == name]
            value = pl.when(~pl.col(ROW).is_in(rows)).then(pl.col(name))
            accepted = accepted.with_columns(value.alias(name))
    warnings = pl.concat([judged.warnings, _warnings(again, store.settings.erased_again)])
    return replace(judged, accepted=accepted, warnings=warnings)


def _again(
    accepted: pl.DataFrame, contract: Contract, sealer: Sealer, known: set[tuple[bytes, str, str]]
) -> list[tuple[int, str]]:
    """Row and field of each value that is on the list."""
    keys = pl.Series([key for key, _, _ in known], dtype=pl.Binary).unique()
    concerned = accepted.select(ROW, RECORD_KEY, *contract.personal).filter(pl.col(RECORD_KEY).is_in(keys.implode()))
    return [
        (row, name)
        for row, key, *values in concerned.iter_rows()
        for name, value in zip(contract.personal, values, strict=True)
        if value is not None and (key, name, _digest(sealer, contract.record_type, key, name, value)) in known
    ]


def _warnings(again: list[tuple[int, str]], mode: str) -> pl.DataFrame:
    zh, en = {
        REFUSE: (
            "该个人信息已依法删除，本次再次报送的值未入库；请在贵单位系统中一并删除",
            "this personal value was erased as the law asks; sent again, it was not landed; erase it at home too",
        ),
        FLAG: (
            "该个人信息曾依法删除，本次再次报送并已入库；请核实报送依据",
            "this personal value was erased as the law asks; sent again, it landed; check on what ground it is sent",
        ),
    }[mode]
    none: list[str] = []
    rows = [(row, name, None, RULE, zh, en, none) for row, name in again]
    return pl.DataFrame(rows, schema=FAULT_COLUMNS, orient="row")


def _digest(sealer: Sealer, record_type: str, key: bytes, name: str, value: str) -> str:
    # The record is part of it: the same telephone in another record is another person's business.
    return sealer.keyed_digest("\x1f".join((record_type, key.hex(), name, value)).encode())
