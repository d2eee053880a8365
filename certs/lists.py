"""Revocation lists of other authorities: read once, looked up often, fetched again when it is time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from certs.answers import SKEW, Answer, unknown
from certs.checks import weak_signature
from certs.errors import UNREADABLE, CrlUnusable, Unanswered
from certs.extensions import value_of
from certs.fetching import Address, fetch
from certs.files import file_stamp
from certs.keys import write_whole
from certs.revocation import Status, parse_crl, reason_of

log = structlog.get_logger(__name__)

# After a fetch that failed, so that a dead server costs one request in this time its patience and no more.
RETRY_SECONDS = 30.0


@dataclass(frozen=True)
class RevocationList:
    """A list whose signature holds, ready to be looked up in.

    Attributes:
        this_update: when it was made, UTC.
        next_update: by when there is a newer one, UTC.
        revoked: serial number → since when (UTC), reason.
        scope: of which certificates it speaks; None for all of its issuer.
    """

    this_update: datetime
    next_update: datetime
    revoked: Mapping[int, tuple[datetime, str]]
    scope: x509.IssuingDistributionPoint | None

    def answer(self, certificate: x509.Certificate) -> Answer:
        """What it says of a certificate of its issuer."""
        if self.scope is not None and (problem := _outside(self.scope, certificate)):
            return unknown(problem)
        if found := self.revoked.get(certificate.serial_number):
            return Answer(Status.REVOKED, found[1], found[0], self.next_update)
        return Answer(Status.GOOD, until=self.next_update)


def read_list(content: bytes, issuer: x509.Certificate) -> RevocationList:
    """Read a list and everything in it that decides whether it may be used (RFC 5280, 5 and 6.3.3).

    Raises:
        CrlUnusable: as ``parse_crl``; or signed too weakly, by a key that may not sign lists, without an end, or
            with an entry whose critical extension is not understood (5.3: the list MUST NOT be used).
    """
    crl = parse_crl(content, issuer, understood={ExtensionOID.ISSUING_DISTRIBUTION_POINT})
    try:
        if problem := _unusable(crl, issuer):
            raise _crl_unusable(problem)
        revoked = {entry.serial_number: _revoked(entry) for entry in crl}
        scope = value_of(crl.extensions, x509.IssuingDistributionPoint)
    except UNREADABLE as error:
        raise _crl_unusable(str(error)) from error
    if crl.next_update_utc is None:
        raise _crl_unusable("no nextUpdate")
    return RevocationList(crl.last_update_utc, crl.next_update_utc, revoked, scope)


def _unusable(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> str:
    """Why no answer may rest on the list, or nothing."""
    usage = value_of(issuer.extensions, x509.KeyUsage)
    if usage is not None and not usage.crl_sign:
        return "its issuer's key usage lacks cRLSign (RFC 5280, 6.3.3 f)"
    if value_of(crl.extensions, x509.CRLNumber) is None:
        return "no CRL number (RFC 5280, 5.2.3)"
    weak = weak_signature(crl)
    return weak.en if weak else ""


def _revoked(entry: x509.RevokedCertificate) -> tuple[datetime, str]:
    if critical := [e.oid.dotted_string for e in entry.extensions if e.critical and e.oid != x509.CRLReason.oid]:
        raise ValueError(f"an entry has unknown critical extensions {critical}")
    return entry.revocation_date_utc, reason_of(entry)


def _outside(scope: x509.IssuingDistributionPoint, certificate: x509.Certificate) -> str:
    """Why a partial list does not speak of the certificate, or nothing (RFC 5280, 6.3.3 b 2)."""
    constraints = value_of(certificate.extensions, x509.BasicConstraints)
    is_authority = constraints is not None and constraints.ca
    if scope.indirect_crl or scope.only_some_reasons or scope.relative_name or scope.only_contains_attribute_certs:
        return "the list is indirect, or of some reasons only"
    if scope.only_contains_user_certs and is_authority or scope.only_contains_ca_certs and not is_authority:
        return "the list is of the other kind of certificates"
    points = value_of(certificate.extensions, x509.CRLDistributionPoints) or ()
    named = {str(name) for point in points for name in point.full_name or ()}
    if scope.full_name and not named & {str(name) for name in scope.full_name}:
        return "the list is of another distribution point"
    return ""


class CrlFile:
    """A list in a file that somebody puts there; read again when it changed. Safe to share between threads."""

    is_asked = False

    def __init__(self, path: Path, name: str = "") -> None:
        self.path, self.name = path, name or path.name
        self._lock = threading.Lock()
        self._stamp: object = None
        self._read: dict[x509.Certificate, RevocationList | CrlUnusable] = {}

    def at_hand(self, authorities: Sequence[x509.Certificate]) -> tuple[datetime | None, str]:
        """The end of the list, of whichever authority signed it."""
        try:
            return _read_by(self.load, authorities)[1].next_update, ""
        except CrlUnusable as error:
            return None, error.en

    def answer(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Answer:
        """What the file says now."""
        try:
            return _current(self.load(issuer), certificate, now)
        except CrlUnusable as error:
            return unknown(error.en)

    def load(self, issuer: x509.Certificate) -> RevocationList:
        """The list, if it is one of that issuer.

        Raises:
            CrlUnusable: no such file, or as ``read_list``.
        """
        with self._lock:
            if (stamp := file_stamp(self.path)) != self._stamp:
                self._stamp, self._read = stamp, {}
            if issuer not in self._read:
                self._read[issuer] = self._load(issuer)
            found = self._read[issuer]
        if isinstance(found, CrlUnusable):
            raise found
        return found

    def _load(self, issuer: x509.Certificate) -> RevocationList | CrlUnusable:
        try:
            return read_list(self.path.read_bytes(), issuer)
        except OSError as error:
            return _crl_unusable(error.strerror or str(error))
        except CrlUnusable as error:
            return error


class CrlUrl:
    """A list that is fetched, and kept in a file so that a restart or a dead server does not lose it.

    It is fetched when there is none, when the one at hand has ended, and every so often in between. What is
    fetched replaces what is kept only if it can be used and is not older: an old list played back is no answer.
    """

    is_asked = False

    def __init__(
        self, address: Address, kept: Path, refresh_seconds: float, authorities: Sequence[x509.Certificate]
    ) -> None:
        self.name = address.url
        self._address, self._refresh, self._authorities = address, refresh_seconds, authorities
        self._file = CrlFile(kept, address.url)
        self._fetching = threading.Lock()
        self._due_at, self._problem = 0.0, ""

    def at_hand(self, authorities: Sequence[x509.Certificate]) -> tuple[datetime | None, str]:
        """The end of the list that was fetched last."""
        return self._file.at_hand(authorities)

    def answer(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Answer:
        """What the newest list says; whoever finds it due fetches it, the others use what is there meanwhile."""
        there = self._file.path.exists()
        if self._is_due() and self._fetching.acquire(blocking=not there):
            try:
                if self._is_due():
                    self._fetch(now)
            finally:
                self._fetching.release()
        answer = self._file.answer(certificate, issuer, now)
        return unknown(self._problem) if answer.status is Status.UNKNOWN and self._problem else answer

    def _is_due(self) -> bool:
        return time.monotonic() >= self._due_at

    def _fetch(self, now: datetime) -> None:
        try:
            content = fetch(self._address)
            fresh = self._newer(content)
        except (Unanswered, CrlUnusable) as error:
            self._problem = error.en
            self._due_at = time.monotonic() + min(RETRY_SECONDS, self._refresh)
            log.warning("revocation list not fetched", url=self.name, error=error.en)
            return
        write_whole(self._file.path, content)
        has_ended = fresh.next_update < now
        self._problem = ""
        self._due_at = time.monotonic() + (min(RETRY_SECONDS, self._refresh) if has_ended else self._refresh)

    def _newer(self, content: bytes) -> RevocationList:
        """The list that was fetched, of whichever authority of this file signed it.

        Raises:
            CrlUnusable: of none of them, or made before the one at hand.
        """
        issuer, fresh = _read_by(partial(read_list, content), self._authorities)
        try:
            kept = self._file.load(issuer)
        except CrlUnusable:
            return fresh
        if fresh.this_update < kept.this_update:
            raise _crl_unusable(f"made at {fresh.this_update}, before the one at hand of {kept.this_update}")
        return fresh


def _read_by(
    read: Callable[[x509.Certificate], RevocationList], authorities: Sequence[x509.Certificate]
) -> tuple[x509.Certificate, RevocationList]:
    """The authority that signed a list, and the list."""
    problem = _crl_unusable("no authority is configured")
    for issuer in authorities:
        try:
            return issuer, read(issuer)
        except CrlUnusable as error:
            problem = error
    raise problem


def _current(found: RevocationList, certificate: x509.Certificate, now: datetime) -> Answer:
    if found.this_update > now + SKEW:
        return unknown(f"the list claims to be made at {found.this_update}, which has not come yet")
    return found.answer(certificate)


def _crl_unusable(problem: str) -> CrlUnusable:
    return CrlUnusable(f"吊销列表不可用：{problem}。", f"the revocation list is unusable: {problem}")
