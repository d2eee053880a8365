"""SOAP services through zeep: requests built from the WSDL, answers kept as the bytes that came."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import zeep
import zeep.exceptions
import zeep.transports
from lxml import etree

from connectors.connections import Connection
from connectors.cursors import Reached
from connectors.decode.xml import rows_of
from connectors.decode.xml_safe import local, parse_xml
from connectors.delivery import Delivery
from connectors.errors import Undecodable
from connectors.request_options import SoapRequest
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

# zeep has no types.
_zeep: Any = zeep
_CHUNK = 64 * 1024
_SENDERS_FAULT = ("Client", "Sender", "MustUnderstand", "VersionMismatch")


def receive(
    spec: SourceSpec, connection: Connection, vault: Vault, cursor: str | None, now: datetime
) -> Iterator[Delivery]:
    """Call the operation page by page; one delivery, a part per response envelope.

    Raises:
        Unavailable: not reachable, timed out, cut short, 5xx or a Server fault, a repeated or missing page.
        Refused: a certificate, a WSDL or a request that is not accepted (Client fault).
        SourceChanged: no row says when it changed.
    """
    request = spec.options(SoapRequest)
    where = f"{spec.source} {connection.name}"
    with _session(connection) as session:
        operation = _operation(where, spec, request, connection, session)
        arguments = fill(request.arguments, spec, connection, cursor, now)

        def ask(paging: dict[str, str]) -> Page:
            return _page(where, spec, request, _call(where, operation, {**arguments, **paging}))

        pages = all_pages(where, request.paging, ask)
        kept = keep_pages(vault, pages, lambda number: f"{request.operation}.{number:05d}.xml", Reached(spec, now))
    yield from kept.delivery(spec, connection, cursor, now)


def _session(connection: Connection) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.verify = str(connection.ca) if connection.ca else True
    if connection.certificate:
        session.cert = (str(connection.certificate), str(connection.key))
    return session


class _Nearby(zeep.transports.Transport):
    """Loads WSDL and schemas from the endpoint itself or from the source's folder, from nowhere else."""

    def __init__(
        self, where: str, connection: Connection, folder: Path, session: requests.Session, seconds: float
    ) -> None:
        super().__init__(  # type: ignore[no-untyped-call]  # zeep has no annotations
            session=session, timeout=seconds, operation_timeout=seconds
        )
        self._where = where
        self._origin = urlsplit(connection.url)[:2]
        self._folder = folder.resolve()

    def load(self, url: str) -> bytes:
        """The document at ``url``; zeep asks for every WSDL import and XSD through here."""
        address = urlsplit(url)
        if address.scheme in ("http", "https"):
            if address[:2] != self._origin:
                raise _FarAwayError(url)
            # Read (and so closed) before its status is judged: an answer that is refused unread stays open.
            response = self._limited(
                self.session.get(url, timeout=self.load_timeout, allow_redirects=False, stream=True)
            )
            response.raise_for_status()
            return bytes(response.content)
        file = Path(address.path if address.scheme == "file" else url).resolve()
        if not file.is_relative_to(self._folder):
            raise _FarAwayError(url)
        return file.read_bytes()

    def post(self, address: str, message: bytes, headers: dict[str, str]) -> requests.Response:
        """One call; zeep sends every request through here."""
        return self._limited(
            self.session.post(address, data=message, headers=headers, timeout=self.operation_timeout, stream=True)
        )

    def _limited(self, response: requests.Response) -> requests.Response:
        """The whole answer, as long as it stays below the limit also after it is unpacked."""
        body = bytearray()
        with response:
            for chunk in response.iter_content(_CHUNK):
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise answer_too_large(self._where, MAX_ANSWER_BYTES)
        response._content = bytes(body)  # requests has no public way to give a streamed answer its content
        return response


class _FarAwayError(Exception):
    """A WSDL or schema that lies neither at the endpoint nor beside ``source.yml``."""


