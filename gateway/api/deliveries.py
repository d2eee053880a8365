"""``/v1/sources/…/deliveries`` and what came of it: ``/v1/deliveries``, ``/v1/receipts``, ``/v1/rejections``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from flask import Response, jsonify, request
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.http import parse_options_header

from certs.signed import http
from gateway.access import deliveries
from gateway.access.context import Context
from gateway.access.errors import Invalid
from gateway.access.uploads import Upload, deliver_upload, own_source
from gateway.api import signatures
from gateway.api.blueprint import Blueprint
from gateway.api.callers import context
from gateway.api.reads import header_text
from gateway.api.shapes import MAX_ID, Correction, DeliveryQuery, Reason, Receipt, RejectionQuery

blueprint = Blueprint("deliveries", __name__, url_prefix="/v1", description="报送 · handing over")

CHUNK_BYTES = 256 * 1024
SIGNATURE = "signature"
"""Name of the form field with a detached signature (``x.csv.jws``, ``x.csv.p7s``) beside the file."""
MAX_SIGNATURE_BYTES = 256 * 1024

MEDIA_TYPES = frozenset(
    {
        "application/json",
        "application/octet-stream",
        "application/vnd.ms-excel",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/x-ndjson",
        "application/x-zip-compressed",
        "application/xml",
        "application/zip",
        "multipart/form-data",
        "text/csv",
        "text/plain",
        "text/xml",
    }
)
"""What may be uploaded. What the bytes really are is found out when they are decoded."""


@blueprint.post("/sources/<agency>/<source>/deliveries")
@blueprint.response(201, Receipt)
@blueprint.alt_response(200, schema=Receipt, description="the same bytes again: the first receipt", success=True)
@blueprint.doc(
    requestBody={
        "required": True,
        "content": {
            name: {"schema": {"type": "string", "format": "binary"}}
            for name in sorted(MEDIA_TYPES - {"multipart/form-data"})
        },
    },
    parameters=[
        {
            "in": "header",
            "name": "X-File-Name",
            "schema": {"type": "string"},
            "description": "name of the file, percent-encoded UTF-8; a label only",
        }
    ],
)
def deliver(agency: str, source: str) -> Response:
    """报送一个文件 · Deliver one file of a source of your own agency."""
    asked = context()
    media_type = request.mimetype
    if media_type not in MEDIA_TYPES:
        raise UnsupportedMediaType
    # Before the body is read: who may not deliver is told so at once.
    spec = own_source(asked, f"{agency}/{source}")
    if media_type == "multipart/form-data":
        upload = _from_form(spec.source, asked)
    else:
        signature = signatures.of_request(asked)
        upload = Upload(spec.source, _stated_name(), media_type, _chunks(request.stream), signature)
    done = deliver_upload(asked, upload)
    answer = jsonify(done.receipt)
    answer.status_code = 200 if done.is_repeat else 201
    answer.headers["Location"] = f"/v1/deliveries/{done.receipt['delivery_id']}"
    return answer


@blueprint.get("/deliveries")
@blueprint.arguments(DeliveryQuery, location="query")
@blueprint.response(200)
def list_deliveries(asked: dict[str, Any]) -> Response:
    """本单位报送列表 · Deliveries of your own agency, the newest first."""
    return jsonify({"deliveries": deliveries.own_deliveries(context(), **asked)})


@blueprint.get("/deliveries/<delivery_id>")
@blueprint.response(200, Receipt)
def read_delivery(delivery_id: str) -> Response:
    """回执 · The receipt of a delivery with its proof; or where it stands."""
    return jsonify(deliveries.own_receipt(context(), delivery_id))


@blueprint.get("/receipts/<delivery_id>")
@blueprint.response(200, Receipt)
def read_receipt(delivery_id: str) -> Response:
    """回执 · The same receipt, as a file to keep."""
    answer = jsonify(deliveries.own_receipt(context(), delivery_id))
    answer.headers.set("Content-Disposition", "attachment", filename=f"receipt-{delivery_id}.json")
    return answer


@blueprint.get("/deliveries/<delivery_id>/rejections")
@blueprint.arguments(RejectionQuery, location="query")
@blueprint.response(200)
def list_rejections(asked: dict[str, Any], delivery_id: str) -> Response:
    """隔离行 · Quarantined rows of a delivery, each with every fault."""
    return jsonify({"rejections": deliveries.own_rejections(context(), delivery_id, **asked)})


@blueprint.post(f"/rejections/<int(max={MAX_ID}):rejection_id>/correction")
@blueprint.arguments(Correction)
@blueprint.response(200, Receipt)
def correct(asked: dict[str, Any], rejection_id: int) -> Response:
    """更正隔离行 · Land a quarantined row with corrected values."""
    return jsonify(deliveries.correct_rejection(context(), rejection_id, asked["values"]))


@blueprint.post(f"/rejections/<int(max={MAX_ID}):rejection_id>/dismissal")
@blueprint.arguments(Reason)
@blueprint.response(204)
def dismiss(asked: dict[str, Any], rejection_id: int) -> Response:
    """驳回隔离行 · Close a quarantined row without landing it."""
    deliveries.dismiss_rejection(context(), rejection_id, asked["reason"])
    return Response(status=204)


def _from_form(source: str, asked: Context) -> Upload:
    files = [file for name, file in request.files.items(multi=True) if name != SIGNATURE]
    beside = request.files.getlist(SIGNATURE)
    if len(files) != 1 or len(beside) > 1:
        raise Invalid(
            f"multipart 请求应恰含一个文件，另可含一个名为 {SIGNATURE} 的签名文件；"
            f"实有 {len(files)} 与 {len(beside)} 个。",
            f"A multipart request must hold exactly one file and at most one more named {SIGNATURE}, "
            f"it holds {len(files)} and {len(beside)}.",
        )
    if http.is_signed(signatures.as_sent(request.environ).headers):
        raise Invalid(
            "带 HTTP 消息签名的请求须以文件本身为正文，不得用 multipart。",
            "A request with an HTTP message signature has the file itself as its body, not a multipart form.",
        )
    file = files[0]
    signature = None
    if beside:
        signature = signatures.of_file(asked, beside[0].filename or "", beside[0].read(MAX_SIGNATURE_BYTES))
    media_type = file.mimetype or "application/octet-stream"
    return Upload(source, file.filename or "", media_type, _chunks(file.stream), signature)


def _stated_name() -> str:
    if stated := header_text("X-File-Name"):
        return stated
    _, options = parse_options_header(request.headers.get("Content-Disposition"))
    return str(options.get("filename", ""))


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk
