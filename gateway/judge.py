"""Judging the rows of a delivery: the contract, the identity of each record, and what is said of rows in conflict."""

from __future__ import annotations

import hashlib

import polars as pl

from connectors.delivery import Mapped
from connectors.spec import SourceSpec
from gateway.steps import Judged
from schemas.columnar import Contract
from schemas.faults import Fault
from schemas.judgement import FAULT_COLUMNS, OPERATION, ROW
from schemas.names import match_form_expr

RECORD_KEY = "record_key"
"""First 16 bytes of SHA-256 over source and natural key; dtype pl.Binary."""


def judge(mapped: Mapped, contract: Contract, spec: SourceSpec) -> Judged:
    """Hold every row of a piece against the contract.

    Whether rows say different things about one record can only be told of the whole delivery: see
    ``gateway.repetitions``.

    Returns:
        Judged: ``accepted`` also has ``record_key``.
    """
    judgement = contract.judge(mapped.frame)
    # Ragged lines and unknown operation marks were faulted before there were fields to judge.
    readable = judgement.accepted
    if mapped.faults.height:
        readable = readable.join(mapped.faults.select(ROW), on=ROW, how="anti", maintain_order="left")
    accepted = readable.hstack([record_keys(readable, contract, spec.source)])
    return Judged(mapped, accepted, pl.concat([mapped.faults, judgement.faults]), judgement.warnings)


def record_keys(frame: pl.DataFrame, contract: Contract, source: str) -> pl.Series:
    """The identity of each row's record: what this source says about this natural key.

    Names take part in their compared form, so that a bracket typed differently is no new record.

    Returns:
        pl.Binary, 16 bytes each, named ``record_key``.
    """
    parts = [_key_text(name, contract) for name in contract.key]
    said = frame.select(pl.concat_str(pl.lit(source), *parts, separator="\x1f").cast(pl.Binary)).to_series()
    sha256 = hashlib.sha256
    keys = [sha256(text).digest()[:16] for text in said.to_list()]
    return pl.Series(RECORD_KEY, keys, dtype=pl.Binary)


def _key_text(name: str, contract: Contract) -> pl.Expr:
    column = pl.col(name)
    if name == contract.subject.name:
        return match_form_expr(column)
    return column.cast(pl.String).fill_null("")


def contested(rows: pl.DataFrame) -> pl.Series:
    """Record keys about which rows say different things; repetitions word for word are none.

    Args:
        rows: ``record_key`` and whatever is compared; a number that tells rows apart must not be among it.
    """
    distinct = rows.unique()
    return distinct.filter(pl.col(RECORD_KEY).is_duplicated())[RECORD_KEY].unique()


def conflict_faults(rows: pl.DataFrame, where: dict[bytes, str], contract: Contract) -> pl.DataFrame:
    """The fault of each row of a snapshot that says something else than another row about the same record.

    Args:
        rows: judged rows with ``record_key``.
        where: record key -> numbers of all rows that speak of it, as text.

    Returns:
        columns of ``FAULT_COLUMNS``.
    """
    told = [
        Fault(
            "row.conflict",
            f"快照中第 {where[key]} 行对同一条记录说法不一；请核对后只报送一行",
            f"rows {where[key]} of the snapshot say different things about one record; send one of them after checking",
        )
        for key in rows[RECORD_KEY]
    ]
    return pl.DataFrame(
        {
            ROW: rows[ROW],
            "field": ["+".join(contract.key)] * rows.height,
            "value": rows.select(
                pl.concat_str([pl.col(n).cast(pl.String) for n in contract.key], separator=" ")
            ).to_series(),
            "rule": [fault.rule for fault in told],
            "zh": [fault.zh for fault in told],
            "en": [fault.en for fault in told],
            "candidates": [list(fault.candidates) for fault in told],
        },
        schema=FAULT_COLUMNS,
    )


def mentioned(judged: Judged, contract: Contract, source: str) -> pl.DataFrame:
    """Rejected rows of a snapshot whose key can be read: ``_row`` and ``record_key``.

    A row that is refused today must not withdraw what the same source said correctly before.
    """
    rejected = judged.mapped.frame.join(judged.faults.select(ROW).unique(), on=ROW, how="semi")
    if rejected.is_empty():
        return pl.DataFrame(schema={ROW: pl.UInt32, RECORD_KEY: pl.Binary})
    # Judged as withdrawals, rows are held against their key fields only.
    readable = contract.judge(rejected.with_columns(pl.lit("withdraw").alias(OPERATION))).accepted
    return readable.select(ROW).with_columns(record_keys(readable, contract, source))
