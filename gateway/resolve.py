"""Which entity a record belongs to, in a fixed order, and which step decided.

1. ``uscc``: the row carries a valid unified social credit code.
2. ``crosswalk``: a legacy registration number, organisation code, customs code or an
   18-character taxpayer number leads to exactly one entity, and no two of them disagree.
3. ``name_and_region`` / ``name_and_address``: the exact name in its compared form (current
   or historic) belongs to exactly one entity whose region or address agrees.
4. Otherwise the record stays unresolved (未关联) and waits.

Never "name or number or code": one shared or placeholder value would merge two companies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl
from sqlalchemy import Column, ColumnElement, Connection, Row, Table, Text, select

from gateway.steps import ENTITY, ENTITY_BY, Judged, Resolved
from gateway.store import dialect
from gateway.store.tables import ORGANISATION_CODE, crosswalk, entities, entity_names, positions
from schemas.columnar import Contract
from schemas.identifiers.uscc_columns import valid_uscc
from schemas.judgement import ROW
from schemas.names import address_form_expr, match_form_expr

ENTITIES = "entities"
"""Name of the counter in ``positions`` that moves whenever the entity tables change."""

_GENERATION = select(positions.c.last_seq).where(positions.c.record_type == ENTITIES)
_POSITIONS = select(positions.c.record_type, positions.c.last_seq)

_MIN_ADDRESS = 6
"""Shortest compared address that can say anything: 杭州市西湖区 has six characters."""


def resolve(conn: Connection, judged: Judged, contract: Contract) -> Resolved:
    """Say for each accepted row which entity it belongs to.

    Returns:
        Resolved: ``entity_uscc`` and ``entity_by`` added; both null where no step decided.
    """
    frame = _with_own_code(judged.accepted, contract)
    if not frame[ENTITY].has_nulls():
        # What the entity tables say is not asked for, so it does not matter how old it is.
        return Resolved(judged, frame, None)
    generation = entity_generation(conn)
    return Resolved(judged, _looked_up(conn, frame, contract), generation)


def resolve_frame(conn: Connection, frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """The same for a frame that has ``_row`` and the subject fields of the record type."""
    return _looked_up(conn, _with_own_code(frame, contract), contract)


def _with_own_code(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    code = contract.subject.uscc
    if code and not frame[code].has_nulls():
        decided = pl.Series(ENTITY_BY, ["uscc"], dtype=pl.String).new_from_index(0, frame.height)
        return frame.hstack([frame[code].alias(ENTITY), decided])
    own = pl.col(code) if code else pl.lit(None, pl.String)
    return frame.with_columns(own.alias(ENTITY), pl.when(own.is_not_null()).then(pl.lit("uscc")).alias(ENTITY_BY))


def _looked_up(conn: Connection, frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    for step in (_by_crosswalk, _by_name):
        if not frame[ENTITY].has_nulls():
            break
        open_rows = frame.filter(pl.col(ENTITY).is_null())
        found = step(conn, open_rows, contract)
        frame = (
            frame.join(found, on=ROW, how="left", suffix="_found", maintain_order="left")
            .with_columns(
                pl.coalesce(ENTITY, f"{ENTITY}_found").alias(ENTITY),
                pl.coalesce(ENTITY_BY, f"{ENTITY_BY}_found").alias(ENTITY_BY),
            )
            .drop(f"{ENTITY}_found", f"{ENTITY_BY}_found")
        )
    return frame


def entity_generation(conn: Connection) -> int:
    """How often the entity tables have changed; 0 before the first."""
    found = conn.execute(_GENERATION).scalar()
    return int(found or 0)


def last_positions(conn: Connection) -> dict[str, int]:
    """Newest position of every feed; ``ENTITIES`` stands among them."""
    return {row.record_type: row.last_seq for row in conn.execute(_POSITIONS)}


_FOUND = {ROW: pl.UInt32, ENTITY: pl.String, ENTITY_BY: pl.String}


def _by_crosswalk(conn: Connection, rows: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    subject = contract.subject
    kinds = {
        "registration": subject.registration_no,
        "organisation": subject.organisation_code,
        "customs": subject.customs_code,
    }
    votes = [_votes(conn, rows.select(ROW, code=name).drop_nulls(), kind) for kind, name in kinds.items() if name]
    if subject.taxpayer_no:
        votes.append(_taxpayer_votes(rows.select(ROW, code=subject.taxpayer_no).drop_nulls()))
    if not votes:
        return pl.DataFrame(schema=_FOUND)
    return (
        pl.concat(votes)
        .group_by(ROW)
        .agg(pl.col(ENTITY).first(), pl.col(ENTITY).n_unique().alias("entities"), pl.col("kind").first())
        # Two numbers that lead to two entities prove only that one of them is wrong.
        .filter(pl.col("entities") == 1)
        .select(ROW, ENTITY, pl.concat_str(pl.lit("crosswalk:"), "kind").alias(ENTITY_BY))
    )


def _votes(conn: Connection, codes: pl.DataFrame, kind: str) -> pl.DataFrame:
    wanted = codes["code"].unique()
    known = [look_up(conn, crosswalk, crosswalk.c.code, wanted, crosswalk.c.kind == kind).select("code", "uscc")]
    if (column := _WITH_THE_ENTITY.get(kind)) is not None:
        found = look_up(conn, entities, column, wanted)
        code = pl.col("registration_no") if kind == "registration" else pl.col("uscc").str.slice(8, 9)
        known.append(found.select(code.alias("code"), "uscc"))
    return codes.join(pl.concat(known).unique(), on="code").select(ROW, pl.col("uscc").alias(ENTITY), kind=pl.lit(kind))


_WITH_THE_ENTITY: dict[str, ColumnElement[str]] = {
    "registration": entities.c.registration_no,
    "organisation": ORGANISATION_CODE,
}
"""Numbers that stand in the entity's own row; what differs from them is in the crosswalk."""


