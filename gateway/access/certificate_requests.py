"""Requests for certificates as faces let them be made and decided.

A system that has no certificate yet cannot come itself: its agency's administrator brings the CSR, authenticated
by a certificate of his own, or the operator takes it from a file. A security administrator brings it for new people;
who has a certificate asks for the next one himself, and somebody else decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from certs.authority import Authority
from certs.names import PERSON, Name, PersonName, SystemName, parse_uri
from gateway import certificates_requests as requests
from gateway.access.certificates import read_pem_csr, visible_agency
from gateway.access.context import Context
from gateway.access.duties import Act, require
from gateway.access.errors import Invalid, NotFound
from gateway.certificates_requests import CertificateRequest


def submit(context: Context, uri: str, csr_pem: str, title: str, days: int | None) -> CertificateRequest:
    """Bring a CSR for a system of one's own agency or for oneself, or as security administrator for anybody.

    Raises:
        Invalid: the name or the CSR cannot be read.
        WrongDuty: the name is of another agency, or the caller is a system.
        certs.errors.RequestRefused: the CSR's signature does not hold, or its key is too weak.
        Refused: the key is another holder's; the holder is suspended; too many wait.
    """
    name, csr = _read_name(uri), read_pem_csr(csr_pem)
    _may_bring(context, name)
    with context.store.write() as conn:
        return requests.submit(conn, name, csr, context.caller.urn, context.now, title, days)


def listed(context: Context, status: str | None) -> Sequence[CertificateRequest]:
    """Requests that the caller may see, the oldest first."""
    with context.store.read() as conn:
        return requests.list_requests(conn, status, visible_agency(context))


def found(context: Context, request_id: str) -> CertificateRequest:
    """One request that the caller may see.

    Raises:
        NotFound: no such request, or of another agency.
    """
    with context.store.read() as conn:
        request = requests.read_request(conn, request_id)
    if request.requested_by == context.caller.urn:
        return request
    agency = visible_agency(context)
    if agency is not None and request.agency != agency:
        raise NotFound(f"没有编号为 {request_id} 的证书申请。", f"There is no certificate request {request_id}.")
    return request


def approve(context: Context, request_id: str, key_sha256: str) -> CertificateRequest:
    """Approve as security administrator; ``issue`` follows, now or when the issuing key is at hand.

    Raises:
        WrongDuty: the caller has another duty.
        NotFound, Conflict, Refused: as ``certificates_requests.approve``.
    """
    require(context, Act.CERTIFY)
    with context.store.write() as conn:
        return requests.approve(conn, request_id, key_sha256, context.caller.urn, context.now)


def issue(context: Context, authority: Authority, request_id: str) -> CertificateRequest:
    """Issue the certificate of an approved request.

    Raises:
        WrongDuty: the caller is no security administrator.
        NotFound, Conflict, Refused, certs.errors.RequestRefused: as ``certificates_requests.fulfil``.
    """
    require(context, Act.CERTIFY)
    with context.store.write() as conn:
        return requests.fulfil(conn, authority, request_id, context.caller.urn, context.now)[0]


def refuse(context: Context, request_id: str, ground: str) -> CertificateRequest:
    """Refuse as security administrator, with the ground.

    Raises:
        WrongDuty: the caller has another duty.
        NotFound, Conflict: as ``certificates_requests.refuse``.
    """
    require(context, Act.CERTIFY)
    with context.store.write() as conn:
        return requests.refuse(conn, request_id, ground, context.caller.urn, context.now)


def withdraw(context: Context, request_id: str) -> CertificateRequest:
    """Take back a request of one's own agency.

    Raises:
        NotFound: no such request, or of another agency.
        WrongDuty: the caller may not bring one for this name either.
        Conflict: it is decided.
    """
    _may_bring(context, found(context, request_id).name)
    with context.store.write() as conn:
        return requests.withdraw(conn, request_id, context.caller.urn, context.now)


def _may_bring(context: Context, name: Name) -> None:
    # A person renews by asking; a new one is brought by a security administrator, as no agency is called "person".
    caller = context.caller
    if caller.is_person and name == PersonName(caller.person, caller.duty, caller.agency):
        return
    require(context, Act.REQUEST_CERTIFICATE, agency=name.agency if isinstance(name, SystemName) else PERSON)


def _read_name(uri: str) -> SystemName | PersonName:
    try:
        return parse_uri(uri)
    except ValueError as error:
        raise Invalid(
            f"持有者名称无法识别：{error}。", f"Not a name of a holder: {error}.", problems={"holder": str(error)}
        ) from error
