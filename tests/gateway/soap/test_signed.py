"""WS-Security on ``deliver``: what zeep signs is taken, and nothing that was wrapped, moved or made up."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
import xmlsec
from flask.testing import FlaskClient
from lxml import etree

from certs.signed.soap import DS, SECURITY, WSSE, WSU
from gateway.soap.contract import NAMESPACE
from gateway.soap.envelope import SOAP11, SOAP12, Version, write
from tests.gateway.api.installation import SOURCE, Installation, System, ask, company_list
from tests.gateway.soap.signing import WithTimestamp
from tests.gateway.soap.test_face import NAMES, entity, told, upload

NS = {"ds": DS, "wsse": WSSE, "wsu": WSU, "soap": SOAP11.namespace, "x": NAMESPACE}
FILE, OTHER = company_list(("午有限公司", "91330200MA0000023W")), company_list(("未有限公司", "91330200MA0000023W"))


@pytest.fixture(scope="module")
def client(home: Installation) -> FlaskClient:
    return home.client()


def signed(home: Installation, system: System, version: Version = SOAP11, **more: object) -> etree._Element:
    """A signed envelope with a delivery, freshly timed."""
    home.now += timedelta(seconds=1)
    envelope = etree.fromstring(write(version, upload(SOURCE, FILE)))
    WithTimestamp.of(system, home.now, **more).apply(envelope, {})
    # As it comes over the wire: what xmlsec puts into a tree, lxml does not always find there.
    return etree.fromstring(etree.tostring(envelope))


def answer_to(
    client: FlaskClient, system: System, envelope: etree._Element, version: Version = SOAP11
) -> tuple[int, etree._Element]:
    raw = etree.tostring(envelope)
    answer = ask(client, system, "POST", "/soap", data=raw, content_type=f"{version.media_type}; charset=utf-8")
    body = etree.fromstring(answer.get_data()).find(version.tag("Body"))
    assert body is not None
    return answer.status_code, body[0]


@pytest.mark.parametrize("version", [SOAP11, SOAP12])
def test_a_signed_delivery_says_what_was_proven_and_keeps_the_header_alone(
    home: Installation, client: FlaskClient, provider: System, version: Version
) -> None:
    status, answer = answer_to(client, provider, signed(home, provider, version), version)

    assert status == 200, etree.tostring(answer)
    receipt = json.loads(answer.findtext("x:receipt", "", NAMES))
    if version is SOAP11:
        proof = receipt["signature"]
        assert (proof["form"], proof["algorithm"], proof["key_id"]) == ("soap", "ecdsa-p256-sha256", provider.serial)
        digest = proof["evidence"]["digest"]
        kept = (home.settings.home / "received" / digest[:2] / digest).read_bytes()
        assert etree.fromstring(kept).tag == SECURITY
        assert "午有限公司".encode() not in kept


def test_a_mandatory_security_header_is_understood_on_deliver_alone(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    envelope = signed(home, provider)
    security = envelope.find(f".//{SECURITY}")
    assert security is not None
    security.set(SOAP11.tag("mustUnderstand"), "1")
    assert answer_to(client, provider, envelope)[0] == 200
    body = envelope.find(SOAP11.tag("Body"))
    assert body is not None
    body[:] = [entity()]
    assert told(answer_to(client, provider, envelope)[1]) == "soap_must_understand"


def test_the_same_envelope_again_is_a_replay(home: Installation, client: FlaskClient, provider: System) -> None:
    envelope = signed(home, provider)
    assert answer_to(client, provider, envelope)[0] == 200
    assert told(answer_to(client, provider, envelope)[1]) == "signature_replayed"


def element(envelope: etree._Element, path: str) -> etree._Element:
    found = envelope.find(path, NS)
    assert found is not None, path
    return found


def change_the_content(envelope: etree._Element) -> None:
    body = element(envelope, "soap:Body")
    body[:] = [upload(SOURCE, OTHER)]


def wrap_the_signed_body(envelope: etree._Element) -> None:
    """The classic: the signed Body goes into a header of the attacker's, another Body takes its place."""
    body = element(envelope, "soap:Body")
    wrapper = etree.SubElement(element(envelope, "soap:Header"), "{urn:attacker}Wrapper")
    wrapper.append(copy.deepcopy(body))
    for name in list(body.attrib):
        del body.attrib[name]
    change_the_content(envelope)


def wrap_under_the_same_identifier(envelope: etree._Element) -> None:
    body = element(envelope, "soap:Body")
    wrapper = etree.SubElement(element(envelope, "soap:Header"), "{urn:attacker}Wrapper")
    wrapper.append(copy.deepcopy(body))
    change_the_content(envelope)


