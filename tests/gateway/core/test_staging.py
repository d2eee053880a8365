"""Deliveries of many chunks: staged chunk by chunk and in parts, landed as one, resumed after a crash."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text

from connectors.errors import ExpectationFailed, Refused
from connectors.registry import source
from connectors.spec import Expect
from gateway import exchange, pipeline, quarantine
from gateway.store import Store, aside, stage
from tests.support.chunks import cut_into, watch_judging
from tests.support.companies import BAKERY, DAIRY, MILL, WRONG_CHECK
from tests.support.deliveries import (
    ABNORMAL,
    COMPANY_LIST,
    COMPLAINTS,
    HEALTH,
    REFUSALS,
    REGISTRATION,
    abnormal_listings,
    company_list,
    complaint,
    complaints,
    health_licence,
    health_licences,
    land,
    listing,
    pages,
    refusals,
    registrations,
    upload,
)
from tests.support.standing import counts, current, feed, rejected, rules_of, status, told, verified


class PowerCutError(Exception):
    """The machine went down."""


@pytest.fixture(autouse=True)
def _two_rows_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_into(monkeypatch, 2)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of each chunk that was judged."""
    return watch_judging(monkeypatch, lambda mapped: [mapped.frame.height])


def stages(store: Store) -> set[str]:
    """Names of the stages that are there."""
    with store.read() as conn:
        return {name for name in inspect(conn).get_table_names() if name.startswith(("staged_2", "rejected_"))}


def cut_after(monkeypatch: pytest.MonkeyPatch, chunks: int) -> None:
    """The machine goes down while the next chunk is being written."""
    written = 0
    put_chunk = stage.put_chunk

    def put(conn: Connection, *chunk: Any) -> None:
        nonlocal written
        written += 1
        put_chunk(conn, *chunk)
        if written > chunks:
            raise PowerCutError

    monkeypatch.setattr(stage, "put_chunk", put)


def named(*numbers: int) -> bytes:
    return complaints(*(complaint(f"c{n}", uscc=MILL.uscc, topic=f"题{n}") for n in numbers))


def test_a_delivery_of_many_chunks_is_one(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch, judged: list[int]
) -> None:
    companies = [(MILL.name, MILL.uscc), ("丙公司", WRONG_CHECK), (DAIRY.name, DAIRY.uscc), (BAKERY.name, BAKERY.uscc)]
    data = company_list(*companies, ("丁公司", WRONG_CHECK))

    receipt = land(store, COMPANY_LIST, data, now=now)

    assert judged == [2, 2, 1]
    assert counts(receipt) == {"received": 5, "accepted": 3, "rejected": 2, "new": 3}
    assert told(store, "registration", "name") == [("put", 1, each.name) for each in (MILL, DAIRY, BAKERY)]
    assert [(row["row"], row["line"]) for row in rejected(store)] == [(2, 3), (5, 6)]
    assert stages(store) == set()
    assert verified(store).ok
    monkeypatch.undo()
    again = land(store, COMPANY_LIST, company_list(*companies), now=now)
    assert (counts(again)["unchanged"], again["accepted_root"]) == (3, receipt["accepted_root"])


def test_what_changed_in_a_delivery_of_many_chunks_is_landed_and_nothing_else(store: Store, now: datetime) -> None:
    land(store, COMPLAINTS, named(1, 2, 3, 4, 5), now=now)
    rows = [complaint(f"c{n}", uscc=MILL.uscc, topic="另" if n in (2, 5) else f"题{n}") for n in range(1, 8)]

    receipt = land(store, COMPLAINTS, complaints(*rows), now=now)

    assert counts(receipt) == {"received": 7, "accepted": 7, "new": 2, "changed": 2, "unchanged": 3}
    changed = [("put", 2, "c2"), ("put", 2, "c5"), ("put", 1, "c6"), ("put", 1, "c7")]
    assert told(store, "complaint", "complaint_no")[5:] == changed
    assert verified(store).ok


def test_the_last_of_several_changes_counts_whichever_chunk_it_is_in(store: Store, now: datetime) -> None:
    rows = [health_licence("w1", "I", BZ="一"), *(health_licence(f"x{n}") for n in range(4))]
    rows += [health_licence("w1", "U", BZ="二"), health_licence("w1", "U", BZ="三")]

    receipt = land(store, HEALTH, health_licences(*rows), now=now)

    assert counts(receipt) == {"received": 7, "accepted": 7, "duplicates": 2, "new": 5, "unresolved": 5}
    assert ("put", 1, "w1", "三") in told(store, "health_licence", "licence_no", "remark")
    assert verified(store).ok


