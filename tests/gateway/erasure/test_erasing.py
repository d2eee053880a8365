"""Erasing one person's data: what goes, what stays, and that every proof holds."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from connectors.errors import Refused
from gateway.access.errors import Conflict, Invalid
from gateway.audit.holds import place, release
from gateway.audit.keys import vkey_path
from gateway.audit.log import seal
from gateway.audit.merkle import leaf_hash
from gateway.audit.proofs import record_proof, verify_receipt, verify_record_proof
from gateway.audit.reading import list_entries, who_changed
from gateway.audit.tables import entries
from gateway.audit.verify import verify
from gateway.erasure import erasing
from gateway.erasure.erasing import approve
from gateway.erasure.requests import Wanted, ask, list_erasures, refuse
from gateway.erasure.tables import erasures
from gateway.quarantine import open_rejection
from gateway.replay import replay
from gateway.sealing import load_sealer
from gateway.store import Store
from gateway.store.tables import deliveries, versions_table
from tests.support.companies import BAKERY, MILL
from tests.support.deliveries import COMPLAINTS, complaint, complaints, land, pages, registrations
from tests.support.standing import counts, feed, rejected, verified

ASKER, APPROVER = "urn:xinqiao:person:li", "urn:xinqiao:person:wang"
NAME, PHONE = "欧阳某某", "13912345678"
OTHER_NAME, OTHER_PHONE = "周某", "10000000001"
GROUND = "个人信息保护法第四十七条"

SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
"""For tests in which the database plays no part."""


def person(name: str = NAME, phone: str = PHONE) -> dict[str, Any]:
    return {"complainant": {"name": name, "phone": phone}}


@pytest.fixture
def landed(store: Store, now: datetime) -> list[dict[str, Any]]:
    """Two complaints of one person and one of another; the first changed once; a faulty row of each in quarantine."""
    first = complaint("c1", uscc=MILL.uscc, **person())
    wrong = complaint("c4", uscc=MILL.uscc, receive_time="昨天", **person())
    wrong_too = complaint("c5", uscc=MILL.uscc, receive_time="昨天")
    return [
        land(store, COMPLAINTS, complaints(first, complaint("c2", uscc=MILL.uscc), wrong, wrong_too), now=now),
        land(store, COMPLAINTS, complaints(complaint("c3", uscc=MILL.uscc, **person())), now=now),
        land(store, COMPLAINTS, complaints({**first, "topic": "价格"}), now=now),
        land(store, COMPLAINTS, complaints(complaint("c6", uscc=BAKERY.uscc)), now=now),
    ]


def asked(store: Store, now: datetime, **wanted: Any) -> str:
    with store.write() as conn:
        sealer = load_sealer(store.settings.home)
        return str(ask(conn, sealer, Wanted("complaint", GROUND, **wanted), ASKER, now)["id"])


def erase(store: Store, now: datetime, **wanted: Any) -> dict[str, Any]:
    return approve(store, asked(store, now, **wanted), APPROVER, now)


def everything_stored(store: Store) -> bytes:
    """Every byte under the home, keys left out, as it would lie on a stolen disk; sealed fields opened beside it."""
    sealer = load_sealer(store.settings.home)
    opened = [
        sealer.open(version.sealed, bytes.fromhex(version.record_key))
        for version in feed(store, "complaint")
        if version.sealed is not None
    ]
    with store.read() as conn:
        contents = [
            json.dumps(open_rejection(conn, store, row["id"]).sent, ensure_ascii=False).encode()
            for row in rejected(store, None)
        ]
    files = [file.read_bytes() for file in sorted(store.settings.home.rglob("*")) if file.is_file()]
    return b"\n".join([*opened, *contents, *files])


def named(store: Store) -> list[str | None]:
    """Whose name each version's sealed fields hold, in feed order."""
    sealer = load_sealer(store.settings.home)
    return [
        None
        if version.sealed is None
        else json.loads(sealer.open(version.sealed, bytes.fromhex(version.record_key)))["complainant_name"]
        for version in feed(store, "complaint")
    ]


def acts(store: Store, action: str) -> list[dict[str, Any]]:
    with store.read() as conn:
        return [entry.entry for entry in list_entries(conn, limit=10_000) if entry.action == action]