def wrap_under_another_kind_of_identifier(envelope: etree._Element) -> None:
    body = element(envelope, "soap:Body")
    name = body.get(f"{{{WSU}}}Id") or ""
    wrapper = etree.SubElement(element(envelope, "soap:Header"), "{urn:attacker}Wrapper")
    moved = copy.deepcopy(body)
    wrapper.append(moved)
    del body.attrib[f"{{{WSU}}}Id"]
    body.set("Id", name)
    change_the_content(envelope)


def put_a_second_body(envelope: etree._Element) -> None:
    second = etree.SubElement(envelope, SOAP11.tag("Body"))
    second.append(upload(SOURCE, OTHER))
    envelope.remove(second)
    envelope.insert(1, second)


def put_the_signed_body_into_the_signature(envelope: etree._Element) -> None:
    body = element(envelope, "soap:Body")
    thing = etree.SubElement(element(envelope, ".//ds:Signature"), f"{{{DS}}}Object")
    thing.append(copy.deepcopy(body))
    for name in list(body.attrib):
        del body.attrib[name]
    change_the_content(envelope)


def a_second_security_header(envelope: etree._Element) -> None:
    header = element(envelope, "soap:Header")
    header.append(copy.deepcopy(element(envelope, f".//{SECURITY}")))


def a_second_signature(envelope: etree._Element) -> None:
    signature = element(envelope, ".//ds:Signature")
    element(envelope, f".//{SECURITY}").append(copy.deepcopy(signature))


def without_the_body(envelope: etree._Element) -> None:
    info = element(envelope, ".//ds:SignedInfo")
    info.remove(element(envelope, ".//ds:Reference"))


def without_the_time(envelope: etree._Element) -> None:
    element(envelope, f".//{SECURITY}").remove(element(envelope, ".//wsu:Timestamp"))


def another_time(envelope: etree._Element) -> None:
    element(envelope, ".//wsu:Created").text = "2026-11-25T00:00:00Z"


def another_transform(envelope: etree._Element) -> None:
    element(envelope, ".//ds:Transform").set("Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116")


def nothing_in_the_token(envelope: etree._Element) -> None:
    element(envelope, ".//wsse:BinarySecurityToken").text = "AAAA"


def a_token_of_another_version(envelope: etree._Element) -> None:
    token = element(envelope, ".//wsse:BinarySecurityToken")
    der = base64.b64decode(token.text or "")
    token.text = base64.b64encode(der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x42", 1)).decode()


def another_signature_value(envelope: etree._Element) -> None:
    value = element(envelope, ".//ds:SignatureValue")
    value.text = "A" * 84 + "AAAA"


def no_key_named(envelope: etree._Element) -> None:
    element(envelope, ".//ds:Signature").remove(element(envelope, ".//ds:KeyInfo"))


@pytest.mark.parametrize(
    "attack",
    [
        change_the_content,
        wrap_the_signed_body,
        wrap_under_the_same_identifier,
        wrap_under_another_kind_of_identifier,
        put_the_signed_body_into_the_signature,
        a_second_security_header,
        a_second_signature,
        without_the_body,
        without_the_time,
        another_time,
        another_transform,
        nothing_in_the_token,
        a_token_of_another_version,
        another_signature_value,
        no_key_named,
    ],
)
def test_what_was_tampered_with_is_refused(
    home: Installation, client: FlaskClient, provider: System, attack: Callable[[etree._Element], None]
) -> None:
    envelope = signed(home, provider)
    attack(envelope)
    assert told(answer_to(client, provider, envelope)[1]) == "signature_invalid"


def test_two_bodies_are_no_message(home: Installation, client: FlaskClient, provider: System) -> None:
    envelope = signed(home, provider)
    put_a_second_body(envelope)
    assert told(answer_to(client, provider, envelope)[1]) == "soap_body"


@pytest.mark.parametrize(
    "algorithms",
    [
        {"signature_method": xmlsec.Transform.ECDSA_SHA1},
        {"digest_method": xmlsec.Transform.SHA1},
        {"signature_method": xmlsec.Transform.ECDSA_SHA512},
    ],
)
def test_sha_1_and_other_algorithms_are_refused(
    home: Installation, client: FlaskClient, provider: System, algorithms: dict[str, object]
) -> None:
    assert told(answer_to(client, provider, signed(home, provider, **algorithms))[1]) == "signature_invalid"


def test_the_signature_of_another_system_is_refused(
    home: Installation, client: FlaskClient, provider: System, consumer: System
) -> None:
    assert told(answer_to(client, provider, signed(home, consumer))[1]) == "signature_key_refused"


def test_an_old_envelope_is_stale(home: Installation, client: FlaskClient, provider: System) -> None:
    envelope = signed(home, provider)
    home.now += timedelta(minutes=6)
    assert told(answer_to(client, provider, envelope)[1]) == "signature_stale"
