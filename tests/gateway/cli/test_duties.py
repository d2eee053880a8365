"""Duties at the command line: the operator acts until they are separated, then people with certificates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from certs.names import DUTIES
from gateway.access.duties import DATA, LOG, Act
from gateway.audit.tables import entries
from gateway.cli.permitted import ANYBODY, act_of, leaves
from gateway.cli.root import UNGUARDED, VERBS, cli
from gateway.settings import Settings
from gateway.store import open_store

SYSTEM = "urn:xinqiao:health:clinic"
WISH = ("--purpose", "监管", "--legal-basis", "条例")


class House:
    """One home with its command line, and the certificates of its people."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.people: dict[str, tuple[str, str]] = {}

    def run(self, *arguments: str, who: str | None = None, environ: Mapping[str, str] | None = None) -> Result:
        """A verb as typed, by the operator or by a person."""
        certificate, key = self.people[who] if who else ("", "")
        shown = ("--certificate", certificate, "--key", key) if who else ()
        found = CliRunner(env={"XINQIAO_HOME": str(self.settings.home), **(environ or {})}).invoke(
            cli, [*shown, *arguments]
        )
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return found

    def done(self, *arguments: str, who: str | None = None) -> list[dict[str, Any]]:
        """What a verb printed as JSON; it must succeed."""
        result = self.run(*arguments, "--json", who=who)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    def issue(self, who: str, *arguments: str, by: str | None = None) -> None:
        (told,) = self.done("certs", "issue", *arguments, "--out", str(self.settings.home / "clients"), who=by)
        self.people[who] = (told["certificate"], told["key"])

    def refusal(self, *arguments: str, who: str | None = None) -> str:
        """The code with which a verb was refused."""
        result = self.run(*arguments, who=who)
        assert result.exit_code == 1, result.output
        return result.stderr.splitlines()[0].partition("[")[2].partition("]")[0]


@pytest.fixture
def house(sqlite_settings: Settings) -> House:
    """A home in which everybody has a certificate, issued by the operator; nothing is separated yet."""
    made = House(sqlite_settings)
    for duty in DUTIES:
        agency = ("--agency", "market_supervision") if duty == "agency_administrator" else ()
        made.issue(duty, "--person", duty.replace("_", "."), "--duty", duty, *agency)
    made.issue("clinic", "--agency", "health", "--system", "clinic")
    return made


@pytest.fixture
def apart(house: House) -> House:
    """The same with the duties separated."""
    house.done("duties", "separate")
    return house


def test_every_verb_says_which_act_it_is() -> None:
    context = click.Context(cli)
    paths = [
        path
        for verb in VERBS
        if verb not in UNGUARDED
        for path in leaves(cli.get_command(context, verb) or click.Command(verb), verb)
    ]
    open_to_nobody = set()
    for path in paths:
        try:
            act_of(path)
        except KeyError:
            open_to_nobody.add(path)

    assert open_to_nobody == {"grants give", "duties separate"}
    assert set(ANYBODY) <= set(paths)


def test_no_verb_that_shows_data_is_open_to_a_duty_that_sees_the_log() -> None:
    paths = ("feed", "quarantine list", "quarantine show", "audit entries", "audit who-read")
    seen: dict[str, set[Act]] = {duty: set() for duty in DUTIES}
    for path in paths:
        act = act_of(path)
        assert act is not None
        for duty in act.duties:
            seen[duty].add(act)

    assert [duty for duty, acts in seen.items() if acts & set(DATA) and acts & set(LOG)] == []


def test_until_they_are_separated_the_operator_acts_and_the_log_names_him(house: House) -> None:
    (given,) = house.done("grants", "give", SYSTEM, "registration", *WISH)
    (before,) = house.done("duties", "list")

    assert given["given_by"].startswith("cli:")
    assert before["separated"] is False
    assert {duty: len(held) for duty, held in before["holders"].items()} == dict.fromkeys(DUTIES, 1)


def test_they_cannot_be_separated_while_one_is_held_by_nobody(sqlite_settings: Settings) -> None:
    house = House(sqlite_settings)
    house.issue("auditor", "--person", "auditor", "--duty", "auditor")

    assert house.refusal("duties", "separate") == "conflict"
    assert house.run("feed", "registration").exit_code == 0


def test_what_a_clock_starts_goes_on_without_a_person_once_separated(apart: House) -> None:
    (published,) = apart.done("certs", "crl")
    (pushed,) = apart.done("notifications", "dispatch")

    assert published["crl_number"] >= 1
    assert pushed["delivered"] == 0


