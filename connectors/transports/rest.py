"""JSON services over HTTPS: paging, tokens, signed requests, errors inside answers that say 200."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from connectors.connections import Connection
from connectors.cursors import Reached
from connectors.decode.json import at_path, parse_json
from connectors.delivery import Delivery
from connectors.errors import Undecodable
from connectors.request_options import RestRequest, Signature, Token, Verdict
from connectors.spec import SourceSpec
from connectors.templates import fill
from connectors.transports.pages import Page, all_pages, keep_pages
from connectors.transports.trouble import (
    MAX_ANSWER_BYTES,
    answer_too_large,
    connection_trouble,
    refused,
    status_trouble,
    unavailable,
)
from connectors.vault import Vault


class _TokenRefusedError(Exception):
    """The access token has run out."""


def receive(
    spec: SourceSpec, connection: Connection, vault: Vault, cursor: str | None, now: datetime
) -> Iterator[Delivery]:
    """Ask for everything (``snapshot``) or what changed since the cursor (``changes``); one delivery, a part per page.

    Raises:
        Unavailable: not reachable, timed out, cut short, 5xx, a repeated or missing page: try again.
        Refused: a certificate, a credential or a request that the agency does not accept.
        SourceChanged: no row says when it changed.
    """
    request = spec.options(RestRequest)
    with _client(connection, request) as client:
        call = _Call(spec, request, connection, client, cursor, now)
        name = request.path.strip("/").replace("/", ".")
        pages = all_pages(call.where, request.paging, call.page)
        kept = keep_pages(vault, pages, lambda number: f"{name}.{number:05d}.json", Reached(spec, now))
    yield from kept.delivery(spec, connection, cursor, now)


def _client(connection: Connection, request: RestRequest) -> httpx.Client:
    context = ssl.create_default_context(cafile=str(connection.ca) if connection.ca else None)
    if connection.certificate:
        context.load_cert_chain(connection.certificate, connection.key)
    return httpx.Client(verify=context, timeout=request.timeout_seconds, trust_env=False, follow_redirects=False)


@dataclass
class _Call:
    """Requests of one run; keeps the access token between them."""

    spec: SourceSpec
    request: RestRequest
    connection: Connection
    client: httpx.Client
    cursor: str | None
    now: datetime
    token: str | None = None

    @property
    def where(self) -> str:
        return f"{self.spec.source} {self.connection.name}"

    def filled(self, templates: Mapping[str, str]) -> dict[str, str]:
        return fill(templates, self.spec, self.connection, self.cursor, self.now)

    def page(self, paging: dict[str, str]) -> Page:
        """One page; a token that has run out is renewed once."""
        try:
            return self._ask(paging)
        except _TokenRefusedError:
            self.token = None
        try:
            return self._ask(paging)
        except _TokenRefusedError as error:
            raise refused(
                self.where, "新取的令牌仍被拒绝。", "a token fetched a moment ago is refused as well."
            ) from error

    def _ask(self, paging: dict[str, str]) -> Page:
        arguments = {**self.filled(self.request.arguments), **paging}
        headers = self.filled(self.request.headers)
        if self.request.token:
            self.token = self.token or self._new_token(self.request.token)
            if self.request.token.param:
                arguments[self.request.token.param] = self.token
            if self.request.token.header:
                headers[self.request.token.header] = f"{self.request.token.prefix}{self.token}"
        if self.request.signature:
            arguments = signed(arguments, self.request.signature, self.connection, self.now_ms())
        get = self.request.method == "GET"
        response = self._send(
            self.request.method,
            self.request.path,
            headers,
            params=arguments if get else None,
            json=None if get else arguments,
        )
        content = self._content(response)
        rows = at_path(content, self.spec.decode.rows)
        found = rows if isinstance(rows, list) else []
        total = self.request.paging.total and at_path(content, self.request.paging.total)
        following = at_path(content, self.request.paging.next) if self.request.paging.kind == "cursor" else None
        return Page(
            body=response.content,
            media_type="application/json",
            rows=len(found),
            fingerprint=hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest(),
            total=int(total) if isinstance(total, str) and total.isdigit() else None,
            next=following if isinstance(following, str) and following else None,
            times=tuple(self._time(row) for row in found),
        )

    def now_ms(self) -> int:
        """Time for the signature; the server's window is minutes, so the real clock, read for each request."""
        return int(datetime.now(self.now.tzinfo).timestamp() * 1000)

    def _time(self, row: Any) -> str | None:
        found = at_path(row, self.spec.cursor.heading) if self.spec.cursor else None
        return found if isinstance(found, str) else None

    def _new_token(self, token: Token) -> str:
        arguments = self.filled(token.arguments)
        response = self._send(
            "POST",
            token.path,
            {},
            data=arguments if token.send == "form" else None,
            json=arguments if token.send == "json" else None,
            renewable=False,
        )
        found = at_path(self._content(response, renewable=False, about="token"), token.found_at)
        if not isinstance(found, str) or not found:
            raise refused(
                self.where,
                f"令牌接口的应答中没有 {token.found_at}。",
                f"the answer of the token service has no {token.found_at}.",
            )
        return found

    def _send(
        self, method: str, path: str, headers: dict[str, str], *, renewable: bool = True, **body: Any
    ) -> httpx.Response:
        url = f"{self.connection.url.rstrip('/')}/{path.lstrip('/')}"
        given = {name: value for name, value in body.items() if value is not None}
        try:
            response = self._limited(method, url, headers, given)
        except (httpx.HTTPError, ssl.SSLError) as error:
            raise connection_trouble(self.where, error) from error
        if response.status_code == 401 and self.request.token and renewable:
            raise _TokenRefusedError
        if response.status_code != 200:
            raise status_trouble(self.where, response.status_code)
        return response

    def _limited(self, method: str, url: str, headers: dict[str, str], given: dict[str, Any]) -> httpx.Response:
        """The whole answer, as long as it stays below the limit also after it is unpacked.

        Raises:
            Refused: it does not; nothing of it is kept.
        """
        body = bytearray()
        with self.client.stream(method, url, headers=headers, **given) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise answer_too_large(self.where, MAX_ANSWER_BYTES)
        # Unpacked already: the headers that say how it was sent are not true of these bytes.
        return httpx.Response(response.status_code, content=bytes(body), request=response.request)

    def _content(self, response: httpx.Response, *, renewable: bool = True, about: str = "rows") -> Any:
        """The parsed answer, after looking at the result code inside it."""
        try:
            content = parse_json(self.where, response.content)
        except Undecodable as error:
            # What was fetched and cannot be read was most likely cut short on the way.
            raise unavailable(
                self.where, f"应答不是完整的 JSON：{error.zh}", f"the answer is not whole JSON: {error.en}"
            ) from error
        if self.request.ok:
            self._check(content, self.request.ok, renewable, about)
        return content

    def _check(self, content: Any, ok: Verdict, renewable: bool, about: str) -> None:
        code = at_path(content, ok.path)
        if code == ok.value or (about == "token" and code is None):
            return
        told = at_path(content, ok.message) if ok.message else None
        if renewable and code in ok.renew:
            raise _TokenRefusedError
        raise (unavailable if code is None or code in ok.retry else refused)(
            self.where,
            f"应答代码 {code}（{told or '无说明'}）。",
            f"answered with code {code} ({told or 'no explanation'}).",
            code=code,
            message=told,
        )


def signed(arguments: dict[str, str], rule: Signature, connection: Connection, now_ms: int) -> dict[str, str]:
    """The arguments with application key, time and signature added; see :class:`Signature` for what is signed."""
    complete = {
        **arguments,
        rule.key_argument: connection.secret("app_key"),
        rule.time_argument: str(now_ms),
    }
    text = "&".join(f"{name}={complete[name]}" for name in rule.fields if name in complete)
    secret = connection.secret(rule.secret).encode()
    return {**complete, rule.argument: hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()}
