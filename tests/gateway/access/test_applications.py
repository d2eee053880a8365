"""Applications: the share type decides, and who is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest

from connectors.registry import sources
from connectors.spec import SourceSpec
from gateway.access.applications import Wish, apply_for, approve, list_applications, read_application, refuse
from gateway.access.errors import Conflict, Invalid, NotFound, NotGranted, NotYours
from gateway.access.grants import WHOLE, find_grant
from gateway.store import Store

SYSTEM = "urn:xinqiao:credit_platform:archive"
WISH = Wish("penalty", ("document_no", "content"), "credit", "条例", date(2026, 11, 1), date(2027, 10, 31), ("33",))


def shared(**share_types: str) -> list[SourceSpec]:
    """Two real sources of penalties, with the share types a test wants."""
    specs = {spec.agency: spec for spec in sources().values() if spec.record_type == "penalty"}
    return [
        replace(
            specs[agency],
            catalogue=replace(
                specs[agency].catalogue,
                share_type=share_type,
                refusal_ground="国家秘密" if share_type == "refused" else "",
            ),
        )
        for agency, share_type in share_types.items()
    ]


def test_what_is_shared_without_conditions_is_granted_at_once(store: Store, now: datetime) -> None:
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, WISH, shared(market_supervision="unconditional"), now)
        grant = find_grant(conn, SYSTEM, "penalty", "credit", now)

    assert (made.status, made.grant_id, grant.columns, grant.region_prefixes, grant.application_id) == (
        "granted",
        grant.id,
        ("document_no", "content"),
        ("33",),
        made.id,
    )


def test_what_is_not_shared_is_refused_with_its_ground(store: Store, now: datetime) -> None:
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, WISH, shared(market_supervision="unconditional", health="refused"), now)

    assert made.status == "refused"
    assert made.reason is not None
    assert "国家秘密" in made.reason
    with store.read() as conn, pytest.raises(NotGranted):
        find_grant(conn, SYSTEM, "penalty", "credit", now)


def test_every_agency_that_shares_under_conditions_must_approve(store: Store, now: datetime) -> None:
    specs = shared(market_supervision="conditional", health="conditional")
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, WISH, specs, now)
    with store.write() as conn:
        first = approve(conn, made.id, "health", "urn:xinqiao:health:office", now)
    with store.read() as conn, pytest.raises(NotGranted):
        find_grant(conn, SYSTEM, "penalty", "credit", now)
    with store.write() as conn:
        second = approve(conn, made.id, "market_supervision", "urn:xinqiao:market_supervision:office", now)
        grant = find_grant(conn, SYSTEM, "penalty", "credit", now)

    assert (made.status, first.status, second.status) == ("waiting", "waiting", "granted")
    assert made.providers == ("health", "market_supervision")
    assert grant.id == second.grant_id


def test_one_refusal_is_enough_and_final(store: Store, now: datetime) -> None:
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, WISH, shared(market_supervision="conditional", health="conditional"), now)
    with store.write() as conn:
        refuse(conn, made.id, "health", "urn:xinqiao:health:office", "用途不明", now)

    with pytest.raises(Conflict), store.write() as conn:
        approve(conn, made.id, "market_supervision", "x", now)
    with store.read() as conn:
        assert read_application(conn, made.id).reason == "用途不明"


def test_an_agency_that_provides_nothing_of_it_decides_nothing(store: Store, now: datetime) -> None:
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, WISH, shared(market_supervision="conditional"), now)

    with pytest.raises(NotYours), store.write() as conn:
        approve(conn, made.id, "customs", "urn:xinqiao:customs:risk", now)
    with pytest.raises(NotYours), store.write() as conn:
        approve(conn, made.id, "credit_platform", SYSTEM, now)


def test_the_operator_approves_for_all_that_are_missing(store: Store, now: datetime) -> None:
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, WISH, shared(market_supervision="conditional", health="conditional"), now)
        done = approve(conn, made.id, None, "cli:root", now)

    assert (done.status, sorted(done.approvals)) == ("granted", ["health", "market_supervision"])


def test_a_refusal_without_a_reason_is_not_taken(store: Store, now: datetime) -> None:
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, WISH, shared(market_supervision="conditional"), now)

    with pytest.raises(Invalid), store.write() as conn:
        refuse(conn, made.id, "market_supervision", "x", "  ", now)


@pytest.mark.parametrize(
    "wish",
    [
        replace(WISH, record_type="secrets"),
        replace(WISH, columns=("nothing",)),
        replace(WISH, valid_until=date(2026, 1, 1)),
        replace(WISH, record_type="complaint", columns=WHOLE),
    ],
    ids=["type", "field", "ends first", "not in the catalogue"],
)
def test_a_wish_outside_the_catalogue_is_not_taken(store: Store, now: datetime, wish: Wish) -> None:
    with pytest.raises(Invalid), store.write() as conn:
        apply_for(conn, SYSTEM, wish, shared(market_supervision="unconditional"), now)

    with store.read() as conn:
        assert list_applications(conn) == []


def test_applications_are_seen_by_those_they_concern(store: Store, now: datetime) -> None:
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, WISH, shared(market_supervision="conditional"), now)
        seen = {
            agency: [one.id for one in list_applications(conn, concerning=agency)]
            for agency in ("credit_platform", "market_supervision", "customs")
        }

    assert seen == {"credit_platform": [made.id], "market_supervision": [made.id], "customs": []}


def test_an_application_nobody_made_is_not_found(store: Store) -> None:
    with store.read() as conn, pytest.raises(NotFound):
        read_application(conn, "a-none")
