"""How fast records that name an entity only by name and place find it among many, and whether every answer is right."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl
from sqlalchemy import BigInteger, Column, Connection, Text, select

from gateway.bench.memory import peak_rss_mb
from gateway.bench.stores import empty_store, server
from gateway.resolve import resolve_frame
from gateway.settings import Settings
from gateway.steps import ENTITY
from gateway.store import Store, dialect
from gateway.store.tables import entities, entity_names
from schemas.columnar import contract
from schemas.judgement import ROW
from schemas.names import address_form_expr, match_form_expr

RECORD_TYPE = "complaint"
"""Complaints name their subject as people do: by name, with a region or an address, without a code."""

CHUNK = 100_000
"""Rows that are resolved at once, as those of one sheet are."""

_REGIONS = ("330110", "320404", "440307", "510104", "110108", "350102", "370102", "420102")
_TWINS = 50
"""Every fiftieth entity has the name and the region of the one before it."""


def run(
    rows: int,
    known: int,
    settings: Settings,
    postgres: bool,
    seed: int,
    told: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Fill the entity tables, then resolve rows without a code in chunks.

    One row in twenty names nobody, three in ten use a former name, three in twenty give an address and no region;
    brackets are typed in full width in some. What each row must lead to is known from how it was made.

    Args:
        rows: rows to resolve.
        known: entities; a third of them have a former name.
        settings: its ``database_url`` names the server if it is a PostgreSQL; otherwise one is started.

    Returns:
        seconds and rows per second of resolving; as the limit ``bare_seconds``, in which the database alone joins the
        same names, and ``ratio_to_bare``; ``processor_s`` (of this process; a PostgreSQL server has its own, on top of
        it), counts of resolved and unresolved rows, ``ambiguous`` (rows whose name and place fit several entities,
        rightly unresolved), ``wrong`` (always 0, or an error is raised).

    Raises:
        AssertionError: a row was resolved to another entity than it names, or not although it could be.
    """
    rules = contract(RECORD_TYPE)
    with _filled(settings, postgres, known, told) as store:
        spent, bare, worked, resolved, ambiguous = 0.0, 0.0, 0.0, 0, 0
        for start in range(0, rows, CHUNK):
            told(f"{start} rows")
            sent = sent_rows(start, min(CHUNK, rows - start), known, seed)
            with store.read() as conn:
                begun, busy = time.perf_counter(), time.process_time()
                found = resolve_frame(conn, sent.drop("expected", "is_ambiguous"), rules)
                spent += time.perf_counter() - begun
                worked += time.process_time() - busy
                bare += _bare_seconds(conn, sent)
            _demand_right(found, sent)
            resolved += sent["expected"].count()
            ambiguous += int(sent["is_ambiguous"].sum())
    return {
        "rows": rows,
        "entities": known,
        "database": "postgresql" if postgres else "sqlite",
        "seconds": round(spent, 1),
        "bare_seconds": round(bare, 1),
        "ratio_to_bare": round(bare / spent, 2),
        "processor_s": round(worked, 1),
        "rows_per_s": round(rows / spent),
        "resolved": resolved,
        "unresolved": rows - resolved,
        "ambiguous": ambiguous,
        "wrong": 0,
        "peak_rss_mb": peak_rss_mb(),
    }


def _bare_seconds(conn: Connection, sent: pl.DataFrame) -> float:
    """The limit: rows and the compared form of their names, joined with the entities of that name and no more."""
    names = sent.select(ROW, name_form=match_form_expr(pl.col("subject_name")))
    columns: list[Column[Any]] = [Column(ROW, BigInteger), Column("name_form", Text)]
    begun = time.perf_counter()
    with dialect.temporary(conn, "bare", columns) as asked:
        dialect.bulk_load(conn, asked, names)
        for table in (entities, entity_names):
            found = select(asked.c[ROW], table.c.uscc).join(table, table.c.name_form == asked.c.name_form)
            dialect.fetch(conn, found, {ROW: pl.Int64, "uscc": pl.String})
    return time.perf_counter() - begun