def test_rows_that_contradict_each_other_in_different_chunks_are_quarantined(store: Store, now: datetime) -> None:
    spec = replace(source(ABNORMAL), expect=Expect())
    land(store, ABNORMAL, abnormal_listings(listing("甲公司")), now=now)
    other = listing("甲公司", decorg_cn="宁波市市场监督管理局")
    sent = [listing("甲公司"), *(listing(f"乙{n}公司") for n in range(3)), other, listing("乙0公司")]

    delivery_id = pages(store, ABNORMAL, abnormal_listings(*sent), now=now)
    receipt = pipeline.deliver(store, delivery_id, spec, now)

    expected = {"received": 6, "accepted": 4, "rejected": 2, "duplicates": 1, "new": 3, "unresolved": 3}
    assert counts(receipt) == expected
    assert [(row["row"], *rules_of(row)) for row in rejected(store)] == [
        (n, ("subject_name+listed_on+cause_code", "row.conflict")) for n in (1, 5)
    ]
    assert "1、5" in rejected(store)[0]["faults"][0]["zh"]
    # Doubt is no withdrawal: what was said before stands.
    assert ("甲公司",) in current(store, "abnormal_listing", "subject_name")
    assert verified(store).ok


def test_a_personal_value_repeated_in_another_chunk_is_no_contradiction(store: Store, now: datetime) -> None:
    as_snapshot = replace(source(COMPLAINTS), delivery="snapshot", expect=Expect())
    rows = [complaint("c1"), complaint("c2"), complaint("c3"), complaint("c1")]

    receipt = pipeline.deliver(store, pages(store, COMPLAINTS, complaints(*rows), now=now), as_snapshot, now)

    assert counts(receipt) == {"received": 4, "accepted": 4, "duplicates": 1, "new": 3, "unresolved": 3}


def test_a_snapshot_of_many_chunks_withdraws_what_it_does_not_mention(store: Store, now: datetime) -> None:
    as_snapshot = replace(source(COMPLAINTS), delivery="snapshot", expect=Expect(keeps=0.5))
    for rows in (range(7), (0, 2, 3, 5, 6)):
        delivery_id = pages(store, COMPLAINTS, named(*rows), now=now)
        receipt = pipeline.deliver(store, delivery_id, as_snapshot, now)

    assert counts(receipt) == {"received": 5, "accepted": 5, "unchanged": 5, "withdrawn": 2}
    assert told(store, "complaint", "complaint_no")[7:] == [("withdraw", 2, "c1"), ("withdraw", 2, "c4")]
    assert verified(store).ok


def test_registrations_of_many_chunks_teach_the_entity_tables(store: Store, now: datetime) -> None:
    land(store, COMPLAINTS, complaints(complaint("c1", MILL.name, address=MILL.address)), now=now)

    receipt = land(store, REGISTRATION, registrations(DAIRY, BAKERY, MILL), now=now)

    assert counts(receipt) == {"received": 3, "accepted": 3, "new": 3}
    assert told(store, "complaint", "entity_uscc") == [("put", 1, None), ("put", 2, MILL.uscc)]


def test_a_crash_leaves_nothing_visible_and_is_resumed_from_what_was_staged(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch, judged: list[int]
) -> None:
    delivery_id = pages(store, COMPLAINTS, named(*range(9)), now=now)
    with monkeypatch.context() as patched:
        cut_after(patched, 3)
        with pytest.raises(PowerCutError):
            pipeline.deliver(store, delivery_id, source(COMPLAINTS), now)
    left = (feed(store, "complaint"), rejected(store), status(store, delivery_id))
    judged.clear()

    receipt = pipeline.deliver(store, delivery_id, source(COMPLAINTS), now)

    assert left == ([], [], "received")
    # Three chunks of five were staged; the fourth was cut off half-written.
    assert judged == [2, 1]
    assert counts(receipt) == {"received": 9, "accepted": 9, "new": 9}
    assert told(store, "complaint", "complaint_no") == [("put", 1, f"c{n}") for n in range(9)]
    assert (stages(store), verified(store).ok) == (set(), True)


@pytest.mark.parametrize("rows_put_aside", [aside.WORTH_IT, 1])
def test_a_crash_while_landing_is_resumed_without_judging_anything_again(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch, judged: list[int], rows_put_aside: int
) -> None:
    monkeypatch.setattr(aside, "WORTH_IT", rows_put_aside)
    delivery_id = pages(store, COMPLAINTS, named(*range(5)), now=now)

    def cut(*_: Any) -> None:
        raise PowerCutError

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "write_receipt", cut)
        with pytest.raises(PowerCutError):
            pipeline.deliver(store, delivery_id, source(COMPLAINTS), now)
    left = feed(store, "complaint")
    judged.clear()

    receipt = pipeline.deliver(store, delivery_id, source(COMPLAINTS), now)

    assert (left, judged) == ([], [])
    assert (counts(receipt)["new"], receipt["first_seq"], receipt["last_seq"]) == (5, 1, 5)
    assert verified(store).ok


