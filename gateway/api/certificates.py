"""``/v1/certificates``: what an agency sees of its certificates, and renewal by the system itself."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from certs.authority import open_authority
from certs.verify import serial_text
from gateway.access import certificates
from gateway.api.blueprint import Blueprint
from gateway.api.callers import context
from gateway.api.shapes import CertificateRequest
from gateway.certificates_publish import pki_files

blueprint = Blueprint("certificates", __name__, url_prefix="/v1", description="证书 · certificates")


@blueprint.get("/certificates")
@blueprint.response(200)
def list_certificates() -> Response:
    """证书列表 · Certificates of your agency, the newest first."""
    return jsonify({"certificates": certificates.own_certificates(context())})


@blueprint.post("/certificates")
@blueprint.arguments(CertificateRequest)
@blueprint.response(201)
def renew(said: dict[str, Any]) -> Response:
    """更新证书 · A new certificate for the calling system over a new key of its own."""
    asked = context()
    authority = open_authority(pki_files(asked.store.settings).home)
    issued = certificates.renew(asked, authority, said["csr"])
    answer = jsonify({"serial": serial_text(issued.certificate.serial_number), "pem": issued.pem.decode()})
    answer.status_code = 201
    return answer