def test_one_person_is_erased_everywhere_and_the_others_stay(
    store: Store, landed: list[dict[str, Any]], now: datetime
) -> None:
    assert PHONE.encode() in everything_stored(store)

    done = erase(store, now, values={"complainant_phone": PHONE})

    assert (done["status"], done["counts"]) == (
        "done",
        {"records": 2, "versions": 3, "rejections": 1, "challenges": 0, "files": 3},
    )
    left = everything_stored(store)
    assert (PHONE.encode() in left, NAME.encode() in left) == (False, False)
    assert (OTHER_PHONE.encode() in left, OTHER_NAME.encode() in left) == (True, True)
    assert named(store) == [None, OTHER_NAME, None, None, OTHER_NAME]


def test_receipts_proofs_and_the_log_hold_after_an_erasure(
    store: Store, landed: list[dict[str, Any]], now: datetime
) -> None:
    vkey = vkey_path(store.settings).read_text("utf-8").strip()
    before = feed(store, "complaint")
    first = before[0].payload
    proofs = [json.loads(json.dumps(record_proof(store, landed[0]["delivery_id"], leaf_hash(first))))]

    erase(store, now, values={"complainant_phone": PHONE})

    after = feed(store, "complaint")
    proofs.append(json.loads(json.dumps(record_proof(store, landed[0]["delivery_id"], leaf_hash(first)))))
    assert [replace(version, sealed=None) for version in after] == [replace(version, sealed=None) for version in before]
    assert [verify_receipt(receipt, vkey).entry["delivery_id"] for receipt in landed] == [
        receipt["delivery_id"] for receipt in landed
    ]
    assert [verify_record_proof(proof, after[0].payload, vkey).entry["received"] for proof in proofs] == [4, 4]
    report = verified(store)
    assert (report.ok, report.problems) == (True, ())


@SQLITE
def test_the_log_names_the_records_and_no_value(store: Store, landed: list[dict[str, Any]], now: datetime) -> None:
    erase(store, now, values={"complainant_phone": PHONE})

    (told,) = acts(store, "person.erased")
    (destroyed,) = acts(store, "bytes.destroyed")
    assert (told["actor"], told["asked_by"], told["ground"]) == (APPROVER, ASKER, GROUND)
    assert told["record_keys"] == sorted({feed(store, "complaint")[at].record_key for at in (0, 2)})
    assert (told["through_seq"], told["usccs"]) == (5, [MILL.uscc])
    assert len(destroyed["deliveries"]) == 3
    with store.read() as conn:
        bodies = b"".join(conn.execute(select(entries.c.body)).scalars())
        assert "person.erased" in [entry.action for entry in who_changed(conn, MILL.uscc)]
    assert (PHONE.encode() in bodies, NAME.encode() in bodies) == (False, False)


def test_the_quarantined_row_stays_without_the_person(
    store: Store, landed: list[dict[str, Any]], now: datetime
) -> None:
    erase(store, now, values={"complainant_phone": PHONE})

    with store.read() as conn:
        ours, others = (open_rejection(conn, store, row["id"]) for row in rejected(store))
    assert (ours.mapped["complaint_no"], ours.mapped["complainant_name"], ours.mapped["complainant_phone"]) == (
        "c4",
        None,
        None,
    )
    assert others.mapped["complainant_name"] == OTHER_NAME
    assert verified(store).ok


@SQLITE
def test_a_file_that_held_the_person_is_gone_and_says_why(
    store: Store, landed: list[dict[str, Any]], now: datetime
) -> None:
    done = erase(store, now, values={"complainant_phone": PHONE})

    with store.read() as conn:
        parts = [
            (part.get("erased"), (store.settings.home / part["path"]).exists())
            for row in conn.execute(select(deliveries).order_by(deliveries.c.id))
            for part in row.parts
        ]
    assert parts == [(done["id"], False)] * 3 + [(None, True)]
    with pytest.raises(Refused, match=done["id"]):
        replay(store, landed[0]["delivery_id"], "test", now)


@SQLITE
@pytest.mark.parametrize(("mode", "sealed_again"), [("refuse", False), ("flag", True)])
def test_the_same_value_again_is_left_out_or_flagged_as_configured(
    store: Store, landed: list[dict[str, Any]], now: datetime, mode: str, sealed_again: bool
) -> None:
    erase(store, now, values={"complainant_phone": PHONE})
    store = replace(store, settings=replace(store.settings, erased_again=mode))

    sent = complaint("c3", uscc=MILL.uscc, topic="价格", **person())
    again = land(store, COMPLAINTS, complaints(sent), now=now)

    version = feed(store, "complaint")[-1]
    assert (again["changed"], again["rejected"]) == (1, 0)
    assert (version.sealed is not None, b"complainant_name_digest" in version.payload) == (sealed_again, sealed_again)
    told = [finding for finding in again["findings"] if finding["rule"] == "personal.erased"]
    assert [(finding["column"], finding["count"]) for finding in told] == [
        ("complainant_name", 1),
        ("complainant_phone", 1),
    ]
    assert PHONE not in json.dumps(again, ensure_ascii=False)
    assert verified(store).ok


