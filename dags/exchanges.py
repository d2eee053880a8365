"""One DAG per source, made by one loop over the source folders: receive, stage what is large in parts, land.

Thin on purpose: Airflow parses this file again before every task, so whatever is heavy
(polars, zeep, the store) is imported inside the tasks. References travel between tasks, never
rows. Landing is idempotent, so running any window again is harmless.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, TriggerRule, dag, get_parsing_context, task
from airflow.timetables.interval import CronDataIntervalTimetable

from connectors.registry import source, source_names
from connectors.spec import SourceSpec
from dags.common import AGENCY_TIME, START, record_asset
from dags.failures import failing_for_good, note_failed_run, note_failed_task
from gateway.dag_names import dag_id, pool_name

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol as RuntimeTaskInstance

DELIVERIES = "deliveries"
"""Name under which ``receive`` gives on the ids of what it received."""


def exchange(spec: SourceSpec) -> DAG:
    """The DAG that runs the exchange with one source."""

    @dag(
        dag_id=dag_id(spec.source),
        description=f"{spec.title_zh} / {spec.title_en}",
        schedule=CronDataIntervalTimetable(spec.schedule, timezone=AGENCY_TIME) if spec.schedule else None,
        start_date=START,
        catchup=False,
        # Two runs of one source would ask the agency for the same window twice.
        max_active_runs=1,
        tags=["exchange", spec.agency, spec.record_type, spec.transport],
        on_failure_callback=note_failed_run,
        params={"source": spec.source},
        default_args={"pool": pool_name(spec.agency), "on_failure_callback": note_failed_task},
    )
    def run() -> None:
        @task(
            # Only Unavailable gets here a second time: failing_for_good turns everything else red at once.
            retries=3,
            retry_delay=timedelta(seconds=10),
            retry_exponential_backoff=2.0,
            max_retry_delay=timedelta(minutes=10),
            execution_timeout=timedelta(hours=2),
        )
        def receive(ti: RuntimeTaskInstance | None = None) -> list[dict[str, Any]]:
            """Fetch what the source has; the bytes are kept, nothing is landed yet.

            Gives on the ids of the deliveries as ``deliveries``; returns the parts of those that are large.
            """
            from gateway.clock import utc_now
            from gateway.exchange import parts_to_stage, receive_source
            from gateway.home import open_home
            from gateway.settings import Settings

            with failing_for_good(), open_home(Settings.load()) as store:
                delivery_ids = receive_source(store, spec, utc_now())
                if ti is not None:
                    ti.xcom_push(key=DELIVERIES, value=delivery_ids)
                return parts_to_stage(store, spec, delivery_ids)

        @task(
            # Staging asks no agency, so it is not held up by the agency's pool.
            pool="default_pool",
            # A worker that was lost: the next one goes on after the last chunk that is there.
            retries=2,
            retry_delay=timedelta(seconds=5),
            execution_timeout=timedelta(hours=6),
            map_index_template="{{ part['delivery_id'] }} {{ part['part']['number'] }}",
        )
        def stage(part: dict[str, Any]) -> None:
            """Judge and stage one part of a large delivery, beside the others, on whichever worker."""
            from gateway.exchange import stage_received
            from gateway.home import open_home
            from gateway.settings import Settings

            with failing_for_good(), open_home(Settings.load()) as store:
                stage_received(store, spec, part)

        @task(
            outlets=[record_asset(spec.record_type)],
            retries=0,
            execution_timeout=timedelta(hours=6),
            # Most deliveries have no parts to stage, and then that task is skipped.
            trigger_rule=TriggerRule.NONE_FAILED,
        )
        def land(delivery_ids: list[str]) -> list[dict[str, object]]:
            """Land what was received; each delivery as a whole or not at all."""
            from gateway.clock import utc_now
            from gateway.exchange import land_received, summary
            from gateway.home import open_home
            from gateway.settings import Settings

            with failing_for_good():
                with open_home(Settings.load()) as store:
                    receipts = land_received(store, spec, delivery_ids, utc_now)
                return [summary(receipt) for receipt in receipts]

        received = receive()
        landed = land(received[DELIVERIES])  # type: ignore[index]  # a reference until the task runs
        stage.expand(part=received) >> landed

    return run()


_wanted = get_parsing_context().dag_id
for _name in source_names():
    # A task needs its own DAG only, and reads no other source.yml.
    if _wanted in (None, dag_id(_name)):
        globals()[dag_id(_name)] = exchange(source(_name))