def emptied_by_recovery(conn: Connection, delivery_id: str) -> None:
    """What PostgreSQL does to unlogged tables when it recovers from a crash."""
    for table in (f"staged_{delivery_id}", f"rejected_{delivery_id}", "staged_chunks"):
        conn.execute(text(f'DELETE FROM "{table}"'))


def mapped_otherwise(conn: Connection, delivery_id: str) -> None:
    """Somebody mended the mapping between the crash and the next run."""
    conn.execute(text("UPDATE staged_chunks SET rules = 'of yesterday'"))


@pytest.mark.parametrize("meanwhile", [emptied_by_recovery, mapped_otherwise])
def test_a_stage_that_does_not_hold_any_more_is_staged_anew(
    store: Store,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    judged: list[int],
    meanwhile: Callable[[Connection, str], None],
) -> None:
    delivery_id = pages(store, COMPLAINTS, named(*range(5)), now=now)
    with monkeypatch.context() as patched:
        cut_after(patched, 2)
        with pytest.raises(PowerCutError):
            pipeline.deliver(store, delivery_id, source(COMPLAINTS), now)
    with store.write() as conn:
        meanwhile(conn, delivery_id)
    judged.clear()

    receipt = pipeline.deliver(store, delivery_id, source(COMPLAINTS), now)

    assert judged == [2, 2, 1]
    assert counts(receipt) == {"received": 5, "accepted": 5, "new": 5}
    assert (stages(store), verified(store).ok) == (set(), True)


def test_a_refused_delivery_leaves_nothing_staged(store: Store, now: datetime) -> None:
    spec = replace(source(COMPLAINTS), expect=Expect(rows_min=10))
    delivery_id = pages(store, COMPLAINTS, named(*range(5)), now=now)

    with pytest.raises(ExpectationFailed):
        pipeline.deliver(store, delivery_id, spec, now)

    assert (feed(store, "complaint"), status(store, delivery_id), stages(store)) == ([], "refused", set())


def divided(store: Store) -> Store:
    """The same store, where everything is large enough to be divided."""
    return replace(store, settings=replace(store.settings, part_bytes=1))


def test_parts_are_staged_at_once_and_in_any_order_and_land_as_one(store: Store, now: datetime) -> None:
    store = divided(store)
    spec = replace(source(REFUSALS), expect=Expect())
    files = [refusals(*((f"{file}{n}" if n != 1 else "", f"进口商{n}") for n in range(3))) for file in "abc"]
    delivery_id = pages(store, REFUSALS, *files, now=now)
    planned = pipeline.plan_parts(store, delivery_id, spec)

    with pytest.raises(Refused, match="not staged as a whole"):
        pipeline.land_staged(store, delivery_id, spec, now)
    with ThreadPoolExecutor(3) as machines:
        asked = [*planned[::-1], planned[0]]
        list(machines.map(lambda part: pipeline.stage_part(store, delivery_id, part, spec), asked))
    receipt = pipeline.land_staged(store, delivery_id, spec, now)

    assert len(planned) == 9
    assert counts(receipt) == {"received": 9, "accepted": 6, "rejected": 3, "new": 6, "unresolved": 6}
    numbers = [number for _, _, number in told(store, "import_refusal", "line_no")]
    assert numbers == ["a0", "a2", "b0", "b2", "c0", "c2"]
    assert [(row["row"], row["part"]) for row in rejected(store)] == [(2, "page-1"), (5, "page-2"), (8, "page-3")]
    with store.read() as conn:
        opened = [quarantine.open_rejection(conn, store, row["id"]).sent["进口商信息"] for row in rejected(store)]
    assert opened == ["进口商1"] * 3
    assert (stages(store), verified(store).ok) == (set(), True)


