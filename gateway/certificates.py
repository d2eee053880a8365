"""The registry of certificates: every act on one is a row changed and an audit entry, in one transaction.

What a certificate looks like and whether it holds is ``certs``' business; publishing the state is
``gateway/certificates_publish.py``'s; who may hold one stands in ``gateway/certificates_holders.py``.
``RegistrySource`` is asked on every request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, RowMapping, Select, bindparam, func, insert, select, update

from certs.authority import Authority, Issued, issue, issue_responder, issue_server, key_id
from certs.csr import check_csr, key_sha256
from certs.names import Name, PersonName, SystemName
from certs.revocation import HOLD, KEY_COMPROMISE, REVOCATION_REASONS, Standing, Status
from certs.suites import spki_of
from certs.verify import serial_text
from connectors.errors import Refused
from gateway.audit import Action, append
from gateway.audit.registers import rows_told
from gateway.certificates_holders import ACTIVE, holder_status
from gateway.certificates_tables import certificate_keys, certificates, people, systems
from gateway.clock import instant, parse_instant

GOOD, SUSPENDED, REVOKED = "good", "suspended", "revoked"


def issue_certificate(
    conn: Connection,
    authority: Authority,
    name: Name,
    actor: str,
    now: datetime,
    csr: x509.CertificateSigningRequest | None = None,
    lifetime: timedelta | None = None,
    replaces: str = "",
) -> Issued:
    """Issue a client certificate to a registered, active system or person and enter it in the registry.

    Earlier certificates of the same holder stay good, so that it can change over without a gap.

    Args:
        replaces: serial of the certificate that this one renews; both are good until that one ends.

    Raises:
        Refused: the holder is not registered or not active, or is registered with another duty; the key of
            the CSR was certified for somebody else, or was compromised.
        certs.errors.RequestRefused: the CSR is not acceptable.
    """
    status = holder_status(conn, name.urn)
    if status != ACTIVE:
        raise Refused(
            f"{name.urn} 未登记或已暂停（状态 {status}），不能签发证书。",
            f"{name.urn} is not registered or suspended (status {status}), no certificate is issued",
            urn=name.urn,
            status=status,
        )
    if isinstance(name, PersonName):
        _demand_same_duty(conn, name)
    if csr is not None:
        check_key(conn, key_sha256(check_csr(csr)), name.urn)
    issued = issue(authority, name, now, csr, lifetime)
    record(conn, issued, "system" if isinstance(name, SystemName) else "person", name.urn, actor, now, replaces)
    return issued


def check_key(conn: Connection, key: str, urn: str) -> None:
    """One key speaks for one holder, and a key that may be in other hands for nobody.

    Args:
        key: as ``certs.csr.key_sha256`` gives it.

    Raises:
        Refused: the key was certified for another holder, or a certificate over it was revoked for key_compromise.
    """
    c = certificates.c
    joined = certificate_keys.join(certificates, c.serial == certificate_keys.c.serial)
    used = conn.execute(
        select(c.serial, c.urn, c.reason).select_from(joined).where(certificate_keys.c.key_sha256 == key)
    )
    for row in used:
        if row.urn != urn or row.reason == KEY_COMPROMISE:
            raise Refused(
                f"公钥 {key} 已用于证书 {row.serial}（{'密钥已泄露' if row.urn == urn else '属于其他持有者'}），"
                "请另行生成密钥。",
                f"key {key} is that of certificate {row.serial} "
                f"({'which was compromised' if row.urn == urn else 'of another holder'}); make a new key",
                key_sha256=key,
            )


def issue_server_certificate(
    conn: Connection,
    authority: Authority,
    hosts: Sequence[str],
    actor: str,
    now: datetime,
    csr: x509.CertificateSigningRequest | None = None,
    lifetime: timedelta | None = None,
) -> Issued:
    """Issue a server certificate for the hosts and enter it in the registry."""
    issued = issue_server(authority, hosts, now, csr, lifetime)
    record(conn, issued, "server", hosts[0], actor, now)
    return issued


def issue_responder_certificate(conn: Connection, authority: Authority, actor: str, now: datetime) -> Issued:
    """Issue a certificate for the gateway's OCSP responder and enter it in the registry."""
    issued = issue_responder(authority, now)
    record(conn, issued, "ocsp", "ocsp", actor, now)
    return issued


def record(
    conn: Connection, issued: Issued, profile: str, urn: str, actor: str, now: datetime, replaces: str = ""
) -> None:
    """Enter an issued certificate; a certificate that is not entered is refused as unknown."""
    certificate = issued.certificate
    serial = serial_text(certificate.serial_number)
    conn.execute(
        insert(certificates).values(
            serial=serial,
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
            issuer_key_id=key_id(issued.issuer),
            profile=profile,
            urn=urn,
            subject=certificate.subject.rfc4514_string(),
            not_before=instant(certificate.not_valid_before_utc),
            not_after=instant(certificate.not_valid_after_utc),
            status=GOOD,
            reason="",
            status_at=instant(now),
            issued_by=actor,
            issued_at=instant(now),
            pem=certificate.public_bytes(Encoding.PEM).decode(),
        )
    )
    # Not by its public key: `cryptography` gives none of an SM2 certificate.
    key = hashlib.sha256(spki_of(certificate.public_bytes(Encoding.DER))).hexdigest()
    conn.execute(insert(certificate_keys).values(serial=serial, key_sha256=key))
    facts = {
        "serial": serial,
        "profile": profile,
        "holder": urn,
        "key_sha256": key,
        **rows_told(conn, (certificates, serial)),
    }
    if replaces:
        append(conn, Action.CERTIFICATE_RENEWED, actor, facts | {"replaces": replaces}, now)
    else:
        append(conn, Action.CERTIFICATE_ISSUED, actor, facts, now)


