"""What a worker of the demo calls itself: two of them on one machine would have one host name."""

from __future__ import annotations

import os

VARIABLE = "AIRFLOW_DEMO_WORKER"
"""Set in the environment of each worker; read by ``worker_name``."""


def worker_name() -> str:
    """Airflow's ``[core] hostname_callable`` on a worker of the demo."""
    return os.environ[VARIABLE]
