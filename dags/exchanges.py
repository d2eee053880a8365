"""One DAG per source, made by one loop over the source folders: receive, then land.

Thin on purpose: Airflow parses this file again before every task, so whatever is heavy
(polars, zeep, the store) is imported inside the tasks. References travel between tasks, never
rows. Landing is idempotent, so running any window again is harmless.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, dag, get_parsing_context, task
from airflow.timetables.interval import CronDataIntervalTimetable

from connectors.registry import source, source_names
from connectors.spec import SourceSpec
from dags.common import AGENCY_TIME, START, record_asset
from dags.failures import failing_for_good, note_failed_run, note_failed_task
from gateway.dag_names import dag_id, pool_name


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
        def receive() -> list[str]:
            """Fetch what the source has; the bytes are kept, nothing is landed yet."""
            from gateway.clock import utc_now
            from gateway.exchange import receive_source
            from gateway.home import open_home
            from gateway.settings import Settings

            with failing_for_good(), open_home(Settings.load()) as store:
                return receive_source(store, spec, utc_now())

        @task(outlets=[record_asset(spec.record_type)], retries=0, execution_timeout=timedelta(hours=6))
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

        land(receive())  # type: ignore[arg-type]  # Airflow resolves the reference to the list when the task runs

    return run()


_wanted = get_parsing_context().dag_id
for _name in source_names():
    # A task needs its own DAG only, and reads no other source.yml.
    if _wanted in (None, dag_id(_name)):
        globals()[dag_id(_name)] = exchange(source(_name))
