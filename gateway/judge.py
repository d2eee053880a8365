"""Judging a mapped delivery: the contract row by row, then what only the whole delivery can tell."""

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
    """Hold every row against the contract, then the rows against each other.

    A row that repeats another word for word is accepted once and counted. Rows that say different
    things about the same record: in ``changes`` the last one is the newest and wins, and the others
    are counted; in a ``snapshot`` nothing says which is true, so all of them are faulted.

    Returns:
        Judged: ``accepted`` also has ``record_key``, unique.
    """
    judgement = contract.judge(mapped.frame)
    # Ragged lines and unknown operation marks were faulted before there were fields to judge.
    readable = judgement.accepted.join(mapped.faults.select(ROW), on=ROW, how="anti", maintain_order="left")
    keyed = readable.with_columns(record_keys(readable, contract, spec.source))
    if spec.delivery == "snapshot":
        said = [name for name in keyed.columns if name != ROW]
        distinct = keyed.unique(said, keep="first", maintain_order=True)
        contested = distinct.filter(pl.col(RECORD_KEY).is_duplicated()).select(RECORD_KEY).unique()
        accepted = distinct.join(contested, on=RECORD_KEY, how="anti", maintain_order="left")
        # Repetitions of a contested row are as doubtful as the row.
        doubtful = keyed.join(contested, on=RECORD_KEY, how="semi", maintain_order="left")
    else:
        accepted = keyed.unique(RECORD_KEY, keep="last", maintain_order=True)
        doubtful = keyed.clear()
    conflicts = _conflicts(doubtful, contract)
    faults = pl.concat([mapped.faults, judgement.faults, conflicts.select(judgement.faults.columns)])
    return Judged(mapped, accepted, faults, judgement.warnings, keyed.height - doubtful.height - accepted.height)


def record_keys(frame: pl.DataFrame, contract: Contract, source: str) -> pl.Series:
    """The identity of each row's record: what this source says about this natural key.

    Names take part in their compared form, so that a bracket typed differently is no new record.

    Returns:
        pl.Binary, 16 bytes each, named ``record_key``.
    """
    parts = [_key_text(name, contract) for name in contract.key]
    texts = frame.select(pl.concat_str(pl.lit(source), *parts, separator="\x1f")).to_series()
    keys = [hashlib.sha256(text.encode()).digest()[:16] for text in texts]
    return pl.Series(RECORD_KEY, keys, dtype=pl.Binary)


def _key_text(name: str, contract: Contract) -> pl.Expr:
    column = pl.col(name)
    if name == contract.subject.name:
        return match_form_expr(column)
    return column.cast(pl.String).fill_null("")


def _conflicts(rows: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    others = rows.with_columns(pl.col(ROW).cast(pl.String).implode().over(RECORD_KEY).list.join("、").alias("rows"))
    key = "+".join(contract.key)
    faults = [
        Fault(
            "row.conflict",
            f"快照中第 {where} 行对同一条记录说法不一；请核对后只报送一行",
            f"rows {where} of the snapshot say different things about one record; send one of them after checking",
        )
        for where in others["rows"]
    ]
    return pl.DataFrame(
        {
            ROW: rows[ROW],
            "field": [key] * rows.height,
            "value": rows.select(
                pl.concat_str([pl.col(n).cast(pl.String) for n in contract.key], separator=" ")
            ).to_series(),
            "rule": [fault.rule for fault in faults],
            "zh": [fault.zh for fault in faults],
            "en": [fault.en for fault in faults],
            "candidates": [list(fault.candidates) for fault in faults],
        },
        schema=FAULT_COLUMNS,
    )


def seen_keys(judged: Judged, contract: Contract, source: str) -> pl.Series:
    """Record keys a snapshot mentions, rejected rows included where their key can be read.

    A row that is refused today must not withdraw what the same source said correctly before.
    """
    rejected = judged.mapped.frame.join(judged.faults.select(ROW).unique(), on=ROW, how="semi")
    if rejected.is_empty():
        return judged.accepted[RECORD_KEY]
    # Judged as withdrawals, rows are held against their key fields only.
    readable = contract.judge(rejected.with_columns(pl.lit("withdraw").alias(OPERATION))).accepted
    return pl.concat([judged.accepted[RECORD_KEY], record_keys(readable, contract, source)]).unique()
