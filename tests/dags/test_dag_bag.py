"""The DAGs as Airflow loads them, before anything runs."""

from __future__ import annotations

import json
import subprocess
import sys

from connectors.registry import AGENCIES, source_names, sources
from gateway.dag_names import dag_id, source_of
from tests.dags.installation import Installation

DERIVED = {"derived__link_waiting", "derived__notify", "derived__verify_log"}


def test_every_source_folder_is_a_dag_and_two_more_are_derived(installation: Installation) -> None:
    folders = {f"{file.parents[1].name}__{file.parent.name}" for file in AGENCIES.glob("*/*/source.yml")}

    assert installation.bag.import_errors == {}
    assert set(installation.bag.dags) == folders | DERIVED
    assert len(installation.bag.dags) == len(folders) + len(DERIVED)


def test_every_exchange_asks_in_its_agencys_pool_and_never_retries_a_landing(installation: Installation) -> None:
    expected = {
        (spec.source, task, pool, retries, outlets)
        for spec in sources().values()
        for task, pool, retries, outlets in (
            ("receive", f"agency_{spec.agency}", 3, ()),
            # Asks no agency; a lost worker's part goes on elsewhere.
            ("stage", "default_pool", 2, ()),
            ("land", f"agency_{spec.agency}", 0, (f"xinqiao://records/{spec.record_type}",)),
        )
    }

    found = {
        (name, task.task_id, task.pool, task.retries, tuple(asset.uri for asset in task.outlets))
        for name in sources()
        for task in installation.bag.dags[dag_id(name)].tasks
    }

    assert found == expected


def test_no_dag_lets_a_red_run_go_unnoted(installation: Installation) -> None:
    silent = [
        identifier
        for identifier, dag in installation.bag.dags.items()
        if not dag.on_failure_callback or not all(task.on_failure_callback for task in dag.tasks)
    ]

    assert silent == []


def test_an_exchange_never_runs_beside_itself_and_asks_at_its_sources_time(installation: Installation) -> None:
    found = {
        name: (dag.max_active_runs, dag.catchup, dag.timetable.serialize())
        for name in sources()
        if (dag := installation.bag.dags[dag_id(name)]).schedule is not None
    }

    assert found == {
        spec.source: (1, False, {"expression": spec.schedule, "timezone": "Asia/Shanghai"})
        for spec in sources().values()
        if spec.schedule
    }


def test_a_source_is_found_again_by_the_name_of_its_dag() -> None:
    assert [source_of(dag_id(name)) for name in source_names()] == source_names()


def test_loading_the_dags_of_a_task_loads_nothing_heavy_and_no_other_source() -> None:
    program = """
import json, sys
from airflow.sdk import get_parsing_context
import dags.derived, dags.exchanges
heavy = sorted({"polars", "zeep", "flask", "lxml.etree", "openpyxl", "gateway.store"} & set(sys.modules))
print(json.dumps([heavy, sorted(name for name in vars(dags.exchanges) if "__" in name.strip("_"))]))
"""
    environ = {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": "health__licences", "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "land"}

    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(ended.stdout.splitlines()[-1]) == [[], ["health__licences"]]
