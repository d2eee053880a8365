"""The life of a certificate by HTTP: asked for, approved, issued, renewed, suspended, lifted, revoked, and by whom."""

from __future__ import annotations

import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from certs.csr import key_sha256
from certs.errors import KeyUnusable
from certs.keys import make_key
from certs.names import PersonName
from gateway.access.certificates import MAX_GOOD
from gateway.api import certificates as face
from gateway.audit.tables import entries
from tests.gateway.api.installation import CHAIN, Installation, System, ask, certificate_of, problem
from tests.support.csrs import csr_pem, fingerprint

NEW = "urn:xinqiao:health:clinic"


@pytest.fixture(scope="module")
def security(home: Installation) -> System:
    return home.person(PersonName("zhang.san", "security_administrator"))


@pytest.fixture(scope="module")
def agency(home: Installation) -> System:
    """The administrator of the health agency."""
    return home.person(PersonName("wang.wu", "agency_administrator", "health"))


@pytest.fixture(scope="module")
def auditor(home: Installation) -> System:
    return home.person(PersonName("li.si", "auditor"))


def whoami(client: FlaskClient, chain: bytes) -> TestResponse:
    """A request that any system may make, with this certificate."""
    return client.get("/v1/grants", environ_overrides={CHAIN: (chain,)})


def asked_for(client: FlaskClient, by: System, holder: str = NEW) -> tuple[str, str]:
    """A new request: its address and the fingerprint of its key."""
    key = make_key()
    made = ask(client, by, "POST", "/v1/certificate-requests", json={"holder": holder, "csr": csr_pem(key)})
    assert made.status_code == 201, made.get_data(as_text=True)
    return f"/v1/certificate-requests/{made.get_json()['id']}", fingerprint(key)


def test_a_system_without_a_certificate_gets_one_by_way_of_its_agency(
    home: Installation, client: FlaskClient, agency: System, security: System
) -> None:
    address, key = asked_for(client, agency)

    waiting = ask(client, agency, "GET", address).get_json()
    listed = ask(client, security, "GET", "/v1/certificate-requests?status=waiting").get_json()["requests"]
    approved = ask(client, security, "POST", f"{address}/approval", json={"key_sha256": key}).get_json()
    fetched = ask(client, agency, "GET", address).get_json()

    assert (waiting["status"], "pem" in waiting) == ("waiting", False)
    assert waiting["id"] in {one["id"] for one in listed}
    assert (approved["status"], fetched["pem"]) == ("issued", approved["pem"])
    certificate = certificate_of(fetched["pem"])
    assert key_sha256(certificate.public_key()) == key
    assert whoami(client, der(certificate)).status_code == 200


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def test_only_a_security_administrator_decides(
    client: FlaskClient, agency: System, auditor: System, consumer: System, security: System
) -> None:
    address, key = asked_for(client, agency, "urn:xinqiao:health:lab")

    tried = [
        problem(ask(client, by, "POST", f"{address}/{act}", json=said))
        for by in (agency, auditor, consumer)
        for act, said in (("approval", {"key_sha256": key}), ("refusal", {"reason": "x"}))
    ]
    refused = ask(client, security, "POST", f"{address}/refusal", json={"reason": "系统未备案"}).get_json()

    assert {status for status, _ in tried} == {403}
    assert (refused["status"], refused["ground"]) == ("refused", "系统未备案")


def test_a_request_is_brought_for_ones_own_agency_only(client: FlaskClient, agency: System, consumer: System) -> None:
    def bring(by: System, holder: str) -> tuple[int, str]:
        return problem(
            ask(client, by, "POST", "/v1/certificate-requests", json={"holder": holder, "csr": csr_pem(make_key())})
        )

    assert bring(agency, "urn:xinqiao:customs:h2018") == (403, "wrong_duty")
    assert bring(agency, "urn:xinqiao:person:wang.wu?=duty=auditor") == (403, "wrong_duty")
    assert bring(consumer, "urn:xinqiao:customs:other") == (403, "wrong_duty")
    assert bring(agency, "urn:xinqiao:health:../x") == (422, "invalid")


