"""What the world is told about certificates: the revocation list, OCSP answers, and the files of an installation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, insert, select, update

from certs import ocsp
from certs.authority import Authority, create, key_id, open_authority, read_authority
from certs.errors import KeyUnusable
from certs.keys import save_key, write_whole
from certs.layout import Files
from certs.revocation import CrlEntry, Standing, Status, build_crl
from certs.verify import serial_text
from connectors.errors import Refused
from gateway.audit import Action, append
from gateway.authorities import authority_files, files_of, open_issuing, responders
from gateway.certificates import (
    GOOD,
    RegistrySource,
    certificate_row,
    issue_responder_certificate,
    issue_server_certificate,
)
from gateway.certificates_files import pki_files
from gateway.certificates_tables import certificates, revocation_lists
from gateway.clock import instant, parse_instant
from gateway.passphrases import ca_passphrase, key_passphrase
from gateway.settings import Settings
from gateway.store import Store

log = structlog.get_logger(__name__)

CRL_LIFETIME = timedelta(days=7)
# RFC 5280, 3.3: an entry stays until it was on one list made after the certificate ended.
KEPT_AFTER_END = CRL_LIFETIME

DEFAULT_HOSTS = ("127.0.0.1", "localhost")

__all__ = [
    "CRL_LIFETIME",
    "DEFAULT_HOSTS",
    "chain_of",
    "crl_is_due",
    "current_crl",
    "latest_crl",
    "next_crl",
    "ocsp_answer",
    "pki_files",
    "prepare",
    "publish_crl",
    "publish_crls",
    "renew_gateway",
    "renew_responder",
    "write_crl",
]


def prepare(store: Store, now: datetime, actor: str, hosts: Sequence[str] = DEFAULT_HOSTS) -> Authority:
    """Make what a new installation needs: the authority, the gateway's own certificate, the first list.

    What exists already is left as it is, so it may be called again.
    """
    files = pki_files(store.settings)
    if not files.root.exists():
        create(files.home, now, passphrase=ca_passphrase(store.settings))
    authority = open_issuing(store.settings)
    if not files.gateway.exists():
        renew_gateway(store, authority, hosts, actor, now)
    with store.read() as conn:
        listed = latest_crl(conn, authority)
    if listed is None:
        record_authority(store, authority, actor, now)
    if listed is None or not files.crl.exists():
        publish_crl(store, authority, now)
    return authority


def record_authority(store: Store, authority: Authority, actor: str, now: datetime) -> None:
    """Write into the log which authority issues from now on, and under which root."""
    facts = {
        "key_id": key_id(authority.certificate),
        "subject": authority.certificate.subject.rfc4514_string(),
        "not_after": instant(authority.certificate.not_valid_after_utc),
        "root_sha256": authority.root.fingerprint(hashes.SHA256()).hex(),
    }
    with store.write() as conn:
        append(conn, Action.AUTHORITY_INSTALLED, actor, facts, now)


def renew_gateway(store: Store, authority: Authority, hosts: Sequence[str], actor: str, now: datetime) -> None:
    """Give the gateway's server a new key and certificate; a running gateway takes them up by itself."""
    files = pki_files(store.settings)
    with store.write() as conn:
        issued = issue_server_certificate(conn, authority, hosts, actor, now)
    if issued.key is None:
        raise AssertionError("a key is made when no CSR is given")
    save_key(files.gateway_key, issued.key, key_passphrase(store.settings))
    write_whole(files.gateway, issued.pem)


def renew_responder(store: Store, authority: Authority, actor: str, now: datetime) -> x509.Certificate:
    """Give the OCSP responder a new key and certificate, so that it answers without the issuing key."""
    files = files_of(store.settings, key_id(authority.certificate))
    with store.write() as conn:
        issued = issue_responder_certificate(conn, authority, actor, now)
    if issued.key is None:
        raise AssertionError("a key is made when no CSR is given")
    # The certificate last: until then the one before answers, or the authority itself.
    files.responder.unlink(missing_ok=True)
    save_key(files.responder_key, issued.key, key_passphrase(store.settings))
    write_whole(files.responder, issued.certificate.public_bytes(Encoding.PEM))
    return issued.certificate


def chain_of(conn: Connection, settings: Settings, serial: str) -> bytes:
    """A registered certificate followed by its issuer's, PEM.

    Raises:
        certs.errors.AuthorityMissing: its authority was retired.
        Refused: there is no certificate of this serial.
    """
    row = certificate_row(conn, serial)
    if row is None:
        raise Refused(f"没有序列号为 {serial} 的证书。", f"there is no certificate with serial {serial}", serial=serial)
    issuer = read_authority(files_of(settings, row["issuer_key_id"]).home)
    return bytes(row["pem"].encode() + issuer.public_bytes(Encoding.PEM))


def publish_crls(store: Store, now: datetime) -> list[x509.CertificateRevocationList]:
    """Make and write the next list of every authority whose certificates count.

    Raises:
        certs.errors.KeyUnusable: a key that signs one is not to be opened here; those before are published.
    """
    passphrase = ca_passphrase(store.settings)
    opened = (open_authority(files.home, passphrase) for files in authority_files(store.settings))
    return [publish_crl(store, authority, now) for authority in opened]


