"""The two SOAP agencies, asked by zeep from the WSDL they serve."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
import requests
import zeep
from lxml import etree

from connectors.sandbox.serve import Sandbox

REGISTRATION, CUSTOMS = "market_supervision_registration", "customs_registrations"
ASK = "<ExchangeMessage><Header><item>HGQYZC</item></Header><Body/></ExchangeMessage>"
Soap = Callable[[Sandbox, str], zeep.Client]


def test_all_pages_together_are_all_entities(sandbox: Sandbox, soap: Soap) -> None:
    service = soap(sandbox, REGISTRATION).service

    pages = [service.QueryEntities(page=number, size=25) for number in (1, 2, 3)]

    numbers = {entity.pripid for page in pages for entity in page.entities.entity}
    assert numbers == {f"{e.region_code}{e.number:010d}" for e in sandbox.world.entities}
    assert {(page.code, page.total, page.pages) for page in pages} == {("00", pages[0].total, 3)}
    assert sum(len(page.entities.entity) for page in pages) == pages[0].total


def test_the_showcase_is_registered_cleanly(sandbox: Sandbox, soap: Soap) -> None:
    answer = soap(sandbox, REGISTRATION).service.QueryEntities(page=1, size=1000)

    showcase = sandbox.world.showcase
    found = [entity for entity in answer.entities.entity if entity.uniscid == showcase.uscc]
    assert [(e.entname, e.regno, e.estdate, e.regstate_cn, e.regcapcur) for e in found] == [
        (
            showcase.name,
            showcase.registration_no,
            showcase.established_on.isoformat(),
            "存续（在营、开业、在册）",
            "156",
        )
    ]


def test_only_what_changed_since_is_answered(own_sandbox: Sandbox, soap: Soap) -> None:
    service = soap(own_sandbox, REGISTRATION).service
    before = service.QueryEntities(since="2026-07-01 00:00:00", page=1, size=100)

    own_sandbox.advance()
    after = service.QueryEntities(since="2026-07-01 00:00:00", page=1, size=100)

    assert before.total == 0
    changed = own_sandbox.world.changed_since(own_sandbox.world.today)
    assert {e.pripid for e in after.entities.entity} == {f"{e.region_code}{e.number:010d}" for e in changed}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"page": 1, "size": 1001}, "E422"),
        ({"page": 0, "size": 10}, "E422"),
        ({"since": "2026-06-01", "page": 1, "size": 10}, "E422"),
        ({"since": "2026-02-30 00:00:00", "page": 1, "size": 10}, "E102"),
        ({"since": "2026-06-02 00:00:00", "until": "2026-06-01 00:00:00", "page": 1, "size": 10}, "E101"),
    ],
)
def test_a_request_outside_the_contract_gets_a_typed_fault(
    sandbox: Sandbox, soap: Soap, asked: dict[str, object], code: str
) -> None:
    with pytest.raises(zeep.exceptions.Fault) as caught:
        soap(sandbox, REGISTRATION).service.QueryEntities(**asked)

    assert caught.value.code == "soap:Client"
    assert caught.value.detail.findtext(".//{*}code") == code


def test_customs_carries_records_in_messages_with_tags_of_either_case(sandbox: Sandbox, soap: Soap) -> None:
    service = soap(sandbox, CUSTOMS).service

    pages = [service.Exchange(ASK, pageNo=number, pageSize=3) for number in (1, 2)]

    messages = [etree.fromstring(page["return"]) for page in pages]
    assert [message.find("Body/fields")[0].tag for message in messages] == ["HGZCBM", "hgzcbm"]
    assert [len(message.findall("Body/fields")) for message in messages] == [3, 3]
    first = {cell.tag: cell.text for cell in messages[0].find("Body/fields")}
    showcase = sandbox.world.showcase
    assert (first["HGZCBM"], first["TYSHXYDM"], first["XYDJ"]) == (showcase.customs_code, showcase.uscc, "高级认证企业")


@pytest.mark.parametrize(
    ("request_text", "code"),
    [
        (ASK.replace("HGQYZC", "SOMETHING"), "E201"),
        ("<ExchangeMessage/>", "E202"),
        ("not xml", "E400"),
        ('<!DOCTYPE a [<!ENTITY b "HGQYZC">]><a><item>&b;</item></a>', "E400"),
    ],
)
def test_customs_refuses_messages_it_does_not_know(sandbox: Sandbox, soap: Soap, request_text: str, code: str) -> None:
    with pytest.raises(zeep.exceptions.Fault) as caught:
        soap(sandbox, CUSTOMS).service.Exchange(request_text)

    assert caught.value.detail.findtext(".//{*}code") == code


def test_a_document_type_in_the_envelope_is_refused(sandbox: Sandbox, soap: Soap) -> None:
    client = soap(sandbox, CUSTOMS)
    url = sandbox.connections()["endpoints"][CUSTOMS]["url"]
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'

    answer = client.transport.session.post(url, bomb, headers={"Content-Type": "text/xml"})

    assert answer.status_code == 500
    assert "DTD" in answer.content.decode()


@pytest.mark.parametrize("endpoint", [REGISTRATION, CUSTOMS])
def test_a_caller_without_a_client_certificate_does_not_get_in(sandbox: Sandbox, endpoint: str) -> None:
    entry = sandbox.connections()["endpoints"][endpoint]

    with pytest.raises((requests.exceptions.SSLError, requests.exceptions.ConnectionError)):
        requests.get(f"{entry['url']}?wsdl", verify=str(sandbox.home / entry["ca"]), timeout=5)


def test_one_caller_who_says_nothing_does_not_keep_others_out(sandbox: Sandbox, soap: Soap) -> None:
    host, port = sandbox.connections()["endpoints"][CUSTOMS]["url"].split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=5):
        answer = soap(sandbox, CUSTOMS).service.Exchange(ASK)

    assert answer.code == "00"


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("truncated", requests.exceptions.ChunkedEncodingError),
        ("error_500", zeep.exceptions.TransportError),
        ("expired_certificate", requests.exceptions.SSLError),
        ("renamed_column", zeep.exceptions.XMLParseError),
    ],
)
def test_it_misbehaves_on_request_and_then_behaves_again(
    own_sandbox: Sandbox, soap: Soap, how: str, error: type[Exception]
) -> None:
    service = soap(own_sandbox, REGISTRATION).service
    own_sandbox.misbehave(REGISTRATION, how)

    with pytest.raises(error):
        service.QueryEntities(page=1, size=5)

    own_sandbox.misbehave(REGISTRATION, None)
    assert len(service.QueryEntities(page=1, size=5).entities.entity) == 5


def test_a_time_out_ends_when_the_misbehaviour_ends(own_sandbox: Sandbox, soap: Soap) -> None:
    client = soap(own_sandbox, REGISTRATION)
    client.transport.operation_timeout = 0.5
    own_sandbox.misbehave(REGISTRATION, "timeout")

    with pytest.raises(requests.exceptions.ReadTimeout):
        client.service.QueryEntities(page=1, size=5)

    own_sandbox.misbehave(REGISTRATION, None)
    client.transport.operation_timeout = 5
    assert client.service.QueryEntities(page=1, size=5).code == "00"


def test_a_half_empty_snapshot_says_so_in_its_total(own_sandbox: Sandbox, soap: Soap) -> None:
    service = soap(own_sandbox, CUSTOMS).service
    whole = service.Exchange(ASK).total

    own_sandbox.misbehave(CUSTOMS, "half_empty")

    assert service.Exchange(ASK).total == whole // 3


def test_a_duplicate_page_is_the_first_page_again(own_sandbox: Sandbox, soap: Soap) -> None:
    service = soap(own_sandbox, REGISTRATION).service
    own_sandbox.misbehave(REGISTRATION, "duplicate_page")

    first, second = (service.QueryEntities(page=number, size=10).entities.entity for number in (1, 2))

    assert [e.pripid for e in first] == [e.pripid for e in second]


def test_each_day_a_registration_has_gone_from_the_snapshot(own_sandbox: Sandbox, soap: Soap) -> None:
    service = soap(own_sandbox, CUSTOMS).service

    def codes() -> set[str]:
        message = etree.fromstring(service.Exchange(ASK)["return"])
        return {fields.findtext("HGZCBM") for fields in message.iter("fields")}

    before = codes()
    own_sandbox.advance()

    assert len(before - codes()) == 1
