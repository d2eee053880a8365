"""Duties kept apart: who may do what, and that nobody reaches both data and the log of its use."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from certs.names import DUTIES
from certs.verify import Identity
from gateway.access.duties import DATA, LOG, TITLES, Act, demand, demand_duty
from gateway.access.errors import WrongDuty


def person(duty: str, agency: str = "") -> Identity:
    return _identity("urn:xinqiao:person:zhang.san", agency=agency, person="zhang.san", duty=duty)


def _identity(urn: str, *, agency: str = "", system: str = "", person: str = "", duty: str = "") -> Identity:
    return Identity(urn, agency, system, person, duty, "00" * 20, "00" * 32, datetime(2027, 1, 1, tzinfo=UTC))


SYSTEM = _identity("urn:xinqiao:health:clinic", agency="health", system="clinic")


def test_no_duty_reaches_both_data_and_the_log_of_its_use() -> None:
    sees_data = {duty for act in DATA for duty in act.duties}
    sees_log = {duty for act in LOG for duty in act.duties}

    assert sees_data & sees_log == set()


def test_people_read_no_records_and_systems_have_no_duty() -> None:
    for duty in DUTIES:
        with pytest.raises(WrongDuty):
            demand(person(duty, "health"), Act.READ_RECORDS)
    for act in Act:
        with pytest.raises(WrongDuty):
            demand(SYSTEM, act)


@pytest.mark.parametrize("act", [act for act in Act if act.duties])
def test_an_act_is_done_by_its_duties_and_nobody_else(act: Act) -> None:
    assert {duty for duty in DUTIES if _may(duty, act)} == set(act.duties)


def _may(duty: str, act: Act) -> bool:
    try:
        return demand(person(duty, "health"), act).duty == duty
    except WrongDuty:
        return False


def test_an_agency_administrator_acts_for_its_own_agency_only() -> None:
    administrator = person("agency_administrator", "health")

    assert demand(administrator, Act.DECIDE, "health") == administrator
    with pytest.raises(WrongDuty, match="customs"):
        demand(administrator, Act.DECIDE, "customs")


def test_the_refusal_names_the_duty_that_is_needed_and_the_one_that_was_shown() -> None:
    with pytest.raises(WrongDuty) as caught:
        demand_duty(person("auditor"), ("security_administrator",))

    zh, en = caught.value.zh, caught.value.en
    assert all(title in zh for title in (TITLES["auditor"][0], TITLES["security_administrator"][0]))
    assert all(title in en for title in (TITLES["auditor"][1], TITLES["security_administrator"][1]))
