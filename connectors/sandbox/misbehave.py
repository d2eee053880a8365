"""How the sandbox misbehaves on request: which endpoint does what, and the kinds every HTTP service shares."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

KINDS = {
    "timeout": "accepts the request and does not answer",
    "truncated": "answers the first half of the body and hangs up",
    "error_500": "answers with a server error (SOAP: a Server fault)",
    "half_empty": "leaves out more than half of the records",
    "renamed_column": "calls one declared column by another name",
    "expired_certificate": "shows a server certificate that ran out",
    "duplicate_page": "answers the first page again in place of the second",
}
"""Kinds of misbehaviour and what they look like from outside."""

PATIENCE_S = 120.0
"""How long a request that times out is kept, unless the misbehaviour ends earlier."""


class Moods:
    """Which endpoint misbehaves how, now. Safe between threads."""

    def __init__(self) -> None:
        self._moods: dict[str, str] = {}
        self._changed = threading.Condition()

    def of(self, endpoint: str) -> str | None:
        """The kind of misbehaviour the endpoint is in, or None."""
        with self._changed:
            return self._moods.get(endpoint)

    def set(self, endpoint: str, how: str | None) -> None:
        """Begin to misbehave, or with None behave again.

        Raises:
            ValueError: no such kind.
        """
        if how is not None and how not in KINDS:
            raise ValueError(f"unknown misbehaviour {how!r}; known: {sorted(KINDS)}")
        with self._changed:
            self._moods.pop(endpoint, None)
            if how is not None:
                self._moods[endpoint] = how
            self._changed.notify_all()

    def clear(self) -> None:
        """Everyone behaves; waiting requests are let go."""
        with self._changed:
            self._moods.clear()
            self._changed.notify_all()

    def wait_while(self, endpoint: str, how: str, patience_s: float = PATIENCE_S) -> None:
        """Block until the endpoint is no longer in that mood, or patience ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._moods.get(endpoint) != how, patience_s)


def misbehaving(application: WSGIApplication, endpoint: str, moods: Moods) -> WSGIApplication:
    """The application, with ``timeout``, ``truncated`` and ``error_500`` done for it.

    The other kinds need to know the records: the service asks ``moods.of(endpoint)`` itself.
    A service that renders its own ``error_500`` (a SOAP fault) is wrapped all the same; a plain
    500 page is what a broken proxy before it would give.
    """

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        how = moods.of(endpoint)
        if how == "timeout":
            moods.wait_while(endpoint, how)
        if how == "error_500":
            body = "系统繁忙，请稍后再试".encode()
            start_response("500 Internal Server Error", [("Content-Type", "text/plain; charset=utf-8")])
            return [body]
        if how == "truncated":
            return _half(application, environ, start_response)
        return application(environ, start_response)

    return wrapped


def _half(application: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The first half of the body under the length of the whole, so that the client can tell."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []

    def hold(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], object]:
        begun.append((status, headers))
        return lambda _: None

    body = b"".join(application(environ, hold))
    status, headers = begun[-1]
    kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
    start_response(status, [*kept, ("Content-Length", str(len(body)))])
    return [body[: len(body) // 2]]
