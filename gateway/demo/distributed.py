"""One delivery staged by two workers, and one worker lost on the way: nothing is lost and nothing doubled.

Everything is real: PostgreSQL for records and for Airflow, Redis as broker, CeleryExecutor, two workers
as process trees of their own. What two machines would share over a network they share here as folders.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

from gateway.audit.verify import verify
from gateway.bench.mixed import mixed_rows
from gateway.bench.postgres import database, running_postgres
from gateway.clock import utc_now
from gateway.dag_names import dag_id, pool_name
from gateway.demo.broker import Broker
from gateway.demo.cluster import Cluster
from gateway.demo.show import Show
from gateway.home import initialise, open_home
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.tables import versions_table

SOURCE = "market_supervision/company_list"
DAG = dag_id(SOURCE)
PARTS = 8
"""Into about how many parts a delivery of the demo is divided."""

_ENDED = ("success", "failed")
_HEADINGS = ("企业名称", "统一社会信用代码", "注册日期", "注册资金", "所在省份", "地区")


@dataclass
class Field:
    """What runs during the demo."""

    store: Store
    cluster: Cluster
    drop: Path


@contextmanager
def running(settings: Settings, rows: int, show: Show) -> Iterator[Field]:
    """Start the servers and two workers; all of them end with the block."""
    with ExitStack() as ending:
        with show.step("PostgreSQL、Redis、新建 XINQIAO_HOME", "PostgreSQL, Redis, a new home"):
            server = ending.enter_context(running_postgres())
            metadata = ending.enter_context(database(server, "airflow"))
            records = ending.enter_context(database(server, "xinqiao"))
            url = records.render_as_string(hide_password=False)
            own = replace(settings, database_url=url, part_bytes=_size_of(rows) // PARTS)
            initialise(own, utc_now())
            drop = own.home / "drop" / "market_supervision"
            drop.mkdir(parents=True)
            endpoints = "endpoints:\n  market_supervision_drop: {url: drop/market_supervision}\n"
            (own.home / "connections.yml").write_text(endpoints, "utf-8")
            broker = Broker(own.home / "broker")
            broker.start()
            ending.callback(broker.stop)
            store = ending.enter_context(open_home(own))
        cluster = Cluster(own, metadata=metadata, broker=broker)
        ending.callback(cluster.stop)
        with show.step("Airflow：CeleryExecutor，两个工作节点", "Airflow: CeleryExecutor, two workers"):
            cluster.start()
            cluster.wait_until_ready([DAG])
            cluster.make_pool(pool_name("market_supervision"), 2, "tasks that ask market supervision at one time")
            cluster.unpause("exchange")
        yield Field(store, cluster, drop)


def tell(field: Field, rows: int, show: Show) -> dict[str, Any]:
    """Two deliveries: one by both workers, one on which a worker is lost; returns the summary for programs."""
    with show.step(f"{rows:,} 行，由两个节点分段暂存", f"{rows:,} rows, staged in parts by two workers"):
        together = _exchange(field, 0, rows)
    show.tasks(together)
    with show.step("又一份；途中一个节点断电", "another one; a worker is lost on the way"):
        survived = _exchange(field, rows, rows, lose="worker1")
    show.tasks(survived)
    landed = _landed(field.store)
    report = verify(field.store)
    show.audit(report, field.store.settings)
    workers = Counter(task["hostname"] for task in together if task["task_id"] == "stage")
    retried = [task["map_index"] for task in survived if task["task_id"] == "stage" and task["try_number"] > 1]
    accepted = sum(landed)
    return {
        "ok": report.ok and len(workers) == 2 and bool(retried) and landed == [rows, rows],
        "rows": 2 * rows,
        "landed": accepted,
        "stages_by_worker": dict(sorted(workers.items())),
        "stages_tried_again": retried,
        "audit": {"ok": report.ok, "entries": report.entries, "versions": report.checked_versions},
    }


def _exchange(field: Field, first: int, rows: int, lose: str | None = None) -> list[dict[str, Any]]:
    """Drop a file, run the DAG to its end, give its tasks."""
    name = f"企业名单{first}.csv"
    _write(field.drop / name, first, rows)
    (field.drop / f"{name}.done").touch()
    run_id = field.cluster.trigger(DAG)
    if lose is not None:
        _until(lambda: _is_staging(field, run_id, lose))
        field.cluster.kill_worker(lose)
    _until(lambda: field.cluster.run_states([DAG])[DAG]["state"] in _ENDED)
    return field.cluster.task_list(DAG, run_id)


def _is_staging(field: Field, run_id: str, worker: str) -> bool:
    return any(
        task["task_id"] == "stage" and task["state"] == "running" and task["hostname"] == worker
        for task in field.cluster.task_list(DAG, run_id)
    )


def _until(is_so: Callable[[], bool], timeout_s: float = 900) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        # A busy machine answers late; it is asked again.
        with suppress(httpx.TransportError):
            if is_so():
                return
        time.sleep(0.5)
    raise TimeoutError(f"not within {timeout_s:.0f} s")


def _landed(store: Store) -> list[int]:
    """Versions of each delivery; a record that landed twice would be one more."""
    versions = versions_table("registration")
    counted = (
        select(func.count()).select_from(versions).group_by(versions.c.delivery_id).order_by(func.min(versions.c.seq))
    )
    with store.read() as conn:
        return list(conn.execute(counted).scalars())


def _write(path: Path, first: int, rows: int) -> None:
    """A list of companies that differ from those of every other list; none of them is dirty."""
    frame = mixed_rows("registration", rows, first + rows, first=first, dirt=0.0)
    with path.open("w", encoding="utf-8-sig") as file:
        file.write(",".join(_HEADINGS) + "\n")
        for name, code, day in frame.select("name", "uscc", "established_on").iter_rows():
            file.write(f"{name},{code},{day},100(万元),浙江,杭州\n")


def _size_of(rows: int) -> int:
    return rows * 80
