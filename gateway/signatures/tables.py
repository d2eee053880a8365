"""The tables of signatures: keys that were registered, what deliveries proved, nonces that were seen."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, LargeBinary, String, Table

from gateway.store.metadata import metadata

_INSTANT = String(27)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("id", String(64), primary_key=True, comment="SHA-256 of the SubjectPublicKeyInfo, hexadecimal"),
    Column("certificate", String(64), comment="SHA-256 of the certificate the key came in, if it came in one"),
    Column("urn", String(200), nullable=False, comment="system whose key it is"),
    Column("agency", String(63), nullable=False),
    Column("algorithm", String(40), nullable=False, comment="name of a certs.suites algorithm"),
    Column("spki", LargeBinary, nullable=False),
    Column("not_before", _INSTANT, nullable=False),
    Column("not_after", _INSTANT, nullable=False),
    Column("status", String(12), nullable=False, comment="good or revoked"),
    Column("reason", String(40), nullable=False, comment="RFC 5280 reason; empty while good"),
    Column("status_at", _INSTANT, nullable=False),
    Index("ix_signing_keys_certificate", "certificate"),
)

delivery_signatures = Table(
    "delivery_signatures",
    metadata,
    Column("delivery_id", String(40), primary_key=True),
    Column("identity", String(64), nullable=False, comment="SHA-256 of what was signed; one signature is used once"),
    Column("proof", JSON, nullable=False, comment="form, algorithm, key, holder, what it covers, evidence"),
    Index("ix_delivery_signatures_identity", "identity"),
)

signature_nonces = Table(
    "signature_nonces",
    metadata,
    Column("key_id", String(64), primary_key=True),
    Column("nonce", String(256), primary_key=True),
    Column("until", _INSTANT, nullable=False, comment="when a signature with it is too old anyway"),
    Index("ix_signature_nonces_until", "until"),
)
