"""When remembered rows are used and when not, and how long they stay."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ExpectationFailed, Refused
from connectors.registry import source
from connectors.spec import Expect, SourceSpec
from gateway import pipeline, replay
from gateway.erasure.erasing import approve
from gateway.erasure.requests import Wanted, ask
from gateway.remembered import recall
from gateway.remembered.files import FOLDER
from gateway.sealing import load_sealer
from gateway.store import Store
from tests.support.chunks import cut_into, watch_judging
from tests.support.companies import MILL
from tests.support.deliveries import COMPLAINTS, Row, complaint, complaints, pages
from tests.support.standing import counts, current, rejected, status, told, verified

SNAPSHOT = replace(source(COMPLAINTS), delivery="snapshot", expect=Expect())
CHANGES = replace(source(COMPLAINTS), expect=Expect())


@pytest.fixture(autouse=True)
def _two_rows_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_into(monkeypatch, 2)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Numbers of the complaints that were judged."""
    return watch_judging(monkeypatch, lambda mapped: mapped.frame["complaint_no"].to_list())


def row(number: int, topic: str = "题", **changed: str) -> Row:
    return complaint(f"c{number}", uscc=MILL.uscc, topic=topic, **changed)


def received(store: Store, now: datetime, *rows: Row) -> str:
    return pages(store, COMPLAINTS, complaints(*rows), now=now)


def landed(store: Store, now: datetime, *rows: Row, spec: SourceSpec = SNAPSHOT) -> dict[str, Any]:
    return pipeline.deliver(store, received(store, now, *rows), spec, now)


def remembered(store: Store) -> list[str]:
    """Ids of the deliveries of which something is remembered."""
    return sorted(path.name for path in (store.settings.home / FOLDER).glob("*/*/*"))


def test_what_is_said_once_more_is_not_judged_once_more(store: Store, now: datetime, judged: list[str]) -> None:
    first = landed(store, now, *(row(n) for n in range(7)))
    judged.clear()

    rows = [row(n, "另" if n == 3 else "题") for n in (6, 0, 1, 2, 3, 4)]
    receipt = landed(store, now, *rows, row(9))

    assert judged == ["c3", "c9"]
    expected = {"received": 7, "accepted": 7, "new": 1, "changed": 1, "unchanged": 5, "withdrawn": 1}
    assert counts(receipt) == expected
    assert told(store, "complaint", "complaint_no")[7:] == [("put", 2, "c3"), ("put", 1, "c9"), ("withdraw", 2, "c5")]
    assert remembered(store) == [receipt["delivery_id"]] != [first["delivery_id"]]
    assert verified(store).ok


def test_what_is_remembered_of_a_landing_with_memory_is_as_good(
    sqlite_store: Store, now: datetime, judged: list[str]
) -> None:
    for topic in ("题", "另", "又"):
        judged.clear()
        landed(sqlite_store, now, *(row(n) for n in range(6)), row(6, topic))

    assert judged == ["c6"]


@pytest.mark.parametrize("new", [0, 3])
def test_changes_that_repeat_what_is_known_and_otherwise_say_only_what_is_new_land(
    store: Store, now: datetime, judged: list[str], new: int
) -> None:
    said = [row(number) for number in range(16)]
    landed(store, now, *said, spec=CHANGES)
    judged.clear()

    again = landed(store, now, *reversed(said), *(row(100 + number) for number in range(new)), spec=CHANGES)

    assert len(judged) < 16
    assert (again["new"], again["changed"], again["unchanged"]) == (new, 0, 16)
    assert len(current(store, "complaint", "complaint_no")) == 16 + new
    assert verified(store).ok


def test_a_row_that_is_recognised_is_contradicted_by_another(store: Store, now: datetime) -> None:
    landed(store, now, *(row(n) for n in range(5)))

    receipt = landed(store, now, *(row(n) for n in range(5)), row(0, "另"), row(4))

    expected = {"received": 7, "accepted": 5, "rejected": 2, "duplicates": 1, "unchanged": 4}
    assert counts(receipt) == expected
    assert [each["row"] for each in rejected(store)] == [1, 6]
    # Doubt is no withdrawal, nor is it remembered as if it had been said.
    assert ("c0", "题") in current(store, "complaint", "complaint_no", "topic")
    again = landed(store, now, *(row(n) for n in range(5)))
    assert counts(again) == {"received": 5, "accepted": 5, "unchanged": 5}


