"""The tables of access: grants, the applications they come from, and challenges (校核纠错)."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Date, Index, LargeBinary, String, Table, Text

from gateway.store.metadata import metadata

_INSTANT = String(27)

grants = Table(
    "grants",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("system_urn", String(200), nullable=False),
    Column("record_type", String(40), nullable=False),
    Column("columns", JSON, nullable=False, comment="'*' = the whole payload, or a list of field names"),
    Column(
        "unmasked", JSON, nullable=False, comment="personal fields shown in clear; others named in columns are masked"
    ),
    Column("purpose", String(200), nullable=False),
    Column("legal_basis", Text, nullable=False),
    Column("region_prefixes", JSON, nullable=False, comment="GB/T 2260 prefixes; empty = everywhere"),
    Column("valid_from", Date, nullable=False, comment="first day, Asia/Shanghai"),
    Column("valid_until", Date, nullable=False, comment="last day, Asia/Shanghai"),
    Column("status", String(12), nullable=False, comment="active or withdrawn"),
    Column("given_by", String(200), nullable=False),
    Column("given_at", _INSTANT, nullable=False),
    Column("withdrawn_by", String(200)),
    Column("withdrawn_at", _INSTANT),
    Column("application_id", String(40)),
    # Asked on every read.
    Index("ix_grants_system", "system_urn", "record_type"),
)

applications = Table(
    "applications",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("system_urn", String(200), nullable=False),
    Column("record_type", String(40), nullable=False),
    Column("columns", JSON, nullable=False),
    Column("purpose", String(200), nullable=False),
    Column("legal_basis", Text, nullable=False),
    Column("region_prefixes", JSON, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date, nullable=False),
    Column("share_type", String(20), nullable=False, comment="strictest of the sources that fill the record type"),
    Column("providers", JSON, nullable=False, comment="agencies that must approve"),
    Column("approvals", JSON, nullable=False, comment="agency, by whom and when, of each approval so far"),
    Column("status", String(12), nullable=False, comment="waiting, granted or refused"),
    Column("reason", Text, comment="ground of a refusal"),
    Column("applied_at", _INSTANT, nullable=False),
    Column("decided_by", String(200)),
    Column("decided_at", _INSTANT),
    Column("grant_id", String(40)),
    Index("ix_applications_status", "status", "applied_at"),
)

challenges = Table(
    "challenges",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("record_type", String(40), nullable=False),
    Column("seq", BigInteger, nullable=False, comment="version that is challenged"),
    Column("source", String(80), nullable=False),
    Column("agency", String(40), nullable=False, comment="the providing agency, which decides"),
    Column("field", String(80), nullable=False),
    Column("sealed", LargeBinary, comment="what the challenger believes and why, encrypted; null once erased"),
    Column("system_urn", String(200), nullable=False, comment="who challenges"),
    Column("status", String(12), nullable=False, comment="open, upheld or rejected"),
    Column("opened_at", _INSTANT, nullable=False),
    Column("decided_by", String(200)),
    Column("decided_at", _INSTANT),
    Column("reason", Text),
    Index("ix_challenges_agency", "agency", "status"),
)