def test_a_person_asks_for_the_next_certificate_and_somebody_else_decides(
    client: FlaskClient, auditor: System, security: System
) -> None:
    own, other = "urn:xinqiao:person:li.si?=duty=auditor", "urn:xinqiao:person:wang.wu?=duty=auditor"
    address, key = asked_for(client, auditor, own)

    decided_by_himself = ask(client, auditor, "POST", f"{address}/approval", json={"key_sha256": key})
    approved = ask(client, security, "POST", f"{address}/approval", json={"key_sha256": key})
    fetched = ask(client, auditor, "GET", address).get_json()
    for_another = ask(
        client, auditor, "POST", "/v1/certificate-requests", json={"holder": other, "csr": csr_pem(make_key())}
    )

    assert (problem(decided_by_himself), problem(for_another)) == ((403, "wrong_duty"), (403, "wrong_duty"))
    assert (approved.get_json()["status"], "BEGIN CERTIFICATE" in fetched["pem"]) == ("issued", True)


def test_another_agencys_request_is_not_seen(home: Installation, client: FlaskClient, agency: System) -> None:
    other = home.person(PersonName("zhao.liu", "agency_administrator", "customs"))
    address, _ = asked_for(client, agency, "urn:xinqiao:health:pharmacy")

    seen = ask(client, other, "GET", "/v1/certificate-requests").get_json()["requests"]

    assert seen == []
    assert problem(ask(client, other, "GET", address)) == (404, "not_found")
    assert problem(ask(client, other, "POST", f"{address}/withdrawal")) == (404, "not_found")
    assert ask(client, agency, "POST", f"{address}/withdrawal").get_json()["status"] == "withdrawn"


