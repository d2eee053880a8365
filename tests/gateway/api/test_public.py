"""What anyone may fetch, and that nothing else can be fetched by the same way."""

from __future__ import annotations

import gzip
import json
import re
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from flask.testing import FlaskClient

from certs.authority import open_authority
from certs.names import PersonName
from gateway.audit.keys import load_verifier
from gateway.audit.notes import open_checkpoint
from gateway.certificates_publish import pki_files, publish_crl
from tests.gateway.api.installation import Installation, System, ask, problem


def test_the_checkpoint_is_signed_by_the_log(home: Installation, client: FlaskClient, landed: str) -> None:
    answer = ask(client, None, "GET", "/audit/checkpoint")

    checkpoint = open_checkpoint(answer.get_data(as_text=True), load_verifier(home.settings))
    assert (answer.mimetype, checkpoint.size >= 1) == ("text/plain", True)


def tiles(home: Installation) -> dict[str, bytes]:
    folder = home.settings.home / "log" / "tile"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_anyone_is_served_the_hash_tiles_as_they_lie(home: Installation, client: FlaskClient, landed: str) -> None:
    hashes = {path: content for path, content in tiles(home).items() if not path.startswith("entries/")}

    served = {path: ask(client, None, "GET", f"/audit/tile/{path}").get_data() for path in hashes}

    assert served == hashes
    assert len(hashes) >= 1


def test_entries_say_who_read_about_whom_and_are_served_to_auditors_only(
    home: Installation, client: FlaskClient, consumer: System, landed: str
) -> None:
    path = max(path for path in tiles(home) if path.startswith("entries/"))
    auditor = home.person(PersonName("li.si", "auditor"))

    stranger, system, allowed = (
        ask(client, asking, "GET", f"/audit/tile/{path}") for asking in (None, consumer, auditor)
    )

    assert (problem(stranger), problem(system)) == ((401, "certificate_missing"), (403, "not_yours"))
    assert (allowed.get_data(), allowed.cache_control.private) == (tiles(home)[path], True)


def test_tiles_are_kept_by_caches_and_the_checkpoint_is_not(
    home: Installation, client: FlaskClient, landed: str
) -> None:
    path = next(path for path in tiles(home) if path.startswith("0/"))

    tile, checkpoint = (ask(client, None, "GET", f"/audit/{one}") for one in (f"tile/{path}", "checkpoint"))

    assert (tile.mimetype, tile.cache_control.immutable) == ("application/octet-stream", True)
    assert (tile.cache_control.max_age, checkpoint.cache_control.max_age) == (365 * 24 * 3600, 0)


def test_a_tile_that_no_checkpoint_covers_is_not_served(home: Installation, client: FlaskClient, landed: str) -> None:
    beyond = home.settings.home / "log" / "tile" / "0" / "000.p" / "255"
    beyond.write_bytes(bytes(255 * 32))

    answer = ask(client, None, "GET", "/audit/tile/0/000.p/255")

    beyond.unlink()
    assert problem(answer) == (404, "not_found")


def test_entries_are_compressed_for_who_takes_it(home: Installation, client: FlaskClient, landed: str) -> None:
    path = max(path for path in tiles(home) if path.startswith("entries/"))
    auditor = home.person(PersonName("qian.qi", "auditor"))

    answer = ask(client, auditor, "GET", f"/audit/tile/{path}", headers={"Accept-Encoding": "gzip"})

    assert (answer.content_encoding, answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(answer.get_data()) == tiles(home)[path]


def test_what_no_quorum_has_cosigned_yet_is_not_there(client: FlaskClient, landed: str) -> None:
    assert problem(ask(client, None, "GET", "/audit/witnessed")) == (404, "not_found")


def test_a_revocation_list_is_renewed_when_half_its_time_is_over(home: Installation, client: FlaskClient) -> None:
    def ends() -> datetime | None:
        return x509.load_der_x509_crl(ask(client, None, "GET", "/pki/crl").get_data()).next_update_utc

    first, begun = ends(), home.now
    home.now += timedelta(days=4)

    second = ends()

    home.now = begun
    assert first is not None
    assert second == first + timedelta(days=4)


@pytest.mark.parametrize(
    "path",
    [
        "../../keys/seal.key",
        "..%2f..%2fkeys%2fseal.key",
        "%2e%2e/%2e%2e/keys/seal.key",
        "0/../../../keys/seal.key",
        "0/x001/../000",
        "/etc/passwd",
        "//etc/passwd",
        "0/000.p/9999",
        "0/٠٠٠",
        "0/000\n",
        "entries",
        "",
        ".lock",
        "0/999",
    ],
)
def test_a_path_that_is_no_tile_finds_nothing(client: FlaskClient, landed: str, path: str) -> None:
    assert problem(ask(client, None, "GET", f"/audit/tile/{path}")) == (404, "not_found")


def test_a_path_with_a_zero_byte_in_it_cannot_be_read(client: FlaskClient, landed: str) -> None:
    assert problem(ask(client, None, "GET", "/audit/tile/0/000%00.p/1")) == (400, "bad_request")


def test_the_authorities_are_the_trust_file_and_no_key(home: Installation, client: FlaskClient) -> None:
    pem = ask(client, None, "GET", "/pki/ca.pem").get_data(as_text=True)

    assert pem == pki_files(home.settings).trust.read_text()
    assert "PRIVATE" not in pem


def test_a_revoked_certificate_stands_in_the_list_and_in_the_answers_of_ocsp(
    home: Installation, client: FlaskClient
) -> None:
    authority = open_authority(pki_files(home.settings).home)
    good, gone = home.system("urn:xinqiao:customs:good"), home.system("urn:xinqiao:customs:gone")
    home.revoke(gone)
    publish_crl(home.store, authority, home.now)

    crl = x509.load_der_x509_crl(ask(client, None, "GET", "/pki/crl").get_data())

    assert crl.is_signature_valid(authority.key.public_key())
    assert {f"{entry.serial_number:040x}" for entry in crl} == {gone.serial}
    assert [_asked(client, home, system) for system in (good, gone)] == [
        ocsp.OCSPCertStatus.GOOD,
        ocsp.OCSPCertStatus.REVOKED,
    ]


def _asked(client: FlaskClient, home: Installation, system: System) -> ocsp.OCSPCertStatus:
    issuer = open_authority(pki_files(home.settings).home).certificate
    certificate = x509.load_der_x509_certificate(system.chain[0])
    asked = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA256()).build()
    der = asked.public_bytes(Encoding.DER)
    answer = ask(client, None, "POST", "/pki/ocsp", data=der, content_type="application/ocsp-request")
    return ocsp.load_der_ocsp_response(answer.get_data()).certificate_status


