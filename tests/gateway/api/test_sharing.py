"""Agreeing on sharing by HTTP: catalogue, applications, grants, challenges, certificates."""

from __future__ import annotations

import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from flask.testing import FlaskClient

from certs.names import PersonName
from connectors.registry import sources
from gateway.access.giving import withdraw
from tests.gateway.api.installation import CHAIN, ONE, PURPOSE, TWO, Installation, System, ask, certificate_of, problem

PERIOD = {"valid_from": "2026-11-01", "valid_until": "2027-10-31"}
WISH = {"purpose": PURPOSE, "legal_basis": "条例", **PERIOD}


def test_the_catalogue_has_every_source_with_its_share_type(client: FlaskClient, consumer: System) -> None:
    entries = ask(client, consumer, "GET", "/v1/catalogue").get_json()["entries"]

    assert {one["source"]: one["share_type"] for one in entries} == {
        name: spec.catalogue.share_type for name, spec in sources().items()
    }


def test_what_is_shared_under_conditions_takes_the_providers_administrator_and_the_security_administrator(
    home: Installation, client: FlaskClient
) -> None:
    conditional = {spec.record_type: spec.agency for spec in sources().values() if _decides_alone(spec.record_type)}
    record_type, agency = next(iter(conditional.items()))
    applicant = home.system("urn:xinqiao:health:applicant")
    decider = home.person(PersonName("decider", "agency_administrator", agency))
    security = home.person(PersonName("security", "security_administrator"))

    made = ask(client, applicant, "POST", "/v1/applications", json={**WISH, "record_type": record_type})
    address = f"/v1/applications/{made.get_json()['id']}"
    refused = ask(client, applicant, "GET", f"/v1/feeds/{record_type}")
    early = ask(client, applicant, "POST", f"{address}/approval")
    machine = ask(client, home.system(f"urn:xinqiao:{agency}:machine"), "POST", f"{address}/approval")
    first = ask(client, decider, "POST", f"{address}/approval")
    twice = ask(client, decider, "POST", f"{address}/approval")
    still = ask(client, applicant, "GET", f"/v1/feeds/{record_type}")
    approved = ask(client, security, "POST", f"{address}/approval")
    read = ask(client, applicant, "GET", f"/v1/feeds/{record_type}")
    again = ask(client, decider, "POST", f"{address}/refusal", json={"reason": "x"})

    # 21 November 2026 is a Saturday; the tenth working day from it is Friday, 4 December.
    assert (made.status_code, made.get_json()["status"], made.get_json()["clock"]) == (
        201,
        "waiting",
        {"due_on": "2026-12-04", "working_days": 10, "overdue": False, "provisional": []},
    )
    assert [problem(one) for one in (refused, early, machine, twice, still)] == [
        (403, "grant_none"),
        (403, "wrong_duty"),
        (403, "wrong_duty"),
        (409, "conflict"),
        (403, "grant_none"),
    ]
    assert (first.get_json()["status"], first.get_json()["missing"]) == ("waiting", ["security_administrator"])
    assert (approved.get_json()["status"], read.status_code) == ("granted", 200)
    assert problem(again) == (409, "conflict")
    grants = ask(client, applicant, "GET", "/v1/grants").get_json()["grants"]
    assert [(one["id"], one["valid_until"]) for one in grants] == [(approved.get_json()["grant_id"], "2027-10-31")]


def test_an_agency_administrator_applies_for_a_system_of_his_agency_and_people_hold_no_grants(
    home: Installation, client: FlaskClient
) -> None:
    home.system("urn:xinqiao:customs:declared")
    person = home.person(PersonName("applying", "agency_administrator", "customs"))
    wish = {**WISH, "record_type": "complaint"}

    made = ask(client, person, "POST", "/v1/applications", json={**wish, "system": "urn:xinqiao:customs:declared"})
    answers = [
        ask(client, person, "POST", "/v1/applications", json=wish),
        ask(client, person, "POST", "/v1/applications", json={**wish, "system": "urn:xinqiao:customs:nobody"}),
        ask(client, person, "POST", "/v1/applications", json={**wish, "system": person.urn}),
        ask(
            client,
            home.system("urn:xinqiao:customs:other"),
            "POST",
            "/v1/applications",
            json={**wish, "system": person.urn},
        ),
    ]

    assert (made.status_code, made.get_json()["filed_by"], made.get_json()["system_urn"]) == (
        201,
        person.urn,
        "urn:xinqiao:customs:declared",
    )
    assert [problem(one) for one in answers] == [(422, "invalid")] * 3 + [(403, "not_yours")]


