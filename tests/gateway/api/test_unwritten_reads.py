"""Whoever reads is in the log, on every face; and a read whose entry cannot be written is not answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import func, select, text

from gateway.audit.tables import entries
from gateway.cli.feed import feed
from gateway.cli.quarantine import quarantine
from gateway.soap.contract import make
from gateway.soap.envelope import SOAP11, SOAP12, Version, write
from gateway.store.tables import rejections
from tests.gateway.api.installation import BAD, ONE, PURPOSE, Installation, System, ask

NAME = "杭州甲有限公司"
"""Stands in what is read, and in nothing that says that it cannot be."""

Read = Callable[[Installation, FlaskClient, System, System], bytes]


def http(method: str, path: str, **options: object) -> Read:
    return lambda home, client, consumer, provider: ask(client, consumer, method, path, **options).get_data()


def soap(version: Version, operation: str, *arguments: tuple[str, str]) -> Read:
    def read(home: Installation, client: FlaskClient, consumer: System, provider: System) -> bytes:
        asked = write(version, make(operation, *(make(name, value) for name, value in arguments)))
        return ask(client, consumer, "POST", "/soap", data=asked, content_type=version.media_type).get_data()

    return read


def cli_feed(home: Installation, client: FlaskClient, consumer: System, provider: System) -> bytes:
    return CliRunner().invoke(feed, ["registration"], obj=home.settings).stdout_bytes


def export(home: Installation, client: FlaskClient, consumer: System, provider: System) -> bytes:
    made = ask(client, consumer, "POST", "/v1/exports", json={"record_type": "registration"})
    manifest = json.loads(made.get_data())
    if "export" not in manifest:
        return made.get_data()
    return ask(client, consumer, "GET", f"/v1/exports/{manifest['export']}/records").get_data()


READS = {
    "entity": http("GET", f"/v1/entities/{ONE}"),
    "records": http("GET", f"/v1/records/registration?uscc={ONE}"),
    "feed": http("GET", "/v1/feeds/registration?after=0"),
    "stream": http("GET", "/v1/feeds/registration/stream"),
    "export": export,
    "soap entity": soap(SOAP11, "entity", ("uscc", ONE), ("purpose", PURPOSE)),
    "soap feed": soap(SOAP12, "feed", ("recordType", "registration"), ("after", "0"), ("purpose", PURPOSE)),
    "command line feed": cli_feed,
}


@contextmanager
def unwritable(home: Installation) -> Iterator[None]:
    """A log that takes no entry, as with a full disk."""
    with home.store.write() as conn:
        conn.execute(
            text("CREATE TRIGGER full BEFORE INSERT ON audit_entries BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        )
    try:
        yield
    finally:
        with home.store.write() as conn:
            conn.execute(text("DROP TRIGGER full"))


def count(home: Installation) -> int:
    with home.store.read() as conn:
        return conn.execute(select(func.count()).select_from(entries)).scalar_one()


@pytest.fixture(scope="module")
def granted(home: Installation, consumer: System, landed: str) -> Sequence[str]:
    home.grant(consumer.urn)
    return [landed]


@pytest.mark.parametrize("face", READS)
def test_a_read_is_answered_only_with_an_entry(
    home: Installation, client: FlaskClient, consumer: System, provider: System, granted: Sequence[str], face: str
) -> None:
    read = READS[face]
    before = count(home)

    answered = read(home, client, consumer, provider).decode("utf-8", "replace")
    with unwritable(home):
        refused = read(home, client, consumer, provider).decode("utf-8", "replace")

    assert NAME in answered
    assert count(home) > before
    assert NAME not in refused


def test_quarantined_rows_are_shown_only_with_an_entry(
    home: Installation, client: FlaskClient, provider: System, granted: Sequence[str]
) -> None:
    path = f"/v1/deliveries/{granted[0]}/rejections"
    with home.store.read() as conn:
        rejection = str(conn.execute(select(rejections.c.id)).scalars().first())

    def both() -> tuple[str, str]:
        by_http = ask(client, provider, "GET", path).get_data(as_text=True)
        return by_http, CliRunner().invoke(quarantine, ["show", rejection], obj=home.settings).stdout

    shown = both()
    with unwritable(home):
        hidden = both()

    assert all(BAD in one for one in shown)
    assert not any(BAD in one for one in hidden)
