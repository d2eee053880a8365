"""What registrations teach about entities: names, numbers, regions. The base that resolution stands on."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from functools import lru_cache
from typing import Any

import polars as pl
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Insert,
    Select,
    Table,
    and_,
    bindparam,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)

from gateway.resolve import ENTITIES
from gateway.steps import Taught
from gateway.store import aside, dialect
from gateway.store.landing import Teaching
from gateway.store.stage import LESSONS
from gateway.store.tables import crosswalk, entities, entity_names, positions
from schemas.names import match_form_expr

TEACHERS = tuple(LESSONS)
"""Record types whose landing makes entities, names or numbers known."""

_HELD_GENERATION = select(positions.c.last_seq).where(positions.c.record_type == ENTITIES).with_for_update()
_NEXT_GENERATION = (
    update(positions).where(positions.c.record_type == ENTITIES).values(last_seq=positions.c.last_seq + 1)
)

_INSIDE = (9, 9)
"""Where in a USCC the organisation code stands: from the ninth character, nine (GB 32100-2015, 5.5)."""

_TOLD = dict.fromkeys(
    (
        "uscc",
        "name_form",
        "registration_no",
        "name_history",
        "organisation_code",
        "stood",
        "name_form_before",
        "registration_no_before",
    ),
    pl.String,
)


def fits_its_row(record_type: str, rows: pl.DataFrame) -> bool:
    """Whether few staged registrations say nothing but what stands in an entity's own row: no former name, and no
    organisation code other than the one inside the USCC."""
    if record_type != "registration" or rows.height > dialect.FEW or rows["lesson_name_history"].count():
        return False
    codes = zip(rows["lesson_organisation_code"], rows["uscc"], strict=True)
    return all(code is None or (uscc is not None and code == uscc[8:17]) for code, uscc in codes)


def learn(
    conn: Connection, record_type: str, teaching: Teaching, authority: int, at: str, *, fits: bool = False
) -> Taught:
    """Take names and numbers from newly landed records into the entity tables.

    Args:
        teaching: new and changed records, with what ``stage.LESSONS`` names. No two registrations speak of the same
            entity.
        authority: rank of the source; a lower rank is not overwritten by a higher one.
        at: instant text.
        fits: see ``fits_its_row``.

    Returns:
        what the tables learned; if anything, waiting records should be tried again.
    """
    if record_type not in TEACHERS:
        return Taught.NOTHING
    # Two record types teach, under different landing locks: without an order they could wait for each other's rows.
    generation = conn.execute(_HELD_GENERATION).scalar()
    if record_type == "registration":
        # Rows that the counter does not know of (an operator's, a restored table's) are met as well.
        is_first = (not generation or teaching.rows > dialect.FEW) and not _knows_any(conn)
        taught = _learn_registrations(conn, teaching, authority, is_first=is_first, fits=fits)
    else:
        taught = max(_learn_customs(conn, page.subquery("said")) for page in teaching.pages)
    if taught:
        conn.execute(_NEXT_GENERATION, {"last_landed_at": at})
    return taught


def _learn_customs(conn: Connection, said: FromClause) -> Taught:
    # Customs may know an entity before its registration has come.
    numbers = {"customs": said.c.customs_code, "organisation": func.substr(said.c.uscc, *_INSIDE)}
    written = sum(
        dialect.insert_missing_of(
            conn,
            crosswalk,
            select(literal(kind).label("kind"), code.label("code"), said.c.uscc).distinct().where(code != ""),
        )
        for kind, code in numbers.items()
    )
    return Taught.NEW if written else Taught.NOTHING


def _knows_any(conn: Connection) -> bool:
    return conn.execute(select(entities.c.uscc).limit(1)).first() is not None


def _learn_registrations(conn: Connection, teaching: Teaching, authority: int, *, is_first: bool, fits: bool) -> Taught:
    """Page by page; as long as no entity is known, beside the empty table, so that who reads it does not wait.

    Args:
        is_first: no entity was known before this delivery; if it is few rows, it need not be told.
    """
    are_few = len(teaching.pages) == 1
    with aside.filled_aside(conn, entities, teaching.rows) if is_first else nullcontext(entities) as known:
        return max(
            _learn_page(
                conn,
                page,
                authority,
                known,
                is_first=is_first,
                are_few=are_few,
                fitting=teaching.rows if fits else None,
            )
            for page in teaching.pages
        )


def _learn_page(
    conn: Connection,
    page: Select[Any],
    authority: int,
    known: Table,
    *,
    is_first: bool,
    are_few: bool,
    fitting: int | None,
) -> Taught:
    """Compare in the database, and bring here only what is more than an entity's own row.

    Args:
        known: the entities, or what takes their place.
        is_first: no entity was known before this delivery.
        are_few: rows of this page, for a single answer.
        fitting: how many rows this page, the only one, has at most, if they all fit; see ``fits_its_row``.
    """
    adding = _adding(known, page, is_first)
    added = 0 if fitting is None else dialect.counted(conn, adding, {"ranked": authority})
    if added and added == fitting:
        # None of these entities was known, so nothing differs from what stands.
        return Taught.NEW
    said = page.subquery("said")
    row = _entity(said, literal(authority))
    told = dialect.fetch(conn, _more_than_its_row(said, row, is_first), _TOLD, are_few=are_few)
    if fitting is None:
        added = dialect.counted(conn, adding, {"ranked": authority})
    if told.is_empty():
        return Taught.NEW if added else Taught.NOTHING
    # What is replaced, or is not preferred, is kept: rows of other agencies may still carry it.
    differing = told.filter(pl.col("stood").is_not_null())
    written = added if differing.is_empty() else added + _replace(conn, said, row)
    historic = told.select(pl.col("name_history").str.split(";").alias("name"), "uscc").explode("name")
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
    other = told.filter(pl.col("organisation_code") != pl.col("uscc").str.slice(8, 9))
    numbers.append(other.select(kind=pl.lit("organisation"), code="organisation_code", uscc="uscc"))
    written += dialect.insert_missing(conn, crosswalk, _distinct(pl.concat(numbers)))
    if not written:
        return Taught.NOTHING
    return Taught.NEW if differing.is_empty() else Taught.CHANGED


def _entity(said: FromClause, authority: ColumnElement[int]) -> dict[str, ColumnElement[Any]]:
    """The row of an entity as its registration makes it."""
    return {
        "uscc": said.c.uscc,
        "name": said.c.name,
        "name_form": said.c.name_form,
        # GB 32100-2015, 5.4: characters 3-8 are the region of registration, for want of a better one.
        "region_code": func.coalesce(said.c.region_code, func.substr(said.c.uscc, 3, 6)),
        "address_form": said.c.address_form,
        "registration_no": said.c.registration_no,
        "authority": authority,
    }


def _more_than_its_row(said: FromClause, row: Mapping[str, ColumnElement[Any]], is_first: bool) -> Select[Any]:
    """Registrations with former names, with another organisation code, or that differ from what stands."""
    before = {name: null() if is_first else entities.c[name] for name in ("uscc", "name_form", "registration_no")}
    columns = [said.c[name] for name in ("uscc", "name_form", "registration_no", "name_history", "organisation_code")]
    more = said.c.name_history.is_not(None) | (said.c.organisation_code != func.substr(said.c.uscc, *_INSIDE))
    query = select(
        *columns,
        before["uscc"].label("stood"),
        before["name_form"].label("name_form_before"),
        before["registration_no"].label("registration_no_before"),
    )
    if is_first:
        return query.where(more)
    stood = and_(entities.c.uscc.is_not(None), _differs(row))
    return query.outerjoin_from(said, entities, entities.c.uscc == said.c.uscc).where(or_(more, stood))


def _differs(row: Mapping[str, ColumnElement[Any]]) -> ColumnElement[bool]:
    return or_(*(value.is_distinct_from(entities.c[name]) for name, value in row.items() if name != "uscc"))


def _replace(conn: Connection, said: FromClause, row: Mapping[str, ColumnElement[Any]]) -> int:
    """Let what a preferred source says take the place of what stands."""
    may = and_(entities.c.uscc == said.c.uscc, row["authority"] <= entities.c.authority, _differs(row))
    return dialect.counted(conn, update(entities).values({n: v for n, v in row.items() if n != "uscc"}).where(may))


@lru_cache(maxsize=64)
def _adding(known: Table, page: Select[Any], is_first: bool) -> Insert:
    """Adds the entities of a page that are not there; its parameter ``ranked`` is the rank of their source.

    Few rows that go along with it are the same page each time, and so the same statement.
    """
    said = page.subquery("said")
    row = _entity(said, bindparam("ranked", type_=known.c.authority.type))
    # In order, because an index takes in neighbours much quicker than strangers.
    rows = select(*(value.label(name) for name, value in row.items())).order_by(said.c.uscc)
    if not is_first:
        rows = rows.outerjoin_from(said, entities, entities.c.uscc == said.c.uscc).where(entities.c.uscc.is_(None))
    return insert(known).from_select(list(row), rows, include_defaults=False)


def _both(differing: pl.DataFrame, name: str) -> list[pl.DataFrame]:
    """What was said before and what is said now of entities for which the two differ."""
    changed = differing.filter(pl.col(name).ne_missing(pl.col(f"{name}_before")))
    return [changed.select(name, "uscc"), changed.select(pl.col(f"{name}_before").alias(name), "uscc")]


def _distinct(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.drop_nulls().filter(pl.col(rows.columns[-2]) != "").unique(maintain_order=True)
