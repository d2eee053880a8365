"""What the tests of challenges and notifications do again and again."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from tests.gateway.api.installation import ONE, Installation, System, ask

PROVIDER = "urn:xinqiao:market_supervision:front"
NAME, RIGHT = "杭州甲有限公司", "杭州甲股份有限公司"


def reader(home: Installation, name: str, **grant: Any) -> System:
    """A system with a grant for registrations."""
    system = home.system(f"urn:xinqiao:health:{name}")
    home.grant(system.urn, **grant)
    return system


def read_feed(client: FlaskClient, system: System, after: int = 0) -> None:
    assert ask(client, system, "GET", f"/v1/feeds/registration?after={after}").status_code == 200


def read_entity(client: FlaskClient, system: System) -> None:
    assert ask(client, system, "GET", f"/v1/entities/{ONE}").status_code == 200


def read_records(client: FlaskClient, system: System) -> dict[str, Any]:
    answer = ask(client, system, "GET", f"/v1/records/registration?uscc={ONE}")
    (record,) = answer.get_json()["records"]
    return dict(record)


def challenge(client: FlaskClient, system: System, **changed: Any) -> dict[str, Any]:
    """A challenge of the company's name."""
    doubt = {
        "record_type": "registration",
        "seq": 1,
        "field": "name",
        "believed": RIGHT,
        "evidence": "营业执照",
        **changed,
    }
    answer = ask(client, system, "POST", "/v1/challenges", json=doubt)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return dict(answer.get_json())


def decide(client: FlaskClient, provider: System, challenged: dict[str, Any], decision: str, **said: Any) -> Any:
    said = {"decision": decision, "reason": "已核实", **said}
    return ask(client, provider, "POST", f"/v1/challenges/{challenged['id']}/decision", json=said)


def mailbox(client: FlaskClient, system: System) -> list[dict[str, Any]]:
    answer = ask(client, system, "GET", "/v1/notifications")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return list(answer.get_json()["notifications"])


def kinds(client: FlaskClient, system: System) -> list[str]:
    return [one["kind"] for one in mailbox(client, system)]
