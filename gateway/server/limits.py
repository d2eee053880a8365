"""The limit on request bodies, in front of every application: stated too large, or growing too large."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any, cast

from werkzeug.exceptions import RequestEntityTooLarge

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PROBLEM = {
    "type": "urn:xinqiao:problem:too_large",
    "title": "Content Too Large",
    "status": 413,
    "code": "too_large",
}


class LimitedBody:
    """A request body that refuses to give more than its limit.

    Raises:
        werkzeug.exceptions.RequestEntityTooLarge: while reading, as soon as one byte more than the
            limit was there; the application renders it like every other error of a request.
    """

    def __init__(self, body: IO[bytes], limit: int) -> None:
        self._body, self._limit, self._given = body, limit, 0

    def read(self, size: int | None = -1) -> bytes:
        """Up to ``size`` bytes; all of the rest if negative or None."""
        return self._count(self._body.read(self._at_most(size)))

    def readline(self, size: int | None = -1) -> bytes:
        """One line, or ``size`` bytes of it."""
        return self._count(self._body.readline(self._at_most(size)))

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """The rest as lines; the hint is not needed, as the rest is limited."""
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def _at_most(self, size: int | None) -> int:
        # One byte more than allowed is asked for, to learn that it is there; never the whole of it.
        left = self._limit - self._given + 1
        return left if size is None or size < 0 else min(size, left)

    def _count(self, content: bytes) -> bytes:
        self._given += len(content)
        if self._given > self._limit:
            raise RequestEntityTooLarge
        return content


def limit_body(application: WSGIApplication, limit: int) -> WSGIApplication:
    """Put the limit before an application.

    A request that states a larger Content-Length is answered 413 without reading any of it; see
    ``end_oversized`` for what becomes of its connection. One that states nothing is cut off at the limit.

    Args:
        limit: bytes; the largest body that passes.
    """

    def limited(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if int(environ.get("CONTENT_LENGTH") or 0) > limit:
            return _refuse(start_response, limit)
        environ["wsgi.input"] = LimitedBody(cast("IO[bytes]", environ["wsgi.input"]), limit)
        return application(environ, start_response)

    return cast("Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]", limited)


def end_oversized(limit: int) -> Callable[[object, Any], None]:
    """A gunicorn ``pre_request`` hook: the connection of a request that is stated too large ends after the answer.

    Its body is still on the way and would have to be read to find the next request behind it.
    gunicorn does not let an application say ``Connection: close``, so it is said here.
    """

    def mark(worker: object, request: Any) -> None:
        stated = [value for name, value in request.headers if name == "CONTENT-LENGTH"]
        if any(int(value) > limit for value in stated):
            request.must_close = True

    return mark


def _refuse(start_response: StartResponse, limit: int) -> Iterable[bytes]:
    zh = f"请求正文超过上限 {limit} 字节；请拆分后再报送。"
    en = f"the request's body is over the limit of {limit} bytes; send it in parts"
    document = PROBLEM | {"detail": f"{zh} / {en}", "zh": zh, "en": en, "details": {"limit_bytes": limit}}
    body = json.dumps(document, ensure_ascii=False).encode()
    headers = [("Content-Type", "application/problem+json"), ("Content-Length", str(len(body)))]
    start_response("413 Content Too Large", headers)
    return [body]
