"""Who we are towards the systems we call: a system of our own, ``urn:xinqiao:gateway:notifier``, with a certificate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from certs.authority import Authority
from certs.keys import save_key, write_whole
from certs.names import SystemName
from certs.suites import PrivateKey, read_private_key
from certs.verify import serial_text
from connectors.errors import Refused
from gateway.certificates import issue_certificate
from gateway.certificates_holders import holder_status, register
from gateway.passphrases import key_passphrase
from gateway.settings import Settings
from gateway.store import Store

NAME = SystemName("gateway", "notifier")


@dataclass(frozen=True)
class Notifier:
    """The certificate we call with, which is also that of the signatures.

    Attributes:
        certificate: PEM file.
        key_file: PEM file of its key.
        passphrase: of that file, or None.
        key: signs.
        key_id: serial of the certificate, as the registry writes it.
    """

    certificate: Path
    key_file: Path
    passphrase: bytes | None
    key: PrivateKey
    key_id: str


def enrol(store: Store, authority: Authority, actor: str, now: datetime) -> x509.Certificate:
    """Issue the notifier a certificate over a new key; the one before stays good until it ends."""
    with store.write() as conn:
        if holder_status(conn, NAME.urn) is None:
            register(conn, NAME, "信桥通知推送", actor, now)
        issued = issue_certificate(conn, authority, NAME, actor, now)
    if issued.key is None:
        raise AssertionError("a key is made when no CSR is given")
    certificate, key = _files(store.settings)
    save_key(key, issued.key, key_passphrase(store.settings))
    write_whole(certificate, issued.pem)
    return issued.certificate


def load_notifier(settings: Settings) -> Notifier:
    """The notifier's certificate and key.

    Raises:
        Refused: it has none yet.
        certs.errors.KeyUnusable: the key cannot be read.
    """
    certificate, key = _files(settings)
    if not certificate.exists():
        raise Refused(
            "尚无用于推送通知的证书；请运行 xinqiao notifications enrol",
            "there is no certificate to push notifications with; run `xinqiao notifications enrol`",
            file=str(certificate),
        )
    leaf = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    passphrase = key_passphrase(settings)
    signing = read_private_key(key.read_bytes(), passphrase)
    return Notifier(certificate, key, passphrase, signing, serial_text(leaf.serial_number))


def key_file(settings: Settings) -> Path:
    """Where the notifier's private key lies, once it is enrolled."""
    return settings.home / "pki" / "notifier.key"


def _files(settings: Settings) -> tuple[Path, Path]:
    return settings.home / "pki" / "notifier.pem", key_file(settings)
