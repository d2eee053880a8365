"""The installation that the DAG tests share: running a DAG, asking what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from connectors.sandbox.serve import Sandbox
from gateway.audit.tables import entries, read_body
from gateway.dag_names import dag_id
from gateway.home import open_home
from gateway.settings import Settings
from gateway.store.tables import deliveries, positions, versions_table
from schemas.records import RECORD_TYPES


@dataclass(frozen=True)
class Run:
    """A DAG run that has ended.

    Attributes:
        state: success or failed.
        tasks: task -> (state, number of the last try).
        results: task -> what it returned; only of tasks that succeeded.
        received: ids of the deliveries that ``receive`` gave on.
        failures: what the audit log says about this run's failure, oldest first.
    """

    run_id: str
    state: str
    tasks: dict[str, tuple[str, int]]
    results: dict[str, Any]
    received: list[str]
    failures: list[dict[str, Any]]


@dataclass(frozen=True)
class Installation:
    """A home, the agencies it talks to, and the DAGs as Airflow loads them."""

    settings: Settings
    sandbox: Sandbox
    bag: Any

    def run(self, identifier: str, on_retry: Callable[[dict[str, Any]], None] | None = None) -> Run:
        """Run a DAG to its end in this process; a retry waits a tenth of a second and no longer.

        Args:
            on_retry: called before a task is tried again.
        """
        dag = self.bag.dags[identifier]
        for task in dag.tasks:
            task.retry_delay = timedelta(seconds=0.1)
            task.retry_exponential_backoff = 0.0
            task.on_retry_callback = [on_retry] if on_retry else []
        ended = dag.test()
        tasks = {ti.task_id: ti for ti in ended.get_task_instances()}
        return Run(
            ended.run_id,
            str(ended.state),
            {name: (str(ti.state), ti.try_number) for name, ti in tasks.items()},
            {name: ti.xcom_pull(task_ids=name) for name, ti in tasks.items() if ti.state == "success"},
            (tasks["receive"].xcom_pull(task_ids="receive", key="deliveries") or []) if "receive" in tasks else [],
            [entry for entry in self.entries("run.failed") if entry["run_id"] == ended.run_id],
        )

    def exchange(self, source: str, on_retry: Callable[[dict[str, Any]], None] | None = None) -> Run:
        """Run the DAG of a source."""
        return self.run(dag_id(source), on_retry)

    @contextmanager
    def misbehaving(self, endpoint: str, how: str) -> Iterator[None]:
        """An agency misbehaves within the block."""
        self.sandbox.misbehave(endpoint, how)
        try:
            yield
        finally:
            self.sandbox.misbehave(endpoint, None)

    def entries(self, action: str) -> list[dict[str, Any]]:
        """Audit entries of one kind, oldest first."""
        query = select(entries.c.body).where(entries.c.action == action).order_by(entries.c.id)
        return [read_body(row.body) for row in self._all(query)]

    def last_positions(self) -> dict[str, int]:
        """Record type -> the last position of its feed."""
        return {
            row.record_type: row.last_seq for row in self._all(select(positions)) if row.record_type in RECORD_TYPES
        }

    def deliveries(self, source: str) -> list[Any]:
        """Rows of the register, oldest first."""
        return self._all(select(deliveries).where(deliveries.c.source == source).order_by(deliveries.c.id))

    def version_count(self, record_type: str, delivery_id: str) -> int:
        """How many versions a delivery made."""
        versions = versions_table(record_type)
        return len(self._all(select(versions.c.seq).where(versions.c.delivery_id == delivery_id)))

    def log_size(self) -> int:
        """How many entries the log holds."""
        return len(self._all(select(entries.c.id)))

    def _all(self, query: Any) -> list[Any]:
        store = open_home(self.settings)
        try:
            with store.read() as conn:
                return list(conn.execute(query).all())
        finally:
            store.close()
