"""Which entity a record belongs to, which step decided, and what happens when the entity arrives later."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from time import sleep
from typing import Any

import pytest
from sqlalchemy import Connection, Text, cast, insert, literal, null, select, union_all

from connectors.registry import source
from connectors.spec import Expect
from gateway import linking, pipeline
from gateway.clock import instant
from gateway.entities import learn
from gateway.resolve import entity_generation
from gateway.store import Store
from gateway.store.landing import Teaching
from gateway.store.stage import LESSONS
from gateway.store.tables import entities
from tests.support.companies import BAKERY, DAIRY, MILL, TWIN, Company
from tests.support.deliveries import (
    COMPLAINTS,
    CUSTOMS,
    HEALTH,
    REGISTRATION,
    Row,
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
from tests.support.standing import counts, facets, feed, told, verified

NOBODY = (None, None)


def resolved(store: Store, record_type: str, field: str) -> dict[Any, tuple[Any, Any]]:
    """Record -> (entity, step), of what stands."""
    standing = [json.loads(v.payload) for v in feed(store, record_type) if v.superseded_seq is None]
    return {row[field]: (row.get("entity_uscc"), row.get("entity_by")) for row in standing}


def land_customs(store: Store, now: datetime, *rows: Row) -> dict[str, Any]:
    spec = replace(source(CUSTOMS), expect=Expect())
    return pipeline.deliver(store, pages(store, CUSTOMS, customs(*rows), now=now), spec, now)


def licence(number: str, registration_no: str = "", organisation_code: str = "", uscc: str = "") -> Row:
    return health_licence(number, XK_XDR_GSDJ=registration_no, XK_XDR_ZDM=organisation_code, XK_XDR_SHXYM=uscc)


def test_a_code_decides_before_everything_else(store: Store, now: datetime) -> None:
    land(store, REGISTRATION, registrations(MILL, DAIRY), now=now)

    land(store, HEALTH, health_licences(licence("w1", DAIRY.registration_no, uscc=MILL.uscc)), now=now)

    assert resolved(store, "health_licence", "licence_no") == {"w1": (MILL.uscc, "uscc")}
    assert facets(store, "health_licence", "uscc") == [(MILL.uscc,)]


def test_numbers_of_before_the_code_lead_to_the_entity_unless_they_disagree(store: Store, now: datetime) -> None:
    land(store, REGISTRATION, registrations(MILL, DAIRY, TWIN, regno=""), now=now)
    land(store, REGISTRATION, registrations(BAKERY), now=now)
    rows = {
        "number": licence("number", BAKERY.registration_no),
        "organisation": licence("organisation", "", f"{DAIRY.organisation_code[:8]}-{DAIRY.organisation_code[8]}"),
        "both": licence("both", BAKERY.registration_no, BAKERY.organisation_code),
        "conflict": licence("conflict", BAKERY.registration_no, DAIRY.organisation_code),
        "unknown": licence("unknown", MILL.registration_no),
        "placeholders": licence("placeholders", "无", "/"),
    }

    land(store, HEALTH, health_licences(*rows.values()), now=now)

    assert resolved(store, "health_licence", "licence_no") == {
        "number": (BAKERY.uscc, "crosswalk:registration"),
        "organisation": (DAIRY.uscc, "crosswalk:organisation"),
        "both": (BAKERY.uscc, "crosswalk:registration"),
        "conflict": NOBODY,
        "unknown": NOBODY,
        "placeholders": NOBODY,
    }


def test_a_number_that_two_entities_claim_leads_to_neither(sqlite_store: Store, now: datetime) -> None:
    land(sqlite_store, REGISTRATION, registrations(MILL, DAIRY, regno=MILL.registration_no), now=now)

    land(sqlite_store, HEALTH, health_licences(licence("w1", MILL.registration_no)), now=now)

    assert resolved(sqlite_store, "health_licence", "licence_no") == {"w1": NOBODY}


def test_a_customs_code_is_remembered_from_the_row_that_had_both(sqlite_store: Store, now: datetime) -> None:
    land_customs(sqlite_store, now, customs_row(DAIRY.customs_code, DAIRY.name, TYSHXYDM=DAIRY.uscc))

    land_customs(sqlite_store, now, customs_row(DAIRY.customs_code, "改了名的公司"))

    assert resolved(sqlite_store, "customs_registration", "customs_code") == {
        DAIRY.customs_code: (DAIRY.uscc, "crosswalk:customs")
    }


def about(number: str, known: Company, region: str = "", address: str = "", name: str = "") -> Row:
    return complaint(number, name=name or known.name, address=address, areacode=region)


def test_a_name_decides_only_together_with_region_or_address(store: Store, now: datetime) -> None:
    land(store, REGISTRATION, registrations(MILL, DAIRY, BAKERY), now=now)
    rows = [
        about("region", DAIRY, "510104"),
        about("another county of the city", DAIRY, "510107"),
        about("another city", DAIRY, "510700"),
        about("province only", DAIRY, "510000"),
        about("address", DAIRY, address="四川省成都市锦江区幸福里３号"),
        about("address without its province", DAIRY, address="成都市锦江区幸福里3号"),
        about("another address", DAIRY, address="成都市锦江区幸福里4号"),
        about("an address too short to say anything", DAIRY, address="里3号"),
        about("address agrees, region does not", DAIRY, "330110", DAIRY.address),
        about("name alone", DAIRY),
        about("name with other brackets", MILL, "330110", name="杭州启禾面粉(集团) 有限公司"),
        about("historic name", MILL, "330110", name=MILL.former),
        about("almost the name", MILL, "330110", name="杭州启禾面粉集团"),
    ]

    land(store, COMPLAINTS, complaints(*rows), now=now)

    by_region, by_address = "name_and_region", "name_and_address"
    assert resolved(store, "complaint", "complaint_no") == {
        "region": (DAIRY.uscc, by_region),
        "another county of the city": (DAIRY.uscc, by_region),
        "another city": NOBODY,
        "province only": NOBODY,
        "address": (DAIRY.uscc, by_address),
        "address without its province": (DAIRY.uscc, by_address),
        "another address": NOBODY,
        "an address too short to say anything": NOBODY,
        "address agrees, region does not": (DAIRY.uscc, by_address),
        "name alone": NOBODY,
        "name with other brackets": (MILL.uscc, by_region),
        "historic name": (MILL.uscc, by_region),
        "almost the name": NOBODY,
    }


def test_a_name_that_two_entities_of_a_city_have_is_told_by_the_address_or_not_at_all(
    sqlite_store: Store, now: datetime
) -> None:
    land(sqlite_store, REGISTRATION, registrations(MILL, TWIN), now=now)
    rows = [about("region", MILL, "330110"), about("address", MILL, address=TWIN.address)]

    land(sqlite_store, COMPLAINTS, complaints(*rows), now=now)

    assert resolved(sqlite_store, "complaint", "complaint_no") == {
        "region": NOBODY,
        "address": (TWIN.uscc, "name_and_address"),
    }


def test_placeholders_are_nobody(sqlite_store: Store, now: datetime) -> None:
    words = ["无", "/", "不详", "-", "null"]
    land(sqlite_store, REGISTRATION, registrations(*(replace(MILL, former=word) for word in words)), now=now)

    rows = [complaint(f"c{n}", areacode="330110", name="丙公司", uscc=word) for n, word in enumerate(words)]
    named = [about(f"n{n}", MILL, "330110", name=f"{word}公司") for n, word in enumerate(words)]
    land(sqlite_store, COMPLAINTS, complaints(*rows, *named), now=now)

    assert set(resolved(sqlite_store, "complaint", "complaint_no").values()) == {NOBODY}


def test_the_register_is_preferred_to_a_list_whichever_came_last(sqlite_store: Store, now: datetime) -> None:
    land(sqlite_store, REGISTRATION, registrations(MILL), now=now)
    moved = registrations(replace(MILL, region_code="110101"))
    spec = replace(source(REGISTRATION), authority=90)
    pipeline.deliver(sqlite_store, pages(sqlite_store, REGISTRATION, moved, now=now), spec, now)

    land(sqlite_store, COMPLAINTS, complaints(about("c1", MILL, "330110"), about("c2", MILL, "110101")), now=now)

    assert resolved(sqlite_store, "complaint", "complaint_no") == {
        "c1": (MILL.uscc, "name_and_region"),
        "c2": NOBODY,
    }


def test_an_entity_that_the_counter_does_not_know_of_is_met_and_not_doubled(store: Store, now: datetime) -> None:
    brought = {"uscc": DAIRY.uscc, "name": "旧名", "name_form": "旧名", "authority": 90}
    with store.write() as conn:
        conn.execute(insert(entities).values(brought))

    land(store, REGISTRATION, registrations(DAIRY, MILL), now=now)

    with store.read() as conn:
        known = conn.execute(select(entities.c.uscc)).scalars().all()
    assert sorted(known) == sorted([DAIRY.uscc, MILL.uscc])


def test_records_that_waited_are_linked_when_their_entity_arrives(store: Store, now: datetime) -> None:
    waiting = complaints(about("c1", DAIRY, "510104"), about("c2", MILL, "330110"), about("c3", DAIRY))
    first = land(store, COMPLAINTS, waiting, now=now)
    land(store, HEALTH, health_licences(licence("w1", DAIRY.registration_no)), now=now)

    land(store, REGISTRATION, registrations(DAIRY), now=now + timedelta(hours=1))

    assert first["unresolved"] == 3
    names = ("complaint_no", "entity_uscc", "entity_by")
    assert told(store, "complaint", *names) == [
        ("put", 1, "c1", None, None),
        ("put", 1, "c2", None, None),
        ("put", 1, "c3", None, None),
        ("put", 2, "c1", DAIRY.uscc, "name_and_region"),
    ]
    assert told(store, "health_licence", "entity_by") == [("put", 1, None), ("put", 2, "crosswalk:registration")]
    (linked,) = feed(store, "complaint", after=3)
    assert (linked.uscc, linked.landed_at) == (DAIRY.uscc, "2026-11-21T03:00:00.000000Z")
    assert verified(store).ok


def test_a_linked_record_keeps_its_facets_and_its_sealed_values(store: Store, now: datetime) -> None:
    land(store, COMPLAINTS, complaints(about("c1", DAIRY, "510104")), now=now)

    land(store, REGISTRATION, registrations(DAIRY), now=now)

    before, after = feed(store, "complaint")
    shown = ("kind_code", "region_code", "topic", "received_on")
    assert len(set(facets(store, "complaint", *shown))) == 1
    assert (after.sealed, after.record_key) == (before.sealed, before.record_key)
    assert json.loads(after.payload) == json.loads(before.payload) | {
        "entity_uscc": DAIRY.uscc,
        "entity_by": "name_and_region",
    }


def test_a_linked_row_that_is_delivered_again_lands_nothing(store: Store, now: datetime) -> None:
    rows = [about("c1", DAIRY, "510104"), about("c2", DAIRY, address=DAIRY.address)]
    land(store, COMPLAINTS, complaints(*rows), now=now)
    land(store, HEALTH, health_licences(licence("w1", DAIRY.registration_no, DAIRY.organisation_code)), now=now)
    land(store, REGISTRATION, registrations(DAIRY), now=now)

    # Other bytes, so that it is not taken for the same delivery.
    again = land(store, COMPLAINTS, complaints(*reversed(rows)), now=now)
    licences = [licence("w1", DAIRY.registration_no, DAIRY.organisation_code), licence("w2")]
    more = land(store, HEALTH, health_licences(*licences), now=now)

    assert counts(again) == {"received": 2, "accepted": 2, "unchanged": 2}
    assert counts(more) == {"received": 2, "accepted": 2, "new": 1, "unchanged": 1, "unresolved": 1}


def test_links_are_deliveries_of_their_own_and_never_taken_for_the_source(sqlite_store: Store, now: datetime) -> None:
    delivered = complaints(about("c1", DAIRY, "510104"))
    land(sqlite_store, COMPLAINTS, delivered, now=now)
    land(sqlite_store, REGISTRATION, registrations(DAIRY), now=now)

    again = land(sqlite_store, COMPLAINTS, delivered, now=now)

    first, link = feed(sqlite_store, "complaint")
    assert (again["delivery_id"], link.delivery_id != first.delivery_id) == (first.delivery_id, True)


def test_records_beyond_one_batch_are_linked_too(
    sqlite_store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linking, "_BATCH", 4)
    rows = [about(f"c{n}", DAIRY if n % 3 else MILL, "510104") for n in range(11)]
    land(sqlite_store, COMPLAINTS, complaints(*rows), now=now)

    land(sqlite_store, REGISTRATION, registrations(DAIRY), now=now)

    assert {number for number, (uscc, _) in resolved(sqlite_store, "complaint", "complaint_no").items() if uscc} == {
        f"c{n}" for n in range(11) if n % 3
    }
    assert verified(sqlite_store).ok


def test_two_teachers_at_once_do_not_wait_for_each_other_in_a_circle(store: Store, now: datetime) -> None:
    """The register and customs land under different locks and tell of the same entities in another order."""

    def teach(conn: Connection, record_type: str, *known: Company) -> bool:
        nothing = dict.fromkeys(LESSONS[record_type], cast(null(), Text))
        said = [
            nothing | {"uscc": literal(one.uscc), "name": literal(one.name), "name_form": literal(one.name)}
            for one in known
        ]
        page = select(
            union_all(*(select(*(value.label(name) for name, value in one.items())) for one in said)).subquery()
        )
        return learn(conn, record_type, Teaching([page], len(known)), 10, instant(now))

    def teach_both() -> bool:
        with store.write() as conn:
            return teach(conn, "customs_registration", DAIRY, MILL)

    with ThreadPoolExecutor(1) as pool:
        with store.write() as conn:
            learned = [teach(conn, "registration", MILL)]
            other = pool.submit(teach_both)
            sleep(0.3)  # the other is on its way to what this transaction holds
            learned.append(teach(conn, "registration", DAIRY))
        learned.append(other.result(30))

    assert learned[:2] == [True, True]
    with store.read() as conn:
        assert entity_generation(conn) == sum(learned)


def test_a_landing_that_was_cut_off_before_linking_is_made_good_when_it_is_delivered_again(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(store, COMPLAINTS, complaints(about("c1", DAIRY, "510104")), now=now)
    with monkeypatch.context() as cut_off:
        cut_off.setattr(pipeline, "link_waiting", lambda *arguments: 0)
        land(store, REGISTRATION, registrations(DAIRY), now=now)

    land(store, REGISTRATION, registrations(DAIRY), now=now)

    assert told(store, "complaint", "entity_uscc") == [("put", 1, None), ("put", 2, DAIRY.uscc)]
