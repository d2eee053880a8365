"""Every record type is complete: described, keyed, and careful with people."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

import schemas.records
from schemas.columnar import Contract, contract
from schemas.derived import always_there
from schemas.fields import SENSITIVITIES, SharedField, Text
from schemas.records import RECORD_TYPES

TYPES = sorted(RECORD_TYPES)
DESIGNED = {
    "registration", "licence", "penalty", "abnormal_listing", "credit_listing", "credit_repair", "inspection",
    "product_sampling", "produce_certificate", "trace_event", "customs_registration", "import_refusal",
    "health_licence", "foodborne_event", "complaint",
}  # fmt: skip


@pytest.fixture(params=TYPES)
def agreed(request: pytest.FixtureRequest) -> Contract:
    return contract(request.param)


def test_record_types_are_the_modules_of_the_folder() -> None:
    folder = Path(schemas.records.__file__).parent

    modules = {file.stem for file in folder.glob("*.py") if not file.stem.startswith("_")}

    assert set(RECORD_TYPES) == modules == DESIGNED


def test_every_field_says_what_it_is_where_from_and_who_may_see_it(agreed: Contract) -> None:
    bare = [
        name
        for name, field in agreed.fields.items()
        if not (field.zh and re.search(r"[\u4e00-\u9fff]", field.zh))
        or not re.fullmatch(r"[A-Z0-9].*\.", field.description)
        or not field.source
        or field.sensitivity not in SENSITIVITIES
        or field.metadata["sensitivity"] != field.sensitivity
    ]

    assert bare == []


def test_every_field_of_a_schema_is_a_shared_field(agreed: Contract) -> None:
    assert {n for n, f in agreed.schema().fields.items() if not isinstance(f, SharedField)} == set()


def test_key_fields_exist_and_are_always_there(agreed: Contract) -> None:
    assert agreed.key
    assert [name for name in agreed.key if not always_there(agreed.fields[name])] == []


def test_subject_fields_exist(agreed: Contract) -> None:
    named = [name for name in vars(agreed.subject).values() if name is not None]

    assert named
    assert [name for name in named if name not in agreed.fields] == []


def test_personal_fields_are_never_a_facet_nor_part_of_the_key_nor_of_the_subject(agreed: Contract) -> None:
    public = {*agreed.facets, *agreed.key, *(name for name in vars(agreed.subject).values() if name)}

    assert set(agreed.personal) & public == set()


def test_identity_numbers_and_phones_are_personal(agreed: Contract) -> None:
    about_people = {
        n for n in agreed.fields if n.endswith(("_id_no", "_phone")) or n.startswith(("handler", "complainant"))
    }

    assert about_people == set(agreed.personal)


def test_facets_are_few_and_short(agreed: Contract) -> None:
    long = [n for n in agreed.facets if isinstance(f := agreed.fields[n], Text) and f.max_length > 200]

    assert 1 <= len(agreed.facets) <= 9
    assert long == []


def test_rules_name_fields_that_exist_and_are_no_rules_of_the_key_alone(agreed: Contract) -> None:
    for rule in agreed.schema.rules:
        assert set(rule.fields) <= set(agreed.fields)
        assert not set(rule.fields) <= set(agreed.key), "a withdrawal, which sends the key alone, would be asked it"
        assert not rule.warning or agreed.fields[rule.fields[0]].dtype == pl.String


def test_rule_codes_are_unique(agreed: Contract) -> None:
    codes = [rule.code for rule in agreed.schema.rules]

    assert len(codes) == len(set(codes))


def test_an_unknown_record_type_is_answered_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="no record type 'licenses'; there are .*'licence'"):
        contract("licenses")
