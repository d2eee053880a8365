"""What registrations teach about entities: names, numbers, regions. The base that resolution stands on."""

from __future__ import annotations

import polars as pl
from sqlalchemy import Connection, select, update

from gateway.resolve import ENTITIES, look_up
from gateway.store import dialect
from gateway.store.stage import LESSONS
from gateway.store.tables import crosswalk, entities, entity_names, positions
from schemas.columnar import Contract
from schemas.names import address_form_expr, match_form_expr

TEACHERS = tuple(LESSONS)
"""Record types whose landing makes entities, names or numbers known."""


def learn(conn: Connection, contract: Contract, frame: pl.DataFrame, authority: int, at: str) -> bool:
    """Take names and numbers from newly landed records into the entity tables.

    Args:
        frame: new and changed records: ``uscc`` of their entity and the fields named in ``stage.LESSONS``.
        authority: rank of the source; a lower rank is not overwritten by a higher one.
        at: instant text.

    Returns:
        True if the tables changed, so that waiting records should be tried again.
    """
    known = frame.filter(pl.col("uscc").is_not_null())
    if contract.record_type not in TEACHERS or known.is_empty():
        return False
    # Two record types teach, under different landing locks: without an order they could wait for each other's rows.
    conn.execute(select(positions.c.last_seq).where(positions.c.record_type == ENTITIES).with_for_update())
    if contract.record_type == "registration":
        written = _learn_registrations(conn, known, authority)
    else:
        # Customs may know an entity before its registration has come.
        embedded = known.with_columns(inside=pl.col("uscc").str.slice(8, 9))
        numbers = [_numbers(known, "customs", "customs_code"), _numbers(embedded, "organisation", "inside")]
        written = dialect.insert_missing(conn, crosswalk, pl.concat(numbers))
    if written:
        conn.execute(
            update(positions)
            .where(positions.c.record_type == ENTITIES)
            .values(last_seq=positions.c.last_seq + 1, last_landed_at=at)
        )
    return written > 0


def _learn_registrations(conn: Connection, frame: pl.DataFrame, authority: int) -> int:
    said = _entities(frame, authority)
    # What is replaced, or is not preferred, is kept: rows of other agencies may still carry it.
    before = look_up(conn, entities, entities.c.uscc, said["uscc"])
    differing = said.join(before, on="uscc", suffix="_before")
    # The entity tables are locked, so what is not there yet needs no second look; in order, because
    # an index takes in neighbours much quicker than strangers.
    unknown = said.join(before, on="uscc", how="anti").sort("uscc")
    dialect.bulk_load(conn, entities, unknown)
    written = unknown.height + dialect.upsert(
        conn,
        entities,
        said.join(before, on="uscc", how="semi"),
        where=lambda incoming: incoming["authority"] <= entities.c.authority,
    )
    historic = frame.select(pl.col("name_history").str.split(";").alias("name"), "uscc").explode("name")
    names = pl.concat(
        [
            historic.select(match_form_expr(pl.col("name")).alias("name_form"), "uscc"),
            *_both(differing, "name_form"),
        ]
    )
    written += dialect.insert_missing(conn, entity_names, _distinct(names))
    numbers = [
        part.select(kind=pl.lit("registration"), code="registration_no", uscc="uscc")
        for part in _both(differing, "registration_no")
    ]
    # An organisation code that is not the one inside the USCC: rare, and somebody's records carry it.
    other = frame.filter(pl.col("organisation_code") != pl.col("uscc").str.slice(8, 9))
    numbers.append(_numbers(other, "organisation", "organisation_code"))
    return written + dialect.insert_missing(conn, crosswalk, _distinct(pl.concat(numbers)))


def _entities(frame: pl.DataFrame, authority: int) -> pl.DataFrame:
    return frame.select(
        "uscc",
        "name",
        match_form_expr(pl.col("name")).alias("name_form"),
        # GB 32100-2015, 5.4: characters 3-8 are the region of registration, for want of a better one.
        pl.coalesce(pl.col("region_code"), pl.col("uscc").str.slice(2, 6)).alias("region_code"),
        address_form_expr(pl.col("address")).alias("address_form"),
        "registration_no",
        authority=pl.lit(authority, pl.Int64),
    ).unique("uscc", keep="last", maintain_order=True)


def _both(differing: pl.DataFrame, name: str) -> list[pl.DataFrame]:
    """What was said before and what is said now of entities for which the two differ."""
    changed = differing.filter(pl.col(name).ne_missing(pl.col(f"{name}_before")))
    return [changed.select(name, "uscc"), changed.select(pl.col(f"{name}_before").alias(name), "uscc")]


def _numbers(frame: pl.DataFrame, kind: str, name: str) -> pl.DataFrame:
    rows = frame.select(kind=pl.lit(kind), code=pl.col(name), uscc=pl.col("uscc"))
    return _distinct(rows)


def _distinct(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.drop_nulls().filter(pl.col(rows.columns[-2]) != "").unique(maintain_order=True)
