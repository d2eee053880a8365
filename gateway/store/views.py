"""Typed views over the current versions, for people who bring SQL. Made from the schema, never by hand."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Label, Table, Text, cast, func, inspect, select
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.sql.ddl import CreateView

from gateway.store.tables import facet_columns, versions_table
from schemas.columnar import contract
from schemas.records import RECORD_TYPES


def view_name(record_type: str) -> str:
    """Name of the view of one record type's current records."""
    return f"{record_type}_current"


def create_views(conn: Connection) -> None:
    """Make the views that are not there yet, one per record type."""
    there = set(inspect(conn).get_view_names())
    for record_type in RECORD_TYPES:
        name = view_name(record_type)
        if name not in there:
            conn.execute(CreateView(_current(conn, record_type), name))


def _current(conn: Connection, record_type: str) -> Any:
    versions = versions_table(record_type)
    rules = contract(record_type)
    facets = {c.name for c in facet_columns(record_type)}
    open_fields = [name for name in rules.fields if name not in facets and name not in rules.personal]
    system = {"seq", "version", "source", "landed_at"}
    return select(
        versions.c.seq,
        versions.c.version,
        versions.c.source,
        versions.c.landed_at,
        versions.c.uscc.label("entity_uscc"),
        *(versions.c[name] for name in sorted(facets)),
        *(_field(conn, versions, name) for name in open_fields if name not in system),
    ).where(versions.c.superseded_seq.is_(None), versions.c.op == "put")


def _field(conn: Connection, versions: Table, name: str) -> Label[Any]:
    payload: Column[Any] = versions.c.payload
    if conn.dialect.name == "postgresql":
        document = cast(cast(payload, Text), JSON)
        text: ColumnElement[Any] = document[name].astext
        return text.label(name)
    return func.json_extract(cast(payload, Text), f'$."{name}"').label(name)
