"""The limit of every first load: rows that are ready made, taken in by the database alone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import polars as pl
from sqlalchemy import Table

from connectors.decode import decode_chunks
from connectors.delivery import Delivery, Sheet
from connectors.mapping import map_sheet
from connectors.spec import SourceSpec
from gateway.judge import RECORD_KEY, judge
from gateway.parts import CHUNK_ROWS
from gateway.sealing import load_sealer
from gateway.staging import stage
from gateway.steps import ENTITY, ENTITY_BY, Judged
from gateway.store import Store, dialect
from gateway.store.tables import versions_table
from schemas.columnar import Contract, contract


def bare_seconds(store: Store, spec: SourceSpec, delivery: Delivery) -> tuple[int, float]:
    """Rows of a delivery that the contract accepts, and the time in which the database alone takes them in, finished.

    The table is empty before and afterwards; it has all its indexes.
    """
    rules = contract(spec.record_type)
    sheets = decode_chunks(delivery, spec, rows=CHUNK_ROWS)
    finished = finished_rows(store, map_and_judge(sheets, rules, spec), rules, spec)
    begun = time.perf_counter()
    load_bare(store, spec.record_type, finished)
    taken = time.perf_counter() - begun
    empty_table(store, spec.record_type)
    return finished.height, taken


def map_and_judge(sheets: Iterable[Sheet], rules: Contract, spec: SourceSpec) -> list[Judged]:
    """What a landing does with decoded rows before it stages them."""
    return [judge(map_sheet(sheet, spec), rules, spec) for sheet in sheets]


def finished_rows(store: Store, judged: Sequence[Judged], rules: Contract, spec: SourceSpec) -> pl.DataFrame:
    """Rows as the versions table takes them, one of each record: what bare loading is given for nothing."""
    own = pl.col(rules.subject.uscc) if rules.subject.uscc else pl.lit(None, pl.String)
    accepted = pl.concat([chunk.accepted for chunk in judged]).unique(RECORD_KEY, keep="first", maintain_order=True)
    accepted = accepted.with_columns(own.alias(ENTITY), pl.lit("uscc").alias(ENTITY_BY))
    staged = stage(accepted, rules, load_sealer(store.settings.home), {})
    return staged.rename({"ord": "seq"}).with_columns(
        version=pl.lit(1, pl.Int64),
        source=pl.lit(spec.source),
        delivery_id=pl.lit("bench"),
        landed_at=pl.lit("2026-01-01T00:00:00.000000Z"),
    )


def load_bare(store: Store, record_type: str, finished: pl.DataFrame) -> None:
    """The limit: COPY (or executemany) of finished rows into the empty table itself, with all its indexes."""
    versions = versions_table(record_type)
    with store.write() as conn:
        dialect.bulk_load(conn, versions, _in_order(finished, versions))


def empty_table(store: Store, record_type: str) -> None:
    """Take out what was loaded bare."""
    versions = versions_table(record_type)
    with store.write() as conn:
        dialect.empty(conn, versions)


def _in_order(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    return frame.select(c.name for c in table.columns if c.name in frame.columns)
