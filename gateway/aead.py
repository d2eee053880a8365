"""Which suite seals what lies at rest, by a byte inside the sealed bytes; and deriving keys for it."""

from __future__ import annotations

from functools import partial

from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from certs.suites import Suite, suite_named
from certs.suites.base import NONCE_BYTES

__all__ = ["BY_CODE", "NONCE_BYTES", "Key", "code_of", "derive"]

BY_CODE = {1: suite_named("international"), 2: suite_named("guomi")}
"""Code -> suite. A code is written into sealed bytes and is never given a second meaning."""

_CODES = {suite.name: code for code, suite in BY_CODE.items()}


def code_of(suite: Suite) -> int:
    """The byte by which sealed bytes name a suite."""
    return _CODES[suite.name]


class Key:
    """One key of a suite's AEAD.

    Attributes:
        encrypt: (nonce, plain, associated data) -> ciphertext ‖ tag.
        decrypt: (nonce, ciphertext ‖ tag, associated data) -> plain; raises ``InvalidTag``.
    """

    def __init__(self, suite: Suite, key: bytes) -> None:
        self.encrypt = partial(suite.aead.encrypt, key)
        self.decrypt = partial(suite.aead.decrypt, key)


def derive(suite: Suite, key: bytes, salt: bytes, info: bytes) -> Key:
    """A key that is derived from another (RFC 5869) with the hash of the suite."""
    return Key(suite, HKDF(suite.digest(), suite.aead.key_bytes, salt, info).derive(key))
