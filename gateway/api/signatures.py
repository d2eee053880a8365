"""The HTTP message signature of a request, as a delivery takes it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from flask import request

from certs.signed import http
from certs.signed.proof import FindKey, Verified
from certs.suites.base import hashed
from connectors.delivery import Part
from gateway.access.context import Context
from gateway.api.callers import services
from gateway.signatures.admission import Presented, detached, max_age, pieces

# What is no business of whoever verifies again later.
_SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})


def of_request(asked: Context) -> Callable[[Part], Presented] | None:
    """The signature on this request, or None if it has none. It is verified once the body is kept."""
    told = as_sent(request.environ)
    if not http.is_signed(told.headers):
        return None

    def present(content: Part) -> Presented:
        def prove(find: FindKey) -> Verified:
            http.check_digest(told.headers, lambda name: _digest(content, name))
            return http.verify(told, _or_of_connection(find, asked), asked.now, max_age(asked.store.settings))

        evidence = asked.vault.keep("signature.http", "message/http", [_head(told)])
        return Presented(http.FORM, prove, evidence, asked.caller.urn)

    return present


def _or_of_connection(find: FindKey, asked: Context) -> FindKey:
    """A key named like this connection's certificate is that one: an external authority's is in no register."""
    own = {asked.caller.serial, asked.caller.fingerprint}
    chain = services().peer_chain(request.environ)
    return lambda hint: find(replace(hint, certificate=chain[0]) if own & set(hint.ids) else hint)


def of_file(asked: Context, name: str, content: bytes) -> Callable[[Part], Presented]:
    """A detached signature that came as a second file of the same form."""
    # Its name stands in receipts and in the log: only the ending is the client's.
    ending = PurePosixPath(name).suffix.lower()
    signature = asked.vault.keep(f"signature{ending[:8]}", "application/octet-stream", [content])
    return lambda kept: detached(signature, kept, asked.caller.urn)


def as_sent(environ: Mapping[str, Any]) -> http.Request:
    """The request as the client sent it, out of the WSGI environment.

    The address is the one that came over the wire, escapes and all, and always ``https``: in front of us there is
    TLS or nothing.
    """
    lines = [
        (key[5:].replace("_", "-").lower(), str(value)) for key, value in environ.items() if key.startswith("HTTP_")
    ]
    lines += [
        (key.replace("_", "-").lower(), str(environ[key]))
        for key in ("CONTENT_TYPE", "CONTENT_LENGTH")
        if environ.get(key)
    ]
    target = environ.get("RAW_URI") or quote(str(environ.get("PATH_INFO", "/")).encode("latin-1"))
    host = environ.get("HTTP_HOST") or environ.get("SERVER_NAME", "")
    path = target if target.startswith("/") else "/" + target.partition("://")[2].partition("/")[2]
    return http.Request(str(environ["REQUEST_METHOD"]).upper(), f"https://{host}{path}", http.Fields(lines))


def _digest(content: Part, name: str) -> bytes:
    if name == "sha-256":
        return bytes.fromhex(content.digest)
    return hashed(pieces(content.path), http.DIGESTS[name]())


def _head(told: http.Request) -> bytes:
    lines = [f"{told.method} {told.url}", *(f"{n}: {v}" for n, v in told.headers.lines if n not in _SECRET)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