def test_rows_in_quarantine_are_counted_through_parts_of_many_faults(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "_CHUNK", 2)
    spec = replace(source(REFUSALS), expect=Expect())
    # Faults everywhere but in one row of each file; the first part begins with a good row.
    files = [
        refusals(*((f"{file}{n}" if n == good else "", f"进口商{n}") for n in range(6)))
        for good, file in enumerate("abc")
    ]
    in_halves = replace(store, settings=replace(store.settings, part_bytes=len(files[0]) // 2))
    delivery_id = pages(store, REFUSALS, *files, now=now)

    receipt = pipeline.deliver(in_halves, delivery_id, spec, now)

    assert 3 < len(pipeline.plan_parts(in_halves, delivery_id, spec)) < 18
    assert counts(receipt) == {"received": 18, "accepted": 3, "rejected": 15, "new": 3, "unresolved": 3}
    faulty = [(row["row"], row["part"], row["faults"][0]["rule"]) for row in rejected(store)]
    assert faulty == [
        (6 * file + n + 1, f"page-{file + 1}", "field.required") for file in range(3) for n in range(6) if n != file
    ]
    with store.read() as conn:
        opened = [quarantine.open_rejection(conn, store, row["id"]).sent["进口商信息"] for row in rejected(store)]
    assert opened == [f"进口商{n}" for file in range(3) for n in range(6) if n != file]
    assert verified(store).ok


def test_a_worker_is_given_a_part_as_plain_values_and_landing_finds_it_staged(
    store: Store, now: datetime, judged: list[int]
) -> None:
    store = divided(store)
    spec = replace(source(REFUSALS), expect=Expect())
    delivery_id = pages(store, REFUSALS, *(refusals((file, "进口商")) for file in "abc"), now=now)

    work = json.loads(json.dumps(exchange.parts_to_stage(store, spec, [delivery_id])))
    for one in [*work[::-1], work[0]]:
        exchange.stage_received(store, spec, one)
    by_workers = list(judged)
    receipt = pipeline.deliver(store, delivery_id, spec, now)

    assert [one["delivery_id"] for one in work] == [delivery_id] * 3
    assert by_workers == judged == [1, 1, 1]
    assert counts(receipt) == {"received": 3, "accepted": 3, "new": 3, "unresolved": 3}


def test_what_has_landed_or_will_be_refused_is_no_work_for_others(store: Store, now: datetime) -> None:
    store = divided(store)
    spec = replace(source(REFUSALS), expect=Expect())
    landed = pages(store, REFUSALS, refusals(("a", "进口商")), refusals(("b", "进口商")), now=now)
    work = exchange.parts_to_stage(store, spec, [landed])
    pipeline.deliver(store, landed, spec, now)
    same = pages(store, REFUSALS, refusals(("a", "进口商")), refusals(("b", "进口商")), now=now)
    unreadable = pages(store, REFUSALS, b"no table", b"neither", now=now)

    for one in work:
        exchange.stage_received(store, spec, one)

    assert len(work) == 2
    assert exchange.parts_to_stage(store, spec, [landed, same, unreadable]) == []
    assert stages(store) == set()


def test_the_same_bytes_half_staged_under_another_id_are_repeated_and_cleared_away(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (upload(store, COMPANY_LIST, company_list(*rows), now) for rows in [_three(), _three()])
    with monkeypatch.context() as patched:
        cut_after(patched, 1)
        with pytest.raises(PowerCutError):
            pipeline.deliver(store, first, source(COMPANY_LIST), now)
    pipeline.deliver(store, second, source(COMPANY_LIST), now)

    receipt = pipeline.deliver(store, first, source(COMPANY_LIST), now)

    assert (receipt["delivery_id"], status(store, first), stages(store)) == (second, "repeated", set())


def _three() -> list[tuple[str, str]]:
    return [(each.name, each.uscc) for each in (MILL, DAIRY, BAKERY)]


def test_ten_deliveries_of_many_chunks_at_once_land_whole_and_without_gaps(store: Store, now: datetime) -> None:
    """Staging goes on side by side; landings of one record type wait for each other."""
    ids = [pages(store, COMPLAINTS, named(*range(n * 10, n * 10 + 5)), now=now) for n in range(10)]

    with ThreadPoolExecutor(10) as sources:
        receipts = list(sources.map(lambda each: pipeline.deliver(store, each, source(COMPLAINTS), now), ids))

    ranges = sorted((receipt["first_seq"], receipt["last_seq"]) for receipt in receipts)
    assert ranges == [(first, first + 4) for first in range(1, 51, 5)]
    assert [version.seq for version in feed(store, "complaint")] == list(range(1, 51))
    assert (stages(store), verified(store).ok) == (set(), True)


def test_a_part_whose_last_chunk_is_staged_before_others_is_not_whole(
    store: Store, now: datetime, judged: list[int]
) -> None:
    spec = source(COMPLAINTS)
    delivery_id = pages(store, COMPLAINTS, named(*range(5)), now=now)
    [part] = pipeline.plan_parts(store, delivery_id, spec)
    pipeline.stage_part(store, delivery_id, part, spec, lambda place, *_: place.number == 1)
    first = list(judged)
    with pytest.raises(Refused, match="not staged as a whole"):
        pipeline.land_staged(store, delivery_id, spec, now)
    judged.clear()

    receipt = pipeline.deliver(store, delivery_id, spec, now)

    assert (first, judged) == ([2, 1], [2])
    assert told(store, "complaint", "complaint_no") == [("put", 1, f"c{n}") for n in range(5)]
    assert counts(receipt) == {"received": 5, "accepted": 5, "new": 5}
