"""What a suite of algorithms is: names, keys that sign, keys that verify, a digest, and sealing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives import hashes

NONCE_BYTES = 12
"""Length of a nonce of GCM (NIST SP 800-38D, 8.2; RFC 8998, 3 for SM4)."""


class BadSignature(Exception):
    """A signature does not belong to this message and this key."""


@dataclass(frozen=True)
class Algorithm:
    """A signature algorithm and what each protocol calls it.

    Attributes:
        name: RFC 9421 registry, or in its manner where nothing is registered; also our own name for it.
        jws: ``alg`` of a JWS; ``SM2`` is registered nowhere and used as Chinese products do.
        cms: OID of the signature algorithm in CMS and X.509.
        cms_digest: OID of the digest that CMS takes over the content.
        digest: hash of the content in CMS.
        xml: identifier in XML signatures; empty where W3C has none.
        is_der: whether CMS and OpenSSL carry the signature as a DER sequence of r and s.
    """

    name: str
    jws: str
    cms: str
    cms_digest: str
    digest: Callable[[], hashes.HashAlgorithm]
    xml: str = ""
    is_der: bool = True


class PublicKey(Protocol):
    """A key that verifies."""

    @property
    def algorithm(self) -> Algorithm:
        """What it verifies."""
        ...

    def verify(self, signature: bytes, chunks: Iterable[bytes]) -> None:
        """Verify a signature over the chunks joined.

        Args:
            signature: 64 octets: r ‖ s (RFC 7518, 3.4), or R ‖ S of Ed25519 (RFC 8032, 5.1.6).

        Raises:
            BadSignature: it is not of this key over this message, or not 64 octets.
        """
        ...

    def spki(self) -> bytes:
        """DER of the SubjectPublicKeyInfo (RFC 5280, 4.1.2.7)."""
        ...


class PrivateKey(Protocol):
    """A key that signs."""

    @property
    def algorithm(self) -> Algorithm:
        """What it signs with."""
        ...

    @property
    def public(self) -> PublicKey:
        """The key that verifies."""
        ...

    def sign(self, chunks: Iterable[bytes]) -> bytes:
        """Sign the chunks joined; 64 octets as ``PublicKey.verify`` takes them."""
        ...

    def pem(self, passphrase: bytes | None = None) -> bytes:
        """The key as PKCS #8 PEM as OpenSSL reads it, encrypted (PBES2) if a passphrase is given."""
        ...


class AeadKey(Protocol):
    """One key of an AEAD, made ready once and used often; safe to share between threads."""

    def encrypt(self, nonce: bytes, plain: bytes, data: bytes, /) -> bytes:
        """Encrypt with associated data; returns ciphertext ‖ tag of 16 octets."""
        ...

    def decrypt(self, nonce: bytes, sealed: bytes, data: bytes, /) -> bytes:
        """Decrypt what ``encrypt`` returned.

        Raises:
            cryptography.exceptions.InvalidTag: altered, too short, of other associated data, or another key.
        """
        ...


@dataclass(frozen=True)
class Aead:
    """Authenticated encryption with associated data.

    Attributes:
        name: e.g. ``AES-256-GCM``.
        key_bytes: length of a key.
        keyed: makes a key ready, which costs more than encrypting a record with it.
    """

    name: str
    key_bytes: int
    keyed: Callable[[bytes], AeadKey]

    def make_key(self) -> bytes:
        """A new random key."""
        return os.urandom(self.key_bytes)

    def seal(self, key: bytes, plain: bytes, context: bytes) -> bytes:
        """Encrypt; only ``open`` with the same key and context gives ``plain`` back.

        Returns:
            nonce ‖ ciphertext ‖ tag, under a random nonce.
        """
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self.keyed(key).encrypt(nonce, plain, context)

    def open(self, key: bytes, sealed: bytes, context: bytes) -> bytes:
        """Decrypt what ``seal`` made.

        Raises:
            cryptography.exceptions.InvalidTag: altered, too short, of another context, or another key.
        """
        return self.keyed(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)


@dataclass(frozen=True)
class Suite:
    """A named choice of algorithms.

    Attributes:
        name: as it stands in the setting ``suite``.
        algorithms: of signatures; the first is that of new keys.
        digest: hash of the suite.
        digest_name: its key in Content-Digest (RFC 9530); ``sm3`` is registered nowhere.
        aead: for sealing.
        make_key: makes a signing key of the first algorithm.
    """

    name: str
    algorithms: tuple[Algorithm, ...]
    digest: Callable[[], hashes.HashAlgorithm]
    digest_name: str
    aead: Aead
    make_key: Callable[[], PrivateKey]

    def hash(self) -> hashes.Hash:
        """A hash to be fed."""
        return hashes.Hash(self.digest())


def hashed(chunks: Iterable[bytes], algorithm: hashes.HashAlgorithm) -> bytes:
    """The digest of the chunks joined, without joining them."""
    state = hashes.Hash(algorithm)
    for chunk in chunks:
        state.update(chunk)
    return state.finalize()