def test_without_the_issuing_key_a_request_stays_approved(
    client: FlaskClient, agency: System, security: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(settings: object) -> None:
        raise KeyUnusable("私钥不在此处。", "the key is not here")

    address, key = asked_for(client, agency, "urn:xinqiao:health:archive")
    monkeypatch.setattr(face, "open_issuing", closed)

    answer = ask(client, security, "POST", f"{address}/approval", json={"key_sha256": key})

    assert (answer.status_code, answer.get_json()["status"]) == (200, "approved")


def test_a_renewal_is_logged_as_one_and_both_certificates_are_good(home: Installation, client: FlaskClient) -> None:
    system = home.system("urn:xinqiao:health:renewing")

    renewed = ask(client, system, "POST", "/v1/certificates", json={"csr": csr_pem(make_key())}).get_json()

    new = der(certificate_of(renewed["pem"]))
    assert [whoami(client, chain).status_code for chain in (system.chain[0], new)] == [200, 200]
    with home.store.read() as conn:
        (body,) = conn.scalars(select(entries.c.body).where(entries.c.action == "certificate.renewed"))
    assert json.loads(body)["replaces"] == system.serial


def test_a_system_does_not_renew_without_end(home: Installation, client: FlaskClient) -> None:
    system = home.system("urn:xinqiao:health:looping")

    statuses = [
        ask(client, system, "POST", "/v1/certificates", json={"csr": csr_pem(make_key())}).status_code
        for _ in range(MAX_GOOD)
    ]

    assert statuses == [201] * (MAX_GOOD - 1) + [409]


def test_closing_is_for_the_agency_and_opening_for_the_security_administrator(
    home: Installation, client: FlaskClient, agency: System, security: System
) -> None:
    system = home.system("urn:xinqiao:health:front")
    address = f"/v1/certificates/{system.serial}"

    suspended = ask(client, agency, "POST", f"{address}/suspension")
    during = whoami(client, system.chain[0])
    not_allowed = ask(client, agency, "POST", f"{address}/resumption")
    lifted = ask(client, security, "POST", f"{address}/resumption")
    after = whoami(client, system.chain[0])

    assert (suspended.get_json()["status"], problem(during)) == ("suspended", (401, "certificate_revoked"))
    assert problem(not_allowed) == (403, "wrong_duty")
    assert (lifted.get_json()["status"], after.status_code) == ("good", 200)


def test_a_system_may_say_that_its_own_key_is_lost(home: Installation, client: FlaskClient) -> None:
    system, other = home.system("urn:xinqiao:health:lost"), home.system("urn:xinqiao:customs:other")
    said = {"reason": "key_compromise"}

    strange = ask(client, other, "POST", f"/v1/certificates/{system.serial}/revocation", json=said)
    own = ask(client, system, "POST", f"/v1/certificates/{system.serial}/revocation", json=said)

    assert (problem(strange), own.get_json()["status"]) == ((403, "wrong_duty"), "revoked")
    assert problem(whoami(client, system.chain[0])) == (401, "certificate_revoked")


@pytest.mark.parametrize("reason", ["certificate_hold", "removeFromCRL", "", "because"])
def test_a_revocation_gives_a_reason_of_the_standard(
    client: FlaskClient, security: System, consumer: System, reason: str
) -> None:
    answer = ask(client, security, "POST", f"/v1/certificates/{consumer.serial}/revocation", json={"reason": reason})

    assert problem(answer) == (422, "invalid")


def test_a_suspended_system_is_refused_whatever_certificate_it_shows(
    home: Installation, client: FlaskClient, agency: System, security: System
) -> None:
    system = home.system("urn:xinqiao:health:doubted")
    second = home.issue(system.urn)
    address = f"/v1/holders/{system.urn}"

    closed = ask(client, agency, "POST", f"{address}/suspension").get_json()
    during = [whoami(client, one.chain[0]) for one in (system, second)]
    reopened = ask(client, agency, "POST", f"{address}/resumption")
    opened = ask(client, security, "POST", f"{address}/resumption").get_json()

    assert (closed["status"], opened["status"]) == ("suspended", "active")
    assert [problem(one)[1] for one in during] == ["holder_not_active"] * 2
    assert problem(reopened) == (403, "wrong_duty")
    assert whoami(client, system.chain[0]).status_code == 200


def test_holders_and_certificates_are_seen_by_their_agency_and_by_those_whose_duty_it_is(
    home: Installation, client: FlaskClient, agency: System, security: System, auditor: System, consumer: System
) -> None:
    def agencies(by: System) -> set[str]:
        rows = ask(client, by, "GET", "/v1/holders").get_json()["holders"]
        return {row["agency"] for row in rows}

    assert (agencies(agency), agencies(consumer)) == ({"health"}, {"customs"})
    assert {"health", "customs", ""} <= agencies(security)
    all_of_them = ask(client, security, "GET", "/v1/certificates").get_json()["certificates"]
    assert problem(ask(client, auditor, "GET", "/v1/certificates")) == (403, "wrong_duty")
    assert {"system", "person", "server"} <= {row["profile"] for row in all_of_them}


def test_an_address_that_names_no_certificate_or_holder_finds_nothing(client: FlaskClient, security: System) -> None:
    for address in ("/v1/certificates/xyz/suspension", "/v1/certificates/00/suspension"):
        assert problem(ask(client, security, "POST", address)) == (404, "not_found")
    assert problem(ask(client, security, "POST", "/v1/holders/urn:xinqiao:health:nobody/suspension"))[0] == 409
    assert problem(ask(client, security, "GET", "/v1/certificate-requests/q-none")) == (404, "not_found")


def test_the_expiry_board_is_of_ones_own_agency_or_whole(
    home: Installation, client: FlaskClient, agency: System, security: System
) -> None:
    for urn in ("urn:xinqiao:health:ending", "urn:xinqiao:customs:ending"):
        home.system(urn)

    def kinds(by: System) -> set[tuple[str, str]]:
        rows = ask(client, by, "GET", "/v1/expiries?days=8000").get_json()["expiries"]
        return {(row["kind"], row["agency"]) for row in rows}

    assert kinds(agency) == {("system", "health")}
    assert {("gateway", ""), ("root", ""), ("crl", ""), ("system", "customs")} <= kinds(security)
    assert problem(ask(client, security, "GET", "/v1/expiries?days=-1")) == (422, "invalid")
