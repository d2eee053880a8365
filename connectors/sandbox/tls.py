"""Throw-away certificates for one run of the sandbox: its servers' and the one the gateway shows to them.

Nothing here is for production: the authority's key is never written down and forgotten with the process.
The sandbox plays other people's systems, so it does not use the gateway's own ``certs``.
"""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=30)


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its key in PEM files, the key readable by its owner alone."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class SandboxTls:
    """Files of one run, all under one folder.

    Attributes:
        server_ca: what a client must trust to reach the sandbox.
        client_ca: what the sandbox demands a client certificate from.
        server: valid for ``127.0.0.1`` and ``localhost``.
        expired: the same names, ran out yesterday.
        client: what the gateway shows.
    """

    server_ca: Path
    client_ca: Path
    server: KeyPair
    expired: KeyPair
    client: KeyPair

    def context(self, *, demand_client: bool) -> ssl.SSLContext:
        """A server context; with ``demand_client`` a handshake without a certificate of ``client_ca`` fails."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Without tickets every connection shows a certificate, so an expired one is met at once.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        context.load_cert_chain(self.server.certificate, self.server.key)
        if demand_client:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def make_tls(folder: Path, now: datetime) -> SandboxTls:
    """Make both authorities and the three certificates, and write what servers and gateway need.

    Args:
        folder: created with mode 0700; files of an earlier run are replaced.
        now: UTC; certificates are valid from a day before for 30 days.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    servers = _Authority("Xinqiao sandbox server CA", now)
    clients = _Authority("Xinqiao sandbox client CA", now)
    start, end = now - timedelta(days=1), now + LIFETIME
    return SandboxTls(
        server_ca=_write(folder / "server-ca.pem", servers.pem),
        client_ca=_write(folder / "client-ca.pem", clients.pem),
        server=servers.issue(folder, "server", start, end, ExtendedKeyUsageOID.SERVER_AUTH),
        expired=servers.issue(folder, "expired", start - LIFETIME, start, ExtendedKeyUsageOID.SERVER_AUTH),
        client=clients.issue(folder, "gateway", start, end, ExtendedKeyUsageOID.CLIENT_AUTH),
    )


class _Authority:
    """A self-signed authority whose key lives in memory only."""

    def __init__(self, name: str, now: datetime) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(self._name, self._name, self._key, now - 3 * LIFETIME, now + LIFETIME)
        usage = _key_usage(signs_certificates=True)
        self._certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, folder: Path, name: str, start: datetime, end: datetime, purpose: x509.ObjectIdentifier) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"sandbox {name}")])
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            _builder(subject, self._name, key, start, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = certificate.public_bytes(serialization.Encoding.PEM)
        return KeyPair(_write(folder / f"{name}.pem", public), _write(folder / f"{name}.key", private))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, pem: bytes) -> Path:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(pem)
    return path
