"""The sandbox's control port: lets another process ask an endpoint to misbehave, or a day to pass."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from connectors.sandbox.misbehave import KINDS
from connectors.sandbox.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Controlled(Protocol):
    """What the control port can ask for."""

    control_token: str
    world: World

    def misbehave(self, endpoint: str, how: str | None) -> None:
        """Let an endpoint misbehave; None ends it."""

    def advance(self) -> None:
        """Move one day."""


def control_application(sandbox: Controlled) -> WSGIApplication:
    """``POST /control/misbehave {"endpoint": …, "how": …|null}`` and ``POST /control/advance``; bearer token."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return _answer(Request(environ), sandbox)(environ, start_response)

    return application


def _answer(request: Request, sandbox: Controlled) -> Response:
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(token.encode(), sandbox.control_token.encode()):
        return _json(401, error="wrong or missing control token")
    try:
        if request.method == "POST" and request.path == "/control/misbehave":
            asked = request.get_json()
            sandbox.misbehave(asked["endpoint"], asked.get("how"))
            return _json(200, endpoint=asked["endpoint"], how=asked.get("how"))
        if request.method == "POST" and request.path == "/control/advance":
            sandbox.advance()
            return _json(200, today=sandbox.world.today.isoformat(), day=sandbox.world.day)
    except (ValueError, KeyError, TypeError, AttributeError, HTTPException) as error:
        return _json(400, error=str(error), kinds=sorted(KINDS))
    return _json(404, error=f"no such control: {request.method} {request.path}")


def _json(status: int, **content: object) -> Response:
    return Response(json.dumps(content, ensure_ascii=False), status, content_type="application/json")
