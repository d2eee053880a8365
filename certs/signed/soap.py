"""WS-Security signatures on SOAP messages (WSS 1.1: X.509 token profile), ECDSA P-256 with SHA-256.

The XML signature itself is ``signxml``'s work. What signature wrapping lives on is shut out here: there is one
Security header with one signature, every identifier stands for one element, and what was signed must be, octet for
octet, the canonical form of the very Body that is acted upon.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from certs.errors import UNREADABLE
from certs.signed.proof import FindKey, SignatureInvalid, Verified, check_age, hint_of_certificate, invalid
from certs.suites.international import P256

FORM = "soap"
_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE, WSU = f"{_OASIS}wssecurity-secext-1.0.xsd", f"{_OASIS}wssecurity-utility-1.0.xsd"
DS, EXCLUSIVE = "http://www.w3.org/2000/09/xmldsig#", "http://www.w3.org/2001/10/xml-exc-c14n#"
SECURITY = f"{{{WSSE}}}Security"
_X509, _BASE64 = f"{_OASIS}x509-token-profile-1.0#X509v3", f"{_OASIS}soap-message-security-1.0#Base64Binary"
_ID = f"{{{WSU}}}Id"
_IDS = (_ID, "Id", "ID", "id", "{http://www.w3.org/XML/1998/namespace}id")

_ACCEPTED = SignatureConfiguration(
    expect_references=2,
    signature_methods=frozenset({SignatureMethod.ECDSA_SHA256}),
    digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
)


@dataclass(frozen=True)
class Signed:
    """The parts of a Security header."""

    security: etree._Element
    signature: etree._Element
    token: etree._Element
    timestamp: etree._Element


def signature_of(header: etree._Element | None) -> etree._Element | None:
    """The Security header that holds a signature, or None; there may be others, for others."""
    blocks = [] if header is None else header.findall(SECURITY)
    return next((block for block in blocks if block.find(f"{{{DS}}}Signature") is not None), None)


def verify(body: etree._Element, find: FindKey, now: datetime, max_age: timedelta) -> Verified:
    """Verify the WS-Security signature over a SOAP Body and its Timestamp.

    Args:
        body: in its envelope; parsed without entities, comments and processing instructions.
        now: UTC, aware.
        max_age: since the Timestamp's ``Created``.

    Raises:
        SignatureInvalid: malformed, not over this Body and the Timestamp, of a key that is not believed, or wrong.
        SignatureStale: too old, of the future, or expired.
    """
    try:
        return _verify(body, find, now, max_age)
    except (SignXMLException, etree.LxmlError, binascii.Error, *UNREADABLE) as error:
        raise invalid(FORM, f"{error}", f"{error}") from error


def _verify(body: etree._Element, find: FindKey, now: datetime, max_age: timedelta) -> Verified:
    envelope = body.getparent()
    if envelope is None:
        raise ValueError("the body stands in no envelope")
    parts = _parts(envelope, body)
    der = base64.b64decode("".join((parts.token.text or "").split()), validate=True)
    certificate = x509.load_der_x509_certificate(der)
    signer = find(hint_of_certificate(der, f"{certificate.serial_number:040x}"))
    if signer.key.algorithm != P256:
        raise _wrong(f"只接受 {P256.name}", f"WS-Security takes {P256.name} only")
    _check_references(parts, body)
    for result in _signed(envelope, parts, certificate, now):
        _demand_the_same(result, body, parts.timestamp)
    created = _check_time(parts.timestamp, now, max_age)
    signed_info = _part(parts.signature, f"{{{DS}}}SignedInfo")
    identity = hashlib.sha256(etree.tostring(signed_info, method="c14n", exclusive=True)).hexdigest()
    return Verified(FORM, signer, ("soap:Body", "wsu:Timestamp"), identity, created, identity)


def _parts(envelope: etree._Element, body: etree._Element) -> Signed:
    header = envelope.find(body.tag[: -len("Body")] + "Header")
    blocks = [] if header is None else header.findall(SECURITY)
    if len(blocks) != 1:
        raise _wrong(
            f"wsse:Security 应恰有一个，实有 {len(blocks)} 个", f"expected one wsse:Security, found {len(blocks)}"
        )
    if len(envelope.findall(body.tag)) != 1:
        raise _wrong("Body 应恰有一个", "expected one Body")
    doubled = [name for name, count in Counter(_identifiers(envelope)).items() if count > 1]
    if doubled:
        raise _wrong(f"标识 {doubled[0]} 指向多个元素", f"the identifier {doubled[0]} stands for several elements")
    security = blocks[0]
    signature, token, timestamp = (
        _part(security, tag) for tag in (f"{{{DS}}}Signature", f"{{{WSSE}}}BinarySecurityToken", f"{{{WSU}}}Timestamp")
    )
    if token.get("ValueType") != _X509 or token.get("EncodingType", _BASE64) != _BASE64:
        raise _wrong("令牌应为 Base64 的 X.509 证书", "the token must be an X.509 certificate in Base64")
    return Signed(security, signature, token, timestamp)


def _part(parent: etree._Element, tag: str) -> etree._Element:
    found = parent.findall(tag)
    if len(found) != 1:
        name = etree.QName(tag).localname
        raise _wrong(f"{name} 应恰有一个，实有 {len(found)} 个", f"expected one {name}, found {len(found)}")
    return found[0]


def _identifiers(envelope: etree._Element) -> list[str]:
    return [value for element in envelope.iter(etree.Element) for name in _IDS if (value := element.get(name))]


def _check_references(parts: Signed, body: etree._Element) -> None:
    """The key is the token's, and Body and Timestamp are what is referred to, each in exclusive canonical form."""
    used = parts.signature.findall(f"{{{DS}}}KeyInfo/{{{WSSE}}}SecurityTokenReference/{{{WSSE}}}Reference")
    if [reference.get("URI") for reference in used] != [f"#{parts.token.get(_ID)}"]:
        raise _wrong("KeyInfo 应引用 BinarySecurityToken", "KeyInfo must refer to the BinarySecurityToken")
    signed_info = _part(parts.signature, f"{{{DS}}}SignedInfo")
    references = signed_info.findall(f"{{{DS}}}Reference")
    wanted = {f"#{body.get(_ID)}", f"#{parts.timestamp.get(_ID)}"}
    if {reference.get("URI") for reference in references} != wanted or len(references) != len(wanted):
        raise _wrong(
            "签名应恰好覆盖 Body 与 Timestamp", "the signature must be over Body and Timestamp, and nothing else"
        )
    methods = [_part(signed_info, f"{{{DS}}}CanonicalizationMethod")]
    for reference in references:
        methods.append(_part(_part(reference, f"{{{DS}}}Transforms"), f"{{{DS}}}Transform"))
    if any(method.get("Algorithm") != EXCLUSIVE for method in methods):
        raise _wrong("只接受独占规范化（exc-c14n）", "only exclusive canonicalisation (exc-c14n) is taken")