def revoke(conn: Connection, serial: str, reason: str, actor: str, now: datetime) -> None:
    """Revoke a certificate for good; it is refused from the holder's next request on.

    Args:
        reason: one of ``certs.revocation.REVOCATION_REASONS``.

    Raises:
        Refused: unknown serial or reason, or revoked already.
    """
    if reason not in REVOCATION_REASONS:
        known = list(REVOCATION_REASONS)
        raise Refused(f"吊销原因应为 {known} 之一，实为 {reason!r}。", f"expected a reason of {known}, got {reason!r}")
    _change(conn, serial, (GOOD, SUSPENDED), REVOKED, reason, actor, now)


def suspend(conn: Connection, serial: str, actor: str, now: datetime) -> None:
    """Suspend a good certificate (certificateHold), until it is lifted or revoked.

    Raises:
        Refused: unknown serial, or not good now.
    """
    _change(conn, serial, (GOOD,), SUSPENDED, HOLD, actor, now)


def lift(conn: Connection, serial: str, actor: str, now: datetime) -> None:
    """Make a suspended certificate good again.

    Raises:
        Refused: unknown serial, or not suspended.
    """
    _change(conn, serial, (SUSPENDED,), GOOD, "", actor, now)


def certificate_row(conn: Connection, serial: str) -> RowMapping | None:
    """One certificate as the registry knows it; columns of ``certificates_tables.certificates``."""
    return conn.execute(select(certificates).where(certificates.c.serial == serial)).mappings().one_or_none()


def certificate_rows(conn: Connection, urn: str | None = None) -> Sequence[RowMapping]:
    """Every certificate, or those of one holder, the newest first."""
    chosen = select(certificates).order_by(certificates.c.issued_at.desc(), certificates.c.serial)
    if urn is not None:
        chosen = chosen.where(certificates.c.urn == urn)
    return conn.execute(chosen).mappings().all()


@dataclass(frozen=True)
class RegistrySource:
    """Answers from the registry, by one query on primary keys; made anew for every request's connection.

    Attributes:
        conn: of the request; nothing is remembered between requests, so an act counts at once.
    """

    conn: Connection

    def standing(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Standing:
        """How it stands. Unknown when the registry has another certificate, or none, under the serial."""
        found = self.by_serial(serial_text(certificate.serial_number))
        if found is None or found[0] != certificate.fingerprint(hashes.SHA256()).hex():
            return Standing(Status.UNKNOWN, "not in the registry")
        return found[1]

    def holder(self, urn: str) -> str:
        """Whether the system or person of that name is active, suspended or unregistered; for external authorities."""
        return holder_status(self.conn, urn) or "unregistered"

    def by_serial(self, serial: str) -> tuple[str, Standing] | None:
        """Fingerprint and standing of what is registered under a serial."""
        row = self.conn.execute(_STANDING, {"serial": serial}).one_or_none()
        if row is None:
            return None
        holder = row.holder or "unregistered"
        if row.status == GOOD:
            return row.fingerprint, Standing(Status.GOOD, holder=holder)
        return row.fingerprint, Standing(Status.REVOKED, row.reason, parse_instant(row.status_at), holder)


def _standing_query() -> Select[tuple[str, str, str, str, str | None]]:
    holder = func.coalesce(systems.c.status, people.c.status).label("holder")
    c = certificates.c
    joined = certificates.outerjoin(systems, systems.c.urn == c.urn).outerjoin(people, people.c.urn == c.urn)
    return (
        select(c.fingerprint, c.status, c.reason, c.status_at, holder)
        .select_from(joined)
        .where(c.serial == bindparam("serial"))
    )


_STANDING = _standing_query()


def _change(
    conn: Connection, serial: str, allowed: Sequence[str], status: str, reason: str, actor: str, now: datetime
) -> None:
    # The condition stands in the UPDATE, so that of two people at once only one succeeds.
    changed = conn.execute(
        update(certificates)
        .where(certificates.c.serial == serial, certificates.c.status.in_(allowed))
        .values(status=status, reason=reason, status_at=instant(now))
    )
    if changed.rowcount != 1:
        row = certificate_row(conn, serial)
        got = row["status"] if row else "unknown"
        raise Refused(
            f"证书 {serial} 当前为 {got}，应为 {list(allowed)} 之一。",
            f"certificate {serial} is {got}, expected one of {list(allowed)}",
            serial=serial,
            status=got,
        )
    facts = {"serial": serial, "reason": reason, **rows_told(conn, (certificates, serial))}
    append(conn, _ACTS[status], actor, facts, now)


_ACTS = {
    REVOKED: Action.CERTIFICATE_REVOKED,
    SUSPENDED: Action.CERTIFICATE_SUSPENDED,
    GOOD: Action.CERTIFICATE_RESUMED,
}


def _demand_same_duty(conn: Connection, name: PersonName) -> None:
    row = conn.execute(select(people.c.duty, people.c.agency).where(people.c.urn == name.urn)).one()
    if (row.duty, row.agency) != (name.duty, name.agency):
        raise Refused(
            f"{name.urn} 登记的职责为 {row.duty}，不能签发 {name.duty} 证书；三员职责不得兼任。",
            f"{name.urn} is registered as {row.duty}, not as {name.duty}; duties are kept apart",
            urn=name.urn,
        )
