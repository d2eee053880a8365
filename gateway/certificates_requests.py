"""Requests for certificates: a system makes its own key, its CSR waits, a security administrator decides.

``waiting`` → ``approved`` → ``issued``, or ``refused``, or ``withdrawn``. Who may do which step is the faces'
business (``gateway/access/certificate_requests.py``); every step is a row changed and an audit entry in one
transaction.

Proof of possession: the CSR is signed with the key that it asks to have certified (RFC 2986, 3; RFC 4211, 4.1).
That says nothing of *whose* key it is. For that the administrator compares the fingerprint of the key with what
the agency says on another way, and names it when approving.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, insert, select, update

from certs.authority import Authority, Issued
from certs.csr import check_csr, key_sha256
from certs.names import Name, parse_uri
from certs.verify import serial_text
from connectors.errors import Refused
from gateway.access.errors import Conflict, NotFound
from gateway.audit import Action, append
from gateway.audit.registers import rows_told
from gateway.certificates import check_key, issue_certificate
from gateway.certificates_holders import ACTIVE, holder_status, register
from gateway.certificates_tables import certificate_requests as table
from gateway.clock import instant

WAITING, APPROVED, ISSUED, REFUSED, WITHDRAWN = "waiting", "approved", "issued", "refused", "withdrawn"

# What one agency may have waiting; more is a mistake or an attack on the person who must read them.
MAX_WAITING = 50


@dataclass(frozen=True)
class CertificateRequest:
    """A request as it stands; the fields are those of the table ``certificate_requests``."""

    id: str
    uri: str
    urn: str
    agency: str
    title: str
    csr: str
    key_sha256: str
    days: int | None
    status: str
    requested_by: str
    requested_at: str
    decided_by: str | None = None
    decided_at: str | None = None
    ground: str | None = None
    serial: str | None = None

    @property
    def name(self) -> Name:
        """Whose certificate it will be."""
        return parse_uri(self.uri)


def submit(
    conn: Connection,
    name: Name,
    csr: x509.CertificateSigningRequest,
    actor: str,
    now: datetime,
    title: str = "",
    days: int | None = None,
) -> CertificateRequest:
    """Store a CSR that a security administrator will decide on; the same one again gives the request it already is.

    Raises:
        certs.errors.RequestRefused: its signature does not hold, or its key is too weak.
        Refused: the key is another holder's, or was compromised; the holder is suspended; too many wait.
    """
    key = key_sha256(check_csr(csr))
    check_key(conn, key, name.urn)
    if holder_status(conn, name.urn) not in (None, ACTIVE):
        raise Refused(f"{name.urn} 已暂停，不能申请证书。", f"{name.urn} is suspended and may not apply", urn=name.urn)
    same = select(table).where(table.c.urn == name.urn, table.c.key_sha256 == key, table.c.status == WAITING)
    if known := conn.execute(same).mappings().one_or_none():
        return CertificateRequest(**known)
    _demand_room(conn, name.agency)
    made = CertificateRequest(
        id=f"q-{secrets.token_hex(8)}",
        uri=name.uri,
        urn=name.urn,
        agency=name.agency,
        title=title or name.urn,
        csr=csr.public_bytes(Encoding.PEM).decode(),
        key_sha256=key,
        days=days,
        status=WAITING,
        requested_by=actor,
        requested_at=instant(now),
    )
    conn.execute(insert(table).values(**asdict(made)))
    append(conn, Action.CERTIFICATE_REQUESTED, actor, _told(conn, made), now)
    return made


def approve(conn: Connection, request_id: str, key: str, actor: str, now: datetime) -> CertificateRequest:
    """Approve a waiting request; ``fulfil`` issues it.

    Args:
        key: fingerprint of the key as the agency said it on another way; blanks, colons and capitals do not matter.

    Raises:
        NotFound: no such request.
        Conflict: it is not waiting, or ``key`` is not its key.
        Refused: whoever asked may not decide on it, nor the person whose certificate it will be.
    """
    request = read_request(conn, request_id)
    if actor in (request.requested_by, request.urn) and actor.startswith("urn:"):
        raise Refused(
            f"{actor} 提出或持有该申请，须由另一位安全管理员批准。",
            f"{actor} made the request or will hold the certificate; another security administrator must approve it",
            request=request_id,
        )
    said = key.replace(":", "").replace(" ", "").lower()
    if said != request.key_sha256:
        raise Conflict(
            f"公钥指纹不符：申请 {request_id} 的公钥为 {request.key_sha256}，核对所得为 {said}；请向申请单位核实。",
            f"the key differs: request {request_id} is over key {request.key_sha256}, compared was {said}; "
            "ask the applicant",
            request=request_id,
        )
    _decide(conn, request_id, (WAITING,), APPROVED, actor, now)
    append(conn, Action.CERTIFICATE_APPROVED, actor, _told(conn, request), now)
    return read_request(conn, request_id)


def fulfil(
    conn: Connection, authority: Authority, request_id: str, actor: str, now: datetime
) -> tuple[CertificateRequest, Issued]:
    """Issue the certificate of an approved request; a holder that is new is registered with it.

    Raises:
        NotFound: no such request.
        Conflict: it is not approved.
        Refused: the holder was suspended meanwhile, or the key is not to be certified.
        certs.errors.RequestRefused: the CSR is not acceptable any more.
    """
    request = read_request(conn, request_id)
    _demand_status(request, (APPROVED,))
    name, csr = request.name, x509.load_pem_x509_csr(request.csr.encode())
    if holder_status(conn, name.urn) is None:
        register(conn, name, request.title, actor, now, brought_by=request.requested_by)
    lifetime = timedelta(days=request.days) if request.days else None
    issued = issue_certificate(conn, authority, name, actor, now, csr, lifetime)
    serial = serial_text(issued.certificate.serial_number)
    conn.execute(update(table).where(table.c.id == request_id).values(status=ISSUED, serial=serial))
    append(conn, Action.CERTIFICATE_FULFILLED, actor, _told(conn, request) | {"serial": serial}, now)
    return read_request(conn, request_id), issued


def refuse(conn: Connection, request_id: str, ground: str, actor: str, now: datetime) -> CertificateRequest:
    """Refuse a waiting request, with the ground; also an approved one that is not issued yet.

    Raises:
        NotFound: no such request.
        Conflict: it is decided.
    """
    _decide(conn, request_id, (WAITING, APPROVED), REFUSED, actor, now, ground)
    return _logged(conn, request_id, Action.CERTIFICATE_REFUSED, actor, now)


def withdraw(conn: Connection, request_id: str, actor: str, now: datetime) -> CertificateRequest:
    """Take back a request that is not issued yet.

    Raises:
        NotFound: no such request.
        Conflict: it is decided.
    """
    _decide(conn, request_id, (WAITING, APPROVED), WITHDRAWN, actor, now)
    return _logged(conn, request_id, Action.CERTIFICATE_WITHDRAWN, actor, now)


def read_request(conn: Connection, request_id: str) -> CertificateRequest:
    """One request.

    Raises:
        NotFound: there is none of that id.
    """
    row = conn.execute(select(table).where(table.c.id == request_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(
            f"没有编号为 {request_id} 的证书申请。", f"There is no certificate request {request_id}.", id=request_id
        )
    return CertificateRequest(**row)


def list_requests(
    conn: Connection, status: str | None = None, agency: str | None = None
) -> Sequence[CertificateRequest]:
    """Requests, the oldest first: who waits longest is decided first."""
    query = select(table).order_by(table.c.requested_at, table.c.id)
    if status is not None:
        query = query.where(table.c.status == status)
    if agency is not None:
        query = query.where(table.c.agency == agency)
    return [CertificateRequest(**row) for row in conn.execute(query).mappings()]


def _decide(
    conn: Connection, request_id: str, allowed: Sequence[str], status: str, actor: str, now: datetime, ground: str = ""
) -> None:
    # The condition stands in the UPDATE, so that of two people at once only one succeeds.
    changed = conn.execute(
        update(table)
        .where(table.c.id == request_id, table.c.status.in_(allowed))
        .values(status=status, decided_by=actor, decided_at=instant(now), ground=ground or None)
    )
    if changed.rowcount != 1:
        _demand_status(read_request(conn, request_id), allowed)


def _demand_status(request: CertificateRequest, allowed: Sequence[str]) -> None:
    if request.status not in allowed:
        raise Conflict(
            f"证书申请 {request.id} 当前为 {request.status}，应为 {list(allowed)} 之一。",
            f"Certificate request {request.id} is {request.status}, expected one of {list(allowed)}.",
            status=request.status,
        )


def _demand_room(conn: Connection, agency: str) -> None:
    waiting = len(list_requests(conn, WAITING, agency))
    if waiting >= MAX_WAITING:
        raise Refused(
            f"{agency or '人员'} 已有 {waiting} 件证书申请待批，上限 {MAX_WAITING}；请先处理或撤回。",
            f"{agency or 'people'} has {waiting} requests waiting, at most {MAX_WAITING}; "
            "have them decided or withdraw some",
            waiting=waiting,
        )


def _logged(conn: Connection, request_id: str, action: Action, actor: str, now: datetime) -> CertificateRequest:
    request = read_request(conn, request_id)
    append(conn, action, actor, _told(conn, request) | ({"ground": request.ground} if request.ground else {}), now)
    return request


def _told(conn: Connection, request: CertificateRequest) -> dict[str, object]:
    said = {"request": request.id, "holder": request.uri, "key_sha256": request.key_sha256}
    return said | rows_told(conn, (table, request.id))
