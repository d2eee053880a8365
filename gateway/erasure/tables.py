"""The tables of erasure: who asked for what and who approved; and the list of what was erased, by keyed digest."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, LargeBinary, String, Table, Text

from gateway.store.metadata import metadata

_INSTANT = String(27)

erasures = Table(
    "erasures",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("record_type", String(40), nullable=False),
    Column("record_key", String(32), comment="of the record, hex; null if it is looked for by entity or values"),
    Column("uscc", String(18), comment="entity whose records are looked through"),
    Column("fields", JSON, nullable=False, comment="personal fields that are about the person"),
    Column("sealed", LargeBinary, comment="the values looked for, encrypted; null once everything is done"),
    Column("ground", Text, nullable=False),
    Column("status", String(12), nullable=False, comment="waiting, erasing, done or refused"),
    Column("asked_by", String(200), nullable=False),
    Column("asked_at", _INSTANT, nullable=False),
    Column("decided_by", String(200)),
    Column("decided_at", _INSTANT),
    Column("reason", Text, comment="of a refusal"),
    Column("counts", JSON, comment="records, versions, quarantined rows, challenges and files concerned"),
    # What waits for a second person.
    Index("ix_erasures_status", "status", "asked_at"),
)

erased_values = Table(
    "erased_values",
    metadata,
    Column("record_type", String(40), primary_key=True),
    Column("record_key", LargeBinary(16), primary_key=True),
    Column("field", String(80), primary_key=True),
    Column("digest", String(64), primary_key=True, comment="HMAC under the list's own key"),
    Column("erasure_id", String(40), ForeignKey(erasures.c.id), nullable=False),
)
