"""The gateway's own way in, over the REST services and drop folders: received, decoded, mapped, judged."""

from __future__ import annotations

from collections.abc import Iterator
from time import sleep

import polars as pl
import pytest

from connectors.delivery import Mapped
from connectors.errors import SourceChanged, Unavailable, Undecodable
from connectors.registry import source
from connectors.sandbox.serve import Sandbox, start
from schemas.columnar import contract
from tests.connectors.sandbox.pulling import mapped, pull

REST = (
    "market_supervision/abnormal_listings",
    "market_supervision/complaints",
    "agriculture/produce_certificates",
    "agriculture/trace_events",
    "health/foodborne_events",
    "credit_platform/blacklist",
    "credit_platform/redlist",
    "credit_platform/repairs",
)
FILES = (
    "market_supervision/licences",
    "market_supervision/penalties",
    "market_supervision/food_sampling",
    "market_supervision/company_list",
    "agriculture/produce_sampling",
    "customs/import_refusals",
)
SETTLED_S = 1.1
"""Longer than ``settle_seconds`` of the one folder whose files bring no mark."""


def accepted(found: Mapped, name: str) -> pl.DataFrame:
    judged = contract(source(name).record_type).judge(found.frame).accepted
    return judged.join(found.faults.select("_row"), on="_row", how="anti")


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A world in which every source has rows; nobody changes it, its folders have settled."""
    running = start(tmp_path_factory.mktemp("larger"), seed=7, size=300)
    sleep(SETTLED_S)
    yield running
    running.stop()


@pytest.mark.parametrize("name", [*REST, *FILES])
def test_nearly_every_row_is_accepted_and_every_column_accounted_for(larger: Sandbox, name: str) -> None:
    deliveries = [mapped(delivery) for delivery in pull(larger, name)]

    rows = sum(found.frame.height for found in deliveries)
    good = sum(accepted(found, name).height for found in deliveries)
    assert rows >= 8
    assert 0.85 < good / rows <= 1
    assert [f.column for found in deliveries for f in found.findings if f.rule == "column.unexpected"] == []


def test_three_rows_in_a_hundred_are_refused_each_with_its_faults(larger: Sandbox) -> None:
    rows, good, rules = 0, 0, set()
    for name in (*REST, *FILES):
        for delivery in pull(larger, name):
            found = mapped(delivery)
            judged = contract(source(name).record_type).judge(found.frame)
            rows, good = rows + found.frame.height, good + judged.accepted.height
            assert set(found.frame["_row"]) == set(judged.accepted["_row"]) | set(judged.faults["_row"])
            rules |= set(judged.faults["rule"])

    assert 0.95 < good / rows < 0.995
    assert rules >= {"uscc.check_character", "uscc.length", "code.unknown"}


def test_both_forms_of_the_double_publicity_fill_the_same_two_codes(larger: Sandbox) -> None:
    forms = {found.form: found.frame for found in map(mapped, pull(larger, "market_supervision/licences"))}

    filled = {
        form: (
            frame["subject_organisation_code"].str.contains(r"^[0-9A-Z]{8}-[0-9X]$").all(),
            frame["subject_registration_no"].drop_nulls().str.len_chars().eq(15).all(),
        )
        for form, frame in forms.items()
    }

    assert filled == {"2015": (True, True), "2018": (True, True)}


def test_a_sample_of_several_items_keeps_its_number_on_every_row(larger: Sandbox) -> None:
    (delivery,) = pull(larger, "market_supervision/food_sampling")

    frame = mapped(delivery).frame

    assert frame["sampling_no"].null_count() == 0
    assert frame["sampling_no"].n_unique() < frame.height == frame.select("sampling_no", "item").n_unique()


def test_a_snapshot_of_the_next_day_lacks_what_was_taken_off(own_sandbox: Sandbox) -> None:
    name, key = "credit_platform/redlist", "document_no"
    before = {row[key] for row in accepted(mapped(pull(own_sandbox, name)[0]), name).to_dicts()}
    own_sandbox.advance()

    after = {row[key] for row in accepted(mapped(pull(own_sandbox, name)[0]), name).to_dicts()}

    assert len(before - after) == 1
    assert after - before


def test_a_void_certificate_arrives_as_a_withdrawal(larger: Sandbox) -> None:
    name = "agriculture/produce_certificates"

    operations = accepted(mapped(pull(larger, name)[0]), name)["_op"].value_counts()

    assert dict(operations.rows())["withdraw"] >= 1


def test_the_next_pull_asks_only_from_where_the_last_one_ended(own_sandbox: Sandbox) -> None:
    name = "market_supervision/complaints"
    (first,) = pull(own_sandbox, name)
    own_sandbox.advance()

    (second,) = pull(own_sandbox, name, first.cursor)

    assert mapped(second).frame.height < mapped(first).frame.height
    assert second.cursor is not None
    assert first.cursor is not None
    assert second.cursor > first.cursor


def test_a_page_that_comes_twice_is_not_taken_for_two_pages(larger: Sandbox) -> None:
    larger.misbehave("agriculture_rest", "duplicate_page")
    try:
        with pytest.raises(Unavailable):
            pull(larger, "agriculture/trace_events")
    finally:
        larger.misbehave("agriculture_rest", None)


@pytest.mark.parametrize(
    ("name", "how", "error"),
    [
        ("market_supervision/licences", "renamed_column", SourceChanged),
        ("market_supervision/penalties", "truncated", Undecodable),
        ("market_supervision/company_list", "renamed_column", SourceChanged),
    ],
)
def test_a_bad_file_stops_alone(own_sandbox: Sandbox, name: str, how: str, error: type[Exception]) -> None:
    own_sandbox.misbehave("market_supervision_drop", how)

    deliveries = pull(own_sandbox, name)

    bad = [delivery for delivery in deliveries if how in delivery.parts[0].name]
    good = [mapped(delivery).frame.height for delivery in deliveries if delivery not in bad]
    assert bad
    assert min(good) > 0
    for delivery in bad:
        with pytest.raises(error):
            mapped(delivery)
