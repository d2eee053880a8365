"""``/v1/erasures``: one person asks for the erasure of somebody's data, another approves."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from gateway.access.duties import Act, require
from gateway.api.blueprint import Blueprint
from gateway.api.callers import context
from gateway.api.shapes import ErasureShape, Reason
from gateway.certificates_holders import administrators
from gateway.erasure import erasing, requests

blueprint = Blueprint("erasures", __name__, url_prefix="/v1", description="删除个人信息 · erasing personal data")


@blueprint.get("/erasures")
@blueprint.response(200)
def list_erasures() -> Response:
    """删除申请列表 · What was asked for, without values; administrators of an agency see what their agency asked."""
    asked = context()
    agency = require(asked, Act.SEE_ERASURES).agency
    with asked.store.read() as conn:
        found = requests.list_erasures(conn, asked_by=administrators(conn, agency) if agency else None)
    return jsonify({"erasures": found})


@blueprint.post("/erasures")
@blueprint.arguments(ErasureShape)
@blueprint.response(201)
def ask(said: dict[str, Any]) -> Response:
    """申请删除 · Ask for one person's data to be erased; another person must approve."""
    asked = context()
    by = require(asked, Act.ASK_ERASURE)
    with asked.store.write() as conn:
        made = requests.ask(conn, asked.sealer, requests.Wanted(**said), by.urn, asked.now)
    answer = jsonify(made)
    answer.status_code = 201
    return answer


@blueprint.post("/erasures/<erasure_id>/approval")
@blueprint.response(200)
def approve(erasure_id: str) -> Response:
    """批准并删除 · Approve; it is done at once, and the answer says what it came to."""
    asked = context()
    by = require(asked, Act.ERASE)
    return jsonify(erasing.approve(asked.store, erasure_id, by.urn, asked.now))


@blueprint.post("/erasures/<erasure_id>/refusal")
@blueprint.arguments(Reason)
@blueprint.response(200)
def refuse(said: dict[str, Any], erasure_id: str) -> Response:
    """拒绝删除 · Refuse, with the reason."""
    asked = context()
    by = require(asked, Act.ERASE)
    with asked.store.write() as conn:
        return jsonify(requests.refuse(conn, erasure_id, said["reason"], by.urn, asked.now))