def _demand_right(found: pl.DataFrame, sent: pl.DataFrame) -> None:
    both = found.join(sent.select(ROW, "expected"), on=ROW)
    wrong = both.filter(pl.col(ENTITY).ne_missing(pl.col("expected")))
    if both.height != sent.height or not wrong.is_empty():
        raise AssertionError(f"{wrong.height} rows are resolved wrongly, among them {wrong.head(3).to_dicts()}")


def sent_rows(start: int, count: int, known: int, seed: int) -> pl.DataFrame:
    """Rows as a judged frame has them, with ``expected``: the USCC of the entity they name, or null.

    Args:
        start: number of rows made before these.
        known: number of entities.
    """
    number = pl.col("number")
    is_nobody, by_former, by_address = number % 20 == 0, number % 10 < 3, number % 20 >= 17
    target = (number * 7_919 + seed).hash(seed) % known
    has_former = (target % 3 == 0) & by_former
    # Twins share a name and a city and nothing else; only an address tells them apart.
    is_twin = ~has_former & _is_twin(target, known) & ~by_address
    written = _name(target).str.replace_all("(", "（", literal=True).str.replace_all(")", "）", literal=True)
    current = pl.when(number % 7 == 0).then(written).otherwise(_name(target))
    name = (
        pl.when(is_nobody)
        .then(pl.concat_str(pl.lit("无此企业"), number))
        .otherwise(pl.when(has_former).then(_former_name(target)).otherwise(current))
    )
    frame = pl.select(number=pl.int_range(start + 1, start + count + 1, dtype=pl.UInt64))
    return frame.select(
        number.cast(pl.UInt32).alias(ROW),
        name.alias("subject_name"),
        pl.lit(None, pl.String).alias("uscc"),
        pl.when(~by_address).then(_region(target)).alias("region_code"),
        pl.when(by_address).then(_address(target)).alias("subject_address"),
        pl.when(~is_nobody & ~is_twin).then(_uscc(target)).alias("expected"),
        (~is_nobody & is_twin).alias("is_ambiguous"),
    )


def _is_twin(entity: pl.Expr, known: int) -> pl.Expr:
    return (entity % _TWINS == 1) | ((entity % _TWINS == 0) & (entity + 1 < known))


def _uscc(entity: pl.Expr) -> pl.Expr:
    return pl.concat_str(pl.lit("91330110"), entity.cast(pl.String).str.zfill(10))


def _name(entity: pl.Expr) -> pl.Expr:
    named = pl.when(entity % _TWINS == 1).then(entity - 1).otherwise(entity)
    return pl.concat_str(pl.lit("示例第"), named, pl.lit("号(中国)食品有限公司"))


def _former_name(entity: pl.Expr) -> pl.Expr:
    return pl.concat_str(pl.lit("示例第"), entity, pl.lit("号粮油经营部"))


def _region(entity: pl.Expr) -> pl.Expr:
    placed = pl.when(entity % _TWINS == 1).then(entity - 1).otherwise(entity)
    return (placed % len(_REGIONS)).replace_strict(dict(enumerate(_REGIONS)), return_dtype=pl.String)


def _address(entity: pl.Expr) -> pl.Expr:
    return pl.concat_str(pl.lit("某市某区桥头街"), entity, pl.lit("号甲单元"))


@contextmanager
def _filled(settings: Settings, postgres: bool, known: int, told: Callable[[str], None]) -> Iterator[Store]:
    with server(settings, postgres) as url, empty_store(url, 0) as store:
        told(f"{known} entities")
        entity = pl.col("entity")
        every = pl.select(entity=pl.int_range(known, dtype=pl.UInt64))
        with store.write() as conn:
            dialect.bulk_load(
                conn,
                entities,
                every.select(
                    _uscc(entity).alias("uscc"),
                    _name(entity).alias("name"),
                    match_form_expr(_name(entity)).alias("name_form"),
                    _region(entity).alias("region_code"),
                    address_form_expr(_address(entity)).alias("address_form"),
                    pl.lit(100).alias("authority"),
                ),
            )
            former = every.filter(entity % 3 == 0)
            dialect.bulk_load(
                conn,
                entity_names,
                former.select(match_form_expr(_former_name(entity)).alias("name_form"), _uscc(entity).alias("uscc")),
            )
        yield store
