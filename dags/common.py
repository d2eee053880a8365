"""Names and times that the DAG files share."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import Asset

START = datetime(2026, 1, 1)
AGENCY_TIME = "Asia/Shanghai"


def dag_id(source: str) -> str:
    """Airflow's name for the DAG of a source: slashes are not allowed in it."""
    return source.replace("/", "__")


def pool_name(agency: str) -> str:
    """The pool that limits how many tasks ask one agency at a time."""
    return f"agency_{agency}"


def record_asset(record_type: str) -> Asset:
    """What is updated when records of a type have landed; derived DAGs are scheduled on it."""
    return Asset(name=record_type, uri=f"xinqiao://records/{record_type}", group="records")
