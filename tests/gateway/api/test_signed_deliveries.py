"""Deliveries over HTTP that are signed: what is proven is kept, what does not hold is refused with its bytes kept."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from certs.keys import load_key
from certs.names import SystemName
from certs.signed import http, jws
from certs.suites import SUITES, PrivateKey, read_private_key
from connectors.registry import sources
from connectors.spec import Signature
from gateway.access import uploads
from gateway.audit.reading import what_did
from gateway.deliveries import vault_of
from gateway.home import initialise
from gateway.settings import Settings
from gateway.signatures.keys import register_key, revoke_key
from gateway.store.tables import deliveries
from tests.gateway.api.installation import SOURCE, Installation, System, ask, company_list, problem

ADDRESS = f"/v1/sources/{SOURCE}/deliveries"
COVERED = ("@method", "@authority", "@path", "content-digest")


@dataclass
class Message:
    """What the library signs in place."""

    method: str
    url: str
    headers: dict[str, str]


@pytest.fixture
def demanding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source demands a signature."""
    spec = replace(sources()[SOURCE], signature=Signature(required=True))
    monkeypatch.setattr(uploads, "sources", lambda: {SOURCE: spec})


@pytest.fixture
def file(request: pytest.FixtureRequest) -> bytes:
    """A file that no other test delivers."""
    return company_list((f"{request.node.name[:40]}有限公司", "91340100MA0000031N"))


def key_of(system: System) -> PrivateKey:
    load_key(system.key)
    return read_private_key(system.key.read_bytes())


def headers_of(
    key: PrivateKey, key_id: str, body: bytes, now: datetime, nonce: str, digest: str = "sha-256", **more: Any
) -> dict[str, str]:
    algorithm = http.DIGESTS[digest]()
    from certs.suites.base import hashed

    message = Message(
        "POST",
        f"https://localhost{ADDRESS}",
        {"host": "localhost", "content-digest": http.digest_field(digest, hashed([body], algorithm))},
    )
    http.sign(message, key, key_id, more.get("covered", COVERED), now, nonce)
    return message.headers


def deliver(client: FlaskClient, system: System, body: bytes, headers: Mapping[str, str]) -> TestResponse:
    return ask(client, system, "POST", ADDRESS, data=body, content_type="text/csv", headers=dict(headers))


def test_what_was_proven_stands_in_receipt_register_and_log(
    home: Installation, client: FlaskClient, provider: System, file: bytes, demanding: None
) -> None:
    answer = deliver(client, provider, file, headers_of(key_of(provider), provider.serial, file, home.now, "proven"))

    assert answer.status_code == 201, answer.get_data(as_text=True)
    proof = answer.get_json()["signature"]
    assert {name: proof[name] for name in ("form", "algorithm", "key_id", "holder")} == {
        "form": "http",
        "algorithm": "ecdsa-p256-sha256",
        "key_id": provider.serial,
        "holder": provider.urn,
    }
    assert set(proof["covered"]) == set(COVERED)
    kept = vault_of(home.store).root / "received" / proof["evidence"]["digest"][:2] / proof["evidence"]["digest"]
    assert b"signature-input: " in kept.read_bytes().lower()
    with home.store.read() as conn:
        entry = what_did(conn, f"upload:{provider.urn}")[0]
    assert entry.entry["signature"] == proof


def test_a_fingerprint_names_the_certificate_too(
    home: Installation, client: FlaskClient, provider: System, file: bytes
) -> None:
    fingerprint = hashlib.sha256(provider.chain[0]).hexdigest().upper()
    answer = deliver(client, provider, file, headers_of(key_of(provider), fingerprint, file, home.now, "by print"))
    assert answer.get_json()["signature"]["key_id"] == provider.serial


def test_a_source_that_demands_a_signature_refuses_a_delivery_without_and_keeps_its_bytes(
    home: Installation, client: FlaskClient, provider: System, file: bytes, demanding: None
) -> None:
    answer = ask(client, provider, "POST", ADDRESS, data=file, content_type="text/csv")

    assert problem(answer) == (422, "signature_missing")
    refused = answer.get_json()["details"]["delivery_id"]
    with home.store.read() as conn:
        row = conn.execute(select(deliveries).where(deliveries.c.id == refused)).one()
        entry = what_did(conn, f"upload:{provider.urn}")[0]
    assert row.status == "refused"
    assert (home.settings.home / row.parts[0]["path"]).read_bytes() == file
    assert (entry.entry["delivery_id"], entry.entry["code"]) == (refused, "signature_missing")
    told = ask(client, provider, "GET", f"/v1/deliveries/{refused}").get_json()
    assert told["problem"]["code"] == "signature_missing"


def test_the_same_request_again_is_a_replay(
    home: Installation, client: FlaskClient, provider: System, file: bytes
) -> None:
    headers = headers_of(key_of(provider), provider.serial, file, home.now, "once")
    assert deliver(client, provider, file, headers).status_code == 201
    assert problem(deliver(client, provider, file, headers)) == (422, "signature_replayed")
    again = headers_of(key_of(provider), provider.serial, file, home.now, "twice")
    assert deliver(client, provider, file, again).status_code == 200


