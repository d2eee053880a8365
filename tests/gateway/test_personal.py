"""Personal values over a whole delivery and every face: never logged, masked by default, clear only where granted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import select

from gateway.audit.tables import entries
from gateway.cli.deliver import deliveries
from gateway.cli.feed import feed
from gateway.cli.quarantine import quarantine
from gateway.settings import Settings
from gateway.soap.contract import make
from gateway.soap.envelope import SOAP12, write
from gateway.store import open_store
from tests.gateway.api.installation import PURPOSE, Installation, System, ask
from tests.support.companies import MILL
from tests.support.deliveries import COMPLAINTS, complaint, complaints

NAME, PHONE = "欧阳某某", "13912345678"
LATER = "13912340000"
COLUMNS = ["complaint_no", "topic", "complainant_name", "complainant_phone"]
WITH_PERSON = {"complainant": {"name": NAME, "phone": PHONE}}


@pytest.fixture
def home(settings: Settings, now: datetime) -> Iterator[Installation]:
    opened = replace(settings, workers=1, threads=4)
    made = Installation(opened, open_store(opened), now)
    yield made
    made.close()


@pytest.fixture
def client(home: Installation) -> FlaskClient:
    """A client of a gateway that has taken two deliveries with a person in them, faults included."""
    client, provider = home.client(), home.system("urn:xinqiao:market_supervision:front")
    address = f"/v1/sources/{COMPLAINTS}/deliveries"
    good = complaint("c1", uscc=MILL.uscc, **WITH_PERSON)
    # A telephone where the time should be, and one that is too long to be any.
    others = [
        complaint("c2", uscc=MILL.uscc, receive_time="昨天", **WITH_PERSON),
        complaint("c3", uscc=MILL.uscc, complainant={"name": NAME, "phone": PHONE * 9}),
        complaint("c4", uscc=MILL.uscc, **WITH_PERSON),
    ]
    changed = {**good, "complainant": {"name": NAME, "phone": LATER}}
    for rows in ([good, *others], [changed]):
        answer = ask(client, provider, "POST", address, data=complaints(*rows), content_type="application/json")
        assert answer.status_code == 201, answer.get_data(as_text=True)
    delivery_id = ask(client, provider, "GET", "/v1/deliveries").get_json()["deliveries"][-1]["delivery_id"]
    ask(client, provider, "GET", f"/v1/deliveries/{delivery_id}/rejections")
    return client


def answers(client: FlaskClient, system: System) -> dict[str, str]:
    """What each face of reading gives a system."""
    soap = {
        "soap feed": make("feed", make("recordType", "complaint"), make("purpose", PURPOSE)),
        "soap entity": make("entity", make("uscc", MILL.uscc), make("purpose", PURPOSE)),
    }
    said = {
        name: ask(client, system, "POST", "/soap", data=write(SOAP12, asked), content_type=SOAP12.media_type)
        for name, asked in soap.items()
    }
    for name, address in (
        ("entity", f"/v1/entities/{MILL.uscc}"),
        ("records", f"/v1/records/complaint?uscc={MILL.uscc}"),
        ("feed", "/v1/feeds/complaint"),
        ("stream", "/v1/feeds/complaint/stream"),
    ):
        said[name] = ask(client, system, "GET", address)
    made = ask(client, system, "POST", "/v1/exports", json={"record_type": "complaint"}).get_json()
    said["export"] = ask(client, system, "GET", f"/v1/exports/{made['export']}/records")
    assert {name: answer.status_code for name, answer in said.items()} == dict.fromkeys(said, 200)
    return {name: answer.get_data(as_text=True) for name, answer in said.items()}


def holding(said: dict[str, str], *texts: str) -> set[str]:
    """Faces on which one of the texts stands."""
    return {name for name, text in said.items() if any(one in text for one in texts)}


def test_no_face_shows_a_personal_value_unless_the_grant_says_so(home: Installation, client: FlaskClient) -> None:
    whole, masked, shown = (home.system(f"urn:xinqiao:health:{name}") for name in ("whole", "masked", "shown"))
    home.grant(whole.urn, "complaint")
    home.grant(masked.urn, "complaint", COLUMNS)
    home.grant(shown.urn, "complaint", COLUMNS, unmasked=["complainant_phone"])

    to_whole, to_masked, to_shown = (answers(client, system) for system in (whole, masked, shown))

    everywhere = set(to_whole)
    assert holding(to_whole, NAME, PHONE, LATER) == set()
    assert holding(to_masked, NAME, PHONE, LATER) == set()
    assert holding(to_masked, "欧***", "欧**") == holding(to_masked, "139****0000") == everywhere
    assert (holding(to_shown, NAME), holding(to_shown, LATER)) == (set(), everywhere)


def test_neither_log_nor_audit_log_nor_listing_holds_a_personal_value(
    home: Installation, client: FlaskClient, capfd: pytest.CaptureFixture[str]
) -> None:
    reader = home.system("urn:xinqiao:health:shown")
    home.grant(reader.urn, "complaint", COLUMNS, unmasked=["complainant_name", "complainant_phone"])
    answers(client, reader)
    typed = [
        CliRunner().invoke(verb, arguments, obj=home.settings, catch_exceptions=False)
        for verb, arguments in ((feed, ["complaint"]), (deliveries, ["--json"]), (quarantine, ["list", "--json"]))
    ]

    with home.store.read() as conn:
        bodies = [body.decode() for body in conn.execute(select(entries.c.body)).scalars()]
    kept = [
        file.read_text("utf-8", "replace")
        for file in (home.settings.home / "log").rglob("entries/**/*")
        if file.is_file()
    ]
    logged = capfd.readouterr()

    said: list[Any] = [*bodies, *kept, logged.out, logged.err, *(result.output for result in typed)]
    assert [result.exit_code for result in typed] == [0, 0, 0]
    assert not [text for text in said if any(value in text for value in (NAME, PHONE, LATER))]
    assert any("delivery.landed" in body for body in bodies)
    assert json.loads(bodies[0])["action"] == "home.initialised"
