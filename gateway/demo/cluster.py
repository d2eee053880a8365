"""Airflow on several machines, as far as one machine can show it: CeleryExecutor, PostgreSQL, Redis, workers.

Each worker is a process tree of its own and is given what a machine of its own would be given:
the broker, the address of the API server and the store; neither Airflow's database nor its secrets.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
from sqlalchemy import URL

from gateway.demo.airflow import Airflow
from gateway.demo.broker import Broker
from gateway.demo.worker import VARIABLE, worker_name
from gateway.server.process import environment

SLOTS = 2
"""Tasks that one worker runs at a time."""

_LOST_AFTER_S = 15
"""A task whose worker has not been heard of for this long is taken to be lost. Airflow's default is 300."""

_FOR_WORKERS = (
    "AIRFLOW__CORE__DAGS_FOLDER",
    "AIRFLOW__CORE__LOAD_EXAMPLES",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW__CELERY__RESULT_BACKEND",
    "AIRFLOW__LOGGING__LOGGING_LEVEL",
    "PYTHONWARNINGS",
)


@dataclass
class Cluster(Airflow):
    """Airflow whose tasks run on workers.

    Attributes:
        metadata: PostgreSQL database of Airflow's own, psycopg 3.
        broker: running.
        workers: names of the workers.
    """

    metadata: URL = field(kw_only=True)
    broker: Broker = field(kw_only=True)
    workers: tuple[str, ...] = ("worker1", "worker2")

    def _environment(self, port: int, schedules: bool) -> dict[str, str]:
        url = self.metadata.render_as_string(hide_password=False)
        return super()._environment(port, schedules) | {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": url.replace("+psycopg:", "+psycopg_async:", 1),
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": self.broker.url,
            # Results over the broker too: a database as result backend would give every worker its password.
            "AIRFLOW__CELERY__RESULT_BACKEND": self.broker.url,
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(_LOST_AFTER_S),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        }

    def _start_workers(self, environ: dict[str, str]) -> None:
        for worker in self.workers:
            self.start_worker(worker, environ)

    def start_worker(self, worker: str, environ: dict[str, str]) -> None:
        """Start one worker with a folder of its own."""
        folder = self.home / worker
        folder.mkdir(exist_ok=True)
        given = {name: environ[name] for name in _FOR_WORKERS if name in environ}
        own = (
            environment(self.settings)
            | given
            | {
                "AIRFLOW_HOME": str(folder),
                VARIABLE: worker,
                "AIRFLOW__CORE__HOSTNAME_CALLABLE": f"{worker_name.__module__}.{worker_name.__name__}",
                # Read by Airflow when it starts and never connected to: a worker has no database.
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder / 'none.db'}",
            }
        )
        arguments = ["celery", "worker", "--skip-serve-logs", "-c", str(SLOTS), "-q", "default"]
        self._spawn(worker, [*arguments, "--celery-hostname", f"{worker}@%h", "--pid", str(folder / "worker.pid")], own)

    def kill_worker(self, worker: str) -> None:
        """End a worker and whatever it runs at once, as a machine does that loses its power."""
        process = self._processes.pop(worker)
        tree = psutil.Process(process.pid)
        for one in (tree, *tree.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()

    def task_list(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Every task of a run, mapped ones one by one: ``task_id``, ``map_index``, ``state``, ``hostname`` and more."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found: list[dict[str, Any]] = self._call("GET", path, params={"limit": 1000})["task_instances"]
        return sorted(found, key=lambda task: (task["task_id"], task["map_index"]))
