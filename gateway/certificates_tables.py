"""The tables of certificates: who may hold one, who asked for one, which were issued, how they stand, the lists."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text

from gateway.store.metadata import metadata

_INSTANT = String(27)
_STATUS = String(12)

systems = Table(
    "systems",
    metadata,
    Column("urn", String(200), primary_key=True, comment="urn:xinqiao:<agency>:<system>"),
    Column("agency", String(63), nullable=False),
    Column("system", String(63), nullable=False),
    Column("title", String(200), nullable=False),
    Column("status", _STATUS, nullable=False, comment="active or suspended"),
    Column("created_at", _INSTANT, nullable=False),
    Index("ix_systems_agency", "agency"),
)

people = Table(
    "people",
    metadata,
    Column("urn", String(200), primary_key=True, comment="urn:xinqiao:person:<name>"),
    Column("duty", String(40), nullable=False, comment="one of certs.names.DUTIES"),
    Column("agency", String(63), nullable=False, comment="of an agency administrator; else empty"),
    Column("title", String(200), nullable=False),
    Column("status", _STATUS, nullable=False, comment="active or suspended"),
    Column("created_at", _INSTANT, nullable=False),
)

certificates = Table(
    "certificates",
    metadata,
    # The one lookup of every request goes by this key.
    Column("serial", String(40), primary_key=True, comment="lower-case hexadecimal, 20 octets"),
    Column("fingerprint", String(64), nullable=False, comment="SHA-256; a serial alone could be another authority's"),
    Column("issuer_key_id", String(64), nullable=False, comment="subject key identifier of the issuer, hexadecimal"),
    Column("profile", String(12), nullable=False, comment="system, person, server or ocsp"),
    Column("urn", String(200), nullable=False, comment="of the holder; of a server its first host"),
    Column("subject", String(200), nullable=False),
    Column("not_before", _INSTANT, nullable=False),
    Column("not_after", _INSTANT, nullable=False),
    Column("status", _STATUS, nullable=False, comment="good, suspended or revoked"),
    Column("reason", String(40), nullable=False, comment="RFC 5280 reason; empty while good"),
    Column("status_at", _INSTANT, nullable=False, comment="since when the status is so"),
    Column("issued_by", String(200), nullable=False),
    Column("issued_at", _INSTANT, nullable=False),
    Column("pem", Text, nullable=False),
    Index("ix_certificates_urn", "urn", "issued_at"),
    # What the revocation list is made of.
    Index("ix_certificates_issuer_status", "issuer_key_id", "status"),
)

certificate_keys = Table(
    "certificate_keys",
    metadata,
    Column("serial", String(40), primary_key=True),
    Column("key_sha256", String(64), nullable=False, comment="SHA-256 of the SubjectPublicKeyInfo, hexadecimal"),
    # Asked before a key is certified again.
    Index("ix_certificate_keys_key", "key_sha256"),
)

certificate_requests = Table(
    "certificate_requests",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("uri", String(300), nullable=False, comment="name the certificate will carry; of a person with the duty"),
    Column("urn", String(200), nullable=False, comment="of the holder"),
    Column("agency", String(63), nullable=False, comment="who may see it; empty for people of no agency"),
    Column("title", String(200), nullable=False),
    Column("csr", Text, nullable=False, comment="PEM"),
    Column("key_sha256", String(64), nullable=False, comment="what applicant and administrator compare"),
    Column("days", Integer, comment="of validity asked for; none means the profile's"),
    Column("status", _STATUS, nullable=False, comment="waiting, approved, issued, refused or withdrawn"),
    Column("requested_by", String(200), nullable=False),
    Column("requested_at", _INSTANT, nullable=False),
    Column("decided_by", String(200)),
    Column("decided_at", _INSTANT),
    Column("ground", Text, comment="of a refusal"),
    Column("serial", String(40), comment="of the certificate, once it is issued"),
    Index("ix_certificate_requests_status", "status", "requested_at"),
)

revocation_lists = Table(
    "revocation_lists",
    metadata,
    Column("issuer_key_id", String(64), primary_key=True),
    Column("number", Integer, nullable=False, comment="grows by one with every list (RFC 5280, 5.2.3)"),
    Column("this_update", _INSTANT, nullable=False),
    Column("next_update", _INSTANT, nullable=False),
    Column("der", LargeBinary, nullable=False),
)
