"""Applications: the share type decides, and who is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest
from sqlalchemy import insert, select

from certs.names import AGENCY_ADMINISTRATOR, AUDITOR, SECURITY_ADMINISTRATOR
from connectors.registry import sources
from connectors.spec import SourceSpec
from gateway.access.applications import Wish, list_applications, read_application
from gateway.access.deciding import Actor, apply_for, approve, refuse, retract
from gateway.access.errors import Conflict, Invalid, NotFound, NotGranted, NotYours, WrongDuty
from gateway.access.grants import WHOLE, find_grant, list_grants, read_grant
from gateway.access.tables import separation
from gateway.audit.tables import entries, read_body
from gateway.store import Store

SYSTEM = "urn:xinqiao:credit_platform:archive"
WISH = Wish("penalty", ("document_no", "content"), "credit", "条例", date(2026, 11, 1), date(2027, 10, 31), ("33",))

APPLICANT = Actor(SYSTEM, agency="credit_platform")
OPERATOR = Actor("cli:root", is_operator=True)
SECURITY = Actor("urn:xinqiao:person:security", SECURITY_ADMINISTRATOR)


def administrator(agency: str, name: str = "") -> Actor:
    return Actor(f"urn:xinqiao:person:{name or agency}", AGENCY_ADMINISTRATOR, agency)


def separated(store: Store) -> None:
    with store.write() as conn:
        conn.execute(insert(separation).values(id=1, since="2026-11-01T00:00:00.000000Z", by="test"))


def acts(store: Store) -> list[tuple[str, str]]:
    """What the log says of applications and grants: act and actor."""
    query = select(entries.c.action, entries.c.actor).order_by(entries.c.id)
    with store.read() as conn:
        return [(action, actor) for action, actor in conn.execute(query) if action[:6] in ("applic", "grant.")]


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
        made = apply_for(conn, SYSTEM, WISH, shared(market_supervision="unconditional"), APPLICANT, now)
        grant = find_grant(conn, SYSTEM, "penalty", "credit", now)

    assert (made.status, made.grant_id, grant.columns, grant.region_prefixes, grant.application_id) == (
        "granted",
        grant.id,
        ("document_no", "content"),
        ("33",),
        made.id,
    )


def test_once_the_duties_are_apart_the_applicants_own_administrator_answers_for_what_needs_no_approval(
    store: Store, now: datetime
) -> None:
    separated(store)
    specs = shared(market_supervision="unconditional")
    with store.write() as conn:
        by_system = apply_for(conn, SYSTEM, WISH, specs, APPLICANT, now)
        by_person = apply_for(conn, SYSTEM, WISH, specs, administrator("credit_platform"), now)
    with pytest.raises(NotYours), store.write() as conn:
        approve(conn, by_system.id, administrator("market_supervision"), now)
    with store.write() as conn:
        endorsed = approve(conn, by_system.id, administrator("credit_platform"), now)

    assert (by_system.status, by_person.status, endorsed.status) == ("waiting", "granted", "granted")
    assert by_system.seats == ("agency_administrator:credit_platform",)


def test_what_is_not_shared_is_refused_with_its_ground(store: Store, now: datetime) -> None:
    with store.write() as conn:
        made = apply_for(
            conn, SYSTEM, WISH, shared(market_supervision="unconditional", health="refused"), APPLICANT, now
        )

    assert made.status == "refused"
    assert made.reason is not None
    assert "国家秘密" in made.reason
    with store.read() as conn, pytest.raises(NotGranted):
        find_grant(conn, SYSTEM, "penalty", "credit", now)


def test_only_the_sources_that_are_asked_for_decide(store: Store, now: datetime) -> None:
    specs = shared(market_supervision="unconditional", health="refused")
    wish = replace(WISH, sources=("market_supervision/penalties",))
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, wish, specs, APPLICANT, now)
        grant = find_grant(conn, SYSTEM, "penalty", "credit", now)

    assert (made.status, grant.rows.sources) == ("granted", ("market_supervision/penalties",))


def test_it_takes_every_providing_agency_and_the_security_administrator(store: Store, now: datetime) -> None:
    specs = shared(market_supervision="conditional", health="conditional")
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, WISH, specs, APPLICANT, now)
    states = []
    for one in (administrator("health"), SECURITY):
        with store.write() as conn:
            states.append(approve(conn, made.id, one, now).status)
    with store.read() as conn, pytest.raises(NotGranted):
        find_grant(conn, SYSTEM, "penalty", "credit", now)
    with store.write() as conn:
        done = approve(conn, made.id, administrator("market_supervision"), now)
        grant = find_grant(conn, SYSTEM, "penalty", "credit", now)

    assert (made.status, states, done.status) == ("waiting", ["waiting", "waiting"], "granted")
    assert made.providers == ("health", "market_supervision")
    assert {seat: said["by"] for seat, said in grant.approvals.items()} == {
        "agency_administrator:health": "urn:xinqiao:person:health",
        "agency_administrator:market_supervision": "urn:xinqiao:person:market_supervision",
        "security_administrator": "urn:xinqiao:person:security",
    }
    assert acts(store) == [
        ("application.filed", SYSTEM),
        ("application.approved", "urn:xinqiao:person:health"),
        ("application.approved", "urn:xinqiao:person:security"),
        ("application.approved", "urn:xinqiao:person:market_supervision"),
        ("grant.given", "urn:xinqiao:person:market_supervision"),
    ]


def test_who_proposes_has_said_yes_and_cannot_confirm_it(store: Store, now: datetime) -> None:
    specs = shared(market_supervision="conditional")
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, WISH, specs, SECURITY, now)
    with pytest.raises(Conflict), store.write() as conn:
        approve(conn, made.id, SECURITY, now)
    # Even if one person came to hold both duties, his name counts once.
    with pytest.raises(Conflict, match="second person"), store.write() as conn:
        approve(conn, made.id, replace(administrator("market_supervision"), name=SECURITY.name), now)

    assert (made.status, made.missing) == ("waiting", ("agency_administrator:market_supervision",))


def test_one_refusal_is_enough_and_final(store: Store, now: datetime) -> None:
    specs = shared(market_supervision="conditional", health="conditional")
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, WISH, specs, APPLICANT, now)
    with store.write() as conn:
        refuse(conn, made.id, administrator("health"), "用途不明", now)

    with pytest.raises(Conflict), store.write() as conn:
        approve(conn, made.id, administrator("market_supervision"), now)
    with store.read() as conn:
        assert read_application(conn, made.id).reason == "用途不明"


def test_who_has_no_seat_decides_nothing(store: Store, now: datetime) -> None:
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, WISH, shared(market_supervision="conditional"), APPLICANT, now)

    for stranger in (administrator("customs"), administrator("credit_platform")):
        with pytest.raises(NotYours), store.write() as conn:
            approve(conn, made.id, stranger, now)
    for nobody in (APPLICANT, Actor("urn:xinqiao:person:auditor", AUDITOR)):
        with pytest.raises(WrongDuty), store.write() as conn:
            approve(conn, made.id, nobody, now)


def test_nobody_applies_for_the_system_of_another_agency(store: Store, now: datetime) -> None:
    specs = shared(market_supervision="conditional")
    for stranger in (administrator("customs"), Actor("urn:xinqiao:customs:risk", agency="customs")):
        with pytest.raises(NotYours), store.write() as conn:
            apply_for(conn, SYSTEM, WISH, specs, stranger, now)

    with store.read() as conn:
        assert list_applications(conn) == []


def test_the_operator_sits_on_every_seat_and_the_log_says_so(store: Store, now: datetime) -> None:
    with store.write() as conn:
        made = apply_for(
            conn, SYSTEM, WISH, shared(market_supervision="conditional", health="conditional"), APPLICANT, now
        )
        done = approve(conn, made.id, OPERATOR, now)

    assert (done.status, len(done.approvals)) == ("granted", 3)
    query = select(entries.c.body).where(entries.c.action == "application.approved")
    with store.read() as conn:
        assert read_body(conn.execute(query).scalar_one())["bootstrap"] is True


def test_a_change_takes_the_same_two_and_replaces_the_grant_in_one_step(store: Store, now: datetime) -> None:
    specs = shared(market_supervision="conditional")
    with store.write() as conn:
        old = approve(conn, apply_for(conn, SYSTEM, WISH, specs, APPLICANT, now).id, OPERATOR, now).grant_id or ""
        wider = replace(WISH, region_prefixes=())
        change = apply_for(conn, SYSTEM, wider, specs, administrator("market_supervision"), now, replaces=old)
        meanwhile = find_grant(conn, SYSTEM, "penalty", "credit", now)
        done = approve(conn, change.id, SECURITY, now)
        after = find_grant(conn, SYSTEM, "penalty", "credit", now)

    assert (change.status, meanwhile.id, meanwhile.region_prefixes) == ("waiting", old, ("33",))
    assert (after.id, after.region_prefixes) == (done.grant_id, ())
    with store.read() as conn:
        assert read_grant(conn, old).status == "replaced"
    assert acts(store)[-1] == ("grant.changed", SECURITY.name)


def test_a_change_of_what_is_no_longer_there_is_refused(store: Store, now: datetime) -> None:
    specs = shared(market_supervision="conditional")
    with store.write() as conn:
        old = approve(conn, apply_for(conn, SYSTEM, WISH, specs, APPLICANT, now).id, OPERATOR, now).grant_id or ""
        first, second = (apply_for(conn, SYSTEM, WISH, specs, APPLICANT, now, replaces=old) for _ in range(2))
        approve(conn, first.id, OPERATOR, now)
    with pytest.raises(Conflict), store.write() as conn:
        approve(conn, second.id, OPERATOR, now)
    for replaced in (old, "g-none"):
        with pytest.raises((Conflict, NotFound)), store.write() as conn:
            apply_for(conn, SYSTEM, WISH, specs, APPLICANT, now, replaces=replaced)

    with store.read() as conn:
        assert [one.status for one in list_grants(conn)].count("active") == 1


def test_what_is_to_be_shown_in_clear_is_never_without_conditions(store: Store, now: datetime) -> None:
    wish = replace(WISH, columns=WHOLE, unmasked=("legal_representative",))
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, wish, shared(market_supervision="unconditional"), APPLICANT, now)

    assert (made.status, made.share_type, made.providers) == ("waiting", "conditional", ("market_supervision",))


def test_an_application_is_taken_back_by_who_made_it(store: Store, now: datetime) -> None:
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, WISH, shared(market_supervision="conditional"), APPLICANT, now)
    with pytest.raises(NotYours), store.write() as conn:
        retract(conn, made.id, administrator("market_supervision"), "不再需要", now)
    with store.write() as conn:
        gone = retract(conn, made.id, administrator("credit_platform"), "不再需要", now)

    assert (gone.status, acts(store)[-1][0]) == ("retracted", "application.withdrawn")


def test_a_refusal_without_a_reason_is_not_taken(store: Store, now: datetime) -> None:
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, WISH, shared(market_supervision="conditional"), APPLICANT, now)

    with pytest.raises(Invalid), store.write() as conn:
        refuse(conn, made.id, administrator("market_supervision"), "  ", now)


@pytest.mark.parametrize(
    "wish",
    [
        replace(WISH, record_type="secrets"),
        replace(WISH, columns=("nothing",)),
        replace(WISH, valid_until=date(2026, 1, 1)),
        replace(WISH, record_type="complaint", columns=WHOLE),
        replace(WISH, sources=("health/licences",)),
        replace(WISH, percent=0),
        replace(WISH, percent=101),
        replace(WISH, unmasked=("document_no",)),
    ],
    ids=["type", "field", "ends first", "not in the catalogue", "source", "no share", "too large a share", "unmasked"],
)
def test_a_wish_outside_the_catalogue_is_not_taken(store: Store, now: datetime, wish: Wish) -> None:
    with pytest.raises(Invalid), store.write() as conn:
        apply_for(conn, SYSTEM, wish, shared(market_supervision="unconditional"), APPLICANT, now)

    with store.read() as conn:
        assert list_applications(conn) == []


def test_applications_are_seen_by_those_they_concern(store: Store, now: datetime) -> None:
    with store.write() as conn:
        made = apply_for(conn, SYSTEM, WISH, shared(market_supervision="conditional"), APPLICANT, now)
        seen = {
            agency: [one.id for one in list_applications(conn, concerning=agency)]
            for agency in ("credit_platform", "market_supervision", "customs")
        }

    assert seen == {"credit_platform": [made.id], "market_supervision": [made.id], "customs": []}


def test_an_application_nobody_made_is_not_found(store: Store) -> None:
    with store.read() as conn, pytest.raises(NotFound):
        read_application(conn, "a-none")