def test_a_mended_mapping_recognises_rows_that_are_mapped_as_before(
    sqlite_store: Store, now: datetime, judged: list[str]
) -> None:
    landed(sqlite_store, now, *(row(n) for n in range(5)))
    judged.clear()

    landed(sqlite_store, now, *(row(n) for n in range(4)), spec=replace(SNAPSHOT, authority=50))

    assert judged == []


def by_another_contract(store: Store, patched: pytest.MonkeyPatch, now: datetime) -> None:
    patched.setattr(recall, "_CONTRACT", "of tomorrow")


def by_a_setting(store: Store, patched: pytest.MonkeyPatch, now: datetime) -> None:
    patched.setattr(recall, "version", lambda name: "99")


def after_a_file_was_lost(store: Store, patched: pytest.MonkeyPatch, now: datetime) -> None:
    for path in (store.settings.home / FOLDER).rglob("*.arrow"):
        path.unlink()


def after_a_file_was_altered(store: Store, patched: pytest.MonkeyPatch, now: datetime) -> None:
    for path in (store.settings.home / FOLDER).rglob("0-*.arrow"):
        path.write_bytes(path.read_bytes()[:-1] + b"?")


def after_the_manifest_was_altered(store: Store, patched: pytest.MonkeyPatch, now: datetime) -> None:
    for path in (store.settings.home / FOLDER).rglob("manifest.json"):
        path.write_bytes(path.read_bytes().replace(b'"files"', b'"fixes"'))


def after_a_small_snapshot(store: Store, patched: pytest.MonkeyPatch, now: datetime) -> None:
    landed(store, now, row(0), row(1))
    assert remembered(store) == []


@pytest.mark.parametrize(
    "otherwise",
    [
        by_another_contract,
        by_a_setting,
        after_a_file_was_lost,
        after_a_file_was_altered,
        after_the_manifest_was_altered,
        after_a_small_snapshot,
    ],
)
def test_everything_is_judged(
    sqlite_store: Store,
    now: datetime,
    judged: list[str],
    monkeypatch: pytest.MonkeyPatch,
    otherwise: Callable[[Store, pytest.MonkeyPatch, datetime], None],
) -> None:
    landed(sqlite_store, now, *(row(n) for n in range(5)))
    otherwise(sqlite_store, monkeypatch, now)
    judged.clear()

    receipt = landed(sqlite_store, now, *(row(n, "另" if n == 2 else "题") for n in range(5)))

    assert judged == [f"c{n}" for n in range(5)]
    assert receipt["accepted"] == 5
    assert current(sqlite_store, "complaint", "complaint_no", "topic") == {
        (f"c{n}", "另" if n == 2 else "题") for n in range(5)
    }


def test_a_record_that_was_corrected_is_judged_again(store: Store, now: datetime, judged: list[str]) -> None:
    _corrected_beside(store, now)
    judged.clear()

    receipt = landed(store, now, *(row(n) for n in range(5)))

    assert judged == ["c0"]
    assert counts(receipt) == {"received": 5, "accepted": 5, "changed": 1, "unchanged": 4}


def test_a_correction_between_staging_and_landing_is_noticed(store: Store, now: datetime, judged: list[str]) -> None:
    landed(store, now, *(row(n) for n in range(5)), row(0, receive_time="昨天"))
    delivery_id = received(store, now, *(row(n) for n in range(5)))
    for part in pipeline.plan_parts(store, delivery_id, SNAPSHOT):
        pipeline.stage_part(store, delivery_id, part, SNAPSHOT)
    _correct(store, now)

    with pytest.raises(Refused, match="run it again"):
        pipeline.land_staged(store, delivery_id, SNAPSHOT, now)
    receipt = pipeline.deliver(store, delivery_id, SNAPSHOT, now)

    assert counts(receipt) == {"received": 5, "accepted": 5, "changed": 1, "unchanged": 4}
    assert ("c0", "题") in current(store, "complaint", "complaint_no", "topic")
    assert verified(store).ok


