"""Erasing by command line and by HTTP: who may ask and approve, and that no face shows a value."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from click.testing import CliRunner, Result

from certs.names import PersonName
from connectors.errors import XinqiaoError
from gateway.cli import erase as face
from gateway.settings import Settings
from gateway.store import Store
from tests.gateway.api.installation import Installation, System, ask, install, problem
from tests.support.companies import MILL
from tests.support.deliveries import COMPLAINTS, complaint, complaints, land
from tests.support.standing import feed

PHONE = "10000000001"
ASK = ("request", "complaint", "--by", "complainant_phone", "--ground", "个人信息保护法", "--json")
WANTED = {"record_type": "complaint", "values": {"complainant_phone": PHONE}, "ground": "个人信息保护法"}


def run(settings: Settings, *arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(face.erase, arguments, obj=settings, input=typed, catch_exceptions=False)


def row(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_two_people_at_the_keyboard_erase_and_one_alone_does_not(
    sqlite_store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = sqlite_store.settings
    land(sqlite_store, COMPLAINTS, complaints(complaint("c1", uscc=MILL.uscc)), now=now)

    asked = run(settings, *ASK, typed=f"{PHONE}\n")
    with pytest.raises(XinqiaoError, match="another person"):
        run(settings, "approve", row(asked)["id"])
    monkeypatch.setattr(face, "operator", lambda: "cli:second")
    done = run(settings, "approve", row(asked)["id"], "--json")
    listed = run(settings, "list", "--json")

    assert (row(done)["status"], row(done)["counts"]["records"]) == ("done", 1)
    assert row(listed) == row(done)
    assert [version.sealed for version in feed(sqlite_store, "complaint")] == [None]
    assert PHONE not in asked.output + done.output + listed.output


def test_a_request_is_refused_with_a_reason(sqlite_store: Store, now: datetime) -> None:
    asked = row(run(sqlite_store.settings, *ASK, typed=f"{PHONE}\n"))

    refused = row(run(sqlite_store.settings, "refuse", asked["id"], "--reason", "案件尚在办理", "--json"))

    assert (refused["status"], refused["reason"]) == ("refused", "案件尚在办理")


@pytest.fixture
def home(tmp_path: Any, now: datetime) -> Any:
    made = install(tmp_path / "home", now)
    yield made
    made.close()


def people(home: Installation) -> dict[str, System]:
    return {
        "system": home.person(PersonName("zhang.san", "system_administrator")),
        "security": home.person(PersonName("li.si", "security_administrator")),
        "auditor": home.person(PersonName("wang.wu", "auditor")),
    }


def test_a_duty_asks_and_another_one_approves(home: Installation, now: datetime) -> None:
    land(home.store, COMPLAINTS, complaints(complaint("c1", uscc=MILL.uscc)), now=now)
    client, who = home.client(), people(home)
    system = home.system("urn:xinqiao:customs:risk")

    strangers = [
        ask(client, one, "POST", "/v1/erasures", json=WANTED) for one in (system, who["auditor"], who["security"])
    ]
    asked = ask(client, who["system"], "POST", "/v1/erasures", json=WANTED)
    address = f"/v1/erasures/{asked.get_json()['id']}/approval"
    wrong = [ask(client, one, "POST", address) for one in (system, who["system"], who["auditor"])]
    done = ask(client, who["security"], "POST", address)
    seen = ask(client, who["auditor"], "GET", "/v1/erasures")

    assert [problem(answer) for answer in strangers + wrong] == [(403, "wrong_duty")] * 6
    assert (asked.status_code, done.get_json()["status"], done.get_json()["counts"]["versions"]) == (201, "done", 1)
    assert [one["id"] for one in seen.get_json()["erasures"]] == [asked.get_json()["id"]]
    assert not [answer for answer in (asked, done, seen) if PHONE in answer.get_data(as_text=True)]


def test_a_request_that_cannot_be_is_refused_without_quoting_the_value(home: Installation) -> None:
    client, who = home.client(), people(home)
    wrong = {**WANTED, "values": {"complainant_phone": "1" * 60}}

    answer = ask(client, who["system"], "POST", "/v1/erasures", json=wrong)
    none = ask(client, who["security"], "POST", "/v1/erasures/e-0/refusal", json={"reason": "x"})

    assert (problem(answer), problem(none)) == ((422, "invalid"), (404, "not_found"))
    assert "11111" not in answer.get_data(as_text=True)


def test_an_agency_sees_what_its_administrators_asked_and_the_three_duties_see_everything(home: Installation) -> None:
    client, who = home.client(), people(home)
    health, customs = (
        home.person(PersonName(f"admin.{agency}", "agency_administrator", agency)) for agency in ("health", "customs")
    )
    asked = ask(client, health, "POST", "/v1/erasures", json=WANTED).get_json()["id"]

    seen = [
        [one["id"] for one in ask(client, one, "GET", "/v1/erasures").get_json()["erasures"]]
        for one in (health, customs, *who.values())
    ]

    assert seen == [[asked], [], [asked], [asked], [asked]]
