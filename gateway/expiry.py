"""The expiry board: what stops working on which day, unless somebody acts before.

Certificates of systems, people, servers and authorities, lists of revocation, keys that sign deliveries, grants.
Read from the registry and from the files that are in use; nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeVar

from cryptography import x509
from sqlalchemy import Connection, select

from certs.authority import key_id, read_authority, read_certificate
from certs.external import FOLDER, read_externals
from certs.layout import Files
from certs.names import PREFIX
from certs.verify import serial_text
from gateway.access.tables import grants
from gateway.authorities import authority_files
from gateway.certificates import GOOD
from gateway.certificates_files import pki_files
from gateway.certificates_tables import certificates, revocation_lists
from gateway.clock import instant, parse_instant
from gateway.settings import Settings
from gateway.signatures.tables import signing_keys
from schemas.china_time import CHINA

_End = TypeVar("_End", str, date)

# What has ended and was not replaced stays on the board for so long: somebody may still wonder why it stands still.
SHOWN_AFTER_END = timedelta(days=30)


class Kind(StrEnum):
    """What ends, and what stops with it.

    Attributes:
        zh: what stops working, 简体中文.
        en: the same in English.
    """

    zh: str
    en: str

    def __new__(cls, value: str, zh: str, en: str) -> Kind:
        self = str.__new__(cls, value)
        self._value_, self.zh, self.en = value, zh, en
        return self

    SYSTEM = "system", "该系统无法连接网关", "the system cannot connect"
    PERSON = "person", "该人员无法登录", "the person cannot sign in"
    GATEWAY = "gateway", "所有客户端拒绝网关", "every client refuses the gateway"
    SERVER = "server", "客户端拒绝该服务器", "clients refuse that server"
    RESPONDER = "responder", "OCSP 由签发密钥应答，或无人应答", "OCSP is answered by the issuing key, or by nobody"
    ISSUING = "issuing", "该机构签发的证书全部失效", "every certificate of that authority fails"
    ROOT = "root", "全部证书失效", "every certificate fails"
    EXTERNAL = "external", "该外部机构的系统无法连接", "systems of that external authority cannot connect"
    CRL = "crl", "核对该吊销列表者拒绝其全部证书", "whoever checks that list refuses every certificate on it"
    SIGNING_KEY = "signing_key", "该密钥的签名不被接受", "signatures of that key are refused"
    SIGNER = (
        "signer",
        "网关签名证书到期；xinqiao init 换新",
        "the gateway's signing certificate ends; `xinqiao init` renews",
    )
    GRANT = "grant", "该系统不能再读取此类记录", "the system may not read these records any more"


_OF_PROFILE = {"system": Kind.SYSTEM, "person": Kind.PERSON, "server": Kind.SERVER, "signer": Kind.SIGNER}


@dataclass(frozen=True)
class Ending:
    """One thing that ends.

    Attributes:
        at: the instant from which it does not work, UTC.
        name: of the holder, authority, list or grant.
        id: serial number, key identifier or id, to act on.
        agency: whose it is; empty for the gateway's own.
        is_replaced: something newer of the same holder goes on working, so nothing stops.
    """

    kind: Kind
    at: datetime
    name: str
    id: str
    agency: str = ""
    is_replaced: bool = False

    def on(self) -> date:
        """The day in China on which it stops."""
        return self.at.astimezone(CHINA).date()

    def told(self, now: datetime) -> dict[str, object]:
        """For listings: with the days that are left, whole ones, negative when it has ended."""
        return {
            "on": self.on().isoformat(),
            "days_left": (self.on() - now.astimezone(CHINA).date()).days,
            "at": instant(self.at),
            "kind": self.kind.value,
            "name": self.name,
            "id": self.id,
            "agency": self.agency,
            "is_replaced": self.is_replaced,
            "stops_zh": self.kind.zh,
            "stops_en": self.kind.en,
        }


def board(conn: Connection, settings: Settings, now: datetime, days: int, agency: str | None = None) -> list[Ending]:
    """Everything that ends within so many days, the next first; and what has ended lately and was not replaced.

    Args:
        agency: only what is of this agency; None is everything, the gateway's own included.
    """
    until = now + timedelta(days=days)
    found: Iterable[Ending] = [*_held(conn, settings, now), *_signing(conn), *_granted(conn)]
    if agency is None:
        found = [*found, *_own(conn, settings, now)]
    chosen = [
        one
        for one in found
        if (agency is None or one.agency == agency)
        and (now <= one.at <= until or (now - SHOWN_AFTER_END <= one.at < now and not one.is_replaced))
    ]
    return sorted(chosen, key=lambda one: (one.at, one.kind, one.name, one.id))


def _held(conn: Connection, settings: Settings, now: datetime) -> Iterator[Ending]:
    """Certificates of the registry that are good; of the servers' the one that the gateway uses is told apart."""
    files, c = pki_files(settings), certificates.c
    own = serial_text(read_certificate(files.gateway).serial_number) if files.gateway.exists() else ""
    chosen = select(c.serial, c.urn, c.profile, c.not_after).where(
        c.status == GOOD, c.not_after > instant(now - SHOWN_AFTER_END), c.profile.in_(_OF_PROFILE)
    )
    rows = conn.execute(chosen).all()
    last = _last((row.urn, row.not_after) for row in rows)
    for row in rows:
        kind = Kind.GATEWAY if row.serial == own else _OF_PROFILE[row.profile]
        # What the gateway serves with is a file; a newer certificate in the registry does not replace it.
        is_replaced = kind is not Kind.GATEWAY and row.not_after < last[row.urn]
        at = parse_instant(row.not_after)
        yield Ending(kind, at, row.urn, row.serial, _agency(row.urn, row.profile), is_replaced)