@SQLITE
def test_the_same_file_again_is_a_repetition_and_is_not_kept_again(
    store: Store, landed: list[dict[str, Any]], now: datetime
) -> None:
    erase(store, now, values={"complainant_phone": PHONE})

    again = land(store, COMPLAINTS, complaints(complaint("c3", uscc=MILL.uscc, **person())), now=now)

    assert again["delivery_id"] == landed[1]["delivery_id"]
    assert PHONE.encode() not in everything_stored(store)


@SQLITE
def test_another_value_and_another_record_are_not_on_the_list(
    store: Store, landed: list[dict[str, Any]], now: datetime
) -> None:
    erase(store, now, values={"complainant_phone": PHONE})

    receipt = land(
        store,
        COMPLAINTS,
        complaints(
            complaint("c3", uscc=MILL.uscc, **person("新某某", "13900000000")),
            complaint("c7", uscc=MILL.uscc, **person()),
        ),
        now=now,
    )

    assert (counts(receipt)["changed"], counts(receipt)["new"], receipt["findings"]) == (1, 1, [])
    assert named(store)[-2:] == ["新某某", NAME]
    assert verified(store).ok


@SQLITE
def test_a_record_that_is_linked_or_withdrawn_after_its_erasure_verifies(store: Store, now: datetime) -> None:
    land(store, COMPLAINTS, complaints(complaint("c1", MILL.name, address=MILL.address, **person())), now=now)
    erase(store, now, values={"complainant_name": NAME})

    land(store, "market_supervision/registration", registrations(MILL), now=now)

    assert [(version.uscc, version.sealed) for version in feed(store, "complaint")] == [(None, None), (MILL.uscc, None)]
    assert verified(store).ok


@SQLITE
def test_one_record_or_the_records_of_one_entity_can_be_named(
    store: Store, landed: list[dict[str, Any]], now: datetime
) -> None:
    by_key = erase(store, now, record_key=feed(store, "complaint")[0].record_key)
    by_entity = erase(store, now, uscc=BAKERY.uscc)
    nobody = asked(store, now, uscc=BAKERY.uscc, values={"complainant_phone": PHONE})

    assert (by_key["counts"]["records"], by_entity["counts"]["records"]) == (1, 1)
    assert named(store) == [None, OTHER_NAME, NAME, None, None]
    with pytest.raises(Refused, match="no complaint record holds"):
        approve(store, nobody, APPROVER, now)


@SQLITE
def test_it_takes_two_people_and_is_done_once(store: Store, landed: list[dict[str, Any]], now: datetime) -> None:
    erasure = asked(store, now, values={"complainant_phone": PHONE})
    with pytest.raises(Conflict, match="another person"):
        approve(store, erasure, ASKER, now)
    assert named(store)[0] == NAME

    approve(store, erasure, APPROVER, now)

    with pytest.raises(Conflict, match="done"):
        approve(store, erasure, APPROVER, now)
    with store.write() as conn, pytest.raises(Conflict):
        refuse(conn, erasure, "x", APPROVER, now)


@SQLITE
@pytest.mark.parametrize("stage", ["waiting", "done", "refused"])
def test_a_request_that_is_edited_beside_the_log_is_found(
    store: Store, landed: list[dict[str, Any]], now: datetime, stage: str
) -> None:
    erasure = asked(store, now, values={"complainant_phone": PHONE})
    if stage == "done":
        approve(store, erasure, APPROVER, now)
    if stage == "refused":
        with store.write() as conn:
            refuse(conn, erasure, "案件尚在办理", APPROVER, now)
    seal(store, now)
    before = verify(store)

    with store.write() as conn:
        conn.execute(update(erasures).values(asked_by="urn:xinqiao:person:nobody"))

    assert before.ok, before.first_bad
    assert [problem.where for problem in verify(store).problems] == [f"erasures/{erasure}"]


