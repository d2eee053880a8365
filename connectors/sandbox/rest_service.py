"""The REST agencies over HTTP: market supervision, agriculture, health and the credit platform, each in its own habits.

* market supervision: key in a header for the abnormal list; bearer token for complaints; numbered pages.
* agriculture: client certificate; pages by cursor.
* health: key in a header; result code as a number word; one page.
* credit platform: token *and* signed requests; every error inside an HTTP 200 with a code that is not ``00``.
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from connectors.sandbox.dirt import Dirt
from connectors.sandbox.rest_auth import DeniedError, Grant, Tokens, check_signature
from connectors.sandbox.rest_feeds import (
    ABNORMAL,
    BLACKLIST,
    CERTIFICATES,
    COMPLAINTS,
    FOODBORNE,
    REDLIST,
    REPAIRS,
    TRACE,
    Feed,
    Sender,
)
from connectors.sandbox.service import Service, State
from connectors.sandbox.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Answer = Callable[[Request], Response]

MARKET, AGRICULTURE, HEALTH, CREDIT = (
    "market_supervision_rest",
    "agriculture_rest",
    "health_rest",
    "credit_platform_rest",
)
MOST_ROWS = 1000
"""No agency gives more rows than this at once, whatever is asked for."""


def build(world: World, dirt: Dirt, state: State) -> list[Service]:
    """One service an agency, each with secrets of its own."""

    def sender(endpoint: str) -> Sender:
        return Sender(world, dirt, lambda: state.moods.of(endpoint))

    return [
        _market(sender(MARKET), state),
        Service(
            AGRICULTURE,
            "agriculture",
            application=_application(
                {
                    "GET /nyncj/hgz/certificates": _by_cursor(sender(AGRICULTURE), CERTIFICATES),
                    "GET /nyncj/trace/v2/events": _by_cursor(sender(AGRICULTURE), TRACE),
                }
            ),
            client_certificate=True,
        ),
        _health(sender(HEALTH), state),
        _credit(sender(CREDIT), state),
    ]


def _market(sender: Sender, state: State) -> Service:
    key, client_secret = secrets.token_hex(16), secrets.token_urlsafe(24)
    tokens = Tokens("xinqiao", client_secret, time.monotonic)

    def abnormal(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("X-Api-Key", ""), key):
            return _json({"status": 403, "message": "接口密钥错误"}, 403)
        rows, (number, size) = sender.rows(ABNORMAL), _numbered(request, "page", "size")
        result = {"total": len(rows), "page": number, "size": size, "list": sender.page(rows, number, size)}
        return _json({"status": 200, "message": "成功", "result": result})

    def complaints(request: Request) -> Response:
        try:
            tokens.check(request.headers.get("Authorization", "").removeprefix("Bearer "))
        except DeniedError as denied:
            return _unauthorized(denied)
        rows = sender.since(COMPLAINTS, request.args.get("updatedSince", ""))
        number, size = _numbered(request, "pageNo", "pageSize")
        return _json({"code": 0, "data": {"total": len(rows), "items": sender.page(rows, number, size)}})

    def token(request: Request) -> Response:
        try:
            return _json(_oauth(_granted(tokens, request)))
        except DeniedError as denied:
            return _json({"error": "invalid_client", "error_description": denied.text}, 401)

    application = _application(
        {
            "GET /gsxt/busexclist": abnormal,
            "GET /complaints/v1/search": complaints,
            "POST /oauth/token": token,
        }
    )
    entry = {
        "secrets": {
            "api_key": state.secret("market_supervision_api_key", key),
            "client_id": state.secret("market_supervision_client_id", "xinqiao"),
            "client_secret": state.secret("market_supervision_client_secret", client_secret),
        }
    }
    return Service(MARKET, "market_supervision", entry, application)


def _by_cursor(sender: Sender, feed: Feed) -> Answer:
    def answer(request: Request) -> Response:
        rows = sender.since(feed, request.args.get("since", ""))
        try:
            page, following = sender.after(feed, rows, request.args.get("cursor", ""), _size(request, "limit"))
        except ValueError:
            return _json({"error": "cursor无效"}, 400)
        return _json({"items": page, "next": following})

    return answer


def _health(sender: Sender, state: State) -> Service:
    key = secrets.token_hex(16)

    def events(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("accessKey", ""), key):
            return _json({"resultCode": "9001", "resultMsg": "accessKey无效", "data": None})
        rows = sender.since(FOODBORNE, request.args.get("updatedFrom", ""))
        return _json({"resultCode": "0", "resultMsg": "ok", "data": {"events": rows}})

    entry = {"secrets": {"access_key": state.secret("health_access_key", key)}}
    return Service(HEALTH, "health", entry, _application({"GET /wjw/foodborne/events": events}))


def _credit(sender: Sender, state: State) -> Service:
    app_key, app_secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    tokens = Tokens(app_key, app_secret, time.monotonic, lifetime_s=30.0)

    def listed(feed: Feed) -> Answer:
        def answer(request: Request) -> Response:
            arguments = dict(request.args.items())
            try:
                check_signature(app_key, app_secret, arguments, time.time())
                tokens.check(arguments.get("accessToken", ""))
            except DeniedError as denied:
                return _json({"code": denied.code, "msg": denied.text, "data": None})
            rows = sender.since(feed, arguments.get("beginTime", "")) if feed.changed else sender.rows(feed)
            page = sender.page(rows, *_numbered(request, "pageNo", "pageSize"))
            return _json({"code": "00", "msg": "success", "data": {"total": len(rows), "rows": page}})

        return answer

    def token(request: Request) -> Response:
        asked = request.get_json(silent=True) or {}
        try:
            grant = tokens.grant(str(asked.get("appKey", "")), str(asked.get("appSecret", "")))
        except DeniedError as denied:
            return _json({"code": denied.code, "msg": denied.text, "data": None})
        data = {"accessToken": grant.access, "expiresIn": grant.lifetime_s}
        return _json({"code": "00", "msg": "success", "data": data})

    routes = {
        "POST /ESBWeb/token": token,
        "GET /ESBWeb/servlets/heimingdan@1.0": listed(BLACKLIST),
        "GET /ESBWeb/servlets/hongmingdan@1.0": listed(REDLIST),
        "GET /ESBWeb/servlets/xinyongxiufu@1.0": listed(REPAIRS),
    }
    entry = {
        "secrets": {
            "app_key": state.secret("credit_app_key", app_key),
            "app_secret": state.secret("credit_app_secret", app_secret),
        }
    }
    return Service(CREDIT, "credit_platform", entry, _application(routes))


def _granted(tokens: Tokens, request: Request) -> Grant:
    if request.form.get("grant_type") == "refresh_token":
        return tokens.refresh(request.form.get("refresh_token", ""))
    return tokens.grant(request.form.get("client_id", ""), request.form.get("client_secret", ""))


def _oauth(grant: Grant) -> dict[str, object]:
    """RFC 6749, 5.1."""
    return {
        "access_token": grant.access,
        "token_type": "Bearer",
        "expires_in": int(grant.lifetime_s),
        "refresh_token": grant.refresh,
    }


def _unauthorized(denied: DeniedError) -> Response:
    """RFC 6750, 3."""
    response = _json({"code": int(denied.code), "message": denied.text}, 401)
    response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return response


def _numbered(request: Request, number: str, size: str) -> tuple[int, int]:
    return max(1, request.args.get(number, 1, int)), _size(request, size)


def _size(request: Request, name: str) -> int:
    return min(MOST_ROWS, max(1, request.args.get(name, 100, int)))


def _application(routes: Mapping[str, Answer]) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        answer = routes.get(f"{request.method} {request.path}")
        response = answer(request) if answer else _json({"error": "接口不存在"}, 404)
        return response(environ, start_response)

    return application


def _json(content: Mapping[str, object], status: int = 200) -> Response:
    return Response(json.dumps(content, ensure_ascii=False), status, content_type="application/json;charset=UTF-8")
