"""What may be done about certificates, and by whom: seen, renewed by their own system, closed, opened again.

Closing is easy and opening is not: a system may revoke its own certificate, an agency's administrator those of
the agency; only a security administrator makes good again what was suspended.
"""

from __future__ import annotations

from typing import Any

import structlog
from cryptography import x509
from sqlalchemy import func, select

from certs.authority import Authority, Issued
from certs.errors import KeyUnusable
from certs.names import PREFIX, SystemName
from gateway import certificates as registry
from gateway import certificates_holders as holders
from gateway.access.context import Context
from gateway.access.duties import Act, require
from gateway.access.errors import Conflict, Invalid, NotFound, NotYours
from gateway.certificates_publish import publish_crls
from gateway.certificates_tables import certificates
from gateway.clock import instant
from gateway.expiry import board

log = structlog.get_logger(__name__)

# A system that renews in a loop would fill the registry; three overlap at most in any sensible changeover.
MAX_GOOD = 5


def own_certificates(context: Context) -> list[dict[str, Any]]:
    """Certificates that the caller may see, the newest first, without their PEM: of its agency, or all."""
    shown = [c for c in certificates.c if c.name != "pem"]
    query = select(*shown).order_by(certificates.c.issued_at.desc(), certificates.c.serial)
    if (agency := visible_agency(context)) is not None:
        query = query.where(certificates.c.urn.startswith(f"{PREFIX}{agency}:", autoescape=True))
    with context.store.read() as conn:
        return [dict(row) for row in conn.execute(query).mappings()]


def own_holders(context: Context) -> list[dict[str, Any]]:
    """Systems, and people for those who see all of them, with their status."""
    agency = visible_agency(context)
    with context.store.read() as conn:
        return [row for row in holders.holder_rows(conn) if agency is None or row["agency"] == agency]


def own_expiries(context: Context, days: int) -> list[dict[str, object]]:
    """What stops working within so many days, the next first: of the caller's agency, or everything."""
    agency = visible_agency(context)
    with context.store.read() as conn:
        return [one.told(context.now) for one in board(conn, context.store.settings, context.now, days, agency)]


def renew(context: Context, authority: Authority, csr_pem: str) -> Issued:
    """A new certificate for the calling system itself, over the key of its request.

    The certificate it called with proves who it is and stays good until it ends, so that nothing stops
    while it changes over.

    Raises:
        Invalid: not a PEM signing request.
        NotYours: the caller is a person; people ask a security administrator. Or it came with a
            certificate of an external authority, whose revocation ours would outlive.
        Conflict: it has ``MAX_GOOD`` good certificates already.
        certs.errors.RequestRefused: its signature does not hold, or its key is too weak.
    """
    if context.caller.is_person:
        raise NotYours("个人证书由安全管理员签发。", "Certificates of people are issued by the security administrator.")
    if context.caller.authority:
        raise NotYours(
            f"证书由外部机构 {context.caller.authority} 签发，请向该机构更新。",
            f"Your certificate is of the external authority {context.caller.authority}; renew it there.",
        )
    name = SystemName(context.caller.agency, context.caller.system)
    csr = read_pem_csr(csr_pem)
    with context.store.write() as conn:
        good = _good_of(name.urn, context)
        if (count := conn.scalar(select(func.count()).select_from(good.subquery())) or 0) >= MAX_GOOD:
            raise Conflict(
                f"{name.urn} 已有 {count} 张有效证书，上限 {MAX_GOOD}；请先吊销不用的证书。",
                f"{name.urn} has {count} good certificates, at most {MAX_GOOD}; revoke those that are not used.",
                good=count,
            )
        return registry.issue_certificate(
            conn, authority, name, context.caller.urn, context.now, csr, replaces=context.caller.serial
        )


def revoke(context: Context, serial: str, reason: str) -> None:
    """Revoke for good; whoever may close may revoke.

    Raises:
        NotFound: no such certificate.
        WrongDuty: it is another agency's.
        Refused: unknown reason, or revoked already.
    """
    _may_close_certificate(context, serial)
    with context.store.write() as conn:
        registry.revoke(conn, serial, reason, context.caller.urn, context.now)
    publish(context)


def suspend(context: Context, serial: str) -> None:
    """Suspend until a security administrator lifts it or somebody revokes it.

    Raises:
        NotFound: no such certificate.
        WrongDuty: it is another agency's.
        Refused: not good now.
    """
    _may_close_certificate(context, serial)
    with context.store.write() as conn:
        registry.suspend(conn, serial, context.caller.urn, context.now)
    publish(context)


def lift(context: Context, serial: str) -> None:
    """Make a suspended certificate good again; security administrators only.

    Raises:
        WrongDuty: the caller has another duty.
        Refused: not suspended.
    """
    require(context, Act.CERTIFY)
    with context.store.write() as conn:
        registry.lift(conn, serial, context.caller.urn, context.now)
    publish(context)


def suspend_holder(context: Context, urn: str) -> None:
    """Close the door to a system or person, whatever certificates it holds.

    Raises:
        WrongDuty: it is another agency's.
        Refused: no such holder, or suspended already.
    """
    _may_close(context, urn)
    with context.store.write() as conn:
        holders.suspend_holder(conn, urn, context.caller.urn, context.now)


def resume_holder(context: Context, urn: str) -> None:
    """Open the door again; security administrators only, and nobody to himself.

    Raises:
        WrongDuty: the caller has another duty.
        Refused: not suspended.
    """
    require(context, Act.CERTIFY)
    with context.store.write() as conn:
        holders.resume_holder(conn, urn, context.caller.urn, context.now)


def read_pem_csr(text: str) -> x509.CertificateSigningRequest:
    """A signing request as callers send it.

    Raises:
        Invalid: not one.
    """
    try:
        return x509.load_pem_x509_csr(text.encode())
    except ValueError as error:
        raise Invalid(
            f"不是 PEM 格式的证书请求：{error}。",
            f"Not a PEM certificate signing request: {error}.",
            problems={"csr": str(error)},
        ) from error


def visible_agency(context: Context) -> str | None:
    """Whose certificates, holders and requests the caller sees: one agency's, or None for all.

    Raises:
        WrongDuty: a person whose duty is another.
    """
    caller = context.caller
    if caller.is_person:
        require(context, Act.SEE_CERTIFICATES)
    return caller.agency if caller.agency else None


def publish(context: Context) -> None:
    """Put the revocation lists out at once; without the key to sign them they come when somebody has it.

    Inside the gateway the act counts already: the registry is asked on every request.
    """
    try:
        publish_crls(context.store, context.now)
    except KeyUnusable as error:
        log.warning("revocation list is due, the key to sign it is not usable here", error=error.en)


def _may_close_certificate(context: Context, serial: str) -> None:
    with context.store.read() as conn:
        row = registry.certificate_row(conn, serial)
    if row is None:
        raise NotFound(
            f"没有序列号为 {serial} 的证书。", f"There is no certificate with serial {serial}.", serial=serial
        )
    _may_close(context, row["urn"])


def _may_close(context: Context, urn: str) -> None:
    """Security administrators everything; administrators the systems of their agency; a system itself."""
    if context.caller.is_person or urn != context.caller.urn:
        require(context, Act.CLOSE, agency=urn.removeprefix(PREFIX).partition(":")[0])


def _good_of(urn: str, context: Context) -> Any:
    c = certificates.c
    return select(c.serial).where(c.urn == urn, c.status == registry.GOOD, c.not_after > instant(context.now))
