"""Running every source through its Airflow DAG and collecting what each delivery came to."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.registry import sources
from gateway.dag_names import dag_id, pool_name
from gateway.demo.airflow import Airflow

_COUNTS = ("received", "accepted", "rejected", "unresolved", "new", "changed", "unchanged", "withdrawn")
_ENDED = ("success", "failed")


@dataclass(frozen=True)
class Exchange:
    """One DAG run and what it landed.

    Attributes:
        source: ``<agency>/<source>``.
        state: of the DAG run.
        counts: received, accepted, rejected, unresolved, new, changed, unchanged, withdrawn; summed over deliveries.
        seconds: from the start of the run to its end.
    """

    source: str
    state: str
    counts: Mapping[str, int]
    seconds: float


def run_all(airflow: Airflow, told: Callable[[Mapping[str, str]], None], timeout_s: float = 300) -> list[Exchange]:
    """Trigger every exchange DAG, wait until all have ended, and read their results.

    Args:
        told: called about once a second with source -> state of its run.

    Raises:
        TimeoutError: a run has not ended in time; names the runs.
    """
    ids = {source: dag_id(source) for source in sources()}
    for agency in sorted({spec.agency for spec in sources().values()}):
        airflow.make_pool(pool_name(agency), 2, f"tasks that ask {agency} at one time")
    # All are ordered before the first one starts: orders and tasks would wait for each other.
    for identifier in ids.values():
        airflow.trigger(identifier)
    airflow.unpause("exchange")
    deadline = time.monotonic() + timeout_s
    while True:
        runs = airflow.run_states(ids.values())
        states = {source: runs.get(identifier, {}).get("state", "queued") for source, identifier in ids.items()}
        told(states)
        open_runs = [source for source, state in states.items() if state not in _ENDED]
        if not open_runs:
            return [_exchange(airflow, source, runs[identifier]) for source, identifier in ids.items()]
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {timeout_s:.0f} s these runs had not ended: {open_runs}")
        time.sleep(1)


def _exchange(airflow: Airflow, source: str, run: Mapping[str, Any]) -> Exchange:
    receipts = airflow.result(run["dag_id"], run["dag_run_id"], "land") if run["state"] == "success" else []
    counts = {name: sum(receipt.get(name) or 0 for receipt in receipts) for name in _COUNTS}
    begun, ended = (datetime.fromisoformat(run[name]) for name in ("start_date", "end_date"))
    return Exchange(source, run["state"], counts, (ended - begun).total_seconds())
