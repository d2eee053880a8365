"""A small authority for tests of certificates, and OpenSSL's own commands to ask for a second opinion."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.authority import Authority, Issued, issue
from certs.names import SystemName
from certs.ocsp import Responder
from certs.revocation import Standing, Status

NOW = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
TRACE = SystemName("agriculture", "trace")


@dataclass(frozen=True)
class Answering:
    """A revocation source that gives one answer, whatever it is asked."""

    answer: Standing = Standing(Status.GOOD, holder="active")

    def standing(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Standing:
        return self.answer

    def holder(self, urn: str) -> str:
        return self.answer.holder


def trace_certificate(authority: Authority, now: datetime = NOW, lifetime: timedelta | None = None) -> Issued:
    """A certificate for the tracing system of agriculture."""
    return issue(authority, TRACE, now, lifetime=lifetime)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def write_pem(path: Path, *certificates: x509.Certificate) -> Path:
    path.write_bytes(b"".join(c.public_bytes(Encoding.PEM) for c in certificates))
    return path


def openssl(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the OpenSSL command; a machine without it fails the test loudly, since nothing else gives this opinion."""
    program = shutil.which("openssl")
    assert program, "the openssl command is needed for this test and is not installed"
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=30, check=False)


def answering(authority: Authority) -> Responder:
    """An authority that answers OCSP itself."""
    return Responder(authority.certificate, authority.certificate, lambda: authority.key)
