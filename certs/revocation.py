"""Revocation: lists are built and read here. Whoever is asked gives one of three answers: good, revoked, unknown."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from certs.errors import UNREADABLE, CrlUnusable


class Status(StrEnum):
    """The three answers. Unknown is not good: who decides on it must say so."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


# RFC 5280, 5.3.1; removeFromCRL belongs to delta lists, and "unspecified" SHOULD be left out.
REASONS = {
    "unspecified": x509.ReasonFlags.unspecified,
    "key_compromise": x509.ReasonFlags.key_compromise,
    "ca_compromise": x509.ReasonFlags.ca_compromise,
    "affiliation_changed": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessation_of_operation": x509.ReasonFlags.cessation_of_operation,
    "certificate_hold": x509.ReasonFlags.certificate_hold,
    "privilege_withdrawn": x509.ReasonFlags.privilege_withdrawn,
}
# A suspension is the one reason that can be taken back.
HOLD = "certificate_hold"
KEY_COMPROMISE = "key_compromise"
REVOCATION_REASONS = tuple(sorted(set(REASONS) - {HOLD}))
"""The reasons that a revocation for good may give."""


@dataclass(frozen=True)
class Standing:
    """What is known about a certificate and about who holds it.

    Attributes:
        status: of the certificate.
        reason: key of ``REASONS`` when revoked; what is missing when unknown.
        since: when it was revoked, UTC.
        holder: status of the system or person it names: ``active``, or any other word for not active.
        grace: empty; or which answer had ended and counts all the same, because the configuration says how long it may.
    """

    status: Status
    reason: str = ""
    since: datetime | None = None
    holder: str = "unknown"
    grace: str = ""


class RevocationSource(Protocol):
    """Whoever can say how certificates of our own authority stand, and which holders are active."""

    def standing(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Standing:
        """How the certificate, whose signature by ``issuer`` is already proven, stands now."""
        ...

    def holder(self, urn: str) -> str:
        """Status of the system or person of that name: ``active``, or any other word for not active."""
        ...


@dataclass(frozen=True)
class CrlEntry:
    """One revoked certificate on a list."""

    serial: int
    revoked_at: datetime
    reason: str = "unspecified"


def build_crl(
    issuer: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    entries: Iterable[CrlEntry],
    number: int,
    this_update: datetime,
    next_update: datetime,
) -> x509.CertificateRevocationList:
    """Make a full list, version 2 (RFC 5280, 5.1), with its number and its issuer's key identifier.

    Args:
        number: larger than that of every earlier list of this issuer (RFC 5280, 5.2.3).
        next_update: by when the next list comes; afterwards this one answers nothing.
    """
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(this_update)
        .next_update(next_update)
        .add_extension(_key_identifier(issuer), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for entry in entries:
        revoked = x509.RevokedCertificateBuilder().serial_number(entry.serial).revocation_date(entry.revoked_at)
        if entry.reason != "unspecified":
            revoked = revoked.add_extension(x509.CRLReason(REASONS[entry.reason]), critical=False)
        builder = builder.add_revoked_certificate(revoked.build())
    return builder.sign(key, hashes.SHA256())


def parse_crl(
    content: bytes, issuer: x509.Certificate, understood: Container[x509.ObjectIdentifier] = ()
) -> x509.CertificateRevocationList:
    """Read a list, PEM or DER, and make sure that the issuer signed it.

    Args:
        understood: critical extensions that the caller acts upon.

    Raises:
        CrlUnusable: not a list, of another issuer, signature wrong, or critical extensions not understood
            (RFC 5280, 5.2: such a list MUST NOT be used to tell the status of certificates).
    """
    try:
        is_pem = content.lstrip().startswith(b"-----BEGIN")
        crl = (x509.load_pem_x509_crl if is_pem else x509.load_der_x509_crl)(content)
        is_signed = crl.issuer == issuer.subject and crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # the stub leaves out key kinds that sign nothing; they raise TypeError
        critical = [e.oid.dotted_string for e in crl.extensions if e.critical and e.oid not in understood]
    except (*UNREADABLE, InvalidSignature) as error:
        raise CrlUnusable(f"吊销列表无法读取：{error}。", f"the revocation list cannot be read: {error}") from error
    if not is_signed:
        raise CrlUnusable(
            f"吊销列表不是由 {issuer.subject.rfc4514_string()} 签发的。",
            f"the revocation list was not signed by {issuer.subject.rfc4514_string()}",
        )
    if critical:
        raise CrlUnusable(
            f"吊销列表含未知的关键扩展 {critical}。", f"the revocation list has unknown critical extensions {critical}"
        )
    return crl


def crl_number(crl: x509.CertificateRevocationList) -> int:
    """The number of a list (RFC 5280, 5.2.3); 0 of one that has none."""
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0


def reason_of(revoked: x509.RevokedCertificate) -> str:
    """The reason on an entry, as a key of ``REASONS``; an entry without one says ``unspecified`` (RFC 5280, 5.3.1)."""
    try:
        flag = revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return "unspecified"
    return next((name for name, known in REASONS.items() if known is flag), flag.value)


def _key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
