"""Authenticated encryption by name: the algorithms under which something may lie encrypted at rest.

Which one new data keys are for is a setting; what lies sealed says by which one it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES = 12
"""Length of a nonce (NIST SP 800-38D, 8.2: 96 bits)."""
TAG_BYTES = 16
"""Length of the authentication tag that ends a ciphertext."""


class Aead(Protocol):
    """Encrypts and opens with one key."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        """Ciphertext with its tag at the end."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        """The plain bytes; raises ``InvalidTag`` if anything was altered."""


@dataclass(frozen=True)
class Algorithm:
    """An AEAD.

    Attributes:
        name: as it stands in settings and key files.
        code: the byte that says so inside sealed bytes; never given a second meaning.
        key_bytes: length of its key.
        digest: hash of its suite, for deriving keys.
        make: the AEAD of a key.
    """

    name: str
    code: int
    key_bytes: int
    digest: type[hashes.HashAlgorithm]
    make: Callable[[bytes], Aead]

    def derive(self, key: bytes, salt: bytes, info: bytes) -> Aead:
        """The AEAD of a key that is derived from ``key`` (RFC 5869)."""
        return self.make(HKDF(self.digest(), self.key_bytes, salt, info).derive(key))


@dataclass(frozen=True)
class Sm4Gcm:
    """SM4-GCM (GB/T 32907-2016; RFC 8998, 3.1) with the interface of the library's own AEADs."""

    key: bytes

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        """Ciphertext with its tag at the end."""
        encryptor = Cipher(algorithms.SM4(self.key), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated_data or b"")
        return encryptor.update(data) + encryptor.finalize() + encryptor.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        """The plain bytes.

        Raises:
            InvalidTag: altered, too short, or another key.
        """
        if len(data) < TAG_BYTES:
            raise InvalidTag
        decryptor = Cipher(algorithms.SM4(self.key), modes.GCM(nonce, data[-TAG_BYTES:])).decryptor()
        decryptor.authenticate_additional_data(associated_data or b"")
        return decryptor.update(data[:-TAG_BYTES]) + decryptor.finalize()


AES_256_GCM = Algorithm("aes-256-gcm", 1, 32, hashes.SHA256, AESGCM)
SM4_GCM = Algorithm("sm4-gcm", 2, 16, hashes.SM3, Sm4Gcm)

ALGORITHMS = {algorithm.name: algorithm for algorithm in (AES_256_GCM, SM4_GCM)}
"""Name -> algorithm: the international suite and 国密."""
BY_CODE = {algorithm.code: algorithm for algorithm in ALGORITHMS.values()}
"""Code -> algorithm."""
