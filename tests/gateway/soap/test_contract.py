"""The written contract: complete, consistent, and checked against."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree
from zeep.wsdl import Document

from gateway.soap import contract
from gateway.soap.contract import make


@pytest.fixture(scope="module")
def wsdl() -> Document:
    from zeep.transports import Transport

    return Document(str(contract.FOLDER / contract.WSDL), Transport())


def test_the_wsdl_has_the_three_verbs_in_both_versions(wsdl: Document) -> None:
    ports = wsdl.services["Xinqiao"].ports

    assert {name: sorted(port.binding._operations) for name, port in ports.items()} == {
        "Soap11": ["deliver", "entity", "feed"],
        "Soap12": ["deliver", "entity", "feed"],
    }


def test_every_verb_names_the_typed_fault(wsdl: Document) -> None:
    operations = next(iter(wsdl.port_types.values())).operations

    assert {name: list(operation.fault_messages) for name, operation in operations.items()} == {
        "deliver": ["problem"],
        "entity": ["problem"],
        "feed": ["problem"],
    }


def test_a_request_that_keeps_the_contract_has_no_problems() -> None:
    asked = make("feed", make("recordType", "penalty"), make("after", "0"), make("purpose", "联合惩戒"))

    assert contract.problems(asked) == []


@pytest.mark.parametrize(
    "asked",
    [
        make("feed", make("recordType", "penalty")),
        make("feed", make("recordType", "Penalty"), make("purpose", "p")),
        make("feed", make("recordType", "penalty"), make("after", "-1"), make("purpose", "p")),
        make("feed", make("recordType", "penalty"), make("limit", "10001"), make("purpose", "p")),
        make("feed", make("recordType", "penalty"), make("purpose", "p"), make("extra", "x")),
        make("entity", make("uscc", "9144030071526726xG"), make("purpose", "p")),
        make(
            "deliver",
            make("source", "../etc"),
            make("fileName", "a"),
            make("mediaType", "text/csv"),
            make("content", ""),
        ),
        make(
            "deliver",
            make("source", "a/b"),
            make("fileName", "a"),
            make("mediaType", "text/csv"),
            make("content", "QUJ"),
        ),
    ],
    ids=["missing", "upper case", "negative", "page too large", "extra", "bad code", "path", "not base64"],
)
def test_a_request_that_breaks_the_contract_is_told_where(asked: etree._Element) -> None:
    assert len(contract.problems(asked)) >= 1


def test_a_long_offending_value_is_not_repeated_in_full() -> None:
    asked = make("entity", make("uscc", "O" * 100_000), make("purpose", "p"))

    assert max(map(len, contract.problems(asked))) < 400


def test_the_served_wsdl_names_the_address_it_was_asked_at(tmp_path: Path) -> None:
    served = contract.document(contract.WSDL, "https://gateway.example:9443/soap")

    root = etree.fromstring(served)
    addresses = {element.get("location") for element in root.iter("{*}address")}
    imported = {element.get("schemaLocation") for element in root.iter("{*}import")}
    assert (addresses, imported) == (
        {"https://gateway.example:9443/soap"},
        {"https://gateway.example:9443/soap/xinqiao.xsd"},
    )
