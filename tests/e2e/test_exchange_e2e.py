"""Exchanges under a real scheduler whose tasks are killed: what was begun is finished by the next try or run."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from sqlalchemy import select

from gateway.audit.tables import entries
from gateway.dag_names import dag_id, pool_name
from gateway.demo.show import Show
from gateway.demo.story import Stage, running
from gateway.settings import Settings
from gateway.store.tables import deliveries

pytestmark = [pytest.mark.serial, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    settings = Settings(home=tmp_path_factory.mktemp("killed") / "home", port=0)
    with running(settings, seed=7, size=60, show=Show(Console(file=io.StringIO()))) as stage:
        for agency in ("customs", "credit_platform"):
            stage.airflow.make_pool(pool_name(agency), 2, agency)
        stage.airflow.unpause("exchange")
        yield stage


def test_a_killed_receive_is_tried_again_and_the_run_is_green(stage: Stage) -> None:
    identifier = dag_id("credit_platform/redlist")
    _misbehave(stage, "credit_platform_rest", "timeout")
    run_id = stage.airflow.trigger(identifier)
    _kill_task(stage, identifier, run_id, "receive")
    _misbehave(stage, "credit_platform_rest", None)

    state = _ended(stage, identifier, run_id)

    tasks = stage.airflow.tasks(identifier, run_id)
    assert state == "success"
    assert {name: (task["state"], task["try_number"]) for name, task in tasks.items()} == {
        "receive": ("success", 2),
        "stage": ("skipped", 0),
        "land": ("success", 1),
    }
    assert _statuses(stage, "credit_platform/redlist") == ["landed"]


def test_a_killed_landing_leaves_nothing_half_is_noted_and_the_next_run_lands_it(stage: Stage) -> None:
    identifier = dag_id("customs/registrations")
    run_id = stage.airflow.trigger(identifier)
    _until(lambda: stage.airflow.tasks(identifier, run_id)["receive"]["state"] == "success")
    # SQLite takes one writer at a time: while this block lasts, the landing waits to begin.
    with stage.store.write():
        _kill_task(stage, identifier, run_id, "land")

    state = _ended(stage, identifier, run_id)
    left = _statuses(stage, "customs/registrations")
    _until(lambda: _failures(stage) != [])
    noted = _failures(stage)
    again = stage.airflow.trigger(identifier)

    assert (state, left) == ("failed", ["received"])
    assert noted == [("customs/registrations", "task_failure", run_id)]
    assert _ended(stage, identifier, again) == "success"
    first, second = stage.airflow.result(identifier, again, "land")
    assert first["new"] > 0
    assert second["delivery_id"] == first["delivery_id"]
    assert _statuses(stage, "customs/registrations") == ["landed", "repeated"]


def _misbehave(stage: Stage, endpoint: str, how: str | None) -> None:
    control = stage.sandbox.addresses["control"]
    httpx.post(
        f"{control['url']}/misbehave",
        json={"endpoint": endpoint, "how": how},
        headers={"Authorization": f"Bearer {control['token']}"},
        trust_env=False,
    ).raise_for_status()


def _kill_task(stage: Stage, identifier: str, run_id: str, task: str) -> None:
    """End the process of a task the hard way, a second into its work."""
    _until(lambda: stage.airflow.tasks(identifier, run_id)[task]["state"] == "running")
    title = f"airflow worker -- {stage.airflow.tasks(identifier, run_id)[task]['id']}"
    _until(lambda: _process_of(title) is not None)
    time.sleep(3)
    process = _process_of(title)
    assert process is not None, f"{task} ended before it could be killed"
    os.kill(process, signal.SIGKILL)


def _process_of(title: str) -> int | None:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip() == title:
                return int(file.parent.name)
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
    return None


def _ended(stage: Stage, identifier: str, run_id: str) -> str:
    def state() -> str:
        run = stage.airflow.run_states([identifier])[identifier]
        assert run["dag_run_id"] == run_id
        return str(run["state"])

    _until(lambda: state() in ("success", "failed"))
    return state()


def _until(is_so: Callable[[], bool], timeout_s: float = 90) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def _statuses(stage: Stage, source: str) -> list[str]:
    query = select(deliveries.c.status).where(deliveries.c.source == source).order_by(deliveries.c.id)
    with stage.store.read() as conn:
        return list(conn.execute(query).scalars())


def _failures(stage: Stage) -> list[tuple[Any, ...]]:
    query = select(entries.c.body).where(entries.c.action == "run.failed").order_by(entries.c.id)
    with stage.store.read() as conn:
        noted = [json.loads(body) for body in conn.execute(query).scalars()]
    return [(entry["source"], entry["reason"], entry["run_id"]) for entry in noted]
