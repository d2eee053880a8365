"""A small delivery looks only at what it may have made known: everything that can be found is, and nothing else."""

from __future__ import annotations

import errno
import random
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import datetime
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Connection

from connectors.registry import source
from connectors.spec import Expect
from gateway import linking, pipeline
from gateway.awaited import Feed
from gateway.resolve import subject_fields
from gateway.store import Store, open_store
from schemas.columnar import contract
from tests.support.companies import BAKERY, DAIRY, MILL, Company, company
from tests.support.deliveries import (
    COMPLAINTS,
    CUSTOMS,
    HEALTH,
    REGISTRATION,
    complaint,
    complaints,
    customs,
    customs_row,
    health_licence,
    health_licences,
    land,
    pages,
    registrations,
)
from tests.support.standing import told


def another(serial: int) -> Company:
    """An invented entity, for which nothing waits if the test does not say so."""
    return company(100 + serial, "330110", f"信桥{serial}号有限公司", f"浙江省杭州市余杭区桥头街{serial}号")


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record types of which everything that waits was looked at."""
    types: list[str] = []

    def link(store: Store, record_type: str, now: datetime) -> int:
        types.append(record_type)
        return real(store, record_type, now)

    real = linking.link
    monkeypatch.setattr(linking, "link", link)
    return types


def test_what_waits_for_somebody_else_is_not_looked_at(store: Store, now: datetime, looked_at: list[str]) -> None:
    land(store, COMPLAINTS, complaints(complaint("c1", name=DAIRY.name, areacode="510104")), now=now)
    land(store, HEALTH, health_licences(health_licence("w1", XK_XDR_GSDJ=DAIRY.registration_no)), now=now)

    land(store, REGISTRATION, registrations(BAKERY), now=now)
    first = list(looked_at)
    land(store, REGISTRATION, registrations(another(1)), now=now)
    second = looked_at[len(first) :]
    land(store, REGISTRATION, registrations(DAIRY), now=now)
    third = looked_at[len(first) :]
    land(store, REGISTRATION, registrations(another(2)), now=now)

    assert first == third == ["complaint", "health_licence"]
    assert second == []
    assert looked_at == [*first, *third]
    assert told(store, "complaint", "entity_by") == [("put", 1, None), ("put", 2, "name_and_region")]
    assert told(store, "health_licence", "entity_by") == [("put", 1, None), ("put", 2, "crosswalk:registration")]


def test_what_a_process_left_unlinked_when_it_was_killed_is_linked_by_the_one_after_it(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch, looked_at: list[str]
) -> None:
    land(store, COMPLAINTS, complaints(complaint("c1", name=DAIRY.name, areacode="510104")), now=now)
    with monkeypatch.context() as killed:
        killed.setattr(pipeline, "link_waiting", lambda *arguments: 0)
        land(store, REGISTRATION, registrations(DAIRY), now=now)

    with open_store(store.settings) as after:
        for serial in range(3):
            land(after, REGISTRATION, registrations(another(serial)), now=now)

    assert told(store, "complaint", "entity_uscc") == [("put", 1, None), ("put", 2, DAIRY.uscc)]
    assert looked_at == ["complaint"]


@pytest.mark.parametrize("step", ["seal_committed", "link_waiting"])
def test_what_a_landing_left_unlinked_when_it_failed_is_linked_by_the_next_that_teaches(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    land(store, COMPLAINTS, complaints(complaint("c1", name=DAIRY.name, areacode="510104")), now=now)
    land(store, REGISTRATION, registrations(BAKERY), now=now)
    with monkeypatch.context() as full:
        full.setattr(pipeline, step, fail)
        with pytest.raises(OSError, match="no space"):
            land(store, REGISTRATION, registrations(DAIRY), now=now)

    land(store, REGISTRATION, registrations(another(1)), now=now)

    assert told(store, "complaint", "entity_uscc") == [("put", 1, None), ("put", 2, DAIRY.uscc)]


def test_what_landed_by_another_process_is_read_on(store: Store, now: datetime) -> None:
    land(store, REGISTRATION, registrations(BAKERY), now=now)
    with open_store(store.settings) as other:
        for number in range(3):
            waiting = complaint(f"c{number}", name=DAIRY.name, areacode="510104" if number else "330110")
            land(other, COMPLAINTS, complaints(waiting), now=now)

    land(store, REGISTRATION, registrations(DAIRY), now=now)

    linked = [row[2] for row in told(store, "complaint", "complaint_no") if row[1] == 2]
    assert linked == ["c1", "c2"]


def test_a_former_name_and_a_changed_region_lead_there_too(store: Store, now: datetime, looked_at: list[str]) -> None:
    waiting = complaint("c1", name=f" {MILL.former}（集团）", areacode="510104")
    land(store, COMPLAINTS, complaints(waiting), now=now)
    land(store, REGISTRATION, registrations(BAKERY), now=now)
    looked_at.clear()
    named = replace(MILL, former=f"{MILL.former}(集团)")
    land(store, REGISTRATION, registrations(named), now=now)

    # Its former name is not said again; it is known of the entity, and the region agrees now.
    land(store, REGISTRATION, registrations(replace(named, former="", region_code="510104")), now=now)

    assert told(store, "complaint", "entity_uscc") == [("put", 1, None), ("put", 2, MILL.uscc)]
    assert looked_at == ["complaint", "complaint"]


def test_a_delivery_that_comes_by_the_side_makes_nobody_read_again_what_was_read(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one has asked how far the feeds go, the other lands, and would have read further than that."""
    land(store, COMPLAINTS, complaints(complaint("c1", name=DAIRY.name, areacode="510104")), now=now)
    land(store, REGISTRATION, registrations(BAKERY), now=now)
    from_the_beginning: list[str] = []

    def waiting(conn: Connection, record_type: str, after: int) -> pl.DataFrame:
        if after == 0:
            from_the_beginning.append(record_type)
        return read(conn, record_type, after)

    def beside() -> None:
        land(store, COMPLAINTS, complaints(complaint("c2", name=MILL.name, areacode="510104")), now=now)
        land(store, REGISTRATION, registrations(another(1)), now=now)

    def slowly(conn: Connection) -> dict[str, int]:
        positions = ask(conn)
        if not others:
            others.append(pool.submit(beside))
            wait(others, timeout=0.5)
        return positions

    read, ask, others = linking._waiting, linking.last_positions, list[Future[None]]()
    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(linking, "_waiting", waiting)
        monkeypatch.setattr(linking, "last_positions", slowly)
        land(store, REGISTRATION, registrations(another(2)), now=now)
        others[0].result()

    assert from_the_beginning == []


