"""Verification of a presented certificate. What must hold, in this order, and who fails it how:

1. time        now lies within the certificate's validity          OutsideValidity
2. chain       a path of valid signatures leads to a trusted root   ChainBroken
3. profile     every certificate of the path keeps every rule        ProfileViolated
4. revocation  the source says good; revoked and *unknown* fail      Revoked, RevocationUnknown
5. identity    it names exactly one system or person, and its
               authority may name that one                           NoIdentity, NotVouchable
6. active      that system or person is active today                 NotActive

``cryptography`` builds the path (2) and takes no revocation input: it accepts a revoked certificate,
so 4 is ours: for certificates of our own authority the registry is asked, for those of an external one what that
authority publishes (``certs/external.py``), and the registry whether the holder is active (6). 1 and 3 depend on
nothing but the certificate, the trust and the clock; 4 and 6 are asked anew on every request, so that they act on
open connections. What the caller MUST do: prove that the peer holds the private key, which the TLS handshake has
done when the bytes come from ``peer_chain``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from certs.checks import Place, violations, xinqiao_uris
from certs.errors import (
    UNREADABLE,
    ChainBroken,
    Malformed,
    Missing,
    NoIdentity,
    NotActive,
    NotVouchable,
    OutsideValidity,
    ProfileViolated,
    RevocationUnknown,
    Revoked,
)
from certs.external import External
from certs.names import Name, PersonName, SystemName, parse_uri
from certs.revocation import RevocationSource, Standing, Status
from certs.trust import Trust

# Root, issuing authority, and one more for agencies that run their own below a trusted root.
MAX_AUTHORITIES = 3

# Certificates whose steps 1 to 3 are remembered; a few kilobytes each.
MAX_REMEMBERED = 4096


@dataclass(frozen=True)
class Identity:
    """Who speaks on this connection, as the certificate proved it.

    Attributes:
        urn: ``urn:xinqiao:<agency>:<system>`` or ``urn:xinqiao:person:<name>``; the actor of audit entries.
        agency: of the system, or of an agency administrator; empty for other people.
        system: of the agency; empty for people.
        person: empty for systems.
        duty: one of ``certs.names.DUTIES``; empty for systems.
        serial: of the certificate, 40 lower-case hexadecimal digits.
        fingerprint: SHA-256 of the certificate, lower-case hexadecimal.
        not_after: when the certificate ends, UTC.
        authority: name of the external authority that vouches for it; empty for our own.
        grace: empty; or the answer that had ended and counted all the same, which every use must say.
    """

    urn: str
    agency: str
    system: str
    person: str
    duty: str
    serial: str
    fingerprint: str
    not_after: datetime
    authority: str = ""
    grace: str = ""

    @property
    def is_person(self) -> bool:
        """Whether a person speaks, not a system."""
        return bool(self.person)


def verify(chain_der: Sequence[bytes], trust: Trust, revocation: RevocationSource, now: datetime) -> Identity:
    """Say who presented this certificate, or refuse it.

    Args:
        chain_der: DER certificates, the end entity first; what follows it is not used: see ``Trust``.
        now: UTC, aware; its whole seconds count, as certificates know no others (RFC 5280, 4.1.2.5).

    Raises:
        NotTrusted: one subclass per step above, ``Missing`` for no certificate, ``Malformed`` for unreadable bytes.
    """
    if not chain_der:
        raise Missing
    now = now.replace(microsecond=0)
    proven = _prove_once(chain_der[0], trust, now)
    standing = _check_revocation(proven, revocation, now)
    name = _read_identity(proven)
    _check_active(name, standing.holder if proven.external is None else revocation.holder(name.urn))
    return _identity(name, proven, standing.grace)


@dataclass(frozen=True)
class _Proven:
    """A certificate that passed steps 1 to 3, and the time during which it passes them again."""

    path: tuple[x509.Certificate, ...]
    external: External | None
    uris: tuple[str, ...]
    begins: datetime
    ends: datetime

    @property
    def certificate(self) -> x509.Certificate:
        """Of the end entity."""
        return self.path[0]


def _prove_once(der: bytes, trust: Trust, now: datetime) -> _Proven:
    """Steps 1 to 3, or what they found earlier for the same bytes, the same trust and a time inside every validity.

    Nothing else goes into these steps, so the memory cannot change an answer; it is most of the
    cost of a request on an open connection. Refusals are not remembered: strangers cannot fill it.
    """
    known = trust.memory.get(der)
    if isinstance(known, _Proven) and known.begins <= now <= known.ends:
        return known
    proven = _prove(der, trust, now)
    if len(trust.memory) >= MAX_REMEMBERED:
        trust.memory.clear()
    trust.memory[der] = proven
    return proven


def _prove(der: bytes, trust: Trust, now: datetime) -> _Proven:
    try:
        certificate = x509.load_der_x509_certificate(der)
        _check_time(certificate, now)
        path, external = _find_path(certificate, trust, now)
        _check_profiles(path, now)
        uris = tuple(xinqiao_uris(certificate))
    except UNREADABLE as error:
        raise Malformed(str(error)) from error
    begins, ends = max(c.not_valid_before_utc for c in path), min(c.not_valid_after_utc for c in path)
    return _Proven(path, external, uris, begins, ends)


def _check_time(certificate: x509.Certificate, now: datetime) -> None:
    """(1) RFC 5280, 4.1.2.5. Before the chain, so that an expired certificate is told so and not called untrusted."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begin <= now <= end:
        raise OutsideValidity(begin, end, now)


