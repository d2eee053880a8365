"""Certificate signing requests as systems make them, with their keys."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from certs.csr import key_sha256


def make_csr(key: ec.EllipticCurvePrivateKey) -> x509.CertificateSigningRequest:
    """A CSR over a key; what it says of its subject is looked at by nobody."""
    return x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())


def csr_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """The same as text."""
    return make_csr(key).public_bytes(Encoding.PEM).decode()


def fingerprint(key: ec.EllipticCurvePrivateKey) -> str:
    """What an agency says of its key on the telephone."""
    return key_sha256(key.public_key())
