"""Certificate signing requests (RFC 2986): read, and held to prove that whoever asks has the key.

Of a request only the public key is ever used; what a certificate says about its holder is said by who issues it.
"""

from __future__ import annotations

import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certs.checks import weak_key, weak_signature
from certs.errors import UNREADABLE, RequestRefused


def read_csr(content: bytes) -> x509.CertificateSigningRequest:
    """Read a certificate signing request, PEM or DER.

    Raises:
        RequestRefused: it is not one.
    """
    is_pem = content.lstrip().startswith(b"-----BEGIN")
    try:
        return (x509.load_pem_x509_csr if is_pem else x509.load_der_x509_csr)(content)
    except UNREADABLE as error:
        raise RequestRefused(f"证书请求无法读取：{error}。", f"the CSR cannot be read: {error}") from error


def check_csr(csr: x509.CertificateSigningRequest | None) -> CertificatePublicKeyTypes:
    """The public key of a CSR whose signature proves that the applicant holds the private one (RFC 2986, 3).

    The same rules that would refuse the certificate at the door; nobody should be given what cannot be used.

    Raises:
        RequestRefused: the signature does not hold, or it or the key is too weak.
    """
    if csr is None:
        raise RequestRefused("没有证书请求。", "there is no CSR")
    try:
        is_signed, key = csr.is_signature_valid, csr.public_key()
    except (*UNREADABLE, InvalidSignature) as error:
        raise RequestRefused(f"证书请求的密钥不可用：{error}。", f"the CSR's key is unusable: {error}") from error
    if not is_signed:
        raise RequestRefused(
            "证书请求的签名不成立，无法证明申请者持有私钥。",
            "the CSR's signature does not hold, so nothing proves that the applicant has the private key",
        )
    for weak in (weak_signature(csr), weak_key(key)):
        if weak is not None:
            raise RequestRefused(f"{weak.zh}（{weak.clause}）。", f"{weak.en} ({weak.clause})")
    return key


def key_sha256(key: CertificatePublicKeyTypes) -> str:
    """SHA-256 of a SubjectPublicKeyInfo, lower-case hexadecimal: what two people compare to know a key.

    The same as ``openssl pkey -pubin -outform DER | openssl dgst -sha256`` says.
    """
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
