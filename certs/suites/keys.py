"""Signing keys out of files and certificates, whatever suite they belong to."""

from __future__ import annotations

from asn1crypto import pem
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from certs.errors import KeyUnusable
from certs.suites import encoding
from certs.suites.base import PrivateKey, PublicKey
from certs.suites.international import Ed25519Private, Ed25519Public, P256Private, P256Public
from certs.suites.sm2 import sm2_private, sm2_public

_UNREADABLE = (ValueError, TypeError, KeyError, UnsupportedAlgorithm)


def read_private_key(text: bytes, passphrase: bytes | None = None) -> PrivateKey:
    """A signing key out of PKCS #8 PEM.

    Raises:
        KeyUnusable: damaged, of no suite, or the passphrase does not open it.
    """
    try:
        if found := encoding.sm2_secret(text, passphrase):
            return sm2_private(*found)
        key = serialization.load_pem_private_key(text, passphrase if b"ENCRYPTED" in text else None)
    except _UNREADABLE as error:
        raise _unusable(str(error)) from error
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return P256Private(key)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Ed25519Private(key)
    raise _unusable(f"{type(key).__name__} belongs to no suite")


def read_public_key(spki: bytes) -> PublicKey:
    """A verifying key out of the DER of a SubjectPublicKeyInfo.

    Raises:
        KeyUnusable: damaged, not on its curve, or of no suite.
    """
    try:
        if point := encoding.sm2_point(spki):
            return sm2_public(point)
        key = serialization.load_der_public_key(spki)
    except _UNREADABLE as error:
        raise _unusable(str(error)) from error
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return P256Public(key)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return Ed25519Public(key)
    raise _unusable(f"{type(key).__name__} belongs to no suite")


def read_public_pem(text: bytes) -> PublicKey:
    """A verifying key out of PEM: a public key, or a certificate whose key it is.

    Raises:
        KeyUnusable: neither, damaged, or of no suite.
    """
    try:
        kind, _, der = pem.unarmor(text)
    except ValueError as error:
        raise _unusable(str(error)) from error
    return certificate_key(der) if kind == "CERTIFICATE" else read_public_key(der)


def certificate_key(der: bytes) -> PublicKey:
    """The verifying key of a certificate, SM2 included, which ``cryptography`` gives no key of.

    Raises:
        KeyUnusable: damaged, or the key is of no suite.
    """
    return read_public_key(spki_of(der))


def spki_of(der: bytes) -> bytes:
    """DER of the SubjectPublicKeyInfo of a certificate, whatever kind its key is of.

    Raises:
        KeyUnusable: damaged.
    """
    try:
        certificate = asn1_x509.Certificate.load(der, strict=True)
        return bytes(certificate["tbs_certificate"]["subject_public_key_info"].dump())
    except _UNREADABLE as error:
        raise _unusable(str(error)) from error


def key_of(certificate: x509.Certificate) -> PublicKey:
    """The verifying key of a parsed certificate.

    Raises:
        KeyUnusable: the key is of no suite.
    """
    return certificate_key(certificate.public_bytes(serialization.Encoding.DER))


def _unusable(why: str) -> KeyUnusable:
    return KeyUnusable(
        f"签名密钥无法使用：{why}；可用的有 ECDSA P-256、Ed25519、SM2。",
        f"the signing key cannot be used: {why}; usable are ECDSA P-256, Ed25519 and SM2",
    )