@SQLITE
def test_a_refused_erasure_erases_nothing_and_forgets_the_value(
    store: Store, landed: list[dict[str, Any]], now: datetime
) -> None:
    erasure = asked(store, now, values={"complainant_phone": PHONE})

    with store.write() as conn:
        refuse(conn, erasure, "案件尚在办理", APPROVER, now)

    with store.read() as conn:
        (row,) = list_erasures(conn)
    assert (row["status"], row["reason"], named(store)[0]) == ("refused", "案件尚在办理", NAME)
    with pytest.raises(Conflict):
        approve(store, erasure, APPROVER, now)


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({}, "record_key"),
        ({"record_key": "zz"}, "record_key"),
        ({"uscc": "91330100MA0000015X"}, "uscc"),
        ({"uscc": MILL.uscc, "fields": ["topic"]}, "fields"),
        ({"values": {"complaint_no": "c1"}}, "fields"),
        ({"values": {"complainant_phone": "1" * 60}}, "values"),
        ({"uscc": MILL.uscc, "ground": " "}, "ground"),
    ],
)
def test_what_cannot_be_erased_is_refused_by_name(
    sqlite_store: Store, now: datetime, wanted: dict[str, Any], problem: str
) -> None:
    said = Wanted("complaint", **{"ground": GROUND, **wanted})
    sealer = load_sealer(sqlite_store.settings.home)

    with sqlite_store.write() as conn, pytest.raises(Invalid) as refused:
        ask(conn, sealer, said, ASKER, now)

    assert list(refused.value.details["problems"]) == [problem]  # type: ignore[call-overload]
    assert "1111" not in str(refused.value)


@SQLITE
def test_an_erasure_that_was_cut_off_before_the_files_is_finished_by_approving_again(
    store: Store, landed: list[dict[str, Any]], now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasure = asked(store, now, values={"complainant_phone": PHONE})
    with monkeypatch.context() as patched:
        patched.setattr(erasing.kept_bytes, "destroy", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            approve(store, erasure, APPROVER, now)
    between = everything_stored(store)

    done = approve(store, erasure, APPROVER, now + timedelta(minutes=1))

    assert PHONE.encode() in between
    assert PHONE.encode() not in everything_stored(store)
    assert (done["status"], done["counts"]["files"]) == ("done", 3)
    assert verified(store).ok


@SQLITE
def test_a_delivery_that_waits_to_be_landed_is_not_passed_over(
    store: Store, landed: list[dict[str, Any]], now: datetime
) -> None:
    pages(store, COMPLAINTS, complaints(complaint("c1", uscc=MILL.uscc, **person())), now=now)

    with pytest.raises(Refused, match="wait to be landed"):
        erase(store, now, values={"complainant_phone": PHONE})

    assert named(store)[0] == NAME


@SQLITE
@pytest.mark.parametrize(("scope", "value"), [("entity", MILL.uscc), ("source", COMPLAINTS), ("entity", BAKERY.uscc)])
def test_what_is_under_legal_hold_is_not_erased_before_that_is_released(
    store: Store, now: datetime, scope: str, value: str
) -> None:
    # The bakery is only another row of the file that would have to be destroyed.
    rows = complaint("c1", uscc=MILL.uscc, **person()), complaint("c2", uscc=BAKERY.uscc)
    land(store, COMPLAINTS, complaints(*rows), now=now)
    erasure = asked(store, now, values={"complainant_phone": PHONE})
    with store.write() as conn:
        hold = place(conn, scope, value, "诉讼中", "urn:xinqiao:person:auditor", now)

    with pytest.raises(Refused, match=hold.id):
        approve(store, erasure, APPROVER, now)
    held = named(store)
    with store.write() as conn:
        release(conn, hold.id, "结案", "urn:xinqiao:person:auditor", now)

    assert held == [NAME, OTHER_NAME]
    assert approve(store, erasure, APPROVER, now)["status"] == "done"


@SQLITE
def test_fields_that_are_gone_without_an_entry_or_there_in_spite_of_one_are_found(
    store: Store, landed: list[dict[str, Any]], now: datetime
) -> None:
    versions = versions_table("complaint")
    kept = feed(store, "complaint")
    erase(store, now, values={"complainant_phone": PHONE})

    def lies(seq: int, sealed: bytes | None) -> None:
        with store.write() as conn:
            conn.execute(update(versions).where(versions.c.seq == seq).values(sealed=sealed))

    lies(1, kept[0].sealed)
    lies(2, None)

    assert [(problem.where, problem.en) for problem in verify(store).problems] == [
        ("complaint seq 1", "the log says that its personal fields were erased; they are there"),
        ("complaint seq 2", "its personal fields are gone"),
    ]