def test_a_grant_is_withdrawn_by_whom_it_concerns_and_the_next_read_is_refused(
    home: Installation, client: FlaskClient, landed: str
) -> None:
    reader = home.system("urn:xinqiao:health:withdrawn")
    grant = home.grant(reader.urn)
    address = f"/v1/grants/{grant.id}/withdrawal"
    provider = home.person(PersonName("withdrawing", "agency_administrator", "market_supervision"))
    stranger = home.person(PersonName("stranger", "agency_administrator", "agriculture"))
    before = ask(client, reader, "GET", "/v1/feeds/registration")

    refused = [
        ask(client, who, "POST", address, json={"reason": "超范围使用"})
        for who in (stranger, reader, home.person(PersonName("looking", "auditor")))
    ]
    ended = ask(client, provider, "POST", address, json={"reason": "超范围使用"})
    after = ask(client, reader, "GET", "/v1/feeds/registration")

    assert [problem(one) for one in refused] == [(403, "not_yours"), (403, "wrong_duty"), (403, "wrong_duty")]
    assert (before.status_code, ended.get_json()["status"], problem(after)) == (
        200,
        "withdrawn",
        (403, "grant_withdrawn"),
    )


def test_a_share_of_the_records_and_of_the_sources_is_the_same_on_every_way(
    home: Installation, client: FlaskClient, landed: str
) -> None:
    reader = home.system("urn:xinqiao:health:sampled")
    grant = home.grant(reader.urn, percent=50)
    feed = [json.loads(line) for line in ask(client, reader, "GET", "/v1/feeds/registration").data.splitlines()]
    records = [
        record
        for code in (ONE, TWO)
        for record in ask(client, reader, "GET", f"/v1/records/registration?uscc={code}").get_json()["records"]
    ]
    with home.store.write() as conn:
        withdraw(conn, grant.id, "test", home.now)
    home.grant(reader.urn, sources=["market_supervision/registration"])
    other = ask(client, reader, "GET", "/v1/feeds/registration")

    assert feed == records
    assert [one["record_key"] < "8" for one in feed] == [True] * len(feed)
    assert (other.status_code, other.data) == (200, b"")


def _decides_alone(record_type: str) -> bool:
    filling = [spec for spec in sources().values() if spec.record_type == record_type]
    kinds = {spec.catalogue.share_type for spec in filling}
    return "conditional" in kinds and "refused" not in kinds and len({spec.agency for spec in filling}) == 1


def test_an_application_of_others_cannot_be_told_from_none(home: Installation, client: FlaskClient) -> None:
    applicant = home.system("urn:xinqiao:customs:applicant")
    made = ask(client, applicant, "POST", "/v1/applications", json={**WISH, "record_type": "complaint"}).get_json()
    stranger = home.person(PersonName("outside", "agency_administrator", "agriculture"))

    answers = [
        ask(client, stranger, "GET", f"/v1/applications/{made['id']}"),
        ask(client, stranger, "POST", f"/v1/applications/{made['id']}/approval"),
        ask(client, stranger, "GET", "/v1/applications/a-none"),
    ]

    assert [problem(answer) for answer in answers] == [(404, "not_found")] * 3