def test_a_snapshot_between_staging_and_landing_is_noticed(store: Store, now: datetime) -> None:
    landed(store, now, *(row(n) for n in range(5)))
    delivery_id = received(store, now, *(row(n, "另" if n == 4 else "题") for n in range(5)))
    for part in pipeline.plan_parts(store, delivery_id, SNAPSHOT):
        pipeline.stage_part(store, delivery_id, part, SNAPSHOT)
    landed(store, now, *(row(n, "又") for n in range(5)))

    receipt = pipeline.deliver(store, delivery_id, SNAPSHOT, now)

    assert counts(receipt) == {"received": 5, "accepted": 5, "changed": 5}
    assert remembered(store) == [delivery_id]


def _corrected_beside(store: Store, now: datetime) -> None:
    landed(store, now, *(row(n) for n in range(5)), row(0, receive_time="昨天"))
    _correct(store, now)


def _correct(store: Store, now: datetime) -> None:
    """A faulty row about a record of which another row was good is corrected to something else."""
    replay.correct(store, rejected(store)[0]["id"], {"received_on": "2026-06-05"}, "test", now)


def test_a_refused_delivery_leaves_no_memory_and_takes_none(sqlite_store: Store, now: datetime) -> None:
    first = landed(sqlite_store, now, *(row(n) for n in range(5)))
    strict = replace(SNAPSHOT, expect=Expect(keeps=0.9))
    delivery_id = received(sqlite_store, now, *(row(n) for n in range(3)))

    with pytest.raises(ExpectationFailed, match="keeps is 60"):
        pipeline.deliver(sqlite_store, delivery_id, strict, now)

    assert status(sqlite_store, delivery_id) == "refused"
    assert remembered(sqlite_store) == [first["delivery_id"]]


def test_erasing_a_person_forgets_the_rows_of_the_source(sqlite_store: Store, now: datetime) -> None:
    landed(sqlite_store, now, *(row(n) for n in range(5)))
    with sqlite_store.write() as conn:
        wanted = Wanted("complaint", "个人信息保护法第四十七条", values={"complainant_name": "周某"})
        erasure = ask(conn, load_sealer(sqlite_store.settings.home), wanted, "urn:xinqiao:person:li", now)

    approve(sqlite_store, str(erasure["id"]), "urn:xinqiao:person:wang", now)

    assert remembered(sqlite_store) == []


def test_no_text_of_a_row_is_kept(sqlite_store: Store, now: datetime) -> None:
    landed(sqlite_store, now, *(row(n) for n in range(5)))

    kept = b"".join(path.read_bytes() for path in _files(sqlite_store))
    assert not [text for text in ("周某", "10000000001", MILL.uscc, "题") if text.encode() in kept]


def _files(store: Store) -> list[Path]:
    return [path for path in (store.settings.home / FOLDER).rglob("*") if path.is_file()]


def test_in_changes_the_memory_of_a_large_delivery_stays_while_small_ones_land(
    store: Store, now: datetime, judged: list[str]
) -> None:
    large = landed(store, now, *(row(n) for n in range(9)), spec=CHANGES)
    landed(store, now + timedelta(days=1), row(1, "另"), spec=CHANGES)
    landed(store, now + timedelta(days=2), *(row(n, "又") for n in (2, 3, 4)), spec=CHANGES)
    assert remembered(store) == [large["delivery_id"]]
    judged.clear()

    receipt = landed(store, now + timedelta(days=3), *(row(n) for n in range(9)), row(9), spec=CHANGES)

    assert judged == ["c1", "c2", "c3", "c4", "c9"]
    assert counts(receipt) == {"received": 10, "accepted": 10, "new": 1, "changed": 4, "unchanged": 5}
    assert remembered(store) == [receipt["delivery_id"]]


def test_a_stage_without_memory_lands_though_there_is_one_meanwhile(sqlite_store: Store, now: datetime) -> None:
    delivery_id = received(sqlite_store, now, *(row(n) for n in range(5)))
    for part in pipeline.plan_parts(sqlite_store, delivery_id, SNAPSHOT):
        pipeline.stage_part(sqlite_store, delivery_id, part, SNAPSHOT)
    landed(sqlite_store, now, *(row(n, "另") for n in range(6)))

    receipt = pipeline.land_staged(sqlite_store, delivery_id, SNAPSHOT, now)

    assert counts(receipt) == {"received": 5, "accepted": 5, "changed": 5, "withdrawn": 1}
    assert json.dumps(remembered(sqlite_store)) == json.dumps([delivery_id])
