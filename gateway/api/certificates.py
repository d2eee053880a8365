"""``/v1/certificates``, ``/v1/certificate-requests``, ``/v1/holders``: from the CSR to the end of a certificate."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import structlog
from flask import Response, jsonify

from certs.errors import KeyUnusable
from certs.verify import serial_text
from gateway.access import certificate_requests as requests
from gateway.access import certificates
from gateway.access.context import Context
from gateway.access.errors import NotFound
from gateway.api.blueprint import Blueprint
from gateway.api.callers import context
from gateway.api.shapes import (
    Approval,
    CertificateRequest,
    ExpiryQuery,
    NewCertificateRequest,
    Reason,
    RequestQuery,
    Revocation,
)
from gateway.authorities import open_issuing
from gateway.certificates_publish import chain_of
from gateway.certificates_requests import CertificateRequest as Asked

log = structlog.get_logger(__name__)

blueprint = Blueprint("certificates", __name__, url_prefix="/v1", description="证书 · certificates")


@blueprint.get("/certificates")
@blueprint.response(200)
def list_certificates() -> Response:
    """证书列表 · Certificates of your agency, or all for those whose duty it is; the newest first."""
    return jsonify({"certificates": certificates.own_certificates(context())})


@blueprint.post("/certificates")
@blueprint.arguments(CertificateRequest)
@blueprint.response(201)
def renew(said: dict[str, Any]) -> Response:
    """更新证书 · A new certificate for the calling system over a new key of its own."""
    asked = context()
    issued = certificates.renew(asked, open_issuing(asked.store.settings), said["csr"])
    answer = jsonify({"serial": serial_text(issued.certificate.serial_number), "pem": issued.pem.decode()})
    answer.status_code = 201
    return answer


@blueprint.post("/certificates/<serial>/revocation")
@blueprint.arguments(Revocation)
@blueprint.response(200)
def revoke(said: dict[str, Any], serial: str) -> Response:
    """吊销证书 · Revoke for good, with a reason of RFC 5280."""
    certificates.revoke(context(), _serial(serial), said["reason"])
    return jsonify({"serial": _serial(serial), "status": "revoked", "reason": said["reason"]})


@blueprint.post("/certificates/<serial>/suspension")
@blueprint.response(200)
def suspend(serial: str) -> Response:
    """暂停证书 · Suspend until a security administrator lifts it."""
    certificates.suspend(context(), _serial(serial))
    return jsonify({"serial": _serial(serial), "status": "suspended"})


@blueprint.post("/certificates/<serial>/resumption")
@blueprint.response(200)
def lift(serial: str) -> Response:
    """恢复证书 · Lift a suspension; security administrators only."""
    certificates.lift(context(), _serial(serial))
    return jsonify({"serial": _serial(serial), "status": "good"})


@blueprint.get("/expiries")
@blueprint.arguments(ExpiryQuery, location="query")
@blueprint.response(200)
def list_expiries(query: dict[str, Any]) -> Response:
    """到期一览 · What stops working on which day: of your agency, or everything for those whose duty it is."""
    return jsonify({"expiries": certificates.own_expiries(context(), query["days"])})


@blueprint.get("/holders")
@blueprint.response(200)
def list_holders() -> Response:
    """持有者列表 · Systems of your agency with their status; people too for those whose duty it is."""
    return jsonify({"holders": certificates.own_holders(context())})


@blueprint.post("/holders/<urn>/suspension")
@blueprint.response(200)
def suspend_holder(urn: str) -> Response:
    """暂停持有者 · Close the door to a system or person, whatever certificates it holds."""
    certificates.suspend_holder(context(), urn)
    return jsonify({"urn": urn, "status": "suspended"})


@blueprint.post("/holders/<urn>/resumption")
@blueprint.response(200)
def resume_holder(urn: str) -> Response:
    """恢复持有者 · Open the door again; security administrators only."""
    certificates.resume_holder(context(), urn)
    return jsonify({"urn": urn, "status": "active"})


@blueprint.get("/certificate-requests")
@blueprint.arguments(RequestQuery, location="query")
@blueprint.response(200)
def list_requests(query: dict[str, Any]) -> Response:
    """证书申请列表 · Requests of your agency, or all for those whose duty it is; the oldest first."""
    return jsonify({"requests": [asdict(one) for one in requests.listed(context(), query["status"])]})


@blueprint.post("/certificate-requests")
@blueprint.arguments(NewCertificateRequest)
@blueprint.response(201)
def submit(said: dict[str, Any]) -> Response:
    """申请证书 · Bring the CSR of a system that has no certificate yet; a security administrator decides."""
    made = requests.submit(context(), said["holder"], said["csr"], said["title"], said["days"])
    answer = jsonify(asdict(made))
    answer.status_code = 201
    return answer


@blueprint.get("/certificate-requests/<request_id>")
@blueprint.response(200)
def read_request(request_id: str) -> Response:
    """证书申请 · One request; once it is issued with the certificate, ``pem``."""
    return _told(context(), requests.found(context(), request_id))


@blueprint.post("/certificate-requests/<request_id>/approval")
@blueprint.arguments(Approval)
@blueprint.response(200)
def approve(said: dict[str, Any], request_id: str) -> Response:
    """批准证书申请 · Approve, naming the key's fingerprint; the certificate is issued if the issuing key is at hand."""
    asked = context()
    approved = requests.approve(asked, request_id, said["key_sha256"])
    try:
        approved = requests.issue(asked, open_issuing(asked.store.settings), request_id)
    except KeyUnusable as error:
        # An issuing key that is not kept with the gateway: the operator issues what was approved.
        log.warning("approved, the issuing key is not usable here", request=request_id, error=error.en)
    return _told(asked, approved)


@blueprint.post("/certificate-requests/<request_id>/refusal")
@blueprint.arguments(Reason)
@blueprint.response(200)
def refuse(said: dict[str, Any], request_id: str) -> Response:
    """拒绝证书申请 · Refuse, with the ground."""
    return _told(context(), requests.refuse(context(), request_id, said["reason"]))


@blueprint.post("/certificate-requests/<request_id>/withdrawal")
@blueprint.response(200)
def withdraw(request_id: str) -> Response:
    """撤回证书申请 · Take a request back."""
    return _told(context(), requests.withdraw(context(), request_id))


def _told(asked: Context, request: Asked) -> Response:
    answer: dict[str, Any] = asdict(request)
    if request.serial:
        with asked.store.read() as conn:
            answer["pem"] = chain_of(conn, asked.store.settings, request.serial).decode()
    return jsonify(answer)


def _serial(text: str) -> str:
    """A serial in the registry's form, however it is spelt.

    Raises:
        NotFound: not a serial number.
    """
    try:
        return serial_text(int(text.replace(":", ""), 16))
    except ValueError as error:
        raise NotFound(f"没有序列号为 {text} 的证书。", f"There is no certificate with serial {text}.") from error
