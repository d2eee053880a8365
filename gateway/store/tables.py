"""The tables of deliveries, quarantine, entities and versions, and why each index is there.

Instants are stored as text ``YYYY-MM-DDTHH:MM:SS.ffffffZ`` (UTC): the same bytes on both
databases, ordered as text, and exactly what the audit log hashes.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import polars as pl
from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    event,
    func,
)
from sqlalchemy.types import TypeEngine

from gateway.store.metadata import metadata
from gateway.store.types import Document
from schemas.columnar import contract
from schemas.records import RECORD_TYPES

INSTANT = String(27)

# SQLite hands out row numbers only to INTEGER keys.
_ID = BigInteger().with_variant(Integer, "sqlite")

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("source", String(80), nullable=False),
    Column("record_type", String(40), nullable=False),
    Column("digest", String(64), nullable=False, comment="SHA-256 over the digests of the parts"),
    Column("parts", JSON, nullable=False, comment="name, media_type, path under home, digest, size of each part"),
    Column("origin", String(200), nullable=False),
    Column("received_at", INSTANT, nullable=False),
    Column("cursor", String(200), comment="where the next pull of a changes source continues"),
    Column("status", String(12), nullable=False, comment="received, landed, repeated, refused"),
    Column("kind", String(12), nullable=False, comment="delivery, replay or link"),
    Column("replay_of", String(40), comment="delivery whose quarantined rows this one lands"),
    Column("landed_at", INSTANT),
    Column("receipt", JSON, comment="counts, positions, roots, findings; or the problem, when refused"),
    Column("audit_entry", BigInteger),
    # The same delivery again must be found at once, and the newest cursor of a source.
    Index("ix_deliveries_source_digest", "source", "digest"),
    Index("ix_deliveries_source_status", "source", "status", "received_at"),
)

rejections = Table(
    "rejections",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("delivery_id", String(40), ForeignKey("deliveries.id"), nullable=False),
    Column("source", String(80), nullable=False),
    Column("record_type", String(40), nullable=False),
    Column("row", BigInteger, nullable=False, comment="number of the row in the delivery, from 1"),
    Column("part", Text, nullable=False),
    Column("line", BigInteger, nullable=False, comment="line or worksheet row inside the part, from 1"),
    Column("form", String(80), nullable=False),
    Column(
        "sealed", LargeBinary, nullable=False, comment="the row as sent and as mapped, encrypted: it may be personal"
    ),
    Column("faults", JSON, nullable=False, comment="every fault: field, heading, rule, zh, en, candidates"),
    Column("status", String(12), nullable=False, comment="open, corrected, replayed, dismissed"),
    Column("settled_by", String(200)),
    Column("settled_at", INSTANT),
    Column("settled_in", String(40), comment="delivery that landed the corrected row"),
    Column("reason", Text),
    # The list an agency works through, and the rows of one delivery.
    Index("ix_rejections_source_status", "source", "status", "id"),
    Index("ix_rejections_delivery_id", "delivery_id", "row"),
)

entities = Table(
    "entities",
    metadata,
    Column("uscc", String(18), primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_form", Text, nullable=False, comment="name as it is compared"),
    Column("region_code", String(12)),
    Column("address_form", Text, comment="address as it is compared"),
    Column("registration_no", String(40), comment="legacy registration number, from before the USCC"),
    Column("authority", Integer, nullable=False, comment="rank of the source that said so; lower is preferred"),
    # Resolution asks by name, by legacy number and by the organisation code inside the USCC.
    Index("ix_entities_name_form", "name_form"),
    Index("ix_entities_registration_no", "registration_no"),
    comment="what the preferred source says; what others say or said stands in the two tables below",
)

ORGANISATION_CODE = func.substr(entities.c.uscc, 9, 9)
"""Characters 9-17 of the USCC (GB 32100-2015, 5.5): the organisation code of GB 11714."""
Index("ix_entities_organisation_code", ORGANISATION_CODE)

entity_names = Table(
    "entity_names",
    metadata,
    Column("name_form", Text, primary_key=True, comment="a further name, historic or of another source"),
    Column("uscc", String(18), primary_key=True),
)

crosswalk = Table(
    "crosswalk",
    metadata,
    Column("kind", String(24), primary_key=True, comment="registration, organisation or customs"),
    Column("code", String(40), primary_key=True, comment="a number that does not already stand with the entity"),
    Column("uscc", String(18), primary_key=True),
)

positions = Table(
    "positions",
    metadata,
    Column("record_type", String(40), primary_key=True, comment="or 'entities': counts changes to the entity tables"),
    Column("last_seq", BigInteger, nullable=False),
    Column("last_landed_at", INSTANT, nullable=False),
    comment="one row per feed; locked while a delivery lands, so positions are gapless in commit order",
)

staged_chunks = Table(
    "staged_chunks",
    metadata,
    Column("delivery_id", String(40), primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("is_last", Boolean, nullable=False, comment="of its part"),
    Column("rules", String(64), nullable=False, comment="fingerprint of what judged it"),
    Column("tally", JSON, nullable=False, comment="gateway.tally.Tally"),
    Column("digest", LargeBinary, nullable=False, comment="Arrow IPC: ord, record_key, op, uscc, content_hash"),
    comment="chunks of deliveries that wait in a stage until all of them are there",
)
event.listen(
    staged_chunks,
    "after_create",
    # Emptied by a crash of the database together with the stages it tells of.
    DDL("ALTER TABLE staged_chunks SET UNLOGGED").execute_if(dialect="postgresql"),  # type: ignore[no-untyped-call]  # theirs
)

event.listen(
    staged_chunks,
    "after_create",
    # Compressed already: the database would only try once more.
    DDL("ALTER TABLE staged_chunks ALTER COLUMN digest SET STORAGE EXTERNAL").execute_if(dialect="postgresql"),  # type: ignore[no-untyped-call]  # theirs
)

SYSTEM_COLUMNS = (
    "seq",
    "record_key",
    "uscc",
    "version",
    "op",
    "payload",
    "sealed",
    "content_hash",
    "source",
    "delivery_id",
    "landed_at",
    "superseded_seq",
)

PARTITIONS = 4
"""Hash partitions of each versions table on PostgreSQL; more make every look-up slower (docs/decisions/0041)."""

# SQLite keeps a table in the order of an INTEGER key, without an index of its own.
_SEQ = BigInteger().with_variant(Integer, "sqlite")

_FACET_TYPES: dict[pl.DataType, TypeEngine[Any]] = {
    pl.String(): Text(),
    pl.Date(): Date(),
    pl.Int64(): BigInteger(),
    pl.Boolean(): Boolean(),
}


@cache
def versions_table(record_type: str) -> Table:
    """The table of all versions of one record type: state, history and feed in one.

    Raises:
        KeyError: no such record type.
    """
    name = f"{record_type}_versions"
    # Threads of a process that has just begun ask for it at the same moment; a cache alone lets each of them make it.
    with _MAKING:
        known = metadata.tables.get(name)
        return _versions_table(record_type, name) if known is None else known


_MAKING = threading.Lock()


def _versions_table(record_type: str, name: str) -> Table:
    table = Table(
        name,
        metadata,
        Column("seq", _SEQ, nullable=False, autoincrement=False, comment="feed position, gapless"),
        Column("record_key", LargeBinary(16), nullable=False),
        Column("uscc", String(18), comment="entity the record belongs to; null while unresolved"),
        Column("version", Integer, nullable=False),
        Column("op", String(8), nullable=False, comment="put or withdraw"),
        Column("payload", Document, nullable=False, comment="the record as canonical JSON (RFC 8785)"),
        Column("sealed", LargeBinary, comment="its personal fields, encrypted"),
        Column("content_hash", LargeBinary(32), nullable=False, comment="RFC 6962 leaf hash of payload"),
        Column("source", String(80), nullable=False),
        Column("delivery_id", String(40), nullable=False),
        Column("landed_at", INSTANT, nullable=False),
        Column("superseded_seq", BigInteger, comment="null = current"),
        *facet_columns(record_type),
        postgresql_partition_by="HASH (record_key)",
    )
    # The feed is read in this order, and a version is found by its position. On SQLite it is the table's own order;
    # on PostgreSQL each partition has a part of it, and they are merged. That no position is given twice is the work
    # of the landing lock: a partitioned table can be unique only in what it is partitioned by.
    table.append_constraint(PrimaryKeyConstraint("seq").ddl_if(dialect="sqlite"))
    Index(f"ix_{name}_seq", table.c.seq).ddl_if(dialect="postgresql")
    # Two versions of one record can never carry the same number, whatever happens; landing finds the
    # current version of each key by it. A snapshot reads the whole table once, which costs less than
    # an index of its own that every landing would have to keep.
    Index(f"uq_{name}_record_key", table.c.record_key, table.c.version, unique=True)
    # Everything about one entity, now or as of a date.
    resolved = table.c.uscc.is_not(None)
    Index(f"ix_{name}_uscc", table.c.uscc, table.c.seq, postgresql_where=resolved, sqlite_where=resolved)
    # What waits for its entity.
    waiting = table.c.superseded_seq.is_(None) & table.c.uscc.is_(None)
    Index(f"ix_{name}_waiting", table.c.seq, postgresql_where=waiting, sqlite_where=waiting)
    event.listen(table, "after_create", create_partitions)
    return table


def partition_name(table: Table, number: int) -> str:
    """Name of one of the hash partitions of a versions table on PostgreSQL."""
    return f"{table.name}_{number}"


def partition_bound(number: int) -> str:
    """Which rows lie in it, as PostgreSQL wants to be told."""
    return f"FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {number})"


def create_partitions(table: Table, conn: Connection, **_: object) -> None:
    """Make the hash partitions of a versions table that has just been made on PostgreSQL."""
    if conn.dialect.name != "postgresql":
        return
    quoted = conn.dialect.identifier_preparer.quote
    for number in range(PARTITIONS):
        conn.exec_driver_sql(
            f"CREATE TABLE {quoted(partition_name(table, number))} PARTITION OF {quoted(table.name)} "
            f"{partition_bound(number)}"
        )


def facet_columns(record_type: str) -> list[Column[object]]:
    """Typed columns of the fields that something filters or counts by (``facet=True`` in the schema)."""
    facets = contract(record_type).facets
    if clash := sorted(set(facets) & set(SYSTEM_COLUMNS)):
        raise ValueError(f"{record_type}: facets {clash} have the names of system columns")
    return [Column(name, _FACET_TYPES[dtype]) for name, dtype in facets.items()]


def all_tables() -> MetaData:
    """The metadata with the versions table of every record type declared on it."""
    for record_type in RECORD_TYPES:
        versions_table(record_type)
    return metadata
