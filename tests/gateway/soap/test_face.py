"""``/soap`` as bytes: versions, faults, what is refused, and that both faces say the same."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from lxml import etree

from gateway.deliveries import row_of
from gateway.soap import contract
from gateway.soap.contract import NAMESPACE, make
from gateway.soap.envelope import SOAP11, SOAP12, Version, write
from tests.gateway.api.installation import ONE, PURPOSE, SOURCE, TWO, Installation, System, ask, company_list, problem

NAMES = {"x": NAMESPACE}


@pytest.fixture(scope="module")
def client(home: Installation) -> FlaskClient:
    return home.client()


def call(
    client: FlaskClient, system: System | None, asked: etree._Element | bytes, version: Version = SOAP11
) -> tuple[int, etree._Element]:
    """Status and the element in the body of the answer, which is of the version asked in."""
    raw = asked if isinstance(asked, bytes) else write(version, asked)
    answer = ask(client, system, "POST", "/soap", data=raw, content_type=f"{version.media_type}; charset=utf-8")
    assert answer.mimetype == version.media_type, answer.get_data(as_text=True)
    body = etree.fromstring(answer.get_data()).find(version.tag("Body"))
    assert body is not None
    return answer.status_code, body[0]


def told(fault: etree._Element) -> str:
    """The code of a fault's typed detail, which keeps the contract."""
    detail = fault.find(".//x:problem", NAMES)
    assert detail is not None, etree.tostring(fault)
    assert contract.problems(detail) == []
    assert detail.findtext("x:zh", namespaces=NAMES) != detail.findtext("x:en", namespaces=NAMES)
    return str(detail.findtext("x:code", namespaces=NAMES))


def entity(uscc: str = ONE, purpose: str = PURPOSE) -> etree._Element:
    return make("entity", make("uscc", uscc), make("purpose", purpose))


def upload(source: str, content: bytes) -> etree._Element:
    return make(
        "deliver",
        make("source", source),
        make("fileName", "名单.csv"),
        make("mediaType", "text/csv"),
        make("content", base64.b64encode(content).decode()),
    )


@pytest.mark.parametrize("version", [SOAP11, SOAP12], ids=lambda v: v.name)
def test_an_entity_is_the_same_picture_as_over_http(client: FlaskClient, consumer: System, version: Version) -> None:
    http = ask(client, consumer, "GET", f"/v1/entities/{ONE}").get_json()

    status, answer = call(client, consumer, entity(), version)

    fields = {one.get("name"): one.text for one in answer.iterfind("x:record/x:field", NAMES)}
    assert (status, answer.findtext("x:name", namespaces=NAMES), fields) == (
        200,
        http["name"],
        http["records"]["registration"][0]["record"],
    )
    not_granted = [one.text for one in answer.iterfind("x:notGranted", NAMES)]
    assert not_granted == list(http["not_granted"])


def test_a_feed_gives_records_and_where_to_go_on(client: FlaskClient, consumer: System) -> None:
    asked = make("feed", make("recordType", "registration"), make("limit", "1"), make("purpose", PURPOSE))

    status, answer = call(client, consumer, asked)

    record = answer.find("x:record", NAMES)
    assert record is not None
    assert (status, answer.findtext("x:next", namespaces=NAMES), record.findtext("x:seq", namespaces=NAMES)) == (
        200,
        "1",
        "1",
    )


def test_a_delivery_lands_and_the_receipt_is_the_one_http_gives(client: FlaskClient, provider: System) -> None:
    file = company_list(("丑有限公司", TWO), ("寅有限公司", "无"))

    status, answer = call(client, provider, upload(SOURCE, file))

    receipt: dict[str, Any] = json.loads(str(answer.findtext("x:receipt", namespaces=NAMES)))
    http = ask(client, provider, "GET", f"/v1/deliveries/{receipt['delivery_id']}").get_json()
    assert (status, receipt, answer.findtext("x:accepted", namespaces=NAMES)) == (200, http, str(http["accepted"]))


def test_a_file_name_is_a_label_as_it_is_over_http(home: Installation, client: FlaskClient, provider: System) -> None:
    asked = upload(SOURCE, company_list(("卯有限公司", ONE)))
    name = asked.find("x:fileName", NAMES)
    assert name is not None
    name.text = "../../五月\x9b2J\u202e.csv"

    status, answer = call(client, provider, asked)

    with home.store.read() as conn:
        row = row_of(conn, str(answer.findtext("x:deliveryId", namespaces=NAMES)))
    assert (status, [part["name"] for part in row.parts]) == (200, ["五月2J.csv"])


