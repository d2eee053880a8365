"""Reading by HTTP: grants, projection, as of, feeds; each read leaves its entry or is not answered."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from threading import Timer
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

import gateway.access.reads
from gateway.audit.reading import who_read
from gateway.audit.tables import entries
from gateway.store.tables import versions_table
from tests.gateway.api.installation import (
    ONE,
    PURPOSE,
    SOURCE,
    TWO,
    Installation,
    System,
    ask,
    company_list,
    problem,
)


@pytest.fixture(scope="module")
def reader(home: Installation, landed: str) -> System:
    """A system that may read whole registrations."""
    system = home.system("urn:xinqiao:health:inspection")
    home.grant(system.urn)
    return system


def newest_entry(home: Installation) -> dict[str, Any]:
    with home.store.read() as conn:
        body = conn.execute(select(entries.c.body).order_by(entries.c.id.desc()).limit(1)).scalar_one()
    found: dict[str, Any] = json.loads(body)
    return found


def narrow(home: Installation, name: str, **grant: Any) -> System:
    system = home.system(f"urn:xinqiao:health:{name}")
    home.grant(system.urn, **grant)
    return system


def lines(answer: Any) -> list[dict[str, Any]]:
    assert answer.mimetype == "application/x-ndjson", answer.get_data(as_text=True)
    return [json.loads(line) for line in answer.get_data().splitlines()]


def test_the_picture_of_an_entity_carries_the_stored_bytes(
    home: Installation, client: FlaskClient, reader: System
) -> None:
    answer = ask(client, reader, "GET", f"/v1/entities/{ONE}")

    picture = answer.get_json()
    versions = versions_table("registration")
    with home.store.read() as conn:
        stored = conn.execute(
            select(versions.c.payload).where(versions.c.uscc == ONE, versions.c.superseded_seq.is_(None))
        ).scalar_one()
    assert stored in answer.get_data()
    assert (picture["uscc"], picture["name"]) == (ONE, picture["records"]["registration"][0]["record"]["name"])
    assert picture["not_granted"]["penalty"] == "grant_none"


def test_a_read_is_an_entry_with_purpose_filter_and_entity(
    home: Installation, client: FlaskClient, reader: System
) -> None:
    ask(client, reader, "GET", f"/v1/records/registration?uscc={ONE}")

    entry = newest_entry(home)
    assert (entry["action"], entry["actor"], entry["usccs"], entry["purpose"], entry["records"]) == (
        "record.read",
        reader.urn,
        [ONE],
        PURPOSE,
        1,
    )
    assert (entry["filter"]["columns"], entry["record_type"]) == ("*", "registration")


def test_a_read_whose_entry_cannot_be_written_is_not_answered(
    client: FlaskClient, reader: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError("no space left on device")

    monkeypatch.setattr(gateway.access.reads, "append", full)

    answers = [
        ask(client, reader, "GET", f"/v1/entities/{ONE}"),
        ask(client, reader, "GET", f"/v1/records/registration?uscc={ONE}"),
        ask(client, reader, "GET", "/v1/feeds/registration"),
    ]

    assert [problem(answer) for answer in answers] == [(500, "internal")] * 3
    assert all(b"space" not in answer.get_data() and ONE.encode() not in answer.get_data() for answer in answers[2:])


def test_without_a_grant_nothing_is_read_and_the_refusal_is_an_entry(
    home: Installation, client: FlaskClient, consumer: System
) -> None:
    answer = ask(client, consumer, "GET", f"/v1/records/registration?uscc={ONE}")

    entry = newest_entry(home)
    assert problem(answer) == (403, "grant_none")
    assert (entry["action"], entry["actor"], entry["reason"], entry["usccs"]) == (
        "read.refused",
        consumer.urn,
        "grant_none",
        [ONE],
    )


@pytest.mark.parametrize(
    ("path", "purpose", "expected"),
    [
        (f"/v1/entities/{ONE}", "marketing", "grant_other_purpose"),
        (f"/v1/records/registration?uscc={ONE}", "marketing", "grant_other_purpose"),
        ("/v1/feeds/registration", "marketing", "grant_other_purpose"),
        ("/v1/feeds/registration", None, "purpose_missing"),
        (f"/v1/entities/{ONE}", None, "purpose_missing"),
        ("/v1/feeds/penalty", PURPOSE, "grant_none"),
    ],
)
def test_the_purpose_must_be_that_of_the_grant(
    client: FlaskClient, reader: System, path: str, purpose: str | None, expected: str
) -> None:
    assert problem(ask(client, reader, "GET", path, purpose=purpose)) == (403, expected)


def test_a_chinese_purpose_is_named_percent_encoded(home: Installation, client: FlaskClient, landed: str) -> None:
    system = narrow(home, "chinese", purpose="联合惩戒")

    answer = ask(client, system, "GET", "/v1/feeds/registration", purpose="%E8%81%94%E5%90%88%E6%83%A9%E6%88%92")

    assert answer.status_code == 200


def test_a_chinese_purpose_is_understood_as_bytes_of_utf_8_too(
    home: Installation, client: FlaskClient, landed: str
) -> None:
    system = narrow(home, "bytes", purpose="联合惩戒")

    # As curl sends it: WSGI hands the bytes over as Latin-1.
    answer = ask(client, system, "GET", "/v1/feeds/registration", purpose="联合惩戒".encode().decode("latin-1"))

    assert answer.status_code == 200


def test_an_expired_grant_is_refused_with_its_last_day(home: Installation, client: FlaskClient, landed: str) -> None:
    yesterday = home.now.date() - timedelta(days=1)
    system = narrow(home, "expired", valid_from=yesterday - timedelta(days=9), valid_until=yesterday)

    answer = ask(client, system, "GET", "/v1/feeds/registration")

    assert problem(answer) == (403, "grant_expired")
    assert str(yesterday) in answer.get_json()["en"]


def test_a_narrower_grant_shows_its_columns_only(home: Installation, client: FlaskClient, landed: str) -> None:
    system = narrow(home, "narrow", columns=["name", "province_name"])

    (record,) = ask(client, system, "GET", f"/v1/records/registration?uscc={TWO}").get_json()["records"]

    assert sorted(record["record"]) == ["entity_by", "entity_uscc", "name", "province_name"]
    assert newest_entry(home)["filter"]["columns"] == ["name", "province_name"]


def test_the_picture_names_the_entity_only_under_a_grant_that_shows_a_name(
    home: Installation, client: FlaskClient, landed: str
) -> None:
    systems = [
        narrow(home, "nameless", columns=["province_name"]),
        narrow(home, "far", region_prefixes=["65"]),
        narrow(home, "naming", columns=["name"]),
    ]

    pictures = [ask(client, system, "GET", f"/v1/entities/{TWO}").get_json() for system in systems]

    assert [(picture["name"], list(picture["records"])) for picture in pictures] == [
        (None, ["registration"]),
        (None, []),
        ("宁波乙有限公司", ["registration"]),
    ]


def test_an_unknown_entity_is_not_found_and_the_question_is_an_entry(
    home: Installation, client: FlaskClient, reader: System
) -> None:
    nobody = "91340100MA000005XX"
    valid = "91110000600037341L"

    assert problem(ask(client, reader, "GET", f"/v1/entities/{nobody}")) == (422, "invalid")
    assert problem(ask(client, reader, "GET", f"/v1/entities/{valid}")) == (404, "not_found")
    assert newest_entry(home)["usccs"] == [valid]


def test_a_code_in_lower_case_and_full_width_is_understood(client: FlaskClient, reader: System) -> None:
    spelt = ONE.lower().replace("9133", "９１３３")

    assert ask(client, reader, "GET", f"/v1/entities/{spelt}").get_json()["uscc"] == ONE


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/records/secrets?uscc=x", 422),
        (f"/v1/records/secrets?uscc={ONE}", 404),
        ("/v1/records/registration", 422),
        (f"/v1/records/registration?uscc={ONE}&as_of=yesterday", 422),
        (f"/v1/records/registration?uscc={ONE}&as_of=2026-01-01T00:00:00", 422),
        (f"/v1/records/registration?uscc={ONE}&columns=name", 422),
        ("/v1/feeds/secrets", 404),
        ("/v1/feeds/registration?after=-1", 422),
        ("/v1/feeds/registration?after=99999999999999999999", 422),
        ("/v1/feeds/registration?limit=0", 422),
        ("/v1/feeds/registration?limit=10001", 422),
        ("/v1/feeds/registration?wait=61", 422),
    ],
)
def test_arguments_outside_the_contract_are_refused(
    client: FlaskClient, reader: System, path: str, status: int
) -> None:
    assert problem(ask(client, reader, "GET", path))[0] == status


def test_a_record_is_shown_as_it_was_known_at_an_instant(
    home: Installation, client: FlaskClient, provider: System, reader: System
) -> None:
    code = "91340100MA0000031N"
    address = f"/v1/sources/{SOURCE}/deliveries"
    begun = home.now
    ask(client, provider, "POST", address, data=company_list(("旧名有限公司", code)), content_type="text/csv")
    home.now = begun + timedelta(days=1)
    ask(client, provider, "POST", address, data=company_list(("新名有限公司", code)), content_type="text/csv")

    def name_at(query: str) -> list[str]:
        answer = ask(client, reader, "GET", f"/v1/records/registration?uscc={code}{query}")
        return [one["record"]["name"] for one in answer.get_json()["records"]]

    noon = (begun + timedelta(hours=12)).strftime("%Y-%m-%dT%H:%M:%SZ")
    names = (name_at(""), name_at(f"&as_of={noon}"), name_at("&as_of=2020-01-01T00:00:00Z"))
    home.now = begun
    assert names == (["新名有限公司"], ["旧名有限公司"], [])


def test_a_feed_is_read_from_cursor_to_cursor_without_gap_or_repetition(
    home: Installation, client: FlaskClient, reader: System
) -> None:
    seen: list[int] = []
    after = "0"
    while True:
        answer = ask(client, reader, "GET", f"/v1/feeds/registration?after={after}&limit=2")
        page = lines(answer)
        if not page:
            break
        seen += [one["seq"] for one in page]
        after = answer.headers["Xinqiao-Next"]

    assert seen == list(range(1, len(seen) + 1))
    assert (answer.headers["Xinqiao-Next"], len(seen) >= 2) == (str(len(seen)), True)


def test_a_read_of_a_feed_is_found_again_by_the_entities_it_showed(
    home: Installation, client: FlaskClient, reader: System
) -> None:
    ask(client, reader, "GET", "/v1/feeds/registration?limit=1")

    with home.store.read() as conn:
        acts = [(one.action, one.actor) for one in who_read(conn, ONE)]
    assert ("feed.read", reader.urn) in acts


def test_a_region_filter_leaves_out_the_records_of_other_regions_and_moves_the_cursor(
    home: Installation, client: FlaskClient, landed: str
) -> None:
    system = narrow(home, "elsewhere", region_prefixes=["65"])

    answer = ask(client, system, "GET", "/v1/feeds/registration?limit=1")

    assert (lines(answer), int(answer.headers["Xinqiao-Next"]) >= 2) == ([], True)


def test_who_may_not_read_a_feed_does_not_wait_for_it(client: FlaskClient, consumer: System) -> None:
    began = time.monotonic()

    answer = ask(client, consumer, "GET", "/v1/feeds/registration?after=999999&wait=60")

    assert (problem(answer), time.monotonic() - began < 5) == ((403, "grant_none"), True)


def test_more_records_than_fit_in_an_answer_are_told_to_be_more(
    client: FlaskClient, reader: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.access.reads, "MAX_RECORDS", 0)

    listing = ask(client, reader, "GET", f"/v1/records/registration?uscc={ONE}").get_json()
    picture = ask(client, reader, "GET", f"/v1/entities/{ONE}").get_json()

    assert listing == {"record_type": "registration", "complete": False, "records": []}
    assert picture["incomplete"] == ["registration"]


def test_a_failure_is_logged_without_what_it_worked_on(
    client: FlaskClient, reader: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> int:
        secret = "330106199001011234"
        raise RuntimeError(f"length {len(secret)}")

    monkeypatch.setattr(gateway.access.reads, "append", broken)

    answer = ask(client, reader, "GET", f"/v1/entities/{ONE}")

    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(one["event"], one["request_id"]) for one in logged] == [
        ("request failed", answer.get_json()["request_id"])
    ]
    assert "RuntimeError: length 18" in logged[0]["exception"]
    assert "330106199001011234" not in str(logged)


def test_a_feed_with_nothing_new_waits_and_answers_when_something_lands(
    home: Installation, client: FlaskClient, provider: System, reader: System
) -> None:
    end = ask(client, reader, "GET", "/v1/feeds/registration?after=999999").headers["Xinqiao-Next"]
    newest = ask(client, reader, "GET", "/v1/feeds/registration?limit=10000").headers["Xinqiao-Next"]
    file = company_list(("等待有限公司", ONE))
    other = client.application.test_client()
    address = f"/v1/sources/{SOURCE}/deliveries"
    later = Timer(0.5, lambda: ask(other, provider, "POST", address, data=file, content_type="text/csv"))

    later.start()
    began = time.monotonic()
    page = lines(ask(client, reader, "GET", f"/v1/feeds/registration?after={newest}&wait=20"))
    later.join()

    assert end == "999999"
    assert [one["record"]["name"] for one in page] == ["等待有限公司"]
    assert time.monotonic() - began < 10


def test_a_certificate_revoked_while_its_request_waits_gets_nothing(
    home: Installation, client: FlaskClient, provider: System, landed: str
) -> None:
    system = narrow(home, "leaving")
    newest = ask(client, system, "GET", "/v1/feeds/registration?limit=10000").headers["Xinqiao-Next"]
    file = company_list(("迟到有限公司", ONE))
    other = client.application.test_client()

    def revoke_then_land() -> None:
        home.revoke(system)
        ask(other, provider, "POST", f"/v1/sources/{SOURCE}/deliveries", data=file, content_type="text/csv")

    later = Timer(0.3, revoke_then_land)
    later.start()
    answer = ask(client, system, "GET", f"/v1/feeds/registration?after={newest}&wait=20")
    later.join()

    assert problem(answer) == (401, "certificate_revoked")


def test_a_query_that_is_no_text_cannot_be_read(client: FlaskClient, consumer: System) -> None:
    # Found by fuzzing: a server hands on bytes as Latin-1 (PEP 3333), whatever they are.
    answer = ask(client, consumer, "GET", f"/v1/entities/{ONE}", environ={"QUERY_STRING": "as_of=\xff\x80"})

    assert problem(answer) == (400, "bad_request")
