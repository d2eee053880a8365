"""Exports by HTTP: what the grant lets through, as a file with a manifest that the log proves."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, insert, select, update

from certs.names import PersonName
from gateway.access import exports as exporting
from gateway.access.exports import remove_expired
from gateway.access.giving import withdraw
from gateway.access.quotas import Quota, set_quota
from gateway.access.tables import exports
from gateway.audit.keys import load_verifier
from gateway.audit.proofs import ProofError, verify_receipt
from gateway.audit.reading import who_read
from gateway.audit.verify import verify
from gateway.erasure.tables import erasures
from tests.gateway.api.installation import ONE, TWO, Installation, System, ask, problem

WANTED = {"record_type": "registration"}


def exporter(home: Installation, name: str, **grant: Any) -> System:
    system = home.system(f"urn:xinqiao:customs:{name}")
    home.grant(system.urn, **grant)
    return system


def made(client: FlaskClient, system: System) -> dict[str, Any]:
    answer = ask(client, system, "POST", "/v1/exports", json=WANTED)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    manifest: dict[str, Any] = answer.get_json()
    return manifest


def files(home: Installation) -> list[Path]:
    return sorted((home.settings.home / "exports").glob("*"))


def test_an_export_is_what_the_grant_lets_through_and_the_log_proves_its_manifest(
    home: Installation, client: FlaskClient, landed: str
) -> None:
    system = exporter(home, "whole", columns=["name", "uscc"])

    manifest = made(client, system)
    file = ask(client, system, "GET", f"/v1/exports/{manifest['export']}/records")
    feed = ask(client, system, "GET", "/v1/feeds/registration")

    assert file.data == feed.data
    assert {json.loads(line)["uscc"] for line in file.data.splitlines()} == {ONE, TWO}
    assert (manifest["records"], manifest["size"], manifest["sha256"]) == (
        2,
        len(file.data),
        hashlib.sha256(file.data).hexdigest(),
    )
    assert manifest["filter"]["columns"] == ["name", "uscc"]
    vkey = load_verifier(home.settings).text()
    assert verify_receipt(manifest, vkey).unproven == ()
    with pytest.raises(ProofError):
        verify_receipt({**manifest, "records": 3}, vkey)
    kept = ask(client, system, "GET", f"/v1/exports/{manifest['export']}").get_json()
    assert verify_receipt(kept, vkey).entry == verify_receipt(manifest, vkey).entry


def test_who_read_finds_the_export_and_its_fetching(home: Installation, client: FlaskClient, landed: str) -> None:
    system = exporter(home, "traced")
    manifest = made(client, system)
    ask(client, system, "GET", f"/v1/exports/{manifest['export']}/records")

    with home.store.read() as conn:
        acts = [one.action for one in who_read(conn, ONE) if one.actor == system.urn]
    assert acts == ["export.made", "export.fetched"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"system_urn": "urn:xinqiao:customs:other"}, "['system_urn']"),
        ({"grant_id": "g-0"}, "['grant_id']"),
        ({"expires_at": "2099-01-01T00:00:00.000000Z"}, "['expires_at']"),
        ({"manifest": {"records": 3}}, "['manifest']"),
    ],
)
def test_a_register_of_exports_that_is_edited_beside_the_log_is_found(
    home: Installation, client: FlaskClient, landed: str, change: dict[str, Any], named: str
) -> None:
    export_id = made(client, exporter(home, f"edited.{named.strip('[]')[1:-1]}"))["export"]
    with home.store.read() as conn:
        kept = dict(conn.execute(select(exports).where(exports.c.id == export_id)).mappings().one())
    before = verify(home.store)

    def write(values: dict[str, Any]) -> None:
        with home.store.write() as conn:
            conn.execute(update(exports).where(exports.c.id == export_id).values(**values))

    write(change)
    altered = verify(home.store)
    write(kept)

    assert before.ok, before.first_bad
    assert [(one.where, one.en) for one in altered.problems] == [
        (f"exports/{export_id}", f"the register differs from its entry: {named}")
    ]


def test_an_export_that_is_taken_out_of_the_register_is_found(
    home: Installation, client: FlaskClient, landed: str
) -> None:
    export_id = made(client, exporter(home, "taken"))["export"]
    with home.store.write() as conn:
        kept = dict(conn.execute(select(exports).where(exports.c.id == export_id)).mappings().one())
        conn.execute(delete(exports).where(exports.c.id == export_id))
    missing = verify(home.store)
    with home.store.write() as conn:
        conn.execute(insert(exports).values(**kept))
        conn.execute(insert(exports).values(**{**kept, "id": "x-smuggled", "entry_id": 0}))
    smuggled = verify(home.store)
    with home.store.write() as conn:
        conn.execute(delete(exports).where(exports.c.id == "x-smuggled"))

    assert [(one.where, one.en) for one in missing.problems] == [
        (f"exports/{export_id}", "the register does not know it")
    ]
    assert [(one.where, one.en) for one in smuggled.problems] == [
        ("exports/x-smuggled", "no entry tells of this export")
    ]


def test_an_export_during_which_somebody_was_erased_leaves_nothing(
    home: Installation, client: FlaskClient, landed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, before = exporter(home, "racing"), files(home)
    project = exporting.project

    def erase_meanwhile(*given: Any) -> Any:
        row = {"id": "e-1", "record_type": "registration", "fields": [], "ground": "x", "status": "erasing"}
        with home.store.write() as conn:
            conn.execute(insert(erasures).values(**row, asked_by="a", asked_at="2026"))
        return project(*given)

    monkeypatch.setattr(exporting, "project", erase_meanwhile)
    answer = ask(client, system, "POST", "/v1/exports", json=WANTED)
    monkeypatch.undo()
    again = ask(client, system, "POST", "/v1/exports", json=WANTED)
    with home.store.write() as conn:
        conn.execute(delete(erasures))

    assert (problem(answer), again.status_code) == ((409, "conflict"), 201)
    assert len(files(home)) == len(before) + 1


def test_an_export_is_nobody_elses(home: Installation, client: FlaskClient, landed: str) -> None:
    manifest = made(client, exporter(home, "own"))
    others = [exporter(home, "sister"), home.person(PersonName("exports", "agency_administrator", "customs"))]

    answers = [
        ask(client, other, "GET", f"/v1/exports/{manifest['export']}{end}")
        for other in others
        for end in ("", "/records")
    ]

    assert [problem(one) for one in answers] == [(404, "not_found")] * 4
    assert ask(client, others[0], "GET", "/v1/exports").get_json() == {"exports": []}


def test_a_file_is_not_given_out_when_its_grant_has_ended_or_for_another_purpose(
    home: Installation, client: FlaskClient, landed: str
) -> None:
    system = home.system("urn:xinqiao:customs:ended")
    grant = home.grant(system.urn)
    address = f"/v1/exports/{made(client, system)['export']}/records"

    other = ask(client, system, "GET", address, purpose="marketing")
    with home.store.write() as conn:
        withdraw(conn, grant.id, "test", home.now)
    # A second grant does not give out what was made under the first.
    home.grant(system.urn, columns=["name"])
    ended = ask(client, system, "GET", address)

    assert [problem(one) for one in (other, ended)] == [(403, "grant_other_purpose"), (403, "grant_withdrawn")]


def test_without_a_grant_or_beyond_the_quota_nothing_is_written(
    home: Installation, client: FlaskClient, landed: str
) -> None:
    before = files(home)
    system = exporter(home, "limited")
    with home.store.write() as conn:
        set_quota(conn, system.urn, Quota(records=1), "test", home.now)

    answers = [
        ask(client, home.system("urn:xinqiao:customs:none"), "POST", "/v1/exports", json=WANTED),
        ask(client, system, "POST", "/v1/exports", json=WANTED),
        ask(client, system, "POST", "/v1/exports", json={"record_type": "secrets"}),
    ]

    assert [problem(one) for one in answers] == [(403, "grant_none"), (429, "quota_exceeded"), (404, "not_found")]
    assert files(home) == before


def test_a_file_is_for_its_owner_only_and_gone_after_a_day(
    home: Installation, client: FlaskClient, landed: str
) -> None:
    system = exporter(home, "late")
    manifest = made(client, system)
    (file,) = [one for one in files(home) if one.stem == manifest["export"]]
    mode = file.stat().st_mode & 0o777

    home.now += timedelta(days=1)
    removed = remove_expired(home.store, home.now)
    gone = ask(client, system, "GET", f"/v1/exports/{manifest['export']}/records")
    kept = ask(client, system, "GET", f"/v1/exports/{manifest['export']}")
    home.now -= timedelta(days=1)

    assert (mode, removed >= 1, file.exists()) == (0o600, True, False)
    assert (problem(gone), kept.status_code) == ((409, "conflict"), 200)


def test_an_export_shows_what_was_current_and_no_history(home: Installation, client: FlaskClient, landed: str) -> None:
    system = exporter(home, "regions", region_prefixes=["3302"])

    manifest = made(client, system)
    file = ask(client, system, "GET", f"/v1/exports/{manifest['export']}/records")

    assert manifest["filter"]["region_prefixes"] == ["3302"]
    assert [json.loads(line)["uscc"] for line in file.data.splitlines()] == [
        record["uscc"]
        for record in ask(client, system, "GET", f"/v1/records/registration?uscc={TWO}").get_json()["records"]
    ]
