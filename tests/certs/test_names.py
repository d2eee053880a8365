"""The names certificates carry: one spelling each, read back as they were written."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs import names
from certs.names import DUTIES, PART, PERSON, PersonName, SystemName, parse_uri

PARTS = st.from_regex(PART, fullmatch=True)


@given(agency=PARTS.filter(lambda part: part != PERSON), system=PARTS)
def test_a_system_is_read_back_as_it_was_written(agency: str, system: str) -> None:
    name = SystemName(agency, system)

    assert parse_uri(name.uri) == name


@given(person=PARTS, duty=st.sampled_from(DUTIES), agency=PARTS)
def test_a_person_is_read_back_as_it_was_written(person: str, duty: str, agency: str) -> None:
    name = PersonName(person, duty, agency if duty == "agency_administrator" else "")

    assert parse_uri(name.uri) == name


@given(st.text())
def test_any_other_text_is_no_name_and_never_crashes(text: str) -> None:
    for uri in (text, f"urn:xinqiao:{text}", f"urn:xinqiao:person:{text}", f"urn:xinqiao:person:a?={text}"):
        try:
            name = parse_uri(uri)
        except ValueError:
            continue
        assert name.uri == uri


@pytest.mark.parametrize("bad", ["", "A", "a b", "a/b", "../a", "a:b", "-a", "a" * 64, "市场", "a\n"])
def test_a_part_that_could_mean_something_else_is_refused(bad: str) -> None:
    for make in (lambda: SystemName(bad, "x"), lambda: SystemName("x", bad), lambda: PersonName(bad, "auditor")):
        with pytest.raises(ValueError, match="expected"):
            make()


def test_no_agency_is_called_person() -> None:
    with pytest.raises(ValueError, match="which stands for people"):
        SystemName("person", "front")


def test_the_examples_in_the_module_are_true() -> None:
    assert doctest.testmod(names).failed == 0