def test_what_many_versions_say_is_kept_once() -> None:
    """Records that wait and are changed again and again would fill the memory of the process."""
    rules = contract("complaint")
    columns = dict.fromkeys(subject_fields(rules), pl.String)
    names = [f"信桥{n}号有限公司" for n in range(1000)]
    feed = Feed()

    for version, said in enumerate([names, *[names[:5]] * 10], start=1):
        frame = pl.DataFrame([{rules.subject.name: name} for name in said], schema=columns)
        feed.read_on("complaint", version, lambda *_, batch=frame: [batch])
    feed.read_on("complaint", 12, lambda *_: [frame.with_columns(pl.lit("新来的有限公司").alias(rules.subject.name))])

    assert len(feed.hashes) == 1001
    assert list(feed.hashes) == sorted(feed.hashes)


def test_a_row_that_was_resolved_before_others_taught_is_looked_at_by_whoever_landed_it(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other did not see it: it had not landed when the other looked."""
    spec = replace(source(CUSTOMS), expect=Expect())
    without, with_code = (
        pages(store, CUSTOMS, customs(customs_row(DAIRY.customs_code, DAIRY.name, TYSHXYDM=code)), now=now)
        for code in ("", DAIRY.uscc)
    )
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(pipeline, "link_waiting", lambda *arguments: asked.append(arguments))
    pipeline.deliver(store, without, spec, now)
    pipeline.deliver(store, with_code, replace(spec, source="customs/other"), now)

    linked = linking.link_waiting(*asked[0])

    assert linked == 1
    assert told(store, "customs_registration", "entity_by")[-1] == ("put", 2, "crosswalk:customs")


def test_nothing_that_can_be_linked_is_left_waiting_whatever_the_order(store: Store, now: datetime) -> None:
    known = [another(n) for n in range(8)]
    with open_store(store.settings) as other, ThreadPoolExecutor(4) as pool:
        acts = [
            (opened, *act)
            for n, one in enumerate(known)
            for opened, act in (
                ((store, other)[n % 2], (REGISTRATION, registrations(one))),
                ((other, store)[n % 2], (COMPLAINTS, complaints(complaint(f"c{n}", one.name, areacode="330110")))),
                (
                    (store, other)[n % 2],
                    (HEALTH, health_licences(health_licence(f"w{n}", XK_XDR_GSDJ=one.registration_no))),
                ),
            )
        ]
        random.Random(5).shuffle(acts)
        list(pool.map(lambda act: land(*act, now=now), acts))

    assert [linking.link(store, record_type, now) for record_type in ("complaint", "health_licence")] == [0, 0]
    standing = {row[2:] for row in told(store, "complaint", "complaint_no", "entity_uscc") if row[3]}
    assert standing == {(f"c{n}", one.uscc) for n, one in enumerate(known)}
