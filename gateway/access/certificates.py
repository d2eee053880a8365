"""What an agency may do about its own certificates: see them, and change to a new key before one ends."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from sqlalchemy import select

from certs.authority import Authority, Issued
from certs.names import SystemName
from gateway.access.context import Context
from gateway.access.errors import Invalid, NotYours
from gateway.certificates import issue_certificate
from gateway.certificates_tables import certificates


def own_certificates(context: Context) -> list[dict[str, Any]]:
    """Certificates of the caller's agency, the newest first, without their PEM."""
    shown = [c for c in certificates.c if c.name != "pem"]
    query = (
        select(*shown)
        .where(certificates.c.urn.startswith(f"urn:xinqiao:{context.caller.agency}:", autoescape=True))
        .order_by(certificates.c.issued_at.desc(), certificates.c.serial)
    )
    with context.store.read() as conn:
        return [dict(row) for row in conn.execute(query).mappings()]


def renew(context: Context, authority: Authority, csr_pem: str) -> Issued:
    """A new certificate for the calling system itself, over the key of its request.

    The certificate it called with stays good until it ends, so that nothing stops while it changes over.

    Raises:
        Invalid: not a PEM signing request.
        NotYours: the caller is a person; people are issued certificates by the security administrator.
        certs.errors.RequestRefused: its signature does not hold, or its key is too weak.
    """
    if context.caller.is_person:
        raise NotYours("个人证书由安全管理员签发。", "Certificates of people are issued by the security administrator.")
    try:
        csr = x509.load_pem_x509_csr(csr_pem.encode())
    except ValueError as error:
        raise Invalid(
            f"不是 PEM 格式的证书请求：{error}。",
            f"Not a PEM certificate signing request: {error}.",
            problems={"csr": str(error)},
        ) from error
    name = SystemName(context.caller.agency, context.caller.system)
    with context.store.write() as conn:
        return issue_certificate(conn, authority, name, context.caller.urn, context.now, csr)
