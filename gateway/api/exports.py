"""``/v1/exports``: every current record of one type under a grant, as one file with a manifest."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from flask import Response, jsonify

from gateway.access import exports
from gateway.api.blueprint import Blueprint
from gateway.api.callers import context
from gateway.api.reads import PURPOSE_PARAMETER, purpose
from gateway.api.shapes import ExportShape

blueprint = Blueprint("exports", __name__, url_prefix="/v1", description="导出 · exports")


@blueprint.post("/exports")
@blueprint.arguments(ExportShape)
@blueprint.response(201)
@blueprint.doc(parameters=[PURPOSE_PARAMETER])
def make(said: dict[str, Any]) -> Response:
    """导出 · Every current record of one type that your grant lets through; gives the manifest with its proof."""
    answer = jsonify(exports.make_export(context(), said["record_type"], purpose()))
    answer.status_code = 201
    return answer


@blueprint.get("/exports")
@blueprint.response(200)
def list_exports() -> Response:
    """导出列表 · Manifests of the calling system's exports, the newest first."""
    return jsonify({"exports": exports.list_exports(context())})


@blueprint.get("/exports/<export_id>")
@blueprint.response(200)
def manifest(export_id: str) -> Response:
    """清单 · The manifest of an export with its proof, to be kept and verified like a receipt."""
    return jsonify(exports.manifest(context(), export_id))


@blueprint.get("/exports/<export_id>/records")
@blueprint.response(200, {"$ref": "#/components/schemas/Version"}, content_type=exports.MEDIA_TYPE)
@blueprint.doc(parameters=[PURPOSE_PARAMETER])
def records(export_id: str) -> Response:
    """导出文件 · The records of an export, one Version a line, for a day and while the grant holds."""
    row, pieces = exports.fetch(context(), export_id, purpose())
    answer = Response(pieces, mimetype=exports.MEDIA_TYPE)
    answer.content_length = row["manifest"]["size"]
    digest = b64encode(bytes.fromhex(row["manifest"]["sha256"])).decode()
    answer.headers["Content-Digest"] = f"sha-256=:{digest}:"
    return answer