Change = Callable[[dict[str, str]], dict[str, str]]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda headers: {**headers, "content-digest": "sha-256=:AAAA:"}, "signature_invalid"),
        (lambda headers: {**headers, "host": "elsewhere.example"}, "signature_invalid"),
        (lambda headers: {**headers, "Signature": "xinqiao=:AAAA:"}, "signature_invalid"),
        (lambda headers: {**headers, "Signature": "\u00ff"}, "signature_invalid"),
        (lambda headers: {k: v for k, v in headers.items() if k != "Signature"}, "signature_invalid"),
        (lambda headers: {k: v for k, v in headers.items() if k != "Signature-Input"}, "signature_invalid"),
    ],
)
def test_a_signature_that_does_not_hold_refuses_even_where_none_is_demanded(
    home: Installation, client: FlaskClient, provider: System, file: bytes, change: Change, code: str
) -> None:
    headers = headers_of(key_of(provider), provider.serial, file, home.now, "bad")
    assert problem(deliver(client, provider, file, change(headers))) == (422, code)


def test_another_body_under_the_signature_is_refused(
    home: Installation, client: FlaskClient, provider: System, file: bytes
) -> None:
    headers = headers_of(key_of(provider), provider.serial, file, home.now, "other body")
    assert problem(deliver(client, provider, file + b"\r\n", headers)) == (422, "signature_invalid")


def test_an_old_signature_is_stale(home: Installation, client: FlaskClient, provider: System, file: bytes) -> None:
    headers = headers_of(key_of(provider), provider.serial, file, home.now - timedelta(seconds=301), "old")
    assert problem(deliver(client, provider, file, headers)) == (422, "signature_stale")


def test_the_key_of_another_system_or_of_nobody_is_refused(
    home: Installation, client: FlaskClient, provider: System, consumer: System, file: bytes
) -> None:
    other = home.system("urn:xinqiao:market_supervision:other")
    for key, key_id in (
        (key_of(consumer), consumer.serial),
        (key_of(other), other.serial),
        (SUITES["international"].make_key(), "00" * 20),
    ):
        headers = headers_of(key, key_id, file, home.now, f"stranger {key_id}")
        assert problem(deliver(client, provider, file, headers)) == (422, "signature_key_refused")


def test_a_revoked_certificate_signs_nothing_while_another_of_the_same_system_does(
    home: Installation, client: FlaskClient, provider: System, file: bytes
) -> None:
    second = home.issue(provider.urn)
    home.revoke(second)
    headers = headers_of(key_of(second), second.serial, file, home.now, "revoked")
    assert problem(deliver(client, provider, file, headers)) == (422, "signature_key_refused")


def test_a_registered_sm2_key_signs_if_the_suite_is_accepted_and_until_it_is_revoked(
    home: Installation, provider: System, file: bytes
) -> None:
    key = SUITES["guomi"].make_key()
    spki = base64.encodebytes(key.public.spki()).decode()
    pem = f"-----BEGIN PUBLIC KEY-----\n{spki}-----END PUBLIC KEY-----\n".encode()
    with home.store.write() as conn:
        key_id = register_key(conn, SystemName("market_supervision", "front"), pem, "test", home.now)

    def answer_of(nonce: str, client: FlaskClient) -> TestResponse:
        return deliver(client, provider, file, headers_of(key, key_id, file, home.now, nonce, digest="sm3"))

    assert problem(answer_of("not accepted", home.client())) == (422, "signature_key_refused")
    chinese = replace(home, settings=replace(home.settings, suite="guomi"), apps=[])
    initialise(chinese.settings, home.now)
    client = chinese.client()
    try:
        accepted = answer_of("accepted", client)
        assert accepted.status_code == 201, accepted.get_data(as_text=True)
        assert accepted.get_json()["signature"]["algorithm"] == "sm2-sm3"
        with home.store.write() as conn:
            revoke_key(conn, key_id, "key_compromise", "test", home.now)
        assert problem(answer_of("revoked", client)) == (422, "signature_key_refused")
    finally:
        for app in chinese.apps:
            home.apps.append(app)


def test_a_detached_signature_beside_the_file_in_a_form_is_taken(
    home: Installation, client: FlaskClient, provider: System, file: bytes, demanding: None
) -> None:
    made = jws.sign(key_of(provider), [file], {"kid": provider.serial}, is_unencoded=True)

    def form(signature: str, name: str = "企业.csv.jws") -> TestResponse:
        parts = {
            "file": (io.BytesIO(file), "企业.csv", "text/csv"),
            "signature": (io.BytesIO(signature.encode()), name, "application/jose"),
        }
        return ask(client, provider, "POST", ADDRESS, data=parts, content_type="multipart/form-data")

    assert problem(form(made[:-8] + "AAAAAAAA")) == (422, "signature_invalid")
    assert problem(form(made, "企业.csv.txt")) == (422, "signature_invalid")
    answer = form(made)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    assert answer.get_json()["signature"]["form"] == "jws"
    assert json.dumps(answer.get_json()["signature"])


def test_a_form_with_a_signature_over_the_request_is_told_how_to_do_it(
    home: Installation, client: FlaskClient, provider: System, file: bytes
) -> None:
    headers = headers_of(key_of(provider), provider.serial, file, home.now, "form")
    parts = {"file": (io.BytesIO(file), "企业.csv", "text/csv")}
    answer = ask(client, provider, "POST", ADDRESS, data=parts, content_type="multipart/form-data", headers=headers)
    assert problem(answer) == (422, "invalid")


def test_the_default_suite_accepts_what_certificates_have() -> None:
    assert "ecdsa-p256-sha256" in Settings().accepted_algorithms