@pytest.mark.parametrize(("version", "status"), [(SOAP11, 500), (SOAP12, 400)], ids=["1.1", "1.2"])
def test_a_read_without_a_grant_is_a_typed_fault_of_the_sender(
    client: FlaskClient, provider: System, version: Version, status: int
) -> None:
    got, fault = call(client, provider, entity(), version)

    kind = fault.findtext("faultcode") or fault.findtext(f".//{SOAP12.tag('Value')}")
    assert (got, told(fault), kind) == (status, "grant_none", f"soap:{version.sender}")


def test_without_a_certificate_the_contract_is_public_and_nothing_else(client: FlaskClient) -> None:
    wsdl, xsd = ask(client, None, "GET", "/soap?wsdl"), ask(client, None, "GET", "/soap/xinqiao.xsd")
    _, fault = call(client, None, entity())

    assert (wsdl.status_code, xsd.status_code, told(fault)) == (200, 200, "certificate_missing")
    assert problem(ask(client, None, "GET", "/soap/../../keys/seal.key")) == (404, "not_found")
    assert problem(ask(client, None, "GET", "/soap/face.py")) == (404, "not_found")


def test_the_envelope_of_a_stranger_is_not_even_parsed(client: FlaskClient) -> None:
    _, fault = call(client, None, b"<not xml")

    assert told(fault) == "certificate_missing"


def test_a_delivery_for_a_source_of_others_is_a_typed_fault(client: FlaskClient, consumer: System) -> None:
    _, fault = call(client, consumer, upload(SOURCE, b"x"))

    assert told(fault) == "not_yours"


def test_a_file_that_cannot_be_read_is_a_typed_fault(client: FlaskClient, provider: System) -> None:
    _, fault = call(client, provider, upload(SOURCE, b"PK\x03\x04"))

    assert told(fault) == "undecodable"


@pytest.mark.parametrize(
    "asked",
    [
        entity("not a code"),
        make("entity", make("uscc", ONE)),
        make("drop", make("uscc", ONE)),
        etree.Element("entity"),
        make("deliver", make("source", SOURCE), make("fileName", "a"), make("mediaType", "b"), make("content", "!!!!")),
    ],
    ids=["type", "missing", "operation", "namespace", "base64"],
)
def test_a_request_outside_the_contract_is_a_fault_of_the_sender(
    client: FlaskClient, consumer: System, provider: System, asked: etree._Element
) -> None:
    _, fault = call(client, provider, asked)

    assert (told(fault), fault.findtext("faultcode")) == ("invalid", "soap:Client")


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE a [<!ENTITY l "lol"><!ENTITY x "&l;&l;&l;&l;&l;&l;&l;&l;">]>',
    ],
    ids=["external entity", "entity expansion"],
)
def test_entities_are_refused_and_reveal_nothing(client: FlaskClient, consumer: System, prolog: str) -> None:
    body = f'<x:entity xmlns:x="{NAMESPACE}"><x:uscc>&x;</x:uscc><x:purpose>p</x:purpose></x:entity>'
    raw = f'{prolog}<e:Envelope xmlns:e="{SOAP11.namespace}"><e:Body>{body}</e:Body></e:Envelope>'.encode()

    _, fault = call(client, consumer, raw)

    assert told(fault) == "soap_xml"


def test_a_header_that_must_be_understood_has_its_own_fault_code(client: FlaskClient, consumer: System) -> None:
    header = '<e:Header><h:s xmlns:h="urn:h" e:mustUnderstand="1"/></e:Header>'
    raw = f'<e:Envelope xmlns:e="{SOAP11.namespace}">{header}<e:Body/></e:Envelope>'.encode()

    status, fault = call(client, consumer, raw)

    assert (status, fault.findtext("faultcode"), told(fault)) == (500, "soap:MustUnderstand", "soap_must_understand")


@pytest.mark.parametrize("content_type", ["application/json", "multipart/related", "text/xml; charset=gb2312", ""])
def test_another_content_type_is_a_problem_document(client: FlaskClient, consumer: System, content_type: str) -> None:
    answer = ask(client, consumer, "POST", "/soap", data=b"{}", content_type=content_type)

    assert problem(answer) == (415, "unsupported_media_type")


def test_an_envelope_over_the_limit_is_a_problem_document(client: FlaskClient, consumer: System) -> None:
    answer = ask(client, consumer, "POST", "/soap", data=b" " * 200_001, content_type="text/xml")

    assert problem(answer) == (413, "too_large")


def test_our_own_answer_is_held_to_the_contract_too(
    client: FlaskClient, consumer: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.soap import face

    broken = {f"{{{NAMESPACE}}}entity": lambda asked, context: make("entityResponse")}
    monkeypatch.setattr(face, "OPERATIONS", broken)

    status, fault = call(client, consumer, entity())

    assert (status, told(fault), fault.findtext("faultcode")) == (500, "internal", "soap:Server")
