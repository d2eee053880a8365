"""``xinqiao certs external`` and ``register``: what is believed, how current it is, and what cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli.root import cli
from gateway.clock import utc_now
from tests.support.foreign_authority import DAY, Foreign, found

Run = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def foreign(tmp_path: Path) -> Foreign:
    return found(tmp_path, utc_now())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def invoke(*arguments: str) -> list[dict[str, Any]]:
        result = CliRunner().invoke(cli, [*arguments, "--json"], env={"XINQIAO_HOME": str(tmp_path)})
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    return invoke


def test_each_source_says_how_current_it_is(foreign: Foreign, run: Run) -> None:
    foreign.describe(
        revocation=[{"crl": "issuing.crl"}, {"ocsp": "http://127.0.0.1:1/"}, {"crl": "http://127.0.0.1:1/a"}]
    )

    rows = run("certs", "external")

    assert [(row["source"], row["state"]) for row in rows] == [
        ("crl issuing.crl", "current"),
        ("http://127.0.0.1:1/", "asked"),
        ("http://127.0.0.1:1/a", "missing"),
    ]
    assert {tuple(row["agencies"]) for row in rows} == {("customs",)}


@pytest.mark.parametrize(("hours", "state"), [(0, "ended"), (6, "grace")])
def test_an_ended_list_is_shown_with_its_grace(foreign: Foreign, run: Run, hours: int, state: str) -> None:
    foreign.describe(revocation=[{"crl": "issuing.crl"}], grace_hours=hours)
    foreign.publish(made=utc_now() - DAY - timedelta(hours=1))

    (row,) = run("certs", "external")

    assert (row["state"], row["grace_hours"]) == (state, hours)


def test_a_description_that_cannot_be_used_is_listed_with_the_reason(foreign: Foreign, run: Run) -> None:
    foreign.describe(agencies="customs")

    (row,) = run("certs", "external")

    assert row["state"] == "unusable"
    assert "agencies: expected a list" in row["problem"]


def test_a_system_is_registered_without_a_certificate_of_ours(run: Run, tmp_path: Path) -> None:
    CliRunner().invoke(cli, ["init"], env={"XINQIAO_HOME": str(tmp_path)}, catch_exceptions=False)

    assert run("certs", "register", "--agency", "customs", "--system", "front") == [
        {"urn": "urn:xinqiao:customs:front", "status": "active"}
    ]
    assert [row for row in run("certs", "list") if row["urn"] == "urn:xinqiao:customs:front"] == []