def _granted(conn: Connection) -> Iterator[Ending]:
    c = grants.c
    rows = conn.execute(select(c.id, c.system_urn, c.record_type, c.valid_until).where(c.status == "active")).all()
    last = _last(((row.system_urn, row.record_type), row.valid_until) for row in rows)
    for row in rows:
        # The last day counts whole, in China; it stops with the next one.
        at = datetime.combine(row.valid_until + timedelta(days=1), time(), CHINA)
        is_replaced = row.valid_until < last[row.system_urn, row.record_type]
        name = f"{row.system_urn} {row.record_type}"
        yield Ending(Kind.GRANT, at, name, row.id, _agency(row.system_urn, "system"), is_replaced)


def _signing(conn: Connection) -> Iterator[Ending]:
    c = signing_keys.c
    # A key that came in a TLS certificate ends with it and is on the board as that.
    chosen = select(c.id, c.urn, c.agency, c.not_after).where(c.status == GOOD, c.certificate.is_(None))
    rows = conn.execute(chosen).all()
    last = _last((row.urn, row.not_after) for row in rows)
    for row in rows:
        at = parse_instant(row.not_after)
        yield Ending(Kind.SIGNING_KEY, at, row.urn, row.id, row.agency, row.not_after < last[row.urn])


def _own(conn: Connection, settings: Settings, now: datetime) -> Iterator[Ending]:
    """Authorities, their responders and lists, ours and those of others."""
    files = pki_files(settings)
    root = read_certificate(files.root)
    yield _of(Kind.ROOT, root)
    if files.root_crl.exists():
        ends = x509.load_pem_x509_crl(files.root_crl.read_bytes()).next_update_utc
        if ends is not None:
            yield Ending(Kind.CRL, ends, root.subject.rfc4514_string(), key_id(root))
    for one in authority_files(settings):
        yield from _of_authority(conn, one, now)
    for external in read_externals(files.home / FOLDER)[0]:
        for certificate in (*external.roots, *external.intermediates):
            yield Ending(
                Kind.EXTERNAL, certificate.not_valid_after_utc, external.name, serial_text(certificate.serial_number)
            )


def _of_authority(conn: Connection, files: Files, now: datetime) -> Iterator[Ending]:
    issuer = read_authority(files.home)
    yield _of(Kind.ISSUING, issuer)
    if files.responder.exists():
        yield _of(Kind.RESPONDER, read_certificate(files.responder))
    lists = revocation_lists.c
    ends = conn.scalar(select(lists.next_update).where(lists.issuer_key_id == key_id(issuer)))
    at = parse_instant(ends) if ends else now
    yield Ending(Kind.CRL, at, issuer.subject.rfc4514_string(), key_id(issuer))


def _of(kind: Kind, certificate: x509.Certificate) -> Ending:
    name = certificate.subject.rfc4514_string()
    return Ending(kind, certificate.not_valid_after_utc, name, serial_text(certificate.serial_number))


def _last(ends: Iterable[tuple[Hashable, _End]]) -> dict[Hashable, _End]:
    """The latest end of each holder."""
    last: dict[Hashable, _End] = {}
    for holder, end in ends:
        last[holder] = max(last.get(holder, end), end)
    return last


def _agency(urn: str, profile: str) -> str:
    return urn.removeprefix(PREFIX).partition(":")[0] if profile == "system" else ""


def stopping(endings: Sequence[Ending], now: datetime, days: int) -> list[Ending]:
    """Those of a board by which something really stops within so many days: nothing newer takes their place."""
    return [one for one in endings if not one.is_replaced and one.at <= now + timedelta(days=days)]
