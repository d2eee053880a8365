"""Retention, legal hold and export: what goes, what may not go, and what leaves the house with its proof."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from connectors.errors import Refused
from gateway import deliveries as register
from gateway.audit import holds
from gateway.audit.export import export, verify_export
from gateway.audit.keys import load_verifier
from gateway.audit.log import append, seal
from gateway.audit.merkle import ProofError
from gateway.audit.reading import who_read
from gateway.audit.verify import verify
from gateway.cli.audit import audit
from gateway.receipts import proven
from gateway.retention import FLOOR_DAYS, removable, remove
from gateway.store import Store
from gateway.store.tables import deliveries
from tests.conftest import NOW
from tests.gateway.audit.altering import found
from tests.gateway.audit.landings import ADA, BOB, SOURCE, complaint, land_complaints

LATER = NOW + timedelta(days=FLOOR_DAYS, seconds=1)


def with_file(store: Store, delivery_id: str, content: bytes) -> Path:
    """The bytes that a delivery came as, kept since it was received."""
    part = register.vault_of(store).keep("x.csv", "text/csv", [content])
    os.utime(part.path, (NOW.timestamp(), NOW.timestamp()))
    path = part.path.relative_to(store.settings.home).as_posix()
    said = {"name": part.name, "media_type": part.media_type, "path": path, "digest": part.digest, "size": part.size}
    with store.write() as conn:
        conn.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(parts=[said]))
    return part.path


@pytest.fixture
def kept(store: Store) -> tuple[Store, str, Path, str, Path]:
    """Two deliveries with their files, one about Ada, one about Bob; sealed."""
    ada = land_complaints(store, [complaint("c1", ADA)], NOW)
    bob = land_complaints(store, [complaint("c2", BOB)], NOW)
    files = with_file(store, ada, b"about ada"), with_file(store, bob, b"about bob")
    seal(store, NOW)
    return store, ada, files[0], bob, files[1]


Kept = tuple[Store, str, Path, str, Path]


def test_nothing_goes_before_184_days(kept: Kept) -> None:
    store, _, ada, _, bob = kept

    assert remove(store, FLOOR_DAYS, "test", LATER - timedelta(seconds=2)).files == {}
    with pytest.raises(Refused, match="nothing is removed before 184 days"):
        remove(store, FLOOR_DAYS - 1, "test", LATER)

    assert ada.exists()
    assert bob.exists()


def test_afterwards_files_go_and_every_proof_stays(kept: Kept) -> None:
    store, delivery, ada, _, bob = kept

    removal = remove(store, FLOOR_DAYS, "urn:xinqiao:person:auditor", LATER)
    seal(store, LATER)

    assert (len(removal.files), ada.exists(), bob.exists()) == (2, False, False)
    assert found(verify(store)) == []
    assert proven(store, delivery)["audit"]["index"] == 1
    with store.read() as conn, pytest.raises(Refused, match="removed at the end of its retention"):
        register.check_bytes(register.load(conn, delivery, store.settings.home))
    assert remove(store, FLOOR_DAYS, "test", LATER).files == {}


def test_what_is_held_stays_until_it_is_released(kept: Kept) -> None:
    store, _, ada, _, bob = kept
    with store.write() as conn:
        hold = holds.place(conn, holds.ENTITY, ADA, "案件 12", "urn:xinqiao:person:auditor", NOW)

    first = remove(store, FLOOR_DAYS, "test", LATER)
    with store.write() as conn:
        holds.release(conn, hold.id, "结案", "urn:xinqiao:person:auditor", LATER)
    second = remove(store, FLOOR_DAYS, "test", LATER)
    seal(store, LATER)

    assert (len(first.files), len(first.held), len(second.files)) == (1, 1, 1)
    assert not ada.exists()
    assert not bob.exists()
    assert found(verify(store)) == []
    with store.write() as conn, pytest.raises(Refused, match="there is no hold"):
        holds.release(conn, hold.id, "again", "test", LATER)


@pytest.mark.parametrize("scope", [holds.EVERYTHING, holds.SOURCE, holds.DELIVERY])
def test_every_scope_holds(kept: Kept, scope: str) -> None:
    store, delivery, *_ = kept
    value = {holds.EVERYTHING: "", holds.SOURCE: SOURCE, holds.DELIVERY: delivery}[scope]
    with store.write() as conn:
        holds.place(conn, scope, value, "案件 12", "test", NOW)
        held = removable(conn, FLOOR_DAYS, LATER).held

        assert set(held) >= {delivery}
        with pytest.raises(Refused, match="under legal hold"):
            holds.demand_no_hold(conn, [SOURCE], [ADA])


def test_bytes_that_came_again_lately_stay(kept: Kept) -> None:
    store, _, ada, _, _ = kept
    again = land_complaints(store, [complaint("c9", ADA)], LATER - timedelta(days=2))
    with_file(store, again, b"about ada")

    remove(store, FLOOR_DAYS, "test", LATER)

    assert ada.exists()


def test_a_removal_that_was_cut_off_is_finished_by_the_next(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    store, _, ada, _, bob = kept
    with monkeypatch.context() as patched:
        patched.setattr("gateway.retention._unlink_old", lambda *_: None)
        remove(store, FLOOR_DAYS, "test", LATER)
    assert ada.exists()

    remove(store, FLOOR_DAYS, "test", LATER)

    assert not ada.exists()
    assert not bob.exists()


def run(store: Store, *arguments: str) -> Result:
    return CliRunner().invoke(audit, list(arguments), obj=store.settings)


def test_holds_are_placed_and_released_from_the_command_line(kept: Kept) -> None:
    store, *_ = kept
    placed = run(store, "hold", "--entity", ADA, "--reason", "案件 12")

    assert run(store, "release", placed.stdout.strip(), "--reason", "结案").exit_code == 0
    [shown] = [json.loads(line) for line in run(store, "holds", "--json").stdout.splitlines()]
    assert (shown["value"], shown["reason"], shown["release_reason"]) == (ADA, "案件 12", "结案")
    assert run(store, "hold", "--reason", "x").exit_code == 2
    assert json.loads(run(store, "retention", "--json").stdout)["removed"] is False


def test_an_export_verifies_offline_and_says_that_nothing_is_missing(kept: Kept, tmp_path: Path) -> None:
    store, *_ = kept
    file, vkey = tmp_path / "export.ndjson", tmp_path / "log.vkey"
    vkey.write_text(load_verifier(store.settings).text(), "utf-8")

    made = run(store, "export", str(file), "--first", "1")
    verified = run(store, "verify-export", str(file), "--vkey", str(vkey), "--json")

    assert made.exit_code == 0, made.output
    said = json.loads(verified.stdout)
    assert (said["ok"], said["complete_range"]) == (True, [1, said["size"] - 1])
    assert run(store, "export", str(file)).exit_code != 0


def test_an_export_about_an_entity_holds_what_touches_it(kept: Kept) -> None:
    store, *_ = kept
    with store.write() as conn:
        shown = {"purpose": "核查", "records": {"complaint": 1}}
        append(conn, "entity.read", "urn:xinqiao:health:desk", shown, NOW, usccs=[ADA])
        append(conn, "entity.read", "urn:xinqiao:health:desk", shown, NOW, usccs=[BOB])
    seal(store, NOW)

    lines = list(export(store, ADA))

    vkey = load_verifier(store.settings).text()
    assert (verify_export(lines, vkey).entries, verify_export(lines, vkey).complete_range) == (2, None)
    with store.read() as conn:
        [read] = who_read(conn, ADA)
    assert [json.loads(line)["index"] for line in lines[1:]] == [1, read.index]


def test_an_altered_export_names_the_line(kept: Kept) -> None:
    store, *_ = kept
    lines, vkey = list(export(store)), load_verifier(store.settings).text()

    for altered, complaint_ in (
        ([lines[0], lines[1].replace('"actor":"', '"actor":"x'), *lines[2:]], "line 2: the inclusion proof"),
        ([lines[0].replace("\\n3\\n", "\\n2\\n"), *lines[1:]], "line 1: "),
        ([lines[0], lines[2], lines[1]], "not in the order"),
        ([], "line 1: "),
        (["{}"], "line 1: "),
        ([lines[0], "nonsense"], "line 2: "),
    ):
        with pytest.raises(ProofError, match=complaint_):
            verify_export(altered, vkey)
    with store.read() as conn:
        assert conn.execute(select(deliveries.c.id)).first() is not None
