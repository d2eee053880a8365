"""How runs end red: with the reason, retried only when it helps, and always in the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.sdk.exceptions import AirflowFailException


@contextmanager
def failing_for_good(source: str) -> Iterator[None]:
    """Let ``Unavailable`` be retried; end the task for good on everything else, with the reason.

    Raises:
        Unavailable: as it was raised inside.
        AirflowFailException: anything else; Airflow does not retry it.
    """
    from connectors.errors import Unavailable, XinqiaoError

    try:
        yield
    except Unavailable:
        raise
    except XinqiaoError as error:
        raise AirflowFailException(f"{source} [{error.code}] {error.zh} / {error.en}") from error
    except Exception as error:
        raise AirflowFailException(f"{source}: {type(error).__name__}: {error}") from error


def note_failed_run(context: dict[str, Any]) -> None:
    """Write a failed run into the audit log.

    A DAG-level callback: a task that was killed never calls its own (apache/airflow#60858).
    """
    from gateway.clock import utc_now
    from gateway.dag_names import source_of
    from gateway.exchange import note_failure
    from gateway.home import open_home
    from gateway.settings import Settings

    run = context["dag_run"]
    store = open_home(Settings.load())
    try:
        note_failure(store, source_of(run.dag_id), context.get("reason") or "failed", run.run_id, utc_now())
    finally:
        store.close()
