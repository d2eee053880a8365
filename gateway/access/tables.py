"""The tables of access: grants, the applications they come from, and challenges (校核纠错)."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Date, Index, Integer, LargeBinary, String, Table, Text

from gateway.store.metadata import metadata

_INSTANT = String(27)

grants = Table(
    "grants",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("system_urn", String(200), nullable=False),
    Column("record_type", String(40), nullable=False),
    Column("columns", JSON, nullable=False, comment="'*' = the whole payload, or a list of field names"),
    Column("unmasked", JSON, nullable=False, comment="restricted and personal fields shown in clear"),
    Column("purpose", String(200), nullable=False),
    Column("legal_basis", Text, nullable=False),
    Column("region_prefixes", JSON, nullable=False, comment="GB/T 2260 prefixes; empty = everywhere"),
    Column("sources", JSON, nullable=False, comment="agency/source; empty = every source of the record type"),
    Column("percent", Integer, nullable=False, comment="share of the records, 1 to 100"),
    Column("valid_from", Date, nullable=False, comment="first day, Asia/Shanghai"),
    Column("valid_until", Date, nullable=False, comment="last day, Asia/Shanghai"),
    Column("status", String(12), nullable=False, comment="active, withdrawn or replaced"),
    Column("given_by", String(200), nullable=False),
    Column("given_at", _INSTANT, nullable=False),
    Column("approvals", JSON, nullable=False, comment="seat, by whom and when: the people who gave it"),
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
    Column("unmasked", JSON, nullable=False),
    Column("purpose", String(200), nullable=False),
    Column("legal_basis", Text, nullable=False),
    Column("region_prefixes", JSON, nullable=False),
    Column("sources", JSON, nullable=False),
    Column("percent", Integer, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date, nullable=False),
    Column("share_type", String(20), nullable=False, comment="strictest of the sources that fill the record type"),
    Column("providers", JSON, nullable=False, comment="agencies that must approve"),
    Column("seats", JSON, nullable=False, comment="duties that must approve, an agency's with its name"),
    Column("approvals", JSON, nullable=False, comment="seat, by whom and when, of each approval so far"),
    Column("status", String(12), nullable=False, comment="waiting, granted, refused or retracted"),
    Column("reason", Text, comment="ground of a refusal"),
    Column("filed_by", String(200), nullable=False),
    Column("applied_at", _INSTANT, nullable=False),
    Column("replaces", String(40), comment="the grant that this one changes"),
    Column("escalated_at", _INSTANT, comment="when it was noted in the log that the clock had run out"),
    Column("decided_by", String(200)),
    Column("decided_at", _INSTANT),
    Column("grant_id", String(40)),
    Index("ix_applications_status", "status", "applied_at"),
)

separation = Table(
    "duties_separation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("since", _INSTANT, nullable=False),
    Column("by", String(200), nullable=False),
    Column("reopen_asked_by", String(200), comment="first of the two people who give the operator his rights back"),
    Column("reopen_duty", String(40)),
    Column("reopen_reason", Text),
    comment="one row while the duties are kept apart, none before",
)

quotas = Table(
    "quotas",
    metadata,
    Column("system_urn", String(200), primary_key=True),
    Column("requests", BigInteger, nullable=False, comment="reads per period; 0 = no limit"),
    Column("period_s", Integer, nullable=False),
    Column("records", BigInteger, nullable=False, comment="records per day, Asia/Shanghai; 0 = no limit"),
    Column("set_by", String(200), nullable=False),
    Column("set_at", _INSTANT, nullable=False),
    comment="of systems that have a quota of their own; others have the default of the settings",
)

quota_use = Table(
    "quota_use",
    metadata,
    Column("system_urn", String(200), primary_key=True),
    Column("kind", String(12), primary_key=True, comment="requests or records"),
    Column("window", BigInteger, primary_key=True, comment="when the period or day began, seconds since 1970"),
    Column("used", BigInteger, nullable=False),
)

exports = Table(
    "exports",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("system_urn", String(200), nullable=False),
    Column("grant_id", String(40), nullable=False),
    Column("manifest", JSON, nullable=False, comment="what the entry of the log says of it"),
    Column("entry_id", BigInteger, nullable=False),
    Column("made_at", _INSTANT, nullable=False),
    Column("expires_at", _INSTANT, nullable=False),
    Column("removed_at", _INSTANT, comment="when its file was removed"),
    Index("ix_exports_system", "system_urn", "made_at"),
    Index("ix_exports_expires", "removed_at", "expires_at"),
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
    Column("purpose", String(200), comment="for which the challenger had read"),
    Column("status", String(12), nullable=False, comment="open, upheld or rejected"),
    Column("opened_at", _INSTANT, nullable=False),
    Column("due_on", Date, nullable=False, comment="last day to decide, Asia/Shanghai"),
    Column("overdue_at", _INSTANT, comment="when it was noted in the log that the clock had run out"),
    Column("decided_by", String(200)),
    Column("decided_at", _INSTANT),
    Column("reason", Text),
    Column("corrected_seq", BigInteger, comment="version with the right value, of an upheld challenge"),
    Index("ix_challenges_agency", "agency", "status"),
)
