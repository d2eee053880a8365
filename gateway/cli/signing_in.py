"""Signing in at the command line: a person's certificate, and proof that the person has its key."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from certs.errors import ChainBroken, KeyUnusable
from certs.keys import load_key
from certs.trust import TrustFile
from certs.verify import Identity, verify
from connectors.errors import Refused
from gateway.access.errors import WrongDuty
from gateway.certificates import RegistrySource
from gateway.certificates_publish import pki_files
from gateway.clock import utc_now
from gateway.settings import Settings

_HASH = ec.ECDSA(hashes.SHA256())


def prove_person(
    conn: Connection, settings: Settings, certificate: Path | None, key: Path | None, passphrase: str
) -> Identity | None:
    """The person who shows a certificate, verified as on a connection; None if none is shown.

    Raises:
        Refused: a certificate without its key, a key without its certificate, or a file that cannot be read.
        KeyUnusable: the key is not the certificate's, or cannot be used.
        NotTrusted: the certificate fails a step of ``certs/verify.py``.
        WrongDuty: it is a system's.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise Refused(
            "人员证书与其私钥须一并出示（--certificate 与 --key）。",
            "a certificate is shown together with its key (--certificate and --key)",
        )
    shown = _read(certificate)
    identity = verify(
        [shown.public_bytes(Encoding.DER)],
        TrustFile(pki_files(settings).trust).current(),
        RegistrySource(conn),
        utc_now(),
    )
    _demand_key(shown, key, passphrase)
    if not identity.is_person:
        raise WrongDuty(
            f"{identity.urn} 是系统证书，命令行须出示人员证书。",
            f"{identity.urn} is a system; the command line takes a person's certificate.",
        )
    return identity


def _read(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError) as error:
        raise Refused(
            f"无法读取证书文件 {path}：{error}", f"the certificate file {path} cannot be read: {error}", path=str(path)
        ) from error


def _demand_key(certificate: x509.Certificate, path: Path, passphrase: str) -> None:
    """A signature over fresh random bytes that the certificate's own key verifies."""
    public = certificate.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise ChainBroken(certificate.issuer.rfc4514_string(), "not an ECDSA key")
    challenge = os.urandom(32)
    signature = load_key(path, passphrase.encode() or None).sign(challenge, _HASH)
    try:
        public.verify(signature, challenge, _HASH)
    except InvalidSignature as error:
        raise KeyUnusable(
            f"私钥 {path} 不属于所出示的证书。", f"key {path} is not the key of the certificate shown", path=str(path)
        ) from error
