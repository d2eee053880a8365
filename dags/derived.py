"""What runs because something landed, or once a day: linking waiting records, verifying the log."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import AssetAny, dag, task
from airflow.timetables.interval import CronDataIntervalTimetable

from dags.common import AGENCY_TIME, START, record_asset
from dags.failures import failing_for_good, note_failed_run, note_failed_task


@dag(
    dag_id="derived__link_waiting",
    description="回填：关联等待主体的记录 / link records that wait for their entity",
    schedule=AssetAny(record_asset("registration"), record_asset("customs_registration")),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    tags=["derived"],
    on_failure_callback=note_failed_run,
    default_args={"on_failure_callback": note_failed_task},
)
def link_waiting_records() -> None:
    """Landing links what it can at once; this catches records that landed at the same moment as their entity."""

    @task(retries=0, execution_timeout=timedelta(hours=2))
    def link_all() -> dict[str, int]:
        """Try every waiting record again; returns how many were linked per record type."""
        from gateway.clock import utc_now
        from gateway.home import open_home
        from gateway.linking import link
        from gateway.settings import Settings
        from schemas.records import RECORD_TYPES

        with failing_for_good(), open_home(Settings.load()) as store:
            return {record_type: link(store, record_type, utc_now()) for record_type in RECORD_TYPES}

    link_all()


@dag(
    dag_id="derived__verify_log",
    description="每日校验审计日志 / verify the audit log every day",
    schedule=CronDataIntervalTimetable("30 4 * * *", timezone=AGENCY_TIME),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    tags=["derived", "audit"],
    on_failure_callback=note_failed_run,
    default_args={"on_failure_callback": note_failed_task},
)
def verify_audit_log() -> None:
    """Recompute the log and the stored versions from nothing; red if anything was altered."""

    @task(retries=0, execution_timeout=timedelta(hours=6))
    def verify_everything() -> int:
        """Returns the number of entries verified; fails naming the first bad one."""
        from connectors.errors import Refused
        from gateway.audit.verify import verify
        from gateway.home import open_home
        from gateway.settings import Settings

        with failing_for_good():
            with open_home(Settings.load()) as store:
                report = verify(store)
            if not report.ok:
                raise Refused(
                    f"审计日志校验失败：{report.first_bad}", f"the audit log does not verify: {report.first_bad}"
                )
            return report.entries

    verify_everything()


@dag(
    dag_id="derived__notify",
    description="推送更正与校核通知 / push what systems are to be told; note challenges over their clock",
    schedule=CronDataIntervalTimetable("*/5 * * * *", timezone=AGENCY_TIME),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    tags=["derived"],
    on_failure_callback=note_failed_run,
    default_args={"on_failure_callback": note_failed_task},
)
def notify_systems() -> None:
    """Retries and their waits are the outbox's own; a run only does what is due."""

    @task(retries=0, execution_timeout=timedelta(hours=1))
    def push_due() -> dict[str, int]:
        """Returns how many were delivered, failed, given up, and how many challenges are newly overdue."""
        from gateway.access.challenges import note_overdue
        from gateway.clock import utc_now
        from gateway.home import open_home
        from gateway.notifications.dispatch import dispatch
        from gateway.settings import Settings

        with failing_for_good(), open_home(Settings.load()) as store:
            late = note_overdue(store, utc_now())
            return {**dispatch(store, utc_now), "overdue": len(late)}

    push_due()


link_waiting_records()
notify_systems()
verify_audit_log()
