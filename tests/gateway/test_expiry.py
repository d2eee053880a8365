"""The expiry board: each kind of thing that ends, on its day in China, and what is replaced already."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date, datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import inspect

from certs.authority import Authority
from certs.names import PersonName, SystemName
from gateway.authorities import open_issuing
from gateway.certificates import issue_certificate, revoke, suspend
from gateway.certificates_holders import register
from gateway.certificates_publish import CRL_LIFETIME, publish_crl, renew_responder
from gateway.cli.certs import certs
from gateway.expiry import Kind, board, stopping
from gateway.settings import Settings
from gateway.store import Store, open_store
from tests.gateway.access.test_grants import granted

ACTOR = "urn:xinqiao:person:zhang.san"
TRACE = SystemName("agriculture", "trace")


@pytest.fixture
def authority(store: Store) -> Authority:
    return open_issuing(store.settings)


def certified(store: Store, authority: Authority, now: datetime, days: int, name: SystemName = TRACE) -> str:
    with store.write() as conn:
        issued = issue_certificate(conn, authority, name, ACTOR, now, lifetime=timedelta(days=days))
    return f"{issued.certificate.serial_number:040x}"


@pytest.fixture
def registered(store: Store, now: datetime) -> None:
    with store.write() as conn:
        register(conn, TRACE, "追溯", ACTOR, now)


def seen(store: Store, now: datetime, days: int, agency: str | None = None) -> list[tuple[str, str, bool]]:
    with store.read() as conn:
        found = board(conn, store.settings, now, days, agency)
    return [(one.kind.value, one.on().isoformat(), one.is_replaced) for one in found]


def test_a_new_installation_says_when_each_of_its_own_things_ends(store: Store, now: datetime) -> None:
    assert seen(store, now, 21 * 365) == [
        ("crl", "2026-11-28", False),
        ("crl", "2027-11-21", False),
        ("gateway", "2027-11-21", False),
        ("signer", "2028-11-20", False),
        ("issuing", "2036-11-18", False),
        ("root", "2046-11-16", False),
    ]


@pytest.mark.usefixtures("registered")
def test_a_certificate_is_on_the_board_until_it_is_closed(store: Store, authority: Authority, now: datetime) -> None:
    certified(store, authority, now, 10)
    lost, held = certified(store, authority, now, 11), certified(store, authority, now, 12)

    before = [day for kind, day, _ in seen(store, now, 30) if kind == "system"]
    with store.write() as conn:
        revoke(conn, lost, "key_compromise", ACTOR, now)
        suspend(conn, held, ACTOR, now)
    after = [day for kind, day, _ in seen(store, now, 30) if kind == "system"]

    assert (before, after) == (["2026-12-01", "2026-12-02", "2026-12-03"], ["2026-12-01"])


@pytest.mark.usefixtures("registered")
def test_what_is_renewed_already_stops_nothing(store: Store, authority: Authority, now: datetime) -> None:
    certified(store, authority, now, 10)
    certified(store, authority, now, 300)

    with store.read() as conn:
        found = board(conn, store.settings, now, 30)

    assert [(one.kind, one.is_replaced) for one in found if one.kind is Kind.SYSTEM] == [(Kind.SYSTEM, True)]
    assert [one.kind for one in stopping(found, now, 30)] == [Kind.CRL]


@pytest.mark.usefixtures("registered")
def test_what_has_ended_without_a_successor_stays_for_a_month(
    store: Store, authority: Authority, now: datetime
) -> None:
    certified(store, authority, now, 10)

    shown = [[kind for kind, _, _ in seen(store, now + timedelta(days=day), 30)] for day in (11, 39, 41)]

    assert ["system" in kinds for kinds in shown] == [True, True, False]


def test_a_grant_stops_with_the_day_after_its_last(store: Store, now: datetime) -> None:
    granted(store, now, system_urn=TRACE.urn, valid_until=date(2026, 12, 31))

    assert ("grant", "2027-01-01", False) in seen(store, now, 60)


@pytest.mark.usefixtures("registered")
def test_an_agency_sees_what_is_its_own(store: Store, authority: Authority, now: datetime) -> None:
    certified(store, authority, now, 10)
    with store.write() as conn:
        person = PersonName("li.si", "auditor")
        register(conn, person, "李四", ACTOR, now)
        issue_certificate(conn, authority, person, ACTOR, now, lifetime=timedelta(days=5))

    assert [kind for kind, _, _ in seen(store, now, 30, "agriculture")] == ["system"]
    assert seen(store, now, 30, "customs") == []
    assert {"person", "system", "crl"} <= {kind for kind, _, _ in seen(store, now, 30)}


def test_a_list_and_a_responder_are_on_the_board_with_their_own_days(
    store: Store, authority: Authority, now: datetime
) -> None:
    later = now + timedelta(days=3)
    publish_crl(store, authority, later)
    renew_responder(store, authority, ACTOR, now)

    found = seen(store, now, 100)

    assert ("crl", (later + CRL_LIFETIME).date().isoformat(), False) in found
    assert ("responder", (now + timedelta(days=90)).date().isoformat(), False) in found


def test_the_day_is_the_day_in_china(store: Store, authority: Authority) -> None:
    evening = datetime.fromisoformat("2026-11-21T17:00:00+00:00")  # one in the morning of the next day there
    with store.write() as conn:
        register(conn, TRACE, "追溯", ACTOR, evening)
    certified(store, authority, evening, 1)

    with store.read() as conn:
        (one,) = (x for x in board(conn, store.settings, evening, 2) if x.kind is Kind.SYSTEM)

    assert (one.on().isoformat(), one.told(evening)["days_left"]) == ("2026-11-23", 1)


def test_monitoring_is_told_by_the_exit_code(sqlite_settings: Settings) -> None:
    def expiries(*more: str) -> tuple[int, list[str]]:
        done = CliRunner().invoke(certs, ["expiries", "--json", *more], obj=sqlite_settings, catch_exceptions=False)
        return done.exit_code, [json.loads(line)["kind"] for line in done.output.splitlines()]

    CliRunner().invoke(certs, ["crl"], obj=sqlite_settings, catch_exceptions=False)

    assert expiries("--fail-within", "3") == (0, ["crl"])
    assert expiries("--fail-within", "8") == (1, ["crl"])
    assert expiries("--days", "1")[1] == []


def test_every_table_is_made_by_a_fresh_process(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("fresh") / "home"
    made = (
        "from datetime import UTC, datetime; from pathlib import Path; from gateway.home import initialise;"
        f"from gateway.settings import Settings; initialise(Settings(home=Path({str(home)!r})), datetime.now(UTC))"
    )
    subprocess.run([sys.executable, "-c", made], check=True, timeout=120)

    with open_store(Settings(home=home)) as store:
        assert {"signing_keys", "certificate_requests", "erasures"} <= set(inspect(store.engine).get_table_names())
