"""``/v1/quotas``: what each system may do and has done of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Response, jsonify

from gateway.access import quotas
from gateway.access.deciding import registered_system
from gateway.access.duties import Act, require
from gateway.api.blueprint import Blueprint
from gateway.api.callers import context
from gateway.api.shapes import QuotaShape

blueprint = Blueprint("quotas", __name__, url_prefix="/v1", description="配额 · quotas")


@blueprint.get("/quotas")
@blueprint.response(200)
def list_quotas() -> Response:
    """配额 · Quotas of your agency's systems with what is used of each; all for the security duty."""
    asked = context()
    if not asked.caller.agency:
        require(asked, Act.SEE_GRANTS)
    with asked.store.read() as conn:
        found = quotas.list_quotas(conn, asked.caller.agency or None, asked.store.settings, asked.now)
    return jsonify({"quotas": found})


@blueprint.post("/quotas")
@blueprint.arguments(QuotaShape)
@blueprint.response(200)
def set_quota(said: dict[str, Any]) -> Response:
    """设置配额 · Give a system a quota of its own; the security duty's."""
    asked = context()
    require(asked, Act.SET_QUOTA)
    urn = registered_system(asked.store, said.pop("system"))
    quota = quotas.Quota(**said)
    with asked.store.write() as conn:
        quotas.set_quota(conn, urn, quota, asked.caller.urn, asked.now)
    return jsonify({"system": urn, **asdict(quota)})
