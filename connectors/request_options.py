"""The options of the four transports, as declared under ``request:`` in ``source.yml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Paging:
    """How a long answer is asked for in pieces.

    Attributes:
        kind: ``none``, ``page`` (numbered) or ``cursor`` (each page names the next).
        number: ``page``: argument that carries the page number.
        first: number of the first page.
        size: argument that carries the page size.
        per_page: rows per page that are asked for.
        total: path to the number of rows altogether, if the agency says it.
        next: ``cursor``: path to the token of the next page; empty or null ends.
        token: ``cursor``: argument that carries the token.
    """

    kind: str = "none"
    number: str = "page"
    first: int = 1
    size: str = "size"
    per_page: int = 500
    total: str | None = None
    next: str = "next"
    token: str = "cursor"  # noqa: S105 - the name of a request argument, not a secret


@dataclass(frozen=True)
class Verdict:
    """Result codes inside an HTTP 200 or SOAP answer.

    Attributes:
        path: dotted path (JSON) or local name (XML) of the result code.
        value: the code that means success.
        message: path of the agency's own explanation.
        retry: codes that mean "later"; every other code needs a person.
        renew: codes that mean "token out of date": a new one is fetched once.
    """

    path: str
    value: str
    message: str | None = None
    retry: tuple[str, ...] = ()
    renew: tuple[str, ...] = ()


@dataclass(frozen=True)
class Token:
    """Where an access token comes from and how it is shown.

    Attributes:
        path: relative to the endpoint; asked by POST.
        send: ``form`` or ``json``.
        arguments: templates, usually ``{secret:...}``.
        found_at: dotted path of the token in the answer.
        header: header that carries it, or None.
        prefix: put before the token in the header.
        param: query argument that carries it instead.
    """

    path: str
    arguments: Mapping[str, str]
    found_at: str = "access_token"
    send: str = "form"
    header: str | None = "Authorization"
    prefix: str = "Bearer "
    param: str | None = None


@dataclass(frozen=True)
class Signature:
    """HMAC-SHA256 over declared request arguments, as government REST gateways ask for it.

    The signed text is ``name=value`` of ``fields`` in the order declared, joined by ``&``; arguments
    that are absent are left out. The signature is lower-case hex, sent as argument ``argument``.

    Attributes:
        key_argument: argument carrying the application key (secret ``app_key``).
        time_argument: argument carrying the time of the request in epoch milliseconds.
        argument: argument carrying the signature.
        fields: names of the arguments that are signed.
        secret: name of the secret used as HMAC key.
    """

    key_argument: str = "appKey"
    time_argument: str = "timestamp"
    argument: str = "sign"
    fields: tuple[str, ...] = ("appKey", "timestamp")
    secret: str = "app_secret"  # noqa: S105 - the name of the secret in connections.yml


@dataclass(frozen=True)
class RestRequest:
    """A JSON service.

    Attributes:
        path: relative to the endpoint's address.
        method: ``GET`` (arguments in the query) or ``POST`` (arguments as JSON body).
        arguments: name -> template; ``{cursor}``, ``{now}``, ``{today}``, ``{secret:NAME}`` are filled in.
        headers: name -> template.
        paging: see there.
        ok: result codes inside the answer.
        token: access token, or None.
        signature: signed requests, or None.
        timeout_seconds: for connecting and for each read.
    """

    path: str
    method: str = "GET"
    arguments: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    paging: Paging = Paging()
    ok: Verdict | None = None
    token: Token | None = None
    signature: Signature | None = None
    timeout_seconds: float = 30.0


@dataclass(frozen=True)
class SoapRequest:
    """A SOAP service.

    Attributes:
        wsdl: file beside ``source.yml``, or ``?wsdl`` to ask the endpoint for it.
        operation: name in the WSDL.
        arguments: as for REST; sent as the operation's top-level elements.
        paging: see there; ``total`` is a local element name.
        ok: result codes inside the answer.
        service: name of the service, if the WSDL has several.
        port: name of the port, if the service has several.
        timeout_seconds: for connecting and for each read.
    """

    operation: str
    wsdl: str = "?wsdl"
    arguments: Mapping[str, str] = field(default_factory=dict)
    paging: Paging = Paging()
    ok: Verdict | None = None
    service: str | None = None
    port: str | None = None
    timeout_seconds: float = 30.0


@dataclass(frozen=True)
class FilesRequest:
    """A drop folder. Each file is one delivery.

    Attributes:
        patterns: shell patterns of file names that are taken.
        ready: ``stable`` (size and time unchanged for ``settle_seconds``) or ``done`` (``NAME.done`` lies beside it).
        settle_seconds: see ``ready``.
    """

    patterns: tuple[str, ...]
    ready: str = "stable"
    settle_seconds: float = 5.0


@dataclass(frozen=True)
class TablesRequest:
    """A table in a front-end database.

    Attributes:
        table: its name.
        schema: its schema, or None.
        columns: columns that are read; empty means all.
        key: columns that, after the write time, give every row its place.
        page_size: rows per query and part.
    """

    table: str
    key: tuple[str, ...]
    schema: str | None = None
    columns: tuple[str, ...] = ()
    page_size: int = 5000
