"""What a running gateway looks after by itself, every minute: clocks and exports that have run out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from gateway.access.clocks import escalate
from gateway.access.exports import remove_expired
from gateway.clock import utc_now
from gateway.store import Store

log = structlog.get_logger(__name__)

Job = Callable[[Store, datetime], object]

JOBS: Sequence[Job] = (escalate, remove_expired)
"""Each may run in several processes at once, and costs a query when there is nothing to do."""


class Minutely(threading.Thread):
    """Runs every job each minute beside a server; one that fails is logged, and tried again the next minute."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now, every_s: float = 60.0) -> None:
        super().__init__(name="minutely", daemon=True)
        self._store, self._clock, self._every_s = store, clock, every_s
        self._stopping = threading.Event()

    def run(self) -> None:
        """Run the jobs until stopped; the first time at once."""
        while True:
            for job in JOBS:
                self._do(job)
            if self._stopping.wait(self._every_s):
                return

    def stop(self, timeout_s: float = 30.0) -> None:
        """End the thread after the job it is at."""
        self._stopping.set()
        self.join(timeout_s)

    def _do(self, job: Job) -> None:
        try:
            job(self._store, self._clock())
        # The edge of a thread: what is not caught here would end the clocks unseen.
        except Exception:
            log.exception("job failed", job=getattr(job, "__name__", str(job)))
