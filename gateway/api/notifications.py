"""``/v1/notifications``: the mailbox of the calling system, for what it was to be told and has not acknowledged."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from gateway.access.reads import reading_transaction
from gateway.api.blueprint import Blueprint
from gateway.api.callers import context
from gateway.api.reads import CURSOR_HEADER
from gateway.api.shapes import NotificationQuery
from gateway.notifications import outbox

blueprint = Blueprint("notifications", __name__, url_prefix="/v1", description="通知 · notifications")

_SHAPE = {
    "type": "object",
    "properties": {
        "notifications": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "kind", "created_at", "record_type"],
                "properties": {
                    "id": {"type": "string"},
                    "kind": {"enum": [outbox.CORRECTED, outbox.RAISED, outbox.UPHELD, outbox.REJECTED]},
                    "created_at": {"type": "string", "format": "date-time"},
                    "record_type": {"type": "string"},
                    "version": {"anyOf": [{"$ref": "#/components/schemas/Version"}, {"type": "null"}]},
                },
            },
        }
    },
}


@blueprint.get("/notifications")
@blueprint.arguments(NotificationQuery, location="query")
@blueprint.response(200, _SHAPE)
def list_notifications(asked: dict[str, Any]) -> Response:
    """通知列表 · What the calling system was to be told and has not acknowledged, oldest first."""
    caller = context()
    # Its own count of requests is spent; what was corrected is told even if the records of the day are used up.
    with reading_transaction(caller, {"read": "notifications"}, []) as (conn, _):
        found, next_after = outbox.mailbox(
            conn, caller.caller.urn, caller.sealer, caller.now, asked["after"], asked["limit"]
        )
    answer = Response(b'{"notifications":[' + b",".join(found) + b"]}", mimetype="application/json")
    answer.headers[CURSOR_HEADER] = str(next_after)
    return answer


@blueprint.post("/notifications/<notification_id>/acknowledgement")
@blueprint.response(200)
def acknowledge(notification_id: str) -> Response:
    """确认通知 · Take one out of the mailbox; once more changes nothing."""
    caller = context()
    with caller.store.write() as conn:
        return jsonify(outbox.acknowledge(conn, caller.caller.urn, notification_id, caller.now))
