"""Grants: the one that counts, the reason when none does, and that every act is in the log."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gateway.access.errors import Conflict, Invalid, NotFound, NotGranted
from gateway.access.giving import give, new_grant, withdraw
from gateway.access.grants import Grant, find_grant, list_grants
from gateway.audit.tables import entries
from gateway.store import Store

SYSTEM = "urn:xinqiao:customs:risk"


def granted(store: Store, now: datetime, **changes: Any) -> Grant:
    wanted: dict[str, Any] = {
        "system_urn": SYSTEM,
        "record_type": "penalty",
        "columns": "*",
        "purpose": "risk",
        "legal_basis": "海关法",
        "valid_from": date(2026, 11, 1),
        "valid_until": date(2026, 11, 30),
        "given_by": "test",
        "now": now,
    }
    with store.write() as conn:
        return give(conn, new_grant(**{**wanted, **changes}), now)


def found(store: Store, now: datetime, purpose: str | None = "risk", record_type: str = "penalty") -> Grant:
    with store.read() as conn:
        return find_grant(conn, SYSTEM, record_type, purpose, now)


def reason(store: Store, now: datetime, purpose: str | None = "risk") -> str:
    with pytest.raises(NotGranted) as caught:
        found(store, now, purpose)
    assert caught.value.zh != caught.value.en
    return caught.value.code


def test_a_grant_that_holds_today_is_found(store: Store, now: datetime) -> None:
    grant = granted(store, now, columns=["document_no", "fine_wan_yuan"], region_prefixes=["33"])

    assert found(store, now) == grant


def test_without_any_grant_the_reason_is_that_there_is_none(store: Store, now: datetime) -> None:
    granted(store, now, system_urn="urn:xinqiao:customs:other")
    granted(store, now, record_type="licence")

    assert reason(store, now) == "grant_none"


def test_without_a_purpose_nothing_is_read(store: Store, now: datetime) -> None:
    granted(store, now)

    assert (reason(store, now, None), reason(store, now, "")) == ("purpose_missing", "purpose_missing")


def test_another_purpose_is_named_as_the_reason(store: Store, now: datetime) -> None:
    granted(store, now)

    assert reason(store, now, "marketing") == "grant_other_purpose"


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        # 24:00 of 31 October and of 30 November in Shanghai are 16:00 of the same days in UTC.
        (datetime(2026, 10, 31, 15, 59, 59, tzinfo=UTC), "grant_not_yet"),
        (datetime(2026, 10, 31, 16, 0, tzinfo=UTC), None),
        (datetime(2026, 11, 30, 15, 59, 59, tzinfo=UTC), None),
        (datetime(2026, 11, 30, 16, 0, tzinfo=UTC), "grant_expired"),
    ],
)
def test_the_days_of_a_grant_are_days_in_china(store: Store, now: datetime, at: datetime, expected: str | None) -> None:
    grant = granted(store, now)

    if expected is None:
        assert found(store, at) == grant
    else:
        assert reason(store, at) == expected


def test_a_withdrawn_grant_ends_at_once_and_only_once(store: Store, now: datetime) -> None:
    grant = granted(store, now)
    with store.write() as conn:
        withdraw(conn, grant.id, "test", now)

    assert reason(store, now) == "grant_withdrawn"
    with pytest.raises(Conflict), store.write() as conn:
        withdraw(conn, grant.id, "test", now)


def test_a_grant_nobody_gave_cannot_be_withdrawn(store: Store, now: datetime) -> None:
    with pytest.raises(NotFound), store.write() as conn:
        withdraw(conn, "g-none", "test", now)


def test_of_several_grants_the_widest_counts(store: Store, now: datetime) -> None:
    granted(store, now, columns=["document_no"])
    granted(store, now, region_prefixes=["33"])
    widest = granted(store, now)
    granted(store, now, valid_until=date(2026, 12, 31), columns=["facts"])

    assert found(store, now) == widest


def test_the_reason_is_that_of_the_grant_that_came_nearest(store: Store, now: datetime) -> None:
    granted(store, now, purpose="statistics")
    granted(store, now, valid_until=date(2026, 11, 2))

    assert reason(store, now) == "grant_expired"


@pytest.mark.parametrize(
    "changes",
    [
        {"record_type": "secrets"},
        {"columns": ["no_such_field"]},
        {"columns": []},
        {"valid_until": date(2026, 10, 1)},
        {"unmasked": ["legal_representative_id_no"]},
        {"columns": ["facts"], "unmasked": ["facts"]},
    ],
    ids=["type", "field", "no field", "ends first", "unmasked but not shown", "unmasked but not personal"],
)
def test_a_grant_that_contradicts_the_contract_is_not_given(
    store: Store, now: datetime, changes: dict[str, Any]
) -> None:
    with pytest.raises(Invalid):
        granted(store, now, **changes)

    with store.read() as conn:
        assert list_grants(conn) == []


def test_giving_and_withdrawing_are_entries_of_the_log(store: Store, now: datetime) -> None:
    grant = granted(store, now)
    with store.write() as conn:
        withdraw(conn, grant.id, "security", now + timedelta(hours=1))

    with store.read() as conn:
        acts = conn.execute(
            select(entries.c.action, entries.c.actor)
            .where(entries.c.action.startswith("grant."))
            .order_by(entries.c.id)
        ).all()
    assert [tuple(act) for act in acts] == [("grant.given", "test"), ("grant.withdrawn", "security")]
