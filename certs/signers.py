"""The certificate under which the gateway signs what it says, over a key of any suite."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from asn1crypto import core as asn1_core
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from certs import profiles
from certs.authority import Authority, Issued, sign_certificate
from certs.authority import subject as named
from certs.keys import make_key
from certs.suites import PublicKey

SUBJECT = "Xinqiao Gateway Signing"


def issue_signer(authority: Authority, key: PublicKey, now: datetime) -> Issued:
    """Issue the certificate for the gateway's signing key.

    ``cryptography`` writes no certificate over an SM2 key, so one over another key is made and signed again over it.
    """
    spki = key.spki()
    known = _known(spki)
    drawn = sign_certificate(
        profiles.SIGNER,
        named(SUBJECT),
        known or make_key().public_key(),
        authority.certificate,
        authority.key,
        now,
    )
    if known is not None:
        return Issued(drawn, authority.certificate, None)
    der = _over(drawn.public_bytes(serialization.Encoding.DER), spki, authority.key)
    return Issued(x509.load_der_x509_certificate(der), authority.certificate, None)


def _known(spki: bytes) -> CertificatePublicKeyTypes | None:
    try:
        return cast(CertificatePublicKeyTypes, serialization.load_der_public_key(spki))
    except (UnsupportedAlgorithm, ValueError):
        return None


def _over(der: bytes, spki: bytes, issuer_key: ec.EllipticCurvePrivateKey) -> bytes:
    certificate = asn1_x509.Certificate.load(der)
    signed = certificate["tbs_certificate"]
    signed["subject_public_key_info"] = asn1_keys.PublicKeyInfo.load(spki)
    # RFC 5280, 4.2.1.2 (1): the identifier is the SHA-1 of the bits of the key.
    identifier = asn1_core.OctetString(signed["subject_public_key_info"].sha1)
    for extension in signed["extensions"]:
        if extension["extn_id"].native == "key_identifier":
            extension["extn_value"] = asn1_core.ParsableOctetString(identifier.dump())
    certificate["signature_value"] = issuer_key.sign(signed.dump(force=True), ec.ECDSA(hashes.SHA256()))
    return bytes(certificate.dump(force=True))