def _operation(
    where: str, spec: SourceSpec, request: SoapRequest, connection: Connection, session: requests.Session
) -> Any:
    """The operation, bound to the endpoint's url whatever address the WSDL names."""
    transport = _Nearby(where, connection, spec.folder, session, request.timeout_seconds)
    wsdl = f"{connection.url}{request.wsdl}" if request.wsdl.startswith("?") else str(spec.folder / request.wsdl)
    settings = _zeep.Settings(
        strict=True, raw_response=True, xml_huge_tree=False, forbid_dtd=True, forbid_entities=True
    )
    try:
        client = _zeep.Client(wsdl, transport=transport, settings=settings)
        bound = client.bind(request.service, request.port)
        return client.create_service(bound._binding.name, connection.url)[request.operation]
    except requests.HTTPError as error:
        raise status_trouble(where, error.response.status_code) from error
    except (requests.RequestException, ssl.SSLError) as error:
        raise connection_trouble(where, error) from error
    except (zeep.exceptions.Error, etree.XMLSyntaxError, _FarAwayError, AttributeError, ValueError, OSError) as error:
        raise refused(
            where,
            f"WSDL 不可用或没有操作 {request.operation}（{type(error).__name__}: {error}）。",
            f"the WSDL cannot be used or has no operation {request.operation} ({type(error).__name__}: {error}).",
            wsdl=wsdl,
        ) from error


def _call(where: str, operation: Any, arguments: dict[str, str]) -> requests.Response:
    try:
        response = operation(**arguments)
    except (requests.RequestException, ssl.SSLError) as error:
        raise connection_trouble(where, error) from error
    except (zeep.exceptions.Error, TypeError, ValueError) as error:
        raise refused(
            where,
            f"请求参数与 WSDL 不符（{error}）；请更正 source.yml 的 request。",
            f"the arguments do not fit the WSDL ({error}); correct request in source.yml.",
        ) from error
    if not isinstance(response, requests.Response):
        raise refused(where, "操作没有应答。", "the operation has no answer.")
    return response


def _page(where: str, spec: SourceSpec, request: SoapRequest, response: requests.Response) -> Page:
    try:
        root = parse_xml(where, response.content)
    except Undecodable as error:
        if response.status_code != 200:
            raise status_trouble(where, response.status_code) from error
        if "doctype" in error.details:
            raise
        raise unavailable(
            where, f"应答不是完整的 XML：{error.zh}", f"the answer is not whole XML: {error.en}"
        ) from error
    _check_fault(where, root, response.status_code)
    if request.ok:
        _check_code(where, root, request)
    documents = [root]
    if spec.decode.inner:
        documents = [
            parse_xml(where, (element.text or "").strip().encode())
            for element in root.iter(etree.Element)
            if local(element) == spec.decode.inner
        ]
    rows = [row for document in documents for row in rows_of(document, spec.decode.rows, spec.decode.fold_case)]
    total = _text_of(root, request.paging.total) if request.paging.total else None
    return Page(
        body=response.content,
        media_type="text/xml",
        rows=len(rows),
        fingerprint=_fingerprint(rows),
        total=int(total) if total and total.isdigit() else None,
        next=_text_of(root, request.paging.next) if request.paging.kind == "cursor" else None,
        times=tuple(_text_of(row, spec.cursor.heading) for row in rows) if spec.cursor else (),
    )


def _fingerprint(rows: list[etree._Element]) -> str:
    """Digest of the values alone: some agencies change the case of their tags from page to page."""
    texts = (str(text) for row in rows for text in (*row.itertext(), "\x1e"))
    return hashlib.sha256("\x1f".join(texts).encode()).hexdigest()


def _check_fault(where: str, root: etree._Element, status: int) -> None:
    """SOAP 1.1 (faultcode, faultstring) and 1.2 (Code/Value, Reason/Text): whose fault says what happens next."""
    fault = next((element for element in root.iter(etree.Element) if local(element) == "Fault"), None)
    if fault is None:
        if status != 200:
            raise status_trouble(where, status)
        return
    code = (_text_of(fault, "faultcode") or _text_of(fault, "Value") or "").rpartition(":")[2]
    told = _text_of(fault, "faultstring") or _text_of(fault, "Text")
    kind = refused if code.startswith(_SENDERS_FAULT) else unavailable
    raise kind(where, f"SOAP Fault {code}：{told}。", f"SOAP fault {code}: {told}.", code=code, message=told)


def _check_code(where: str, root: etree._Element, request: SoapRequest) -> None:
    ok = request.ok
    if ok is None or (code := _text_of(root, ok.path)) == ok.value:
        return
    told = _text_of(root, ok.message) if ok.message else None
    raise (unavailable if code is None or code in ok.retry else refused)(
        where,
        f"应答代码 {code}（{told or '无说明'}）。",
        f"answered with code {code} ({told or 'no explanation'}).",
        code=code,
        message=told,
    )


def _text_of(element: etree._Element, name: str) -> str | None:
    """Text of the first element of that local name, in any case of letters."""
    wanted = name.upper()
    return next((found.text for found in element.iter(etree.Element) if local(found).upper() == wanted), None)
