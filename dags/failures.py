"""How runs end red: with the reason, retried only when it helps, and always in the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    from airflow.sdk import Context


@contextmanager
def failing_for_good() -> Iterator[None]:
    """Let ``Unavailable`` be retried; end the task for good on everything else, with the reason.

    Raises:
        Unavailable: as it was raised inside.
        AirflowFailException: anything else; Airflow does not retry it.
    """
    from connectors.errors import Unavailable

    try:
        yield
    except Unavailable:
        raise
    except Exception as error:
        raise AirflowFailException(_words(error)) from error


def _words(error: BaseException) -> str:
    from connectors.errors import XinqiaoError

    if isinstance(error, XinqiaoError):
        return f"[{error.code}] {error}"
    if isinstance(error, AirflowFailException):
        return str(error)
    # What nobody foresaw may quote a row, and these words stay in the audit log for good; the trace is in the task's.
    return f"[internal] {type(error).__name__}"


def note_failed_task(context: Context) -> None:
    """Write into the audit log why a task failed for good.

    Runs in the task's own process, where the reason is known; a killed task never gets here
    (apache/airflow#60858), and for that ``note_failed_run`` is there.
    """
    error = context.get("exception")
    _note(context, _words(error) if isinstance(error, BaseException) else str(error or "failed"))


def note_failed_run(context: Context) -> None:
    """Write into the audit log that a run ended red, unless its task has said so, with the reason."""
    run = context.get("dag_run")
    # A run that was cleared and failed again has a new start: what was noted before it does not count.
    _note(context, str(context.get("reason") or "failed"), unless_noted_since=run.start_date if run else None)


def _note(context: Context, reason: str, unless_noted_since: datetime | None = None) -> None:
    from gateway.clock import utc_now
    from gateway.dag_names import source_of
    from gateway.exchange import note_failure
    from gateway.home import open_home
    from gateway.settings import Settings

    # ``dag`` and ``run_id`` are in every context; a run whose tasks all vanished has no more than these.
    name = source_of(context["dag"].dag_id)
    with open_home(Settings.load()) as store:
        note_failure(store, name, reason, context["run_id"], utc_now(), unless_noted_since)
