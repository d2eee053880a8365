"""Which suite seals what lies at rest, by a byte inside the sealed bytes; and deriving keys for it."""

from __future__ import annotations

from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from certs.suites import Suite, suite_named
from certs.suites.base import NONCE_BYTES, AeadKey

__all__ = ["BY_CODE", "NONCE_BYTES", "AeadKey", "code_of", "derive"]

BY_CODE = {1: suite_named("international"), 2: suite_named("guomi")}
"""Code -> suite. A code is written into sealed bytes and is never given a second meaning."""

_CODES = {suite.name: code for code, suite in BY_CODE.items()}


def code_of(suite: Suite) -> int:
    """The byte by which sealed bytes name a suite."""
    return _CODES[suite.name]


def derive(suite: Suite, key: bytes, salt: bytes, info: bytes) -> AeadKey:
    """A key that is derived from another (RFC 5869) with the hash of the suite."""
    return suite.aead.keyed(HKDF(suite.digest(), suite.aead.key_bytes, salt, info).derive(key))
