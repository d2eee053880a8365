"""A contract-first SOAP 1.1 endpoint: the WSDL and XSD are written, every request and answer is checked against them.

Knows no agency; the operation is a function from the request's element to the answer's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lxml import etree
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
WSDL_FOLDER = Path(__file__).parent / "wsdl"
PLACEHOLDER_ADDRESS = "https://127.0.0.1/replaced-when-served"
MAX_REQUEST_BYTES = 1024 * 1024


class SoapFault(Exception):
    """The typed fault of both contracts.

    Attributes:
        side: ``Client`` (ask differently) or ``Server`` (ask later).
        code: the agency's own error code.
        text: the agency's own words.
    """

    def __init__(self, side: str, code: str, text: str) -> None:
        super().__init__(f"{side} {code}: {text}")
        self.side, self.code, self.text = side, code, text


@dataclass(frozen=True)
class Contract:
    """A WSDL with its XSD, read from ``wsdl/``.

    Attributes:
        name: file name without ending.
        namespace: target namespace of both.
        schema: compiled XSD.
    """

    name: str
    namespace: str
    schema: etree.XMLSchema

    @classmethod
    def read(cls, name: str) -> Contract:
        """Read ``wsdl/<name>.xsd``."""
        tree = etree.parse(WSDL_FOLDER / f"{name}.xsd", _parser())
        return cls(name, str(tree.getroot().get("targetNamespace")), etree.XMLSchema(tree))

    def served(self, kind: str, address: str) -> bytes:
        """The WSDL or XSD as a caller at ``address`` must see it."""
        text = (WSDL_FOLDER / f"{self.name}.{kind}").read_text("utf-8")
        text = text.replace(PLACEHOLDER_ADDRESS, address)
        return text.replace(f'schemaLocation="{self.name}.xsd"', f'schemaLocation="{address}?xsd"').encode()

    def element(self, name: str, text: str | None = None) -> etree._Element:
        """A new element of the contract's namespace."""
        made = etree.Element(etree.QName(self.namespace, name), nsmap={"ns": self.namespace})
        made.text = text
        return made

    def checked(self, element: etree._Element, side: str) -> etree._Element:
        """The element, if the contract allows it.

        Raises:
            SoapFault: on ``side``, naming what is not allowed.
        """
        try:
            self.schema.assertValid(element)
        except etree.DocumentInvalid as error:
            raise SoapFault(side, "E422" if side == "Client" else "E500", f"不符合WSDL：{error}") from error
        return element


Operation = Callable[[etree._Element], etree._Element]


def soap_application(contract: Contract, operations: dict[str, Operation]) -> WSGIApplication:
    """Serve operations (request element's local name -> function) and the contract itself at ``?wsdl`` and ``?xsd``."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return _answer(Request(environ), contract, operations)(environ, start_response)

    return application


def _answer(request: Request, contract: Contract, operations: dict[str, Operation]) -> Response:
    if request.method == "GET":
        kind = next((kind for kind in ("wsdl", "xsd") if kind in request.args), None)
        if kind is None:
            return Response("ask with ?wsdl", 404)
        return Response(contract.served(kind, request.base_url), content_type="text/xml; charset=utf-8")
    try:
        if request.mimetype != "text/xml":
            return Response("SOAP 1.1 is text/xml", 415)
        asked = _request_body(request, contract)
        operation = operations[etree.QName(asked).localname]
        return _envelope(operation(asked), 200)
    except SoapFault as fault:
        return _envelope(_fault(fault, contract), 500)


def _request_body(request: Request, contract: Contract) -> etree._Element:
    """The one element inside the body, valid against the contract.

    Raises:
        SoapFault: too large, not XML, with a document type, not an envelope, or not of the contract.
    """
    content = request.stream.read(MAX_REQUEST_BYTES + 1)
    if len(content) > MAX_REQUEST_BYTES:
        raise SoapFault("Client", "E413", "请求过大")
    root = parse_safely(content)
    body = root.find(f"{{{ENVELOPE}}}Body")
    if root.tag != f"{{{ENVELOPE}}}Envelope" or body is None or len(body) != 1:
        raise SoapFault("Client", "E400", "请求不是SOAP 1.1信封")
    return contract.checked(body[0], "Client")


def parse_safely(content: bytes) -> etree._Element:
    """The root of a document that declares nothing and refers to nothing outside itself.

    Raises:
        SoapFault: not XML, or with a document type.
    """
    try:
        root = etree.fromstring(content, _parser())
    except etree.XMLSyntaxError as error:
        raise SoapFault("Client", "E400", f"不是合法的XML：{error}") from error
    docinfo: Any = root.getroottree().docinfo
    if docinfo.doctype:
        raise SoapFault("Client", "E400", "XML不得包含DTD")
    return root


def _fault(fault: SoapFault, contract: Contract) -> etree._Element:
    element = etree.Element(etree.QName(ENVELOPE, "Fault"), nsmap={"soap": ENVELOPE})
    etree.SubElement(element, "faultcode").text = f"soap:{fault.side}"
    etree.SubElement(element, "faultstring").text = fault.text
    typed = contract.element("ServiceFault")
    for name, text in (("code", fault.code), ("text", fault.text)):
        typed.append(contract.element(name, text))
    etree.SubElement(element, "detail").append(typed)
    return element


def _envelope(content: etree._Element, status: int) -> Response:
    envelope = etree.Element(etree.QName(ENVELOPE, "Envelope"), nsmap={"soap": ENVELOPE})
    etree.SubElement(envelope, etree.QName(ENVELOPE, "Body")).append(content)
    body = etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")
    return Response(body, status, content_type="text/xml; charset=utf-8")


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
