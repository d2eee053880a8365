"""校核纠错: a challenge runs on a clock; upheld, the record is corrected and whoever had read the old one is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from certs.names import PersonName
from gateway.access.challenges import note_overdue
from gateway.access.giving import withdraw
from gateway.access.grants import list_grants
from gateway.audit.log import seal
from gateway.audit.reading import list_entries, who_read
from gateway.audit.verify import verify
from gateway.cli import challenges as face
from gateway.cli.challenges import challenges
from gateway.store import reading
from tests.gateway.api.installation import ONE, SOURCE, TWO, Installation, System, ask, company_list, problem
from tests.gateway.notifications.conftest import SQLITE
from tests.gateway.notifications.support import (
    NAME,
    RIGHT,
    challenge,
    decide,
    kinds,
    mailbox,
    read_entity,
    read_feed,
    read_records,
    reader,
)
from tests.support.companies import BAKERY
from tests.support.deliveries import REGISTRATION, land, registrations
from tests.support.standing import feed, told


def acts(home: Installation, action: str) -> list[dict[str, Any]]:
    seal(home.store, home.now)
    with home.store.read() as conn:
        return [entry.entry for entry in list_entries(conn, limit=10_000) if entry.action == action]


def test_upheld_the_correction_lands_and_whoever_read_the_old_version_is_told(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    by_feed, by_entity, by_record = (reader(home, name) for name in ("feeding", "looking", "recording"))
    never, elsewhere = reader(home, "never"), reader(home, "elsewhere", region_prefixes=["65"])
    other_field = reader(home, "other", columns=["established_on"])
    read_feed(client, by_feed)
    read_entity(client, by_entity)
    read_records(client, by_record)
    read_feed(client, elsewhere)
    read_records(client, other_field)
    ask(client, never, "GET", f"/v1/entities/{TWO}")

    challenged = challenge(client, by_record)
    decided = decide(client, provider, challenged, "upheld")

    assert (decided.status_code, decided.get_json()["status"], decided.get_json()["corrected_seq"]) == (
        200,
        "upheld",
        2,
    )
    assert told(home.store, "registration", "name") == [("put", 1, NAME), ("put", 2, RIGHT)]
    assert [kinds(client, system) for system in (by_feed, by_entity, by_record)] == [
        ["record.corrected"],
        ["record.corrected"],
        ["record.corrected", "challenge.upheld"],
    ]
    assert [kinds(client, system) for system in (never, elsewhere, other_field)] == [[], [], []]
    (entry,) = acts(home, "challenge.upheld")
    assert entry["told"] == sorted(system.urn for system in (by_feed, by_entity, by_record))
    assert verify(home.store).ok


@SQLITE
def test_who_fetched_an_export_is_told_and_who_left_it_lying_or_made_it_later_is_not(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    fetched, left, later = (reader(home, name) for name in ("fetched", "left", "later"))

    def export(system: System, *, fetch: bool) -> None:
        made = ask(client, system, "POST", "/v1/exports", json={"record_type": "registration"}).get_json()
        if fetch:
            assert ask(client, system, "GET", f"/v1/exports/{made['export']}/records").status_code == 200

    export(fetched, fetch=True)
    export(left, fetch=False)
    decide(client, provider, challenge(client, reader(home, "challenger")), "upheld")
    first = [kinds(client, system) for system in (fetched, left, later)]
    export(later, fetch=True)
    decide(
        client,
        provider,
        challenge(client, reader(home, "second"), field="established_on", believed="2016-01-01"),
        "upheld",
    )

    assert first == [["record.corrected"], [], []]
    assert kinds(client, later) == ["record.corrected"]


def test_what_is_told_is_what_the_grant_shows_and_is_a_read_like_any_other(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    whole, narrow, ended = reader(home, "whole"), reader(home, "narrow", columns=["name"]), reader(home, "ended")
    for system in (whole, narrow, ended):
        read_feed(client, system)
    decide(client, provider, challenge(client, whole), "upheld")
    with home.store.write() as conn:
        (grant,) = list_grants(conn, system_urn=ended.urn)
        withdraw(conn, grant.id, "test", home.now)
    (all_of_it, _), (some,), (none,) = mailbox(client, whole), mailbox(client, narrow), mailbox(client, ended)

    assert all_of_it["version"]["record"]["established_on"] == "2015-11-04"
    assert (all_of_it["seq"], all_of_it["wrong_seqs"], all_of_it["corrected_seq"]) == (1, [1], 2)
    assert some["version"]["record"] == {"entity_by": "uscc", "entity_uscc": ONE, "name": RIGHT}
    assert (none["version"], none["not_granted"]) == (None, "grant_withdrawn")
    with home.store.read() as conn:
        readers = [entry.actor for entry in who_read(conn, ONE) if entry.action == "record.pushed"]
    assert readers == [whole.urn, narrow.urn]


@SQLITE
def test_who_was_told_of_a_correction_is_told_of_the_next_one(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    told_by_mailbox, challenger = reader(home, "told"), reader(home, "challenger")
    read_records(client, told_by_mailbox)
    decide(client, provider, challenge(client, challenger), "upheld")
    mailbox(client, told_by_mailbox)

    decide(client, provider, challenge(client, challenger, seq=2, believed="杭州甲集团有限公司"), "upheld")

    assert kinds(client, told_by_mailbox) == ["record.corrected", "record.corrected"]


@SQLITE
def test_who_read_only_the_corrected_version_is_told_nothing(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    challenger, late = reader(home, "challenger"), reader(home, "late")
    decide(client, provider, challenge(client, challenger), "upheld")
    read_entity(client, late)
    read_feed(client, late, after=1)

    decide(client, provider, challenge(client, challenger), "upheld", corrected=RIGHT)

    assert kinds(client, late) == []


@SQLITE
def test_the_agency_can_give_another_value_than_the_challenger_believes(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    challenged = challenge(client, reader(home, "challenger"))

    decide(client, provider, challenged, "upheld", corrected="杭州甲（集团）有限公司")

    assert told(home.store, "registration", "name")[-1] == ("put", 2, "杭州甲（集团）有限公司")


@SQLITE
def test_an_emptied_field_is_left_out_of_the_record(home: Installation, client: FlaskClient, provider: System) -> None:
    challenged = challenge(client, reader(home, "challenger"), field="established_on", believed="")

    answer = decide(client, provider, challenged, "upheld", corrected=None)

    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert told(home.store, "registration", "established_on") == [("put", 1, "2015-11-04"), ("put", 2, None)]


@SQLITE
def test_correcting_the_key_withdraws_the_old_record_and_lands_the_right_one(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    challenged = challenge(client, reader(home, "challenger"), field="uscc", believed=TWO)

    decide(client, provider, challenged, "upheld")

    assert told(home.store, "registration", "uscc") == [("put", 1, ONE), ("withdraw", 2, ONE), ("put", 1, TWO)]
    assert verify(home.store).ok


@SQLITE
def test_a_value_that_the_field_cannot_have_lands_nothing_and_leaves_the_challenge_open(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    challenged = challenge(client, reader(home, "challenger"), field="established_on", believed="昨天")

    answer = decide(client, provider, challenged, "upheld")

    assert problem(answer) == (422, "invalid")
    assert len(feed(home.store, "registration")) == 1
    assert ask(client, provider, "GET", "/v1/challenges").get_json()["challenges"][0]["status"] == "open"
    assert decide(client, provider, challenged, "rejected").status_code == 200


@SQLITE
def test_what_was_said_is_shown_to_who_said_it_and_who_decides_and_showing_it_is_an_entry(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    challenger = reader(home, "challenger")
    beside = home.system("urn:xinqiao:health:beside")
    administrator = home.person(PersonName("li.si", "agency_administrator", "health"))
    stranger = home.system("urn:xinqiao:customs:risk")
    challenged = challenge(client, challenger)
    before = len(acts(home, "challenge.read"))

    def believed(who: System) -> list[str | None]:
        found = ask(client, who, "GET", "/v1/challenges").get_json()["challenges"]
        return [one["believed"] for one in found]

    seen = [believed(who) for who in (challenger, provider, beside, administrator, stranger)]

    assert seen == [[RIGHT], [RIGHT], [None], [None], []]
    readers = [(entry["actor"], entry["challenges"]) for entry in acts(home, "challenge.read")[before:]]
    assert readers == [(challenger.urn, [challenged["id"]]), (provider.urn, [challenged["id"]])]
    assert problem(decide(client, beside, challenged, "rejected")) == (403, "not_yours")
    assert problem(decide(client, stranger, challenged, "rejected")) == (404, "not_found")


@SQLITE
def test_the_same_doubt_waits_once_and_one_without_a_grant_is_refused_with_an_entry(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    challenger, stranger = reader(home, "challenger"), home.system("urn:xinqiao:customs:risk")
    doubt = {"record_type": "registration", "seq": 1, "field": "name", "believed": RIGHT, "evidence": "执照"}
    first = challenge(client, challenger)

    again = ask(client, challenger, "POST", "/v1/challenges", json=doubt)
    refused = ask(client, stranger, "POST", "/v1/challenges", json=doubt)

    assert (problem(again), again.get_json()["details"]) == ((409, "conflict"), {"challenge": first["id"]})
    assert problem(refused) == (403, "grant_none")
    (entry,) = acts(home, "read.refused")
    assert (entry["actor"], entry["read"], entry["reason"]) == (stranger.urn, "challenge", "grant_none")


@SQLITE
def test_rejected_the_challenger_is_told_why_and_nothing_lands(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    challenger, other = reader(home, "challenger"), reader(home, "other")
    read_feed(client, other)

    decide(client, provider, challenge(client, challenger), "rejected", reason="与登记档案一致")

    (news,) = mailbox(client, challenger)
    assert (news["kind"], news["reason"], "version" in news) == ("challenge.rejected", "与登记档案一致", False)
    assert kinds(client, other) == []
    assert len(feed(home.store, "registration")) == 1


@SQLITE
def test_a_challenge_of_a_record_that_was_withdrawn_since_cannot_be_upheld(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    challenger = reader(home, "challenger")
    challenged = challenge(client, challenger)
    # Corrected away under another key, the challenged record itself stands withdrawn.
    decide(client, provider, challenge(client, challenger, field="uscc", believed=TWO), "upheld")

    assert problem(decide(client, provider, challenged, "upheld")) == (409, "conflict")
    assert decide(client, provider, challenged, "rejected").status_code == 200


@SQLITE
def test_the_agency_is_told_of_a_challenge_and_a_decided_one_stays_decided(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    challenged = challenge(client, reader(home, "challenger"))

    (news,) = mailbox(client, provider)
    assert (news["kind"], news["challenge"], news["due_on"]) == (
        "challenge.raised",
        challenged["id"],
        challenged["due_on"],
    )
    assert RIGHT not in json.dumps(news, ensure_ascii=False)
    assert decide(client, provider, challenged, "upheld").status_code == 200
    assert problem(decide(client, provider, challenged, "rejected")) == (409, "conflict")


@SQLITE
def test_the_clock_counts_working_days_and_running_over_it_is_seen_and_logged_once(
    home: Installation, client: FlaskClient, provider: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Raised on a Saturday.
    challenged = challenge(client, reader(home, "challenger"))

    def late(now: datetime) -> tuple[list[str], bool]:
        home.now = now
        (shown,) = ask(client, provider, "GET", "/v1/challenges").get_json()["challenges"]
        return note_overdue(home.store, now), shown["overdue"]

    last_day = datetime(2026, 11, 27, 12, tzinfo=UTC)
    assert challenged["due_on"] == "2026-11-27"
    assert late(last_day) == ([], False)
    assert late(last_day + timedelta(days=1)) == ([challenged["id"]], True)
    assert late(last_day + timedelta(days=2)) == ([], True)
    (entry,) = acts(home, "challenge.overdue")
    assert (entry["challenge"], entry["agency"]) == (challenged["id"], "market_supervision")
    monkeypatch.setattr(face, "utc_now", lambda: home.now)
    listed = CliRunner().invoke(challenges, ["list", "--overdue", "--json"], obj=home.settings)
    assert [json.loads(line)["id"] for line in listed.stdout.splitlines()] == [challenged["id"]]


@SQLITE
def test_personal_values_are_nowhere_in_clear_and_their_correction_lands_sealed(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    right, evidence = "13987654321", "本人电话 13987654321"
    land(home.store, REGISTRATION, registrations(BAKERY), now=home.now)
    (seq,) = (version.seq for version in feed(home.store, "registration") if version.source == REGISTRATION)
    shown = reader(home, "shown", columns=["name", "contact_phone"], unmasked=["contact_phone"])
    masked = reader(home, "masked", columns=["name", "contact_phone"])
    for system in (shown, masked):
        read_feed(client, system)

    challenged = challenge(client, shown, seq=seq, field="contact_phone", believed=right, evidence=evidence)
    stored = b"".join(file.read_bytes() for file in home.settings.home.glob("xinqiao.db*"))
    decide(client, provider, challenged, "upheld")

    assert (right.encode() in stored, challenged["believed"]) == (False, right)
    (news, _), (hidden,) = mailbox(client, shown), mailbox(client, masked)
    assert news["version"]["record"]["contact_phone"] == right
    assert hidden["version"]["record"]["contact_phone"] == "139****4321"
    with home.store.read() as conn:
        bodies = json.dumps([entry.entry for entry in list_entries(conn, limit=10_000)], ensure_ascii=False)
        current = reading.history(conn, "registration", feed(home.store, "registration")[-1].record_key)[-1]
    assert right not in bodies
    assert right.encode() not in current.payload
    assert verify(home.store).ok


@SQLITE
def test_what_is_acknowledged_leaves_the_mailbox_and_belongs_to_its_system_alone(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    challenger, other = reader(home, "challenger"), reader(home, "other")
    decide(client, provider, challenge(client, challenger), "rejected")
    (news,) = mailbox(client, challenger)
    address = f"/v1/notifications/{news['id']}/acknowledgement"

    strange = ask(client, other, "POST", address)
    done = [ask(client, challenger, "POST", address) for _ in range(2)]

    assert problem(strange) == (404, "not_found")
    assert [answer.get_json()["status"] for answer in done] == ["acknowledged"] * 2
    assert (mailbox(client, challenger), len(acts(home, "notification.acknowledged"))) == ([], 1)


@SQLITE
def test_the_mailbox_is_read_in_stretches(home: Installation, client: FlaskClient, provider: System) -> None:
    challenger = reader(home, "challenger")
    for _ in range(3):
        decide(client, provider, challenge(client, challenger), "rejected")

    first = ask(client, challenger, "GET", "/v1/notifications?limit=2")
    rest = ask(client, challenger, "GET", f"/v1/notifications?after={first.headers['Xinqiao-Next']}")

    assert [len(answer.get_json()["notifications"]) for answer in (first, rest)] == [2, 1]


@SQLITE
def test_the_operator_decides_on_behalf_of_the_agency(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    challenged = challenge(client, reader(home, "challenger"))

    result = CliRunner().invoke(
        challenges, ["decide", challenged["id"], "upheld", "--reason", "已核实", "--json"], obj=home.settings
    )

    assert (json.loads(result.stdout)["status"], told(home.store, "registration", "name")[-1][2]) == ("upheld", RIGHT)


@SQLITE
def test_the_same_wrong_value_in_a_later_version_counts_as_read_too(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    file = company_list((NAME, ONE)).replace(b"2015-11-04", b"2016-01-01")
    ask(client, provider, "POST", f"/v1/sources/{SOURCE}/deliveries", data=file, content_type="text/csv")
    later = reader(home, "later")
    read_feed(client, later, after=1)

    decide(client, provider, challenge(client, reader(home, "challenger")), "upheld")

    (news,) = mailbox(client, later)
    assert (news["wrong_seqs"], news["corrected_seq"]) == ([1, 2], 3)
    assert news["version"]["record"]["established_on"] == "2016-01-01"
