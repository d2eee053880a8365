"""The one place that turns an error into what a caller is told: RFC 9457 problem documents, in two languages.

The SOAP face asks the same table for the code and sentences of its faults. What nobody
foresaw is told as ``internal`` with the request's id; the trace is in our log, never in the answer.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast

import structlog
from flask import Flask, Response, g, request
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from certs.errors import CertsError, KeyUnusable, NotTrusted
from connectors.errors import (
    ExpectationFailed,
    Refused,
    SignatureRefused,
    SourceChanged,
    Unavailable,
    Undecodable,
    XinqiaoError,
)
from gateway.access.errors import Busy, Conflict, Invalid, NotFound, NotGranted, NotYours, QuotaExceeded

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

TYPE = "urn:xinqiao:problem:"
"""Prefix of the ``type`` of every problem document; the stable code follows."""

_STATUS: dict[type[Exception], int] = {
    NotTrusted: 401,
    KeyUnusable: 500,
    CertsError: 422,
    NotGranted: 403,
    NotYours: 403,
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    QuotaExceeded: 429,
    Busy: 429,
    Unavailable: 503,
    Undecodable: 422,
    SourceChanged: 422,
    ExpectationFailed: 422,
    SignatureRefused: 422,
    Refused: 409,
    XinqiaoError: 500,
}
"""The status of each kind of error; the nearest class in its method resolution order counts."""

_SAID: dict[int, tuple[str, str, str]] = {
    400: ("bad_request", "请求无法读懂。", "The request cannot be read."),
    404: ("not_found", "没有这个地址。", "There is nothing at this address."),
    405: ("method_not_allowed", "此地址不支持该方法。", "This address does not support the method."),
    406: ("not_acceptable", "无法按所要求的格式应答。", "There is no answer in the format asked for."),
    408: ("timed_out", "请求正文未在时限内送达。", "The body did not arrive in time."),
    411: ("length_required", "请求须注明正文长度。", "The request must state the length of its body."),
    413: (
        "too_large",
        "请求正文超过允许的大小；请拆分后再报送。",
        "The body is larger than allowed; send it in parts.",
    ),
    414: ("address_too_long", "地址过长。", "The address is too long."),
    415: ("unsupported_media_type", "不接受这种内容类型。", "This media type is not accepted here."),
    422: ("invalid", "请求参数不符合接口约定。", "The request's arguments contradict the contract of this address."),
    429: ("too_many_requests", "请求过于频繁。", "Too many requests."),
}

_INTERNAL = (
    "internal",
    "网关内部错误，已记录；请凭请求编号联系管理员。",
    "An internal error; it is recorded. Quote the request id to the administrator.",
)


@dataclass(frozen=True)
class Problem:
    """What a caller is told.

    Attributes:
        status: HTTP status.
        code: stable; programs decide by it.
        zh: one sentence in 简体中文.
        en: the same in English.
        details: machine-readable facts; part of the document.
    """

    status: int
    code: str
    zh: str
    en: str
    details: Mapping[str, object] = field(default_factory=dict)

    def document(self, instance: str, request_id: str) -> dict[str, object]:
        """The members of RFC 9457, 3.1, then ours."""
        return {
            "type": TYPE + self.code,
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": f"{self.zh} / {self.en}",
            "instance": instance,
            "code": self.code,
            "zh": self.zh,
            "en": self.en,
            "request_id": request_id,
            **({"details": dict(self.details)} if self.details else {}),
        }


def problem_of(error: Exception) -> Problem:
    """What to tell about an error; what is not known by name is ``internal`` and goes to the log."""
    match error:
        case XinqiaoError() | CertsError():
            return Problem(status_of(type(error)), error.code, error.zh, error.en, error.details)
        case HTTPException(code=int(status)) if status < 500:
            return _of_http(error, status)
        case OperationalError():
            # The database is away or busy beyond its time-out: the same request may succeed later.
            log.error("database unavailable", request_id=request_id(), exc_info=error)
            return Problem(
                503, "unavailable", "数据库暂不可用，请稍后重试。", "The database is unavailable; try again."
            )
        case _:
            log.error("request failed", request_id=request_id(), path=request.path, exc_info=error)
            return Problem(500, *_INTERNAL)


def status_of(kind: type[Exception]) -> int:
    """The HTTP status for a class of error."""
    return next((_STATUS[base] for base in kind.__mro__ if base in _STATUS), 500)


def _of_http(error: HTTPException, status: int) -> Problem:
    code, zh, en = _SAID.get(status, ("refused", "请求被拒绝。", "The request was refused."))
    # webargs leaves marshmallow's messages here: {"query": {"limit": ["Not a valid integer."]}}.
    messages = getattr(error, "data", {}).get("messages") if isinstance(getattr(error, "data", None), dict) else None
    return Problem(status, code, zh, en, {"problems": messages} if messages else {})


def render(problem: Problem) -> Response:
    """The problem document as an answer."""
    document = problem.document(request.path, request_id())
    answer = Response(json.dumps(document, ensure_ascii=False, default=str), problem.status, mimetype=MEDIA_TYPE)
    if problem.status == 401:
        # RFC 9110, 11.6.1 wants a challenge; the scheme says that the TLS client certificate is meant.
        answer.headers["WWW-Authenticate"] = 'ClientCertificate realm="xinqiao"'
    if problem.status in (429, 503):
        answer.headers["Retry-After"] = str(problem.details.get("retry_after_s", 5))
    return answer


def request_id() -> str:
    """The id of this request, in its answer's header, in problem documents and in our log."""
    if "request_id" not in g:
        g.request_id = uuid.uuid4().hex
    return cast(str, g.request_id)


def explain(error: Exception) -> Response:
    """An error as an answer; every error of the application leaves through here."""
    answer = render(problem_of(error))
    if isinstance(error, MethodNotAllowed):
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return answer


def register(app: Flask) -> None:
    """Make every error of the application leave as a problem document, and every answer name its request."""

    def stamp(answer: Response) -> Response:
        answer.headers["Xinqiao-Request"] = request_id()
        return answer

    app.register_error_handler(Exception, explain)
    app.after_request(stamp)
