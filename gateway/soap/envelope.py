"""SOAP envelopes: read strictly, written plainly. Nothing here knows what the messages mean.

SOAP 1.1 (W3C Note 2000) and SOAP 1.2 (W3C Recommendation 2007), document/literal, no attachments.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal
from xml.parsers import expat

from lxml import etree
from werkzeug.http import parse_options_header

XML = "http://www.w3.org/XML/1998/namespace"
_NOTHING: Mapping[str, Collection[str]] = {}
_ENCODINGS = {"utf-8", "utf8", "us-ascii", "utf-16"}
# XML 1.0, 2.2: characters that no document may hold; agencies' texts sometimes do.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Version:
    """One version of SOAP: its names for the same things."""

    name: Literal["1.1", "1.2"]
    namespace: str
    media_type: str
    sender: str
    receiver: str

    def tag(self, local: str) -> str:
        """The qualified name of an element of the envelope."""
        return f"{{{self.namespace}}}{local}"


SOAP11 = Version("1.1", "http://schemas.xmlsoap.org/soap/envelope/", "text/xml", "Client", "Server")
SOAP12 = Version("1.2", "http://www.w3.org/2003/05/soap-envelope", "application/soap+xml", "Sender", "Receiver")
_BY_ENVELOPE = {version.tag("Envelope"): version for version in (SOAP11, SOAP12)}
_BY_MEDIA_TYPE = {version.media_type: version for version in (SOAP11, SOAP12)}


class SoapError(Exception):
    """The envelope is wrong; answered with a fault.

    Attributes:
        version: in which the fault is told.
        fault: ``sender``, ``MustUnderstand`` or ``VersionMismatch``.
    """

    def __init__(self, version: Version, code: str, zh: str, en: str, fault: str = "sender") -> None:
        super().__init__(f"{zh} / {en}")
        self.version, self.code, self.zh, self.en, self.fault = version, code, zh, en, fault


@dataclass(frozen=True)
class Message:
    """An envelope that was read: its version and the one element in its body."""

    version: Version
    body: etree._Element


def version_of(content_type: str) -> Version | None:
    """The version that a Content-Type announces, or None if it is not one SOAP face takes.

    >>> version_of('text/xml; charset="utf-8"').name, version_of("application/json")
    ('1.1', None)
    """
    media_type, options = parse_options_header(content_type)
    if options.get("charset", "utf-8").lower() not in _ENCODINGS:
        return None
    return _BY_MEDIA_TYPE.get(media_type.lower())


def read(raw: bytes, announced: Version, understood: Mapping[str, Collection[str]] = _NOTHING) -> Message:
    """Read an envelope.

    Args:
        raw: the body of the request.
        announced: the version its Content-Type announces.
        understood: tag of the element in the body -> tags of the header blocks that its operation acts upon.

    Raises:
        SoapError: not XML, a document type declaration, another version than announced, a header
            that must be understood, or a body with anything but one element.
    """
    root = _parse(raw, announced)
    # By the whole tag: a namespace may hold characters on which taking it apart fails.
    version = _BY_ENVELOPE.get(str(root.tag))
    if version is None:
        raise SoapError(
            announced, "soap_version", "根元素不是 SOAP 1.1 或 1.2 的 Envelope。",
            "The root element is not an Envelope of SOAP 1.1 or 1.2.", "VersionMismatch",
        )  # fmt: skip
    if version is not announced:
        raise SoapError(
            announced, "soap_version", f"Content-Type 声明 SOAP {announced.name}，信封却是 {version.name}。",
            f"Content-Type announces SOAP {announced.name}, the envelope is {version.name}.", "VersionMismatch",
        )  # fmt: skip
    parts = [child for body in root.iterfind(version.tag("Body")) for child in body.iterchildren(etree.Element)]
    _demand_understanding(root, version, understood.get(str(parts[0].tag), ()) if len(parts) == 1 else ())
    if len(parts) != 1:
        raise SoapError(
            version, "soap_body", f"Body 应恰含一个元素，实有 {len(parts)} 个。",
            f"The Body must hold exactly one element, it holds {len(parts)}.",
        )  # fmt: skip
    return Message(version, parts[0])


def _parse(raw: bytes, announced: Version) -> etree._Element:
    problem = _prolog_problem(raw)
    if problem is None:
        # Entities stay unresolved and nothing is fetched; huge_tree because a delivered file is one text node,
        # whose size the server has limited. The prolog was judged before, so there are no entities to expand.
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True,
                                 remove_comments=True, remove_pis=True)  # fmt: skip
        try:
            root = etree.fromstring(raw, parser)
        except etree.XMLSyntaxError as error:
            problem = str(error.msg)
        else:
            if root.getroottree().docinfo.internalDTD is None:
                return root
            problem = "a document type declaration is not allowed in SOAP"
    raise SoapError(
        announced, "soap_xml", f"信封不是可接受的 XML：{problem}。", f"The envelope is not acceptable XML: {problem}."
    )


class _RootReached(Exception):
    """The prolog is over and held no document type declaration."""


def _prolog_problem(raw: bytes) -> str | None:
    """What forbids to parse the document, judged before its root element: entities are never even read.

    SOAP 1.1, 3 and SOAP 1.2 part 1, 5 forbid document type declarations.
    """

    def doctype(*_: object) -> None:
        raise ValueError("a document type declaration is not allowed in SOAP")

    def root(*_: object) -> None:
        raise _RootReached

    def declaration(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise ValueError(f"encoding {encoding!r} is not one of utf-8, utf-16")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = root
    parser.XmlDeclHandler = declaration
    try:
        parser.Parse(raw, True)
    except _RootReached:
        return None
    except (ValueError, expat.ExpatError) as error:
        return str(error)
    return "no element found"


def _demand_understanding(root: etree._Element, version: Version, understood: Collection[str]) -> None:
    # SOAP 1.1, 4.2.3 and SOAP 1.2 part 1, 5.2.3; a mandatory header block that the operation does not act upon is
    # refused, unless it is meant for somebody else (actor / role).
    role = version.tag("actor" if version is SOAP11 else "role")
    for header in root.iterfind(version.tag("Header")):
        for block in header.iterchildren(etree.Element):
            mandatory = block.get(version.tag("mustUnderstand"), "0") in ("1", "true")
            if mandatory and block.tag not in understood and block.get(role, "") in _OUR_ROLES:
                raise SoapError(
                    version, "soap_must_understand", f"不理解必须处理的标头 {block.tag}。",
                    f"Header {block.tag} must be understood and is not.", "MustUnderstand",
                )  # fmt: skip


_OUR_ROLES = {
    "",
    "http://schemas.xmlsoap.org/soap/actor/next",
    "http://www.w3.org/2003/05/soap-envelope/role/next",
    "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
}


def write(version: Version, part: etree._Element) -> bytes:
    """An envelope around one element, UTF-8."""
    envelope = etree.Element(version.tag("Envelope"), nsmap={"soap": version.namespace})
    etree.SubElement(envelope, version.tag("Body")).append(part)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def fault(version: Version, kind: str, said: str, detail: etree._Element) -> etree._Element:
    """A fault element.

    Args:
        kind: ``sender``, ``receiver``, ``MustUnderstand`` or ``VersionMismatch``.
        said: Chinese and English sentence, `` / `` between them.
        detail: the typed detail.
    """
    local = {"sender": version.sender, "receiver": version.receiver}.get(kind, kind)
    element = etree.Element(version.tag("Fault"), nsmap={"soap": version.namespace})
    if version is SOAP11:
        etree.SubElement(element, "faultcode").text = f"soap:{local}"
        etree.SubElement(element, "faultstring").text = xml_text(said)
        etree.SubElement(element, "detail").append(detail)
        return element
    code = etree.SubElement(element, version.tag("Code"))
    etree.SubElement(code, version.tag("Value")).text = f"soap:{local}"
    reason = etree.SubElement(element, version.tag("Reason"))
    zh, _, en = said.partition(" / ")
    for language, text in (("zh-CN", zh), ("en", en or zh)):
        etree.SubElement(reason, version.tag("Text"), {f"{{{XML}}}lang": language}).text = xml_text(text)
    etree.SubElement(element, version.tag("Detail")).append(detail)
    return element


def xml_text(text: str) -> str:
    """Text with U+FFFD where a character may not stand in XML."""
    return _NOT_XML.sub("�", text)