def test_once_separated_the_operator_reads_neither_data_nor_the_log_and_administers_nothing(apart: House) -> None:
    csv = apart.settings.home / "list.csv"
    csv.write_text("x", "utf-8")
    verbs: list[tuple[str, ...]] = [
        ("feed", "registration"),
        ("quarantine", "list"),
        ("audit", "entries"),
        ("audit", "what-did", SYSTEM),
        ("grants", "give", SYSTEM, "registration", *WISH),
        ("grants", "list"),
        ("certs", "issue", "--person", "me", "--duty", "auditor"),
        ("deliver", "market_supervision/company_list", str(csv)),
        ("duties", "register", "--person", "me", "--duty", "auditor"),
    ]

    assert [apart.refusal(*verb) for verb in verbs] == ["wrong_duty"] * len(verbs)
    # What shows nothing, or only that nothing was altered, stays open.
    assert apart.run("audit", "verify").exit_code == 0
    assert apart.run("duties", "list").exit_code == 0


def test_each_duty_does_its_own_and_not_the_others(apart: House) -> None:
    may = {
        who: {
            name
            for name, verb in {
                "data": ("quarantine", "list"),
                "feed": ("feed", "registration"),
                "log": ("audit", "entries"),
                "certificates": ("keys", "list"),
                "deliveries": ("deliveries",),
            }.items()
            if apart.run(*verb, who=who).exit_code == 0
        }
        for who in DUTIES
    }

    assert may == {
        "system_administrator": {"deliveries"},
        "security_administrator": {"certificates"},
        "auditor": {"log"},
        "agency_administrator": {"data", "deliveries"},
    }


def test_a_grant_goes_from_application_over_two_people_to_a_grant(apart: House) -> None:
    apply = ("grants", "apply", SYSTEM, "registration", *WISH, "--unmasked", "legal_representative")
    (made,) = apart.done(*apply, who="agency_administrator")
    again = apart.refusal("grants", "approve", made["id"], who="agency_administrator")
    (done,) = apart.done("grants", "approve", made["id"], who="security_administrator")

    assert (made["status"], made["missing"], again) == ("waiting", ["security_administrator"], "conflict")
    assert (done["status"], sorted(done["approvals"])) == (
        "granted",
        ["agency_administrator:market_supervision", "security_administrator"],
    )
    with open_store(apart.settings) as store, store.read() as conn:
        actors = {row.action: row.actor for row in conn.execute(select(entries.c.action, entries.c.actor))}
    assert (actors["application.filed"], actors["grant.given"]) == (
        "urn:xinqiao:person:agency.administrator",
        "urn:xinqiao:person:security.administrator",
    )


def test_a_new_auditor_takes_two_people(apart: House) -> None:
    person = ("--person", "second", "--duty", "auditor")

    alone = apart.refusal("certs", "issue", *person, who="security_administrator")
    registered = apart.run("duties", "register", *person, who="system_administrator")
    apart.issue("second", *person, by="security_administrator")

    assert (alone, registered.exit_code) == ("refused", 0)
    assert apart.run("audit", "entries", who="second").exit_code == 0


def test_nobody_signs_in_with_a_key_that_is_not_his_or_with_a_systems_certificate(apart: House, tmp_path: Path) -> None:
    apart.people["thief"] = (apart.people["auditor"][0], apart.people["security_administrator"][1])
    half = apart.run("--certificate", apart.people["auditor"][0], "audit", "entries")

    assert apart.refusal("audit", "entries", who="thief") == "key_unusable"
    assert apart.refusal("audit", "entries", who="clinic") == "wrong_duty"
    assert half.exit_code == 1


def test_a_revoked_certificate_opens_nothing_at_the_command_line(apart: House) -> None:
    (found,) = apart.done("certs", "list", "--urn", "urn:xinqiao:person:auditor", who="security_administrator")
    apart.done("certs", "revoke", found["serial"], who="security_administrator")

    assert apart.refusal("audit", "entries", who="auditor") == "certificate_revoked"


def test_giving_the_operator_his_rights_back_takes_two_of_the_three(apart: House) -> None:
    reopen = ("duties", "reopen", "--reason", "安全管理员证书遗失")

    first = apart.run(*reopen, who="system_administrator")
    same = apart.refusal(*reopen, who="system_administrator")
    stranger = apart.refusal(*reopen, who="agency_administrator")
    still = apart.refusal("feed", "registration")
    second = apart.run(*reopen, who="auditor")

    assert (first.exit_code, same, stranger, still) == (0, "conflict", "wrong_duty", "wrong_duty")
    assert second.exit_code == 0
    assert apart.run("feed", "registration").exit_code == 0
    with open_store(apart.settings) as store, store.read() as conn:
        acts = conn.execute(select(entries.c.action).where(entries.c.action.startswith("duties."))).scalars().all()
    assert acts == ["duties.separated", "duties.reopen_asked", "duties.reopened"]
