"""The suite ``international``: ECDSA over P-256 with SHA-256, Ed25519, SHA-256, AES-256-GCM."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from certs.suites.base import Aead, Algorithm, BadSignature, Suite, hashed
from certs.suites.encoding import der_signature, raw_signature

P256 = Algorithm(
    name="ecdsa-p256-sha256",  # RFC 9421, 3.3.4
    jws="ES256",  # RFC 7518, 3.4
    cms="1.2.840.10045.4.3.2",  # RFC 5758, 3.2
    cms_digest="2.16.840.1.101.3.4.2.1",
    digest=hashes.SHA256,
    xml="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",  # RFC 9231, 2.3.6
)
ED25519 = Algorithm(
    name="ed25519",  # RFC 9421, 3.3.6
    jws="Ed25519",  # RFC 9864, 2.2
    cms="1.3.101.112",  # RFC 8410, 3
    cms_digest="2.16.840.1.101.3.4.2.3",  # RFC 8419, 3: SHA-512
    digest=hashes.SHA512,
    is_der=False,
)

_ECDSA = ec.ECDSA(Prehashed(hashes.SHA256()))
# RFC 6979: signing the same document again gives the same bytes, and no random source can give the key away.
_ECDSA_SIGNING = ec.ECDSA(Prehashed(hashes.SHA256()), deterministic_signing=True)


@dataclass(frozen=True)
class P256Public:
    """An ECDSA P-256 key that verifies; see ``base.PublicKey``."""

    key: ec.EllipticCurvePublicKey
    algorithm = P256

    def verify(self, signature: bytes, chunks: Iterable[bytes]) -> None:
        """See ``base.PublicKey``."""
        digest = hashed(chunks, hashes.SHA256())
        try:
            self.key.verify(der_signature(signature), digest, _ECDSA)
        except InvalidSignature as error:
            raise BadSignature from error

    def spki(self) -> bytes:
        """See ``base.PublicKey``."""
        return _spki(self.key)


@dataclass(frozen=True)
class P256Private:
    """An ECDSA P-256 key that signs; see ``base.PrivateKey``."""

    key: ec.EllipticCurvePrivateKey
    algorithm = P256

    @property
    def public(self) -> P256Public:
        """See ``base.PrivateKey``."""
        return P256Public(self.key.public_key())

    def sign(self, chunks: Iterable[bytes]) -> bytes:
        """See ``base.PrivateKey``."""
        return raw_signature(self.key.sign(hashed(chunks, hashes.SHA256()), _ECDSA_SIGNING))

    def pem(self, passphrase: bytes | None = None) -> bytes:
        """See ``base.PrivateKey``."""
        return _pkcs8(self.key, passphrase)


@dataclass(frozen=True)
class Ed25519Public:
    """An Ed25519 key that verifies; see ``base.PublicKey``. The message is held whole, as RFC 8032 needs it twice."""

    key: ed25519.Ed25519PublicKey
    algorithm = ED25519

    def verify(self, signature: bytes, chunks: Iterable[bytes]) -> None:
        """See ``base.PublicKey``."""
        try:
            self.key.verify(signature, b"".join(chunks))
        except InvalidSignature as error:
            raise BadSignature from error

    def spki(self) -> bytes:
        """See ``base.PublicKey``."""
        return _spki(self.key)


@dataclass(frozen=True)
class Ed25519Private:
    """An Ed25519 key that signs; see ``base.PrivateKey``."""

    key: ed25519.Ed25519PrivateKey
    algorithm = ED25519

    @property
    def public(self) -> Ed25519Public:
        """See ``base.PrivateKey``."""
        return Ed25519Public(self.key.public_key())

    def sign(self, chunks: Iterable[bytes]) -> bytes:
        """See ``base.PrivateKey``."""
        return self.key.sign(b"".join(chunks))

    def pem(self, passphrase: bytes | None = None) -> bytes:
        """See ``base.PrivateKey``."""
        return _pkcs8(self.key, passphrase)


def _spki(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _pkcs8(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, passphrase: bytes | None) -> bytes:
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


SUITE = Suite(
    name="international",
    algorithms=(P256, ED25519),
    digest=hashes.SHA256,
    digest_name="sha-256",
    aead=Aead(
        name="AES-256-GCM",
        key_bytes=32,
        keyed=AESGCM,
    ),
    make_key=lambda: P256Private(ec.generate_private_key(ec.SECP256R1())),
)