def _taxpayer_votes(codes: pl.DataFrame) -> pl.DataFrame:
    # Since 2015 the taxpayer number of an entity with a USCC *is* its USCC; older forms only hint at it.
    return codes.filter(valid_uscc(codes["code"])).select(ROW, pl.col("code").alias(ENTITY), kind=pl.lit("taxpayer"))


def _by_name(conn: Connection, rows: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    subject = contract.subject
    if not subject.name:
        return pl.DataFrame(schema=_FOUND)
    region = pl.col(subject.region_code) if subject.region_code else pl.lit(None, pl.String)
    address = address_form_expr(pl.col(subject.address)) if subject.address else pl.lit(None, pl.String)
    wanted = rows.select(
        ROW, name_form=match_form_expr(pl.col(subject.name)), row_region=region, row_address=address
    ).filter(pl.col("row_region").is_not_null() | pl.col("row_address").is_not_null())
    forms = wanted["name_form"].drop_nulls().unique()
    current = look_up(conn, entities, entities.c.name_form, forms)
    further = look_up(conn, entity_names, entity_names.c.name_form, forms)
    others = look_up(conn, entities, entities.c.uscc, further["uscc"].unique()).drop("name_form")
    known = pl.concat([current, further.join(others, on="uscc").select(current.columns)]).unique(["name_form", "uscc"])
    candidates = wanted.join(known, on="name_form")
    return (
        candidates.with_columns(by_region=_region_agrees(), by_address=_address_agrees())
        .filter(pl.col("by_region") | pl.col("by_address"))
        .group_by(ROW)
        .agg(
            pl.col("uscc").first().alias(ENTITY),
            pl.col("uscc").n_unique().alias("entities"),
            pl.col("by_region").first(),
        )
        .filter(pl.col("entities") == 1)
        .select(
            ROW,
            ENTITY,
            pl.when("by_region").then(pl.lit("name_and_region")).otherwise(pl.lit("name_and_address")).alias(ENTITY_BY),
        )
    )


def _region_agrees() -> pl.Expr:
    # City level (GB/T 2260, first four digits): counties are merged and renamed, and development
    # zones carry codes that are in no list. A code of province level says nothing about a city.
    city = pl.col("row_region").str.slice(0, 4)
    return ((city == pl.col("region_code").str.slice(0, 4)) & ~city.str.ends_with("00")).fill_null(False)


def _address_agrees() -> pl.Expr:
    # One is often written without its province, so the longer one must end with the shorter.
    ours, theirs = pl.col("address_form"), pl.col("row_address")
    long_enough = pl.min_horizontal(ours.str.len_chars(), theirs.str.len_chars()) >= _MIN_ADDRESS
    return (long_enough & (ours.str.ends_with(theirs) | theirs.str.ends_with(ours))).fill_null(False)


def look_up(
    conn: Connection,
    table: Table,
    column: ColumnElement[str],
    values: Iterable[str],
    *conditions: ColumnElement[bool],
) -> pl.DataFrame:
    """The rows of a table in which a column has one of the values, asked as one set.

    Returns:
        every column of the table; text as pl.String, whole numbers as pl.Int64.
    """
    schema = {c.name: pl.Int64 if c.type.python_type is int else pl.String for c in table.columns}
    wanted = pl.DataFrame({"value": pl.Series(list(dict.fromkeys(values)), dtype=pl.String)})
    if wanted.is_empty():
        return pl.DataFrame(schema=schema)
    if wanted.height <= dialect.FEW:
        few = dialect.one_of(conn, column, wanted["value"].to_list())
        return _frame(conn.execute(select(table).where(few, *conditions)), schema)
    with dialect.temporary(conn, "wanted", [Column("value", Text, primary_key=True)]) as asked:
        dialect.bulk_load(conn, asked, wanted)
        return _frame(conn.execute(select(table).join(asked, column == asked.c.value).where(*conditions)), schema)


def _frame(rows: Iterable[Row[Any]], schema: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")


def subject_fields(contract: Contract) -> list[str]:
    """Fields of a record type that say who it is about; what resolution reads."""
    return [name for name in vars(contract.subject).values() if name]
