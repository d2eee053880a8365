"""Envelopes: what is read, what is refused, what is written."""

from __future__ import annotations

import pytest
from lxml import etree

from gateway.soap.envelope import SOAP11, SOAP12, SoapError, Version, fault, read, version_of, write, xml_text

BODY = '<a xmlns="urn:x">主体</a>'


def envelope(version: Version, body: str = BODY, header: str = "", prolog: str = "") -> bytes:
    return (
        f'{prolog}<e:Envelope xmlns:e="{version.namespace}">'
        f"{f'<e:Header>{header}</e:Header>' if header else ''}<e:Body>{body}</e:Body></e:Envelope>"
    ).encode()


def refusal(raw: bytes, announced: Version = SOAP11) -> tuple[str, str]:
    with pytest.raises(SoapError) as caught:
        read(raw, announced)
    return caught.value.code, caught.value.fault


@pytest.mark.parametrize("version", [SOAP11, SOAP12], ids=lambda v: v.name)
def test_the_one_element_of_the_body_is_read(version: Version) -> None:
    message = read(envelope(version), version)

    assert (message.version, message.body.tag, message.body.text) == (version, "{urn:x}a", "主体")


def test_an_envelope_of_a_namespace_with_a_brace_is_no_envelope() -> None:
    # Found by fuzzing: the parser forgets its complaint about it over the next one, about a namespace that is relative.
    raw = envelope(SOAP11, '<a xmlns="relative"/>').replace(b"http://schemas", b"http://sche}mas")

    assert refusal(raw) == ("soap_version", "VersionMismatch")


def test_utf_16_with_its_byte_order_mark_is_read() -> None:
    raw = envelope(SOAP11, prolog='<?xml version="1.0" encoding="UTF-16"?>').decode().encode("utf-16")

    assert read(raw, SOAP11).body.text == "主体"


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/xml", "1.1"),
        ('text/xml; charset="utf-8"', "1.1"),
        ('application/soap+xml; charset=UTF-8; action="urn:xinqiao:gateway:v1:feed"', "1.2"),
        ("application/json", None),
        ("text/xml; charset=gb18030", None),
        ("multipart/related; type=text/xml", None),
        ("", None),
    ],
)
def test_the_content_type_says_the_version(content_type: str, expected: str | None) -> None:
    version = version_of(content_type)

    assert (version.name if version else None) == expected


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE e [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE e [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE e SYSTEM "http://127.0.0.1:1/x.dtd">',
        "<!DOCTYPE e>",
        '<?xml version="1.0"?>\n<!-- first --><?pi x?><!DOCTYPE e>',
    ],
)
def test_a_document_type_declaration_is_refused_before_it_means_anything(prolog: str) -> None:
    assert refusal(envelope(SOAP11, "&x;", prolog=prolog)) == ("soap_xml", "sender")


def test_a_document_type_declaration_hidden_in_utf_16_is_refused() -> None:
    raw = envelope(SOAP11, prolog="<!DOCTYPE e>").decode().encode("utf-16")

    assert refusal(raw) == ("soap_xml", "sender")


@pytest.mark.parametrize(
    "raw",
    [b"", b"   ", b"not xml", b"<a", b"\xff\xfe\x00", b"\x00" * 100, b'<?xml version="1.0" encoding="gb18030"?><a/>'],
)
def test_what_is_not_xml_is_refused(raw: bytes) -> None:
    assert refusal(raw) == ("soap_xml", "sender")


def test_an_envelope_of_another_version_than_announced_is_a_version_mismatch() -> None:
    assert refusal(envelope(SOAP12), SOAP11) == ("soap_version", "VersionMismatch")


def test_a_root_that_is_no_envelope_is_a_version_mismatch() -> None:
    assert refusal(b"<Envelope/>") == ("soap_version", "VersionMismatch")


@pytest.mark.parametrize("body", ["", "text only", f"{BODY}{BODY}"])
def test_a_body_without_exactly_one_element_is_refused(body: str) -> None:
    assert refusal(envelope(SOAP11, body)) == ("soap_body", "sender")


def test_a_header_that_must_be_understood_is_refused() -> None:
    header = '<h:token xmlns:h="urn:h" e:mustUnderstand="1"/>'

    assert refusal(envelope(SOAP11, header=header)) == ("soap_must_understand", "MustUnderstand")


def test_a_header_meant_for_someone_else_is_passed_over() -> None:
    header = '<h:token xmlns:h="urn:h" e:mustUnderstand="1" e:actor="urn:another-node"/><h:hint xmlns:h="urn:h"/>'

    assert read(envelope(SOAP11, header=header), SOAP11).body.text == "主体"


def test_faults_say_both_sentences_in_each_version() -> None:
    detail = etree.Element("{urn:x}problem")
    old = fault(SOAP11, "sender", "不行 / no", detail)
    new = fault(SOAP12, "receiver", "不行 / no", etree.Element("{urn:x}problem"))

    assert [(child.tag, child.text) for child in old] == [
        ("faultcode", "soap:Client"),
        ("faultstring", "不行 / no"),
        ("detail", None),
    ]
    said = {text.get("{http://www.w3.org/XML/1998/namespace}lang"): text.text for text in new.iter(SOAP12.tag("Text"))}
    assert (new.findtext(f".//{SOAP12.tag('Value')}"), said) == ("soap:Receiver", {"zh-CN": "不行", "en": "no"})


def test_what_is_written_can_be_read() -> None:
    part = etree.Element("{urn:x}a")
    part.text = xml_text("中\x00\x0b文\ud800")

    assert read(write(SOAP12, part), SOAP12).body.text == "中��文�"