def publish_crl(store: Store, authority: Authority, now: datetime) -> x509.CertificateRevocationList:
    """Make the next list, keep it in the store, and write the files after it is durable."""
    with store.write() as conn:
        crl = next_crl(conn, authority, now)
    write_crl(files_of(store.settings, key_id(authority.certificate)), crl)
    return crl


def write_crl(files: Files, crl: x509.CertificateRevocationList) -> None:
    """Write the list as files, PEM and DER, for those who fetch it as a file."""
    write_whole(files.crl, crl.public_bytes(Encoding.PEM))
    write_whole(files.crl.with_name("issuing.crl"), crl.public_bytes(Encoding.DER))


def next_crl(conn: Connection, authority: Authority, now: datetime) -> x509.CertificateRevocationList:
    """Make the next list of the authority from the registry and keep it in place of the one before.

    It covers ``CRL_LIFETIME`` from ``now``; its number is one more than that of the list before.
    """
    issuer = key_id(authority.certificate)
    this, mine = now.replace(microsecond=0), revocation_lists.c.issuer_key_id == issuer
    # The row is locked before the registry is read: of two at once the second sees what the first did.
    before = conn.scalar(select(revocation_lists.c.number).where(mine).with_for_update())
    number = (before or 0) + 1
    crl = build_crl(
        authority.certificate, authority.key, _entries(conn, issuer, now), number, this, this + CRL_LIFETIME
    )
    row = {
        "number": number,
        "this_update": instant(this),
        "next_update": instant(this + CRL_LIFETIME),
        "der": crl.public_bytes(Encoding.DER),
    }
    if before is None:
        conn.execute(insert(revocation_lists).values(issuer_key_id=issuer, **row))
    else:
        conn.execute(update(revocation_lists).where(mine).values(**row))
    return crl


def latest_crl(conn: Connection, authority: Authority | x509.Certificate) -> bytes | None:
    """The newest list of the authority, DER (application/pkix-crl, RFC 5280, 4.2.1.13); None before the first."""
    issuer = _key_id(authority)
    return conn.scalar(select(revocation_lists.c.der).where(revocation_lists.c.issuer_key_id == issuer))


def current_crl(store: Store, now: datetime, identifier: str | None = None) -> bytes:
    """The list to hand out now, DER: the newest, or the next one if that is due.

    The key is opened only when a list is made. A key that cannot be opened here keeps the newest
    list in use, which says itself until when it counts; the warning is for who holds the passphrase.

    Args:
        identifier: key identifier of the authority; None is the one that issues.

    Raises:
        certs.errors.AuthorityMissing, certs.errors.KeyUnusable: there is no list yet and none can be made.
    """
    files = pki_files(store.settings) if identifier is None else files_of(store.settings, identifier)
    issuer = read_authority(files.home)
    with store.read() as conn:
        newest, due = latest_crl(conn, issuer), crl_is_due(conn, issuer, now)
    if newest is not None and not due:
        return newest
    try:
        authority = open_authority(files.home, ca_passphrase(store.settings))
    except KeyUnusable as error:
        if newest is None:
            raise
        log.warning("revocation list is due, the key to sign it is not usable here", error=error.en)
        return newest
    return publish_crl(store, authority, now).public_bytes(Encoding.DER)


def crl_is_due(conn: Connection, authority: Authority | x509.Certificate, now: datetime) -> bool:
    """Whether half of the newest list's time is over, so that a new one should be published."""
    issuer = _key_id(authority)
    ends = conn.scalar(select(revocation_lists.c.next_update).where(revocation_lists.c.issuer_key_id == issuer))
    return ends is None or parse_instant(ends) - now < CRL_LIFETIME / 2


def ocsp_answer(conn: Connection, settings: Settings, request: bytes, now: datetime) -> bytes:
    """Answer an OCSP request (application/ocsp-request → application/ocsp-response) from the registry."""

    def standing(issuer: x509.Certificate, serial: int) -> Standing:
        row = conn.execute(
            select(certificates.c.serial).where(
                certificates.c.serial == serial_text(serial), certificates.c.issuer_key_id == key_id(issuer)
            )
        ).one_or_none()
        found = RegistrySource(conn).by_serial(row.serial) if row else None
        return found[1] if found else Standing(Status.UNKNOWN)

    return ocsp.respond(request, responders(settings, now), standing, now.replace(microsecond=0))


def _key_id(authority: Authority | x509.Certificate) -> str:
    return key_id(authority.certificate if isinstance(authority, Authority) else authority)


def _entries(conn: Connection, issuer_key_id: str, now: datetime) -> list[CrlEntry]:
    c = certificates.c
    rows = conn.execute(
        select(c.serial, c.status_at, c.reason)
        .where(c.issuer_key_id == issuer_key_id, c.status != GOOD, c.not_after > instant(now - KEPT_AFTER_END))
        .order_by(c.serial)
    )
    return [
        CrlEntry(int(row.serial, 16), parse_instant(row.status_at).replace(microsecond=0), row.reason) for row in rows
    ]