def _signed(
    envelope: etree._Element, parts: Signed, certificate: x509.Certificate, now: datetime
) -> list[VerifyResult]:
    header, security = parts.security.getparent(), parts.security
    if header is None:
        raise ValueError("the Security header stands in no Header")
    place = SignatureConfiguration(
        location=f"./{header.tag}/{security.tag}/",
        expect_references=_ACCEPTED.expect_references,
        signature_methods=_ACCEPTED.signature_methods,
        digest_algorithms=_ACCEPTED.digest_algorithms,
        verification_time=now,
    )
    # The delivered file is one text node, whose size the server has limited.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    found = XMLVerifier().verify(envelope, x509_cert=certificate, expect_config=place, id_attribute="Id", parser=parser)
    return found if isinstance(found, list) else [found]


def _demand_the_same(result: VerifyResult, *acted_upon: etree._Element) -> None:
    """What was verified is, octet for octet, one of the elements that are acted upon."""
    prefixes = _prefixes(result)
    forms = [
        etree.tostring(element, method="c14n", exclusive=True, inclusive_ns_prefixes=prefixes, with_tail=False)
        for element in acted_upon
    ]
    if result.signed_data not in forms:
        raise _wrong("被签名的元素不是被处理的元素", "the signed element is not the one that is acted upon")


def _prefixes(result: VerifyResult) -> list[str] | None:
    if result.signed_xml is None:
        raise ValueError("what was signed is no XML")
    uri = f"#{result.signed_xml.get(_ID)}"
    for reference in result.signature_xml.iterfind(f"{{{DS}}}SignedInfo/{{{DS}}}Reference"):
        listed = reference.find(f".//{{{EXCLUSIVE}}}InclusiveNamespaces")
        if reference.get("URI") == uri and listed is not None:
            return (listed.get("PrefixList") or "").split()
    return None


def _check_time(timestamp: etree._Element, now: datetime, max_age: timedelta) -> datetime:
    made = _instant(timestamp.findtext(f"{{{WSU}}}Created"))
    if made is None:
        raise _wrong("Timestamp 缺少 Created", "the Timestamp has no Created")
    check_age(made, _instant(timestamp.findtext(f"{{{WSU}}}Expires")), now, max_age)
    return made


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    at = datetime.fromisoformat(text.strip())
    # WSS 1.1, 10: UTC where nothing is said.
    try:
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text.strip()} is no instant") from error


def _wrong(zh: str, en: str) -> SignatureInvalid:
    return invalid(FORM, zh, en)
