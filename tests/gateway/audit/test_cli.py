"""``xinqiao audit`` as an auditor uses it: exit codes, listings, JSON."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from gateway.audit.keys import load_verifier
from gateway.audit.log import append, seal
from gateway.audit.tables import entries
from gateway.cli.audit import audit
from gateway.receipts import proven
from gateway.store import Store
from tests.gateway.audit.landings import ADA, complaint, land_complaints

DELIVERED = [complaint("c1", ADA), complaint("c2", ADA)]


@pytest.fixture
def home(sqlite_store: Store, now: datetime) -> Store:
    """A new home in which one delivery has landed and was read."""
    land_complaints(sqlite_store, DELIVERED, now)
    with sqlite_store.write() as conn:
        facts = {"purpose": "核查", "records": {"complaint": 2}}
        append(conn, action="entity.read", actor="urn:xinqiao:health:desk", at=now, facts=facts, usccs=[ADA])
    seal(sqlite_store, now)
    return sqlite_store


def run(store: Store, *arguments: str) -> Result:
    return CliRunner().invoke(audit, list(arguments), obj=store.settings)


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_sound_log_exits_with_zero(home: Store) -> None:
    result = run(home, "verify")

    assert (result.exit_code, result.stdout[:15]) == (0, "日志完好 / verified")
    [report] = lines(run(home, "verify", "--json"))
    assert (report["ok"], report["checked_versions"], report["first_bad"]) == (True, 2, None)


def test_an_altered_log_exits_with_one_and_names_the_first_bad_entry(home: Store) -> None:
    with home.write() as conn:
        conn.execute(update(entries).where(entries.c.idx == 1).values(actor="somebody"))

    result, as_json = run(home, "verify"), run(home, "verify", "--json")

    assert (result.exit_code, as_json.exit_code) == (1, 1)
    assert "first bad: entry 1: entry 1: its action, actor or time column differs from its body" in result.stdout
    assert lines(as_json)[0]["first_bad"].startswith("entry 1: ")


def test_a_kept_checkpoint_is_held_against_the_log(home: Store, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text(run(home, "checkpoint").stdout, "utf-8")

    assert run(home, "verify", "--against", str(kept)).exit_code == 0
    origin, _, rest = kept.read_text("utf-8").split("\n", 2)
    kept.write_text(f"{origin}\n2\n{rest}", "utf-8")
    assert run(home, "verify", "--against", str(kept)).exit_code == 1


def test_a_receipt_is_verified_from_a_file_with_a_key_from_a_file(home: Store, tmp_path: Path) -> None:
    with home.read() as conn:
        delivery_id = conn.execute(entries.select().where(entries.c.action == "delivery.landed")).one().body
    receipt = proven(home, json.loads(delivery_id)["delivery_id"])
    file, vkey = tmp_path / "receipt.json", tmp_path / "log.vkey"
    file.write_text(json.dumps(receipt, ensure_ascii=False), "utf-8")
    vkey.write_text(load_verifier(home.settings).text(), "utf-8")

    sound = run(home, "verify-receipt", str(file), "--vkey", str(vkey))
    assert (sound.exit_code, sound.stdout[:13]) == (0, "回执有效 / proven")
    assert "signed by the gateway" in sound.stdout.splitlines()[1]
    assert "status" in sound.stdout.splitlines()[2]
    [shown] = lines(run(home, "verify-receipt", str(file), "--json"))
    assert (shown["ok"], shown["entry"]["new"], shown["unproven"]) == (True, 2, ["status"])

    file.write_text(json.dumps(receipt | {"new": 3}), "utf-8")
    false = run(home, "verify-receipt", str(file))
    assert (false.exit_code, false.stdout) == (
        1,
        "回执无效 / the receipt is not proven: new: the receipt says 3, the log 2\n",
    )
    for text in ("[]", "{}", "not JSON"):
        file.write_text(text, "utf-8")
        assert run(home, "verify-receipt", str(file), "--json").exit_code == 1


def test_who_read_names_reader_and_purpose(home: Store) -> None:
    [found] = lines(run(home, "who-read", ADA, "--json"))

    assert (found["actor"], found["record_types"], found["purpose"]) == (
        "urn:xinqiao:health:desk",
        ["complaint"],
        "核查",
    )
    assert run(home, "who-read", ADA).exit_code == 0


def test_the_other_questions_are_answered(home: Store) -> None:
    assert [row["action"] for row in lines(run(home, "who-changed", ADA, "--json"))] == ["delivery.landed"]
    assert [row["action"] for row in lines(run(home, "what-did", "urn:xinqiao:health:desk", "--json"))] == [
        "entity.read"
    ]
    listed = lines(run(home, "entries", "--json"))
    assert [row["index"] for row in listed] == list(range(len(listed)))
    [checkpoint] = lines(run(home, "checkpoint", "--json"))
    assert (checkpoint["size"], checkpoint["vkey"]) == (len(listed), load_verifier(home.settings).text())


def test_a_code_that_is_none_is_refused(home: Store) -> None:
    result = run(home, "who-read", "91330100MA2ABCDE0Y")

    assert result.exit_code != 0