def test_an_ocsp_request_of_another_kind_or_too_long_is_refused(client: FlaskClient) -> None:
    long = ask(client, None, "POST", "/pki/ocsp", data=b"x" * 5000, content_type="application/ocsp-request")
    other = ask(client, None, "POST", "/pki/ocsp", data=b"x", content_type="text/plain")

    assert (problem(long), problem(other)) == ((413, "too_large"), (415, "unsupported_media_type"))


def test_health_and_readiness_are_told_to_anyone(client: FlaskClient) -> None:
    healthy, ready = ask(client, None, "GET", "/healthz"), ask(client, None, "GET", "/readyz")

    assert (healthy.get_json(), ready.get_json()["status"]) == ({"status": "ok"}, "ok")


def test_metrics_count_deliveries_rows_and_requests(client: FlaskClient, consumer: System, landed: str) -> None:
    ask(client, None, "GET", "/healthz")

    text = ask(client, consumer, "GET", "/metrics").get_data(as_text=True)

    assert 'xinqiao_deliveries{source="market_supervision/company_list",status="landed"} 1\n' in text
    assert 'xinqiao_rejected_rows{source="market_supervision/company_list",status="open"} 1\n' in text
    assert 'xinqiao_versions_landed_total{record_type="registration"} 2\n' in text
    assert 'endpoint="public.healthy",status="200"' in text


def test_every_answer_names_its_request(client: FlaskClient) -> None:
    found, missing = ask(client, None, "GET", "/healthz"), ask(client, None, "GET", "/nothing")

    assert len(found.headers["Xinqiao-Request"]) == 32
    assert missing.get_json()["request_id"] == missing.headers["Xinqiao-Request"]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/nothing", (404, "not_found")),
        ("DELETE", "/v1/deliveries", (405, "method_not_allowed")),
        ("GET", "/pki/ocsp", (405, "method_not_allowed")),
        ("PUT", "/soap", (405, "method_not_allowed")),
    ],
)
def test_an_address_or_method_that_is_not_there_is_a_problem_too(
    client: FlaskClient, method: str, path: str, expected: tuple[int, str]
) -> None:
    assert problem(ask(client, None, method, path)) == expected


def test_the_openapi_document_names_every_route_of_v1_and_every_record_type(client: FlaskClient) -> None:
    document = ask(client, None, "GET", "/v1/openapi.json").get_json()

    rules = {
        re.sub(r"<int[^:]*:", "<", str(rule)).replace("<", "{").replace(">", "}")
        for rule in client.application.url_map.iter_rules()
        if str(rule).startswith("/v1/") and str(rule) != "/v1/openapi.json"
    }
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == rules
    assert set(document["components"]["schemas"]) >= {"registration", "penalty", "complaint", "Receipt", "Problem"}


def test_every_error_of_the_openapi_document_is_a_problem_document(client: FlaskClient) -> None:
    document = ask(client, None, "GET", "/v1/openapi.json").get_json()

    described = {name: list(one["content"]) for name, one in document["components"]["responses"].items()}

    assert described == {
        "DEFAULT_ERROR": ["application/problem+json"],
        "UNPROCESSABLE_ENTITY": ["application/problem+json"],
    }


def test_the_openapi_document_says_the_type_of_every_answer_that_has_content(client: FlaskClient) -> None:
    document = ask(client, None, "GET", "/v1/openapi.json").get_json()

    silent = [
        (method, path, status)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method != "parameters"
        for status, answer in operation["responses"].items()
        if status != "204" and "$ref" not in answer and not answer.get("content")
    ]

    assert silent == []


def test_every_reference_of_the_openapi_document_leads_somewhere(client: FlaskClient) -> None:
    text = ask(client, None, "GET", "/v1/openapi.json").get_data(as_text=True)
    document = json.loads(text)

    def found(reference: str) -> bool:
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place.get(step, {})
        return bool(place)

    references = set(re.findall(r'"\$ref": ?"(#/[^"]+)"', text))
    assert [one for one in sorted(references) if not found(one)] == []
    assert len(references) > 10
    assert list(document["components"]["responses"]["DEFAULT_ERROR"]["content"]) == ["application/problem+json"]
    assert document["components"]["securitySchemes"]["system"]["type"] == "mutualTLS"
