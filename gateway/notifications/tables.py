"""The outbox: who is to be told what, and how far that has come. It holds no values of records."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, Text

from gateway.store.metadata import metadata

_INSTANT = String(27)

notifications = Table(
    "notifications",
    metadata,
    # SQLite hands out row numbers only to INTEGER keys.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, comment="order of writing"),
    Column("id", String(40), nullable=False, unique=True, comment="the same at every attempt"),
    Column("system_urn", String(200), nullable=False),
    Column("kind", String(24), nullable=False, comment="record.corrected, challenge.raised, .upheld or .rejected"),
    Column("record_type", String(40), nullable=False),
    Column("seq", BigInteger, comment="version that may be shown with it; null for none"),
    Column("purpose", String(200), comment="for which the system had read the record"),
    Column("facts", JSON, nullable=False, comment="which record, field, challenge; no value"),
    Column("status", String(12), nullable=False, comment="waiting, delivered, acknowledged or given_up"),
    Column("created_at", _INSTANT, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", _INSTANT, nullable=False, comment="no attempt before; moved on by whoever makes one"),
    Column("error", Text, comment="of the last attempt"),
    Column("settled_at", _INSTANT),
    # What is due, and one system's mailbox.
    Index("ix_notifications_due", "status", "next_at"),
    Index("ix_notifications_system", "system_urn", "status", "number"),
)
