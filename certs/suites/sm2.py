"""SM2 signatures with SM3 (GB/T 32918.2-2016, GM/T 0009-2012): the digest of the signer, then the curve's work.

The curve's arithmetic is GmSSL's, through ``gmssl_pyx``; what is signed is worked out here, so that a file
of any size is hashed in pieces.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import gmssl_pyx
from cryptography.hazmat.primitives import hashes

from certs.suites import encoding
from certs.suites.base import Algorithm, BadSignature, hashed

SM2 = Algorithm(
    name="sm2-sm3",
    jws="SM2",
    cms="1.2.156.10197.1.501",  # GM/T 0006: SM2 signature with SM3
    cms_digest="1.2.156.10197.1.401",  # GM/T 0006: SM3
    digest=hashes.SM3,
)

USER_ID = b"1234567812345678"
"""The user's identity where none was agreed (GM/T 0009-2012, 10)."""

# GB/T 32918.5-2017, 2: the recommended curve: a, b and the base point, as they enter Z.
_CURVE = bytes.fromhex(
    "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc"
    "28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93"
    "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
    "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"
)


def z_value(point: bytes, user_id: bytes = USER_ID) -> bytes:
    """The digest of the signer's identity, curve and public key (GB/T 32918.2-2016, 5.5).

    Args:
        point: x ‖ y of the public key, 64 octets.
    """
    length = (len(user_id) * 8).to_bytes(2, "big")
    return hashed([length, user_id, _CURVE, point], hashes.SM3())


def signed_digest(point: bytes, chunks: Iterable[bytes]) -> bytes:
    """The ``e`` that is signed: SM3 over Z and the message (GB/T 32918.2-2016, 6.1)."""
    return hashed(chain([z_value(point)], chunks), hashes.SM3())


# Any message tells a key from another one.
_PROBE = (b"xinqiao",)


@dataclass(frozen=True)
class Sm2Public:
    """An SM2 key that verifies; see ``base.PublicKey``.

    Attributes:
        point: x ‖ y, 64 octets; on the curve.
    """

    point: bytes
    algorithm = SM2

    def verify(self, signature: bytes, chunks: Iterable[bytes]) -> None:
        """See ``base.PublicKey``."""
        digest = signed_digest(self.point, chunks)
        try:
            is_good = gmssl_pyx.sm2_verify_sm3_digest(self.point, digest, encoding.der_signature(signature))
        except (gmssl_pyx.GmsslInnerError, ValueError) as error:
            raise BadSignature from error
        if not is_good:
            raise BadSignature

    def spki(self) -> bytes:
        """See ``base.PublicKey``."""
        return encoding.sm2_spki(self.point)


@dataclass(frozen=True, repr=False)
class Sm2Private:
    """An SM2 key that signs; see ``base.PrivateKey``.

    Attributes:
        secret: 32 octets.
        point: x ‖ y of its public key, 64 octets.
    """

    secret: bytes
    point: bytes
    algorithm = SM2

    @property
    def public(self) -> Sm2Public:
        """See ``base.PrivateKey``."""
        return Sm2Public(self.point)

    def sign(self, chunks: Iterable[bytes]) -> bytes:
        """See ``base.PrivateKey``."""
        digest = signed_digest(self.point, chunks)
        return encoding.raw_signature(gmssl_pyx.sm2_sign_sm3_digest(self.secret, digest))

    def pem(self, passphrase: bytes | None = None) -> bytes:
        """See ``base.PrivateKey``."""
        return encoding.sm2_pem(self.secret, self.point, passphrase)


def sm2_public(point: bytes) -> Sm2Public:
    """A key that verifies, out of the two coordinates of its point.

    Raises:
        ValueError: no point of the curve.
    """
    try:
        # The curve's equation is GmSSL's to check, and it does so before it encrypts to a point.
        gmssl_pyx.sm2_encrypt(point, _PROBE[0])
    except gmssl_pyx.GmsslInnerError as error:
        raise ValueError("the point is not on the SM2 curve") from error
    return Sm2Public(point)


def sm2_private(secret: bytes, point: bytes) -> Sm2Private:
    """A key that signs, out of the two halves of a key file.

    Raises:
        ValueError: they do not belong together; such a key would sign what nobody can verify.
    """
    key = Sm2Private(secret, point)
    try:
        sm2_public(point).verify(key.sign(_PROBE), _PROBE)
    except (BadSignature, gmssl_pyx.GmsslInnerError) as error:
        raise ValueError("the private and the public half do not belong together") from error
    return key


def make_sm2_key() -> Sm2Private:
    """Make an SM2 key."""
    point, secret = gmssl_pyx.sm2_key_generate()
    return Sm2Private(secret, point)
