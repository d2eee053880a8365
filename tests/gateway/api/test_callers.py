"""Who gets in: every step of the verification, asked again on every request."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from certs.names import SystemName
from gateway import certificates_holders as holders
from tests.gateway.api.installation import ONE, Installation, System, ask, problem

CLOSED = [
    ("GET", "/v1/deliveries"),
    ("GET", "/v1/deliveries/x"),
    ("GET", "/v1/deliveries/x/rejections"),
    ("GET", "/v1/receipts/x"),
    ("GET", f"/v1/entities/{ONE}"),
    ("GET", f"/v1/records/registration?uscc={ONE}"),
    ("GET", "/v1/feeds/registration"),
    ("GET", "/v1/feeds/registration?wait=60"),
    ("GET", "/v1/catalogue"),
    ("GET", "/v1/applications"),
    ("GET", "/v1/grants"),
    ("GET", "/v1/challenges"),
    ("GET", "/v1/certificates"),
    ("GET", "/metrics"),
]


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_without_a_certificate_nothing_is_answered(client: FlaskClient, method: str, path: str) -> None:
    answer = ask(client, None, method, path)

    assert problem(answer) == (401, "certificate_missing")
    assert answer.headers["WWW-Authenticate"].startswith("ClientCertificate")


@pytest.mark.parametrize(
    "path", ["/v1/applications", "/v1/challenges", "/v1/certificates", "/v1/rejections/1/dismissal"]
)
def test_the_body_of_a_stranger_is_not_even_parsed(client: FlaskClient, path: str) -> None:
    answer = ask(client, None, "POST", path, data=b"{", content_type="application/json")

    assert problem(answer) == (401, "certificate_missing")


def test_a_header_that_pretends_to_be_a_certificate_is_nothing(client: FlaskClient, provider: System) -> None:
    pem = provider.certificate.read_text().replace("\n", "%0A")
    names = ("X-SSL-Client-Cert", "X-Forwarded-Client-Cert", "Ssl-Client-Cert", "X-Client-Certificate")

    answer = ask(client, None, "GET", "/v1/deliveries", headers=dict.fromkeys(names, pem))

    assert problem(answer) == (401, "certificate_missing")


def test_a_revoked_certificate_is_refused_on_the_next_request(home: Installation, client: FlaskClient) -> None:
    system = home.system("urn:xinqiao:customs:revoked")
    before = ask(client, system, "GET", "/v1/deliveries")
    home.revoke(system)

    after = ask(client, system, "GET", "/v1/deliveries")

    assert (before.status_code, problem(after)) == (200, (401, "certificate_revoked"))


def test_a_suspended_system_is_refused_until_it_is_let_in_again(home: Installation, client: FlaskClient) -> None:
    system = home.system("urn:xinqiao:customs:suspended")
    with home.store.write() as conn:
        holders.suspend_holder(conn, system.urn, "test", home.now)
    closed = ask(client, system, "GET", "/v1/deliveries")
    with home.store.write() as conn:
        holders.resume_holder(conn, system.urn, "test", home.now)

    opened = ask(client, system, "GET", "/v1/deliveries")

    assert (problem(closed), opened.status_code) == ((401, "holder_not_active"), 200)


def test_an_expired_certificate_is_refused(home: Installation, client: FlaskClient) -> None:
    system = home.system("urn:xinqiao:customs:short", lifetime=timedelta(days=1))
    begun, home.now = home.now, home.now + timedelta(days=2)

    answer = ask(client, system, "GET", "/v1/deliveries")

    home.now = begun
    assert problem(answer) == (401, "certificate_outside_validity")


def test_bytes_that_are_no_certificate_are_refused(client: FlaskClient, provider: System) -> None:
    broken = System(provider.urn, (b"\x30\x03nonsense",), provider.certificate, provider.key, "")

    assert problem(ask(client, broken, "GET", "/v1/deliveries")) == (401, "certificate_malformed")


def test_a_certificate_nobody_registered_is_unknown_and_refused(home: Installation, client: FlaskClient) -> None:
    from certs.authority import issue, open_authority
    from gateway.certificates_publish import pki_files

    issued = issue(open_authority(pki_files(home.settings).home), SystemName("customs", "ghost"), home.now)
    ghost = home.written("urn:xinqiao:customs:ghost", issued)

    assert problem(ask(client, ghost, "GET", "/v1/deliveries")) == (401, "certificate_revocation_unknown")
