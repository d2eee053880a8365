"""What registrations teach about entities: names, numbers, regions. The base that resolution stands on."""

from __future__ import annotations

import polars as pl
from sqlalchemy import Connection, select, update

from gateway.resolve import ENTITIES
from gateway.store import dialect
from gateway.store.tables import crosswalk, entities, entity_names, positions
from schemas.columnar import Contract
from schemas.names import address_form_expr, match_form_expr

TEACHERS = ("registration", "customs_registration")
"""Record types whose landing makes entities, names or numbers known."""


def learn(conn: Connection, contract: Contract, frame: pl.DataFrame, authority: int, at: str) -> bool:
    """Take names and numbers from newly landed records into the entity tables.

    Args:
        frame: new and changed records: the typed fields of the record type and ``entity_uscc``.
        authority: rank of the source; a lower rank is not overwritten by a higher one.
        at: instant text.

    Returns:
        True if the tables changed, so that waiting records should be tried again.
    """
    known = frame.filter(pl.col("entity_uscc").is_not_null())
    if contract.record_type not in TEACHERS or known.is_empty():
        return False
    # Two record types teach, under different landing locks: without an order they could wait for each other's rows.
    conn.execute(select(positions.c.last_seq).where(positions.c.record_type == ENTITIES).with_for_update())
    written = 0
    if contract.record_type == "registration":
        written += dialect.upsert(
            conn,
            entities,
            _entities(known, authority),
            where=lambda incoming: incoming["authority"] <= entities.c.authority,
        )
        written += dialect.insert_missing(conn, entity_names, _names(known))
    written += dialect.insert_missing(conn, crosswalk, _crosswalk(known, contract))
    if written:
        conn.execute(
            update(positions)
            .where(positions.c.record_type == ENTITIES)
            .values(last_seq=positions.c.last_seq + 1, last_landed_at=at)
        )
    return written > 0


def _entities(frame: pl.DataFrame, authority: int) -> pl.DataFrame:
    return frame.select(
        "uscc",
        "name",
        # GB 32100-2015, 5.4: characters 3-8 are the region of registration, for want of a better one.
        pl.coalesce(pl.col("region_code"), pl.col("uscc").str.slice(2, 6)).alias("region_code"),
        address_form_expr(pl.col("address")).alias("address_form"),
        authority=pl.lit(authority, pl.Int64),
    ).unique("uscc", keep="last", maintain_order=True)


def _names(frame: pl.DataFrame) -> pl.DataFrame:
    current = frame.select(pl.col("name"), "uscc")
    historic = frame.select(pl.col("name_history").str.split(";").alias("name"), "uscc").explode("name").drop_nulls()
    return (
        pl.concat([current, historic])
        .select(match_form_expr(pl.col("name")).alias("name_form"), "uscc")
        .filter(pl.col("name_form").str.len_chars() > 0)
        .unique(maintain_order=True)
    )


def _crosswalk(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    numbers = {
        "registration": "registration_no",
        "customs": "customs_code",
        "organisation": "organisation_code",
    }
    rows = [
        frame.select(kind=pl.lit(kind), code=pl.col(name), uscc=pl.col("entity_uscc"))
        for kind, name in numbers.items()
        if name in contract.fields
    ]
    # GB 32100-2015, 5.5: characters 9-17 are the organisation code (GB 11714).
    embedded = frame.select(
        kind=pl.lit("organisation"), code=pl.col("entity_uscc").str.slice(8, 9), uscc=pl.col("entity_uscc")
    )
    return pl.concat([*rows, embedded]).drop_nulls().unique(maintain_order=True)
