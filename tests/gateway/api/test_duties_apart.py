"""What each duty comes to see over HTTP, looked for in the answers of every address there is."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

from flask.testing import FlaskClient

from certs.names import DUTIES, PersonName
from gateway.audit.log import seal
from tests.gateway.api.installation import BAD, ONE, Installation, System, ask

FILLED = {
    "uscc": ONE,
    "record_type": "registration",
    "agency": "market_supervision",
    "source": "company_list",
    "serial": "0" * 40,
    "urn": "urn:xinqiao:customs:risk",
}
QUERY = {"/v1/records/registration": f"?uscc={ONE}"}


def addresses(client: FlaskClient, delivery_id: str, entries: str) -> Iterator[str]:
    """Every address that answers GET, with something real in the place of each parameter."""
    real = {**FILLED, "tile": entries}
    for rule in client.application.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.rule.startswith("/soap"):
            continue
        values = {name: real.get(name, delivery_id) for name in rule.arguments}
        _, path = rule.build(values) or ("", "")
        yield path + QUERY.get(path, "")


def seen(client: FlaskClient, who: System, paths: list[str]) -> set[str]:
    """``data`` if an answer had something of a record or a row, ``log`` if one said who read."""
    found = set()
    for path in paths:
        answer = ask(client, who, "GET", path)
        body = gzip.decompress(answer.data) if answer.headers.get("Content-Encoding") == "gzip" else answer.data
        if answer.status_code == 200:
            found |= {"data"} if "杭州甲有限公司".encode() in body or BAD.encode() in body else set()
            found |= {"log"} if b'"feed.read"' in body else set()
    return found


def test_no_duty_sees_both_data_and_the_log_of_its_use(home: Installation, client: FlaskClient, landed: str) -> None:
    reader = home.system("urn:xinqiao:customs:risk")
    home.grant(reader.urn)
    ask(client, reader, "GET", "/v1/feeds/registration")
    size = seal(home.store, home.now).size
    paths = list(addresses(client, landed, f"entries/000.p/{size}"))
    people = {
        duty: home.person(
            PersonName(
                f"apart.{duty.replace('_', '.')}",
                duty,
                "market_supervision" if duty == "agency_administrator" else "",
            )
        )
        for duty in DUTIES
    }

    saw = {duty: seen(client, who, paths) for duty, who in people.items()}

    assert saw == {
        "system_administrator": set(),
        "security_administrator": set(),
        "auditor": {"log"},
        "agency_administrator": {"data"},
    }
    # The looking itself works: a system that holds a grant sees data, and never the log.
    assert seen(client, reader, paths) == {"data"}
