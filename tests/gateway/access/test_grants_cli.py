"""``xinqiao grants``: what the operator sees and does."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from connectors.errors import XinqiaoError
from connectors.registry import sources
from gateway.access.applications import Wish
from gateway.access.deciding import Actor, apply_for
from gateway.access.grants import WHOLE
from gateway.access.tables import applications
from gateway.audit.tables import entries
from gateway.cli.grants import grants
from gateway.settings import Settings
from gateway.store import Store, open_store

SYSTEM = "urn:xinqiao:customs:risk"
GIVE = ("give", SYSTEM, "penalty", "--purpose", "风险布控", "--legal-basis", "海关法", "--json")


def run(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(grants, arguments, obj=settings, catch_exceptions=False)


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_grant_is_given_listed_and_withdrawn(sqlite_settings: Settings) -> None:
    (given,) = rows(run(sqlite_settings, *GIVE, "--columns", "document_no, facts", "--region", "33"))
    listed = rows(run(sqlite_settings, "list", "--system", SYSTEM, "--json"))
    (ended,) = rows(run(sqlite_settings, "withdraw", given["id"], "--json"))

    assert listed == [given]
    assert (given["columns"], given["region_prefixes"], given["status"]) == (["document_no", "facts"], ["33"], "active")
    assert (ended["id"], ended["status"]) == (given["id"], "withdrawn")


def test_several_grants_are_given_or_none(sqlite_settings: Settings) -> None:
    with pytest.raises(XinqiaoError):
        run(sqlite_settings, "give", SYSTEM, "penalty", "complaint", *GIVE[3:], "--columns", "facts")

    assert rows(run(sqlite_settings, "list", "--json")) == []


@pytest.mark.parametrize("day", ["20270101", "2027-02-30", "tomorrow"])
def test_a_day_in_another_form_is_refused(sqlite_settings: Settings, day: str) -> None:
    result = run(sqlite_settings, *GIVE, "--until", day)

    assert (result.exit_code, day in result.output) == (2, True)


def test_the_table_names_every_grant(sqlite_settings: Settings) -> None:
    (given,) = rows(run(sqlite_settings, *GIVE))

    shown = CliRunner(env={"COLUMNS": "400"}).invoke(grants, ["list"], obj=sqlite_settings)

    assert given["id"] in shown.stdout
    assert "风险布控" in shown.stdout


@pytest.fixture
def waiting(sqlite_store: Store) -> str:
    """Id of an application that waits for its providers."""
    now = datetime.now(UTC)
    conditional = {spec.record_type for spec in sources().values() if spec.catalogue.share_type == "conditional"}
    refused = {spec.record_type for spec in sources().values() if spec.catalogue.share_type == "refused"}
    record_type = sorted(conditional - refused)[0]
    until = date.today() + timedelta(days=9)
    wish = Wish(record_type, WHOLE, "risk", "海关法", date.today() - timedelta(days=1), until)
    with sqlite_store.write() as conn:
        return apply_for(conn, SYSTEM, wish, sources().values(), Actor(SYSTEM, agency="customs"), now).id


def test_an_application_is_approved_into_a_grant(sqlite_settings: Settings, waiting: str) -> None:
    (before,) = rows(run(sqlite_settings, "applications", "--status", "waiting", "--json"))
    (done,) = rows(run(sqlite_settings, "approve", waiting, "--json"))

    (grant,) = rows(run(sqlite_settings, "list", "--json"))
    assert (before["id"], done["status"], done["grant_id"]) == (waiting, "granted", grant["id"])


def test_an_application_is_refused_with_a_reason(sqlite_settings: Settings, waiting: str) -> None:
    (done,) = rows(run(sqlite_settings, "refuse", waiting, "--reason", "用途不明", "--json"))

    assert (done["status"], done["reason"]) == ("refused", "用途不明")
    assert rows(run(sqlite_settings, "list", "--json")) == []


def test_what_is_late_is_listed_with_its_day_and_noted_once(sqlite_settings: Settings, waiting: str) -> None:
    (shown,) = rows(run(sqlite_settings, "applications", "--json"))
    long_ago = {"applied_at": "2026-01-05T02:00:00.000000Z"}
    with open_store(sqlite_settings) as store, store.write() as conn:
        conn.execute(update(applications).values(**long_ago))

    (late,) = rows(run(sqlite_settings, "overdue", "--json"))
    rows(run(sqlite_settings, "overdue", "--json"))
    table = CliRunner(env={"COLUMNS": "400"}).invoke(grants, ["applications"], obj=sqlite_settings).stdout

    assert (shown["clock"]["overdue"], shown["clock"]["working_days"]) == (False, 10)
    # Ten working days from Monday 5 January 2026.
    assert (late["id"], late["clock"]["due_on"], late["clock"]["overdue"]) == (waiting, "2026-01-19", True)
    assert "已逾期" in table
    with open_store(sqlite_settings) as store, store.read() as conn:
        noted = conn.execute(select(entries.c.id).where(entries.c.action == "application.overdue")).all()
    assert len(noted) == 1
