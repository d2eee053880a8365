"""Whose key a signature names: a certificate that verifies as on a connection, or a key that was registered.

Registered keys are how SM2 and Ed25519 keys are believed: no TLS connection shows them. A security
administrator vouches for whose they are, and every act on one is an entry of the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, RowMapping, insert, or_, select, update

from certs.errors import UNREADABLE, KeyUnusable, NotTrusted
from certs.layout import Files
from certs.names import SystemName
from certs.revocation import HOLD, REASONS
from certs.signed.proof import FindKey, KeyHint, SignatureKeyRefused, Signer
from certs.suites import certificate_key, read_public_key, read_public_pem
from certs.trust import TrustFile
from certs.verify import Identity, verify
from connectors.errors import Refused
from gateway.audit import Action, append
from gateway.audit.registers import rows_told
from gateway.certificates import GOOD, REVOKED, RegistrySource
from gateway.certificates_holders import ACTIVE, holder_status
from gateway.certificates_tables import certificates
from gateway.clock import instant
from gateway.settings import Settings
from gateway.signatures.tables import signing_keys

LIFETIME = timedelta(days=365)
"""How long a registered key is believed that brought no certificate to say it."""


def finder(conn: Connection, settings: Settings, now: datetime) -> FindKey:
    """Find the key a signature names, as it stands now; for one request or one delivery."""

    def find(hint: KeyHint) -> Signer:
        found = _registered(conn, hint, now) or _certified(conn, hint, settings.home, now)
        if found is None:
            raise _refused(
                f"没有登记密钥 {'、'.join(hint.ids) or '（未注明）'}",
                f"no key {', '.join(hint.ids) or '(none named)'} is known",
                hint,
            )
        if found.key.algorithm.name not in settings.accepted_algorithms:
            raise _refused(
                f"不接受算法 {found.key.algorithm.name}（见设置 suite 与 accepted_suites）",
                f"algorithm {found.key.algorithm.name} is not accepted here (settings suite, accepted_suites)",
                hint,
            )
        return found

    return find


def register_key(conn: Connection, name: SystemName, pem: bytes, actor: str, now: datetime) -> str:
    """Register a system's signing key: a public key, or a certificate whose key and validity are taken.

    Args:
        pem: of the key or certificate.

    Returns:
        the key's id, which is the ``keyid`` of signatures.

    Raises:
        Refused: the system is not registered or not active, or the key is registered already.
        certs.errors.KeyUnusable: damaged, or of no suite.
    """
    if holder_status(conn, name.urn) != ACTIVE:
        raise Refused(f"{name.urn} 未登记或已暂停。", f"{name.urn} is not registered or suspended", urn=name.urn)
    key = read_public_pem(pem)
    key_id = hashlib.sha256(key.spki()).hexdigest()
    if conn.scalar(select(signing_keys.c.id).where(signing_keys.c.id == key_id)):
        raise Refused(f"密钥 {key_id} 已登记。", f"key {key_id} is registered already", key_id=key_id)
    fingerprint, begins, ends = _certificate_facts(pem, now)
    conn.execute(
        insert(signing_keys).values(
            id=key_id,
            certificate=fingerprint,
            urn=name.urn,
            agency=name.agency,
            algorithm=key.algorithm.name,
            spki=key.spki(),
            not_before=instant(begins),
            not_after=instant(ends),
            status=GOOD,
            reason="",
            status_at=instant(now),
        )
    )
    facts = {"key_id": key_id, "holder": name.urn, "algorithm": key.algorithm.name, "not_after": instant(ends)}
    told = rows_told(conn, (signing_keys, key_id))
    append(conn, Action.SIGNING_KEY_REGISTERED, actor, {**facts, **told}, now)
    return key_id


def revoke_key(conn: Connection, key_id: str, reason: str, actor: str, now: datetime) -> None:
    """Believe a registered key no longer, from the next signature on.

    Args:
        reason: a key of ``certs.revocation.REASONS`` other than ``certificate_hold``.

    Raises:
        Refused: no good key of this id, or no such reason.
    """
    if reason not in REASONS or reason == HOLD:
        known = sorted(set(REASONS) - {HOLD})
        raise Refused(f"吊销原因应为 {known} 之一，实为 {reason!r}。", f"expected a reason of {known}, got {reason!r}")
    changed = conn.execute(
        update(signing_keys)
        .where(signing_keys.c.id == key_id, signing_keys.c.status == GOOD)
        .values(status=REVOKED, reason=reason, status_at=instant(now))
    )
    if changed.rowcount != 1:
        raise Refused(f"没有有效的签名密钥 {key_id}。", f"no good signing key {key_id}", key_id=key_id)
    facts = {"key_id": key_id, "reason": reason, **rows_told(conn, (signing_keys, key_id))}
    append(conn, Action.SIGNING_KEY_REVOKED, actor, facts, now)


def key_rows(conn: Connection) -> Sequence[RowMapping]:
    """Every registered key without its bytes, by holder."""
    shown = [column for column in signing_keys.c if column.name != "spki"]
    return conn.execute(select(*shown).order_by(signing_keys.c.urn, signing_keys.c.not_before)).mappings().all()


def _registered(conn: Connection, hint: KeyHint, now: datetime) -> Signer | None:
    ids = set(hint.ids)
    if hint.certificate is not None:
        try:
            ids.add(hashlib.sha256(certificate_key(hint.certificate).spki()).hexdigest())
        except KeyUnusable as error:
            raise _refused(f"证书中的密钥无法使用：{error.zh}", f"the certificate's key: {error.en}", hint) from error
    c = signing_keys.c
    row = conn.execute(select(signing_keys).where(or_(c.id.in_(ids), c.certificate.in_(ids)))).mappings().first()
    if row is None:
        return None
    if row["status"] != GOOD:
        raise _refused(
            f"密钥 {row['id']} 已吊销（{row['reason']}）", f"key {row['id']} is revoked ({row['reason']})", hint
        )
    if not row["not_before"] <= instant(now) <= row["not_after"]:
        raise _refused(
            f"密钥 {row['id']} 的有效期为 {row['not_before']} 至 {row['not_after']}",
            f"key {row['id']} is valid from {row['not_before']} to {row['not_after']}",
            hint,
        )
    if (status := holder_status(conn, row["urn"])) != ACTIVE:
        raise _refused(f"{row['urn']} 当前为 {status}", f"{row['urn']} is {status}", hint)
    return Signer(read_public_key(row["spki"]), row["id"], row["urn"], row["agency"])


def _certified(conn: Connection, hint: KeyHint, home: Path, now: datetime) -> Signer | None:
    der = _known_certificate(conn, hint.ids) or hint.certificate
    if der is None:
        return None
    try:
        # The six steps of a connection, so that what is revoked or suspended there signs nothing here either.
        who: Identity = verify([der], _trust(Files(home / "pki").trust).current(), RegistrySource(conn), now)
    except NotTrusted as error:
        raise _refused(f"证书未获信任：{error.zh}", f"the certificate is not trusted: {error.en}", hint) from error
    if who.is_person:
        raise _refused(f"{who.urn} 是人员，不是系统", f"{who.urn} is a person, not a system", hint)
    return Signer(certificate_key(der), who.serial, who.urn, who.agency)


def _known_certificate(conn: Connection, ids: Sequence[str]) -> bytes | None:
    c = certificates.c
    pem = conn.scalar(select(c.pem).where(or_(c.serial.in_(ids), c.fingerprint.in_(ids))).limit(1))
    return x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER) if pem else None


@cache
def _trust(path: Path) -> TrustFile:
    return TrustFile(path)


def _certificate_facts(pem: bytes, now: datetime) -> tuple[str | None, datetime, datetime]:
    if b"CERTIFICATE" not in pem:
        return None, now, now + LIFETIME
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except UNREADABLE as error:
        raise KeyUnusable(f"证书无法读取：{error}。", f"the certificate cannot be read: {error}") from error
    fingerprint = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    return fingerprint, certificate.not_valid_before_utc, certificate.not_valid_after_utc


def _refused(zh: str, en: str, hint: KeyHint) -> SignatureKeyRefused:
    return SignatureKeyRefused(
        f"签名密钥不被接受：{zh}。", f"the key of the signature is not accepted: {en}", named=list(hint.ids)
    )
