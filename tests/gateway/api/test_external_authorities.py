"""Systems that bring a certificate of their own agency's authority, through the API and into the audit log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from certs.names import SystemName
from gateway import certificates_holders as holders
from gateway.audit.tables import entries
from tests.gateway.api.installation import ONE, Installation, System, ask, problem
from tests.support.foreign_authority import DAY, FRONT, Foreign, entry, found

GRACE = "Xinqiao-Certificate-Grace"


@pytest.fixture(scope="module")
def foreign(home: Installation, tmp_path_factory: pytest.TempPathFactory) -> Foreign:
    made = found(tmp_path_factory.mktemp("foreign"), home.now)
    made.folder = home.settings.home / "pki" / "external"
    made.folder.mkdir(exist_ok=True)
    made.describe(grace_hours=6)
    with home.store.write() as conn:
        holders.register(conn, FRONT, "海关前置系统", "test", home.now)
    home.grant(FRONT.urn)
    return made


@pytest.fixture
def front(home: Installation, foreign: Foreign) -> Iterator[System]:
    foreign.publish()
    begun = home.now
    yield home.written(FRONT.urn, foreign.issue())
    home.now = begun


def last_entry(home: Installation) -> dict[str, object]:
    with home.store.read() as conn:
        body = conn.execute(select(entries.c.body).order_by(entries.c.id.desc()).limit(1)).scalar_one()
    return dict(json.loads(body))


@pytest.mark.usefixtures("landed")
def test_the_entry_of_a_read_names_the_authority_that_vouched(
    home: Installation, client: FlaskClient, front: System
) -> None:
    answer = ask(client, front, "GET", f"/v1/entities/{ONE}")

    told = last_entry(home)
    assert (answer.status_code, GRACE in answer.headers) == (200, False)
    assert (told["actor"], told["certificate_authority"]) == (FRONT.urn, "partner")
    assert "certificate_grace" not in told


@pytest.mark.usefixtures("landed")
def test_a_use_under_grace_is_in_the_entry_the_answer_and_the_metrics_and_in_no_other_caller_s(
    home: Installation, client: FlaskClient, front: System, consumer: System
) -> None:
    home.grant(consumer.urn)
    home.now += DAY + timedelta(hours=1)

    answer = ask(client, front, "GET", f"/v1/entities/{ONE}")
    under_grace = last_entry(home)
    other = ask(client, consumer, "GET", f"/v1/entities/{ONE}")
    metrics = ask(client, consumer, "GET", "/metrics").get_data(as_text=True)

    assert (answer.status_code, other.status_code) == (200, 200)
    assert str(under_grace["certificate_grace"]).startswith("partner: crl issuing.crl: ended at ")
    assert answer.headers[GRACE] == under_grace["certificate_grace"]
    assert GRACE not in other.headers
    assert "certificate_grace" not in last_entry(home)
    assert 'xinqiao_certificate_grace_requests_total{worker="' in metrics
    assert not metrics.partition("xinqiao_certificate_grace_requests_total{")[2].partition("} ")[2].startswith("0\n")


def test_an_authority_may_have_a_chinese_name_and_the_header_is_ascii_all_the_same(
    home: Installation, client: FlaskClient, foreign: Foreign, front: System
) -> None:
    (foreign.folder / "partner.yml").rename(foreign.folder / "海关.yml")
    home.now += DAY + timedelta(hours=1)

    answer = ask(client, front, "GET", "/v1/deliveries")

    (foreign.folder / "海关.yml").rename(foreign.folder / "partner.yml")
    assert answer.status_code == 200
    assert answer.headers[GRACE].startswith("%E6%B5%B7%E5%85%B3: crl issuing.crl: ended at ")


def test_after_the_grace_it_is_unknown_and_refused(home: Installation, client: FlaskClient, front: System) -> None:
    home.now += DAY + timedelta(hours=7)

    assert problem(ask(client, front, "GET", "/v1/deliveries")) == (401, "certificate_revocation_unknown")


def test_a_revocation_on_their_list_acts_on_the_next_request(
    home: Installation, client: FlaskClient, foreign: Foreign
) -> None:
    issued = foreign.issue()
    system = home.written(FRONT.urn, issued)
    foreign.publish()
    before = ask(client, system, "GET", "/v1/deliveries").status_code
    foreign.publish(entry(issued, home.now), number=2)

    assert (before, problem(ask(client, system, "GET", "/v1/deliveries"))) == (200, (401, "certificate_revoked"))


def test_suspending_the_system_here_closes_the_door_whoever_vouches(
    home: Installation, client: FlaskClient, front: System
) -> None:
    with home.store.write() as conn:
        holders.suspend_holder(conn, FRONT.urn, "test", home.now)
    closed = problem(ask(client, front, "GET", "/v1/deliveries"))
    with home.store.write() as conn:
        holders.resume_holder(conn, FRONT.urn, "test", home.now)

    assert closed == (401, "holder_not_active")


def test_a_system_that_is_registered_nowhere_is_refused_though_its_authority_may_name_it(
    home: Installation, client: FlaskClient, foreign: Foreign
) -> None:
    foreign.publish()
    ghost = SystemName("customs", "ghost")

    assert problem(ask(client, home.written(ghost.urn, foreign.issue(ghost)), "GET", "/v1/deliveries")) == (
        401,
        "holder_not_active",
    )


def test_another_agency_s_system_is_not_theirs_to_name(
    home: Installation, client: FlaskClient, foreign: Foreign, provider: System
) -> None:
    foreign.publish()
    name = SystemName("market_supervision", "front")
    assert name.urn == provider.urn

    assert problem(ask(client, home.written(name.urn, foreign.issue(name)), "GET", "/v1/deliveries")) == (
        401,
        "certificate_agency",
    )


def test_no_certificate_of_ours_is_had_with_one_of_theirs(client: FlaskClient, front: System) -> None:
    answer = ask(client, front, "POST", "/v1/certificates", json={"csr": "-----BEGIN CERTIFICATE REQUEST-----"})

    assert answer.status_code == 403
    assert "renew it there" in answer.get_json()["en"]