def _find_path(
    certificate: x509.Certificate, trust: Trust, now: datetime
) -> tuple[tuple[x509.Certificate, ...], External | None]:
    """(2) A path to one of our own roots, else to those of one external authority; never through both.

    Returns:
        the path, end entity first, root last, and the external authority at its end, if it is one.
    """
    anchors: tuple[Trust | External, ...] = (trust, *trust.externals)
    refused: dict[Trust | External, ChainBroken] = {}
    for anchor in anchors:
        try:
            path = find_path(certificate, anchor.store, anchor.intermediates, now)
        except ChainBroken as error:
            refused[anchor] = error
        else:
            return path, anchor if isinstance(anchor, External) else None
    # Of several reasons the one of whom the certificate itself names as its issuer.
    named = (a for a in refused if any(c.subject == certificate.issuer for c in (*a.roots, *a.intermediates)))
    raise refused[next(named, trust)]


def find_path(
    certificate: x509.Certificate,
    store: Store,
    intermediates: Sequence[x509.Certificate],
    now: datetime,
    max_authorities: int = MAX_AUTHORITIES,
) -> tuple[x509.Certificate, ...]:
    """(2) RFC 5280, 6.1: names, signatures, name constraints, every authority's own time and constraints.

    The end entity's extensions are left to step 3, which is stricter and says which rule was broken.

    Args:
        max_authorities: between the end entity and a root.

    Returns:
        the path, end entity first, root last.

    Raises:
        ChainBroken: there is none.
    """
    verifier = (
        PolicyBuilder()
        .time(now)
        .store(store)
        .max_chain_depth(max_authorities)
        .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=ExtensionPolicy.permit_all())
        .build_client_verifier()
    )
    try:
        path = verifier.verify(certificate, list(intermediates)).chain
    except VerificationError as error:
        raise ChainBroken(certificate.issuer.rfc4514_string(), str(error)) from error
    if len(path) < 2:
        # An authority of ours presented as if it were a system's certificate is its own path.
        raise ChainBroken(certificate.issuer.rfc4514_string(), "a trust anchor is not an end entity")
    return tuple(path)


def _check_profiles(path: Sequence[x509.Certificate], now: datetime) -> None:
    """(3) Every rule of ``certs/checks.py`` for every certificate of the path."""
    for depth, certificate in enumerate(path):
        place = Place(now, authorities_below=depth - 1 if depth else None)
        if broken := violations(certificate, place):
            raise ProfileViolated(certificate.subject.rfc4514_string(), broken)


def _check_revocation(proven: _Proven, revocation: RevocationSource, now: datetime) -> Standing:
    """(4) Three answers; only good passes. For our own certificates the same question answers (6) too."""
    if proven.external is None:
        standing = revocation.standing(proven.certificate, proven.path[1], now)
    else:
        standing = proven.external.standing(proven.path, now)
    serial = serial_text(proven.certificate.serial_number)
    if standing.status is Status.REVOKED:
        raise Revoked(serial, standing.reason, standing.since)
    if standing.status is not Status.GOOD:
        raise RevocationUnknown(serial, standing.reason)
    return standing


def _read_identity(proven: _Proven) -> Name:
    """(5) Exactly one name, in exactly the spelling that issuing writes; of an external authority, one it may name."""
    if len(proven.uris) != 1:
        raise NoIdentity(proven.uris)
    try:
        name = parse_uri(proven.uris[0])
    except ValueError as error:
        raise NoIdentity(proven.uris) from error
    external = proven.external
    if external is not None and not (isinstance(name, SystemName) and name.agency in external.agencies):
        raise NotVouchable(name.urn, external.name, external.agencies)
    return name


def _check_active(name: Name, holder: str) -> None:
    """(6) A good certificate of a suspended system, or of one nobody registered, opens nothing."""
    if holder != "active":
        raise NotActive(name.urn, holder)


def _identity(name: Name, proven: _Proven, grace: str) -> Identity:
    certificate = proven.certificate
    return Identity(
        urn=name.urn,
        agency=name.agency,
        system=name.system if isinstance(name, SystemName) else "",
        person=name.person if isinstance(name, PersonName) else "",
        duty=name.duty if isinstance(name, PersonName) else "",
        serial=serial_text(certificate.serial_number),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        not_after=certificate.not_valid_after_utc,
        authority=proven.external.name if proven.external else "",
        grace=grace,
    )


def serial_text(serial: int) -> str:
    """A serial number as it is written everywhere here: 40 lower-case hexadecimal digits (20 octets)."""
    return f"{serial:040x}"
