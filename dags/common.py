"""Names and times that the DAG files share."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import Asset

START = datetime(2026, 1, 1)
AGENCY_TIME = "Asia/Shanghai"


def record_asset(record_type: str) -> Asset:
    """What is updated when records of a type have landed; derived DAGs are scheduled on it."""
    return Asset(name=record_type, uri=f"xinqiao://records/{record_type}", group="records")
