"""Exchange DAGs that run well: one for every transport, and the same again."""

from __future__ import annotations

import pytest

from connectors.registry import source
from tests.dags.installation import Installation

ONE_PER_TRANSPORT = {
    "soap": "customs/registrations",
    "rest": "credit_platform/redlist",
    "files": "agriculture/produce_sampling",
    "tables": "health/licences",
}
GREEN = {"receive": ("success", 1), "stage": ("skipped", 0), "land": ("success", 1)}


@pytest.mark.parametrize(("transport", "name"), ONE_PER_TRANSPORT.items())
def test_a_run_lands_what_the_agency_has_and_a_second_run_lands_nothing_new(
    installation: Installation, transport: str, name: str
) -> None:
    record_type = source(name).record_type
    before = installation.last_positions()

    first = installation.exchange(name)
    after_first = installation.last_positions()
    second = installation.exchange(name)

    assert source(name).transport == transport
    assert (first.state, first.tasks, first.failures) == ("success", GREEN, [])
    (landed,) = first.results["land"]
    assert (first.received, first.results["receive"]) == ([landed["delivery_id"]], [])
    assert landed["received"] == landed["accepted"] + landed["rejected"]
    assert landed["accepted"] >= landed["new"] > 0
    assert (landed["changed"], landed["withdrawn"]) == (0, 0)
    assert after_first == before | {record_type: before[record_type] + landed["new"]}
    assert installation.version_count(record_type, landed["delivery_id"]) == landed["new"]

    assert (second.state, second.tasks) == ("success", GREEN)
    assert installation.last_positions() == after_first


def test_only_the_ids_of_deliveries_and_the_counts_travel_between_tasks(installation: Installation) -> None:
    run = installation.exchange("market_supervision/penalties")

    registered = [row.id for row in installation.deliveries("market_supervision/penalties")]
    assert run.received == registered
    assert [receipt["delivery_id"] for receipt in run.results["land"]] == registered
    assert {type(value) for receipt in run.results["land"] for value in receipt.values()} == {str, int}