def test_an_application_outside_the_contract_is_refused_with_the_member(client: FlaskClient, consumer: System) -> None:
    asked: list[dict[str, Any]] = [
        {**WISH},
        {**WISH, "record_type": "secrets"},
        {**WISH, "record_type": "penalty", "columns": ["nothing"]},
        {**WISH, "record_type": "penalty", "columns": []},
        {**WISH, "record_type": "penalty", "valid_until": "2020-01-01"},
        {**WISH, "record_type": "penalty", "region_prefixes": ["33%"]},
        {**WISH, "record_type": "penalty", "unmasked": ["legal_representative_id_no"]},
        {**WISH, "record_type": "penalty", "percent": 0},
        {**WISH, "record_type": "penalty", "sources": ["health/licences"]},
    ]

    answers = [ask(client, consumer, "POST", "/v1/applications", json=one) for one in asked]

    assert [problem(answer) for answer in answers] == [(422, "invalid")] * len(asked)
    assert answers[0].get_json()["details"]["problems"] == {
        "json": {"record_type": ["Missing data for required field."]}
    }


def test_a_challenge_goes_to_the_provider_who_decides_once(
    home: Installation, client: FlaskClient, provider: System, landed: str
) -> None:
    reader = home.system("urn:xinqiao:health:challenger")
    home.grant(reader.urn, columns=["name"])
    (record,) = ask(client, reader, "GET", f"/v1/records/registration?uscc={ONE}").get_json()["records"]
    doubt = {
        "record_type": "registration",
        "seq": record["seq"],
        "field": "name",
        "believed": "杭州甲股份有限公司",
        "evidence": "营业执照",
    }

    made = ask(client, reader, "POST", "/v1/challenges", json=doubt)
    unseen = ask(client, reader, "POST", "/v1/challenges", json={**doubt, "field": "address"})
    unknown = ask(client, reader, "POST", "/v1/challenges", json={**doubt, "seq": 10**9})
    address = f"/v1/challenges/{made.get_json()['id']}/decision"
    own = ask(client, reader, "POST", address, json={"decision": "upheld", "reason": "x"})
    decided = ask(client, provider, "POST", address, json={"decision": "upheld", "reason": "已核实"})
    again = ask(client, provider, "POST", address, json={"decision": "rejected", "reason": "x"})

    assert (made.status_code, made.get_json()["agency"]) == (201, "market_supervision")
    assert [problem(answer) for answer in (unseen, unknown, own, again)] == [
        (404, "not_found"),
        (404, "not_found"),
        (403, "not_yours"),
        (409, "conflict"),
    ]
    assert (decided.get_json()["status"], decided.get_json()["reason"]) == ("upheld", "已核实")
    seen = ask(client, reader, "GET", "/v1/challenges").get_json()["challenges"]
    assert [(one["status"], one["decided_by"]) for one in seen] == [("upheld", provider.urn)]


def test_a_version_outside_the_regions_of_the_grant_cannot_be_challenged(
    home: Installation, client: FlaskClient, landed: str
) -> None:
    reader = home.system("urn:xinqiao:health:far")
    home.grant(reader.urn, region_prefixes=["65"])
    doubt = {"record_type": "registration", "seq": 1, "field": "name", "believed": "甲", "evidence": "营业执照"}

    answer = ask(client, reader, "POST", "/v1/challenges", json=doubt)

    assert problem(answer) == (404, "not_found")


def test_a_system_changes_to_a_new_key_and_both_certificates_hold(home: Installation, client: FlaskClient) -> None:
    system = home.system("urn:xinqiao:health:renewing")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody else")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())

    made = ask(client, system, "POST", "/v1/certificates", json={"csr": csr.public_bytes(Encoding.PEM).decode()})

    assert made.status_code == 201, made.get_data(as_text=True)
    renewed = certificate_of(made.get_json()["pem"])
    assert renewed.public_key() == key.public_key()
    new = client.get("/v1/certificates", environ_overrides={CHAIN: (renewed.public_bytes(Encoding.DER),)})
    old = ask(client, system, "GET", "/v1/certificates")
    assert (new.status_code, old.status_code) == (200, 200)
    urns = {one["urn"] for one in new.get_json()["certificates"]}
    assert system.urn in urns
    assert all(urn.startswith("urn:xinqiao:health:") for urn in urns)


def test_a_request_that_is_no_csr_is_refused(client: FlaskClient, consumer: System) -> None:
    answer = ask(client, consumer, "POST", "/v1/certificates", json={"csr": "-----BEGIN CERTIFICATE REQUEST-----"})

    assert problem(answer) == (422, "invalid")
