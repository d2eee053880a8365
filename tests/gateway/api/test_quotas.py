"""Quotas by HTTP: set by the security administrator, kept on every way of reading, told with Retry-After."""

from __future__ import annotations

from datetime import timedelta

from flask.testing import FlaskClient
from sqlalchemy import select

from certs.names import PersonName
from gateway.audit.tables import entries
from tests.gateway.api.installation import ONE, Installation, System, ask, problem

FEED = "/v1/feeds/registration"


def limited(home: Installation, client: FlaskClient, name: str, **quota: int) -> System:
    """A system with a grant over everything, and a quota."""
    system = home.system(f"urn:xinqiao:customs:{name}")
    home.grant(system.urn)
    security = home.person(PersonName(f"security.{name}", "security_administrator"))
    answer = ask(client, security, "POST", "/v1/quotas", json={"system": system.urn, **quota})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return system


def refusals(home: Installation, system: System) -> int:
    query = select(entries.c.id).where(entries.c.actor == system.urn, entries.c.action == "read.refused")
    with home.store.read() as conn:
        return len(conn.execute(query).all())


def test_reads_over_the_quota_are_refused_until_the_period_is_over(
    home: Installation, client: FlaskClient, landed: str
) -> None:
    system = limited(home, client, "often", requests=3, period_s=60)
    answers = [
        ask(client, system, "GET", FEED),
        ask(client, system, "GET", f"/v1/entities/{ONE}"),
        ask(client, system, "GET", f"/v1/records/registration?uscc={ONE}"),
    ]

    over = [ask(client, system, "GET", FEED), ask(client, system, "GET", f"/v1/entities/{ONE}")]
    other = ask(client, limited(home, client, "beside", requests=1), "GET", FEED)
    home.now += timedelta(seconds=int(over[0].headers["Retry-After"]))
    after = ask(client, system, "GET", FEED)
    home.now -= timedelta(seconds=int(over[0].headers["Retry-After"]))

    assert [one.status_code for one in answers] == [200, 200, 200]
    assert [problem(one) for one in over] == [(429, "quota_exceeded")] * 2
    assert 1 <= int(over[0].headers["Retry-After"]) <= 60
    assert (other.status_code, after.status_code) == (200, 200)
    assert refusals(home, system) == 1


def test_records_of_a_day_shorten_the_page_and_then_stop_the_feed(
    home: Installation, client: FlaskClient, landed: str
) -> None:
    system = limited(home, client, "much", records=1)

    first = ask(client, system, "GET", FEED)
    second = ask(client, system, "GET", f"{FEED}?after={first.headers['Xinqiao-Next']}")
    looked = ask(client, system, "GET", f"/v1/records/registration?uscc={ONE}")

    assert (first.status_code, len(first.data.splitlines()), first.headers["Xinqiao-Next"]) == (200, 1, "1")
    assert [problem(one) for one in (second, looked)] == [(429, "quota_exceeded")] * 2
    assert int(second.headers["Retry-After"]) > 60
    assert refusals(home, system) == 1


def test_the_mailbox_and_challenges_count_like_reading(home: Installation, client: FlaskClient, landed: str) -> None:
    system = limited(home, client, "asks", requests=2, period_s=60)
    doubt = {"record_type": "registration", "seq": 1, "field": "name", "believed": "杭州乙公司", "evidence": "执照"}

    answers = [
        ask(client, system, "GET", "/v1/notifications"),
        ask(client, system, "POST", "/v1/challenges", json=doubt),
        ask(client, system, "GET", "/v1/notifications"),
        ask(client, system, "POST", "/v1/challenges", json=doubt | {"field": "established_on"}),
    ]

    assert [answer.status_code for answer in answers] == [200, 201, 429, 429]
    assert refusals(home, system) == 1


def test_quotas_are_seen_by_their_agency_and_set_by_the_security_administrator_alone(
    home: Installation, client: FlaskClient, landed: str
) -> None:
    system = limited(home, client, "seen", requests=10, period_s=30, records=5)
    ask(client, system, "GET", FEED)
    wanted = {"system": system.urn, "requests": 0}

    listed = ask(client, system, "GET", "/v1/quotas").get_json()["quotas"]
    refused = [
        ask(client, who, "POST", "/v1/quotas", json=wanted)
        for who in (system, home.person(PersonName("admin.quota", "agency_administrator", "customs")))
    ]
    security = home.person(PersonName("security.quota", "security_administrator"))
    nobody = ask(client, security, "POST", "/v1/quotas", json={"system": "urn:xinqiao:customs:nobody"})

    (own,) = [one for one in listed if one["system"] == system.urn]
    assert own == {
        "system": system.urn,
        "requests": 10,
        "period_s": 30,
        "records": 5,
        "used": {"requests": 1, "records": 2},
    }
    assert all(one["system"].startswith("urn:xinqiao:customs:") for one in listed)
    assert [problem(one) for one in refused] == [(403, "wrong_duty")] * 2
    assert problem(nobody) == (422, "invalid")
