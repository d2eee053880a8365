"""Sources that misbehave: the run ends red with the reason, and nothing is half-landed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from tests.dags.installation import Installation

GREEN = {"receive": ("success", 1), "stage": ("skipped", 0), "land": ("success", 1)}
LAND_REFUSED = {"receive": ("success", 1), "stage": ("skipped", 0), "land": ("failed", 1)}


def test_a_renamed_column_is_refused_once_named_and_kept_and_lands_when_mended(installation: Installation) -> None:
    name = "market_supervision/complaints"
    before = installation.last_positions()

    with installation.misbehaving("market_supervision_rest", "renamed_column"):
        red = installation.exchange(name)
    after_red = installation.last_positions()
    (refused,) = installation.deliveries(name)
    mended = installation.exchange(name)

    assert (red.state, red.tasks) == ("failed", LAND_REFUSED)
    (noted,) = red.failures
    assert (noted["source"], noted["actor"]) == (name, "airflow")
    assert noted["reason"].startswith("[source_changed] ")
    assert "missing respondent." in noted["reason"]
    assert after_red == before
    assert (refused.id, refused.status) == (red.received[0], "refused")
    assert all((installation.settings.home / part["path"]).stat().st_size == part["size"] for part in refused.parts)

    assert (mended.state, mended.tasks, mended.failures) == ("success", GREEN, [])
    assert installation.last_positions()["complaint"] - before["complaint"] == mended.results["land"][0]["new"] > 0


@pytest.mark.parametrize("how", ["error_500", "truncated"])
def test_a_source_that_stays_broken_is_asked_four_times_and_nothing_is_registered(
    installation: Installation, how: str
) -> None:
    name = "agriculture/trace_events"
    before = installation.last_positions()

    with installation.misbehaving("agriculture_rest", how):
        red = installation.exchange(name)

    assert (red.state, red.tasks) == (
        "failed",
        {"receive": ("failed", 4), "stage": ("upstream_failed", 0), "land": ("upstream_failed", 0)},
    )
    assert [noted["reason"].split("]")[0] for noted in red.failures] == ["[unavailable"]
    assert installation.deliveries(name) == []
    assert installation.last_positions() == before


def test_an_outage_that_ends_costs_one_retry_and_nothing_else(installation: Installation) -> None:
    sandbox, retried = installation.sandbox, []

    def recover(context: dict[str, object]) -> None:
        retried.append(str(context["exception"]))
        sandbox.misbehave("health_rest", None)

    with installation.misbehaving("health_rest", "error_500"):
        run = installation.exchange("health/foodborne_events", on_retry=recover)

    assert (run.state, run.failures) == ("success", [])
    assert run.tasks == {"receive": ("success", 2), "stage": ("skipped", 0), "land": ("success", 1)}
    assert len(retried) == 1
    assert "500" in retried[0]


def test_an_expired_certificate_is_for_a_person_and_is_not_retried(installation: Installation) -> None:
    with installation.misbehaving("credit_platform_rest", "expired_certificate"):
        red = installation.exchange("credit_platform/repairs")

    assert (red.state, red.tasks) == (
        "failed",
        {"receive": ("failed", 1), "stage": ("upstream_failed", 0), "land": ("upstream_failed", 0)},
    )
    assert [noted["reason"].split("]")[0] for noted in red.failures] == ["[refused"]


def test_half_a_snapshot_withdraws_nothing(installation: Installation) -> None:
    name = "market_supervision/abnormal_listings"
    whole = installation.exchange(name)
    before = installation.last_positions()

    with installation.misbehaving("market_supervision_rest", "half_empty"):
        red = installation.exchange(name)
    after_red = installation.last_positions()
    again = installation.exchange(name)

    assert whole.results["land"][0]["new"] > 0
    assert (red.state, red.tasks) == ("failed", LAND_REFUSED)
    assert [noted["reason"].split("]")[0] for noted in red.failures] == ["[expectation_failed"]
    assert after_red == before
    assert (again.state, installation.last_positions()) == ("success", before)


def test_a_run_whose_task_was_killed_is_noted_by_the_run_and_once(installation: Installation) -> None:
    from dags.failures import note_failed_run

    # All that Airflow gives the callback of a run when no task is left to speak.
    dag = installation.bag.dags["health__penalties"]
    killed = {"dag": dag, "run_id": "killed", "reason": "task_failure"}
    begun = datetime.now(UTC) - timedelta(minutes=1)

    note_failed_run(killed)
    note_failed_run({**killed, "dag_run": SimpleNamespace(start_date=begun)})

    noted = [entry for entry in installation.entries("run.failed") if entry["run_id"] == "killed"]
    assert [(entry["source"], entry["reason"]) for entry in noted] == [("health/penalties", "task_failure")]


def test_a_run_that_was_cleared_and_failed_again_is_noted_again(installation: Installation) -> None:
    from dags.failures import note_failed_run

    dag = installation.bag.dags["derived__verify_log"]
    failed = {"dag": dag, "run_id": "cleared", "reason": "task_failure"}
    note_failed_run(failed)

    note_failed_run({**failed, "dag_run": SimpleNamespace(start_date=datetime.now(UTC))})

    noted = [entry for entry in installation.entries("run.failed") if entry["run_id"] == "cleared"]
    assert [entry["source"] for entry in noted] == ["derived/verify_log"] * 2
