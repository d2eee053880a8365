"""Landing in processes of their own, so that the time and the memory measured are of landing alone."""

from __future__ import annotations

import itertools
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Self

from connectors.delivery import Delivery
from connectors.spec import SourceSpec
from gateway import pipeline
from gateway.clock import utc_now
from gateway.home import open_home
from gateway.settings import Settings
from gateway.store import Store
from schemas.columnar import contract


@dataclass(frozen=True)
class Apart:
    """What a process that landed one delivery used, and the processes that it started.

    Attributes:
        begun, ended: of landing; of the clock that all processes of a machine share.
        peak_rss_mb: of the process, since it began.
        process: its number.
    """

    begun: float
    ended: float
    peak_rss_mb: int
    process: int

    @property
    def seconds(self) -> float:
        return self.ended - self.begun


@dataclass(frozen=True)
class Abreast:
    """What several processes used that landed side by side.

    Attributes:
        landed: of each queue, each of its deliveries.
        at_once: processes that landed at once.
    """

    landed: Sequence[Sequence[Apart]]
    at_once: int

    @property
    def seconds(self) -> float:
        """From the first begin to the last end."""
        return max(one.ended for one in self._all) - min(one.begun for one in self._all)

    @property
    def peak_rss_mb(self) -> int:
        """The greatest peaks of as many processes as landed at once, as if they had come at the same moment."""
        peaks: Counter[int] = Counter()
        for one in self._all:
            peaks[one.process] = max(peaks[one.process], one.peak_rss_mb)
        return sum(peak for _, peak in peaks.most_common(self.at_once))

    @property
    def _all(self) -> list[Apart]:
        return list(itertools.chain.from_iterable(self.landed))


Kept = tuple[SourceSpec, Delivery]
"""A delivery whose bytes are kept, and its source."""


def deliver_apart(store: Store, spec: SourceSpec, delivery: Delivery) -> Apart:
    """Land in a process of its own, whose highest resident memory has nothing of what was measured before."""
    return deliver_abreast(store, [[(spec, delivery)]], 1).landed[0][0]


def deliver_abreast(
    store: Store,
    queues: Sequence[Sequence[Kept]],
    at_once: int,
    told: Callable[[int, Sequence[Apart]], object] = lambda queue, landed: None,
) -> Abreast:
    """Land so many deliveries at once, those of a queue one after the other, as the workers of an installation do.

    Args:
        queues: taken up in this order.
        at_once: processes that land. One alone starts others to stage with, as an installation does by itself; of
            several each stages by itself.
        told: called with the number of a queue when all of it has landed.
    """
    at_once = min(at_once, len(queues))
    processes = None if at_once == 1 else 1
    landed: dict[int, list[Apart]] = {}
    # Each queue has a process of its own, as each task of Airflow has: none keeps memory from what came before.
    with ProcessPoolExecutor(at_once, get_context("spawn"), max_tasks_per_child=1) as apart:
        waiting = {
            apart.submit(_deliver_all, store.settings, queue, processes): number for number, queue in enumerate(queues)
        }
        for done in as_completed(waiting):
            landed[waiting[done]] = done.result()
            told(waiting[done], done.result())
    return Abreast([landed[number] for number in range(len(queues))], at_once)


def _deliver_all(settings: Settings, queue: Sequence[Kept], processes: int | None) -> list[Apart]:
    with open_home(settings) as store:
        return [_deliver(store, spec, delivery, processes) for spec, delivery in queue]


def _deliver(store: Store, spec: SourceSpec, delivery: Delivery, processes: int | None) -> Apart:
    contract(spec.record_type)
    delivery_id = pipeline.receive(store, delivery, spec)
    with Watch() as watch:
        begun = time.monotonic()
        pipeline.deliver(store, delivery_id, spec, utc_now(), processes)
        ended = time.monotonic()
    return Apart(begun, ended, watch.peak_rss_mb, os.getpid())


class Watch:
    """The highest resident memory of this process and its children together, looked at twenty times a second."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._highest = 0
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def peak_rss_mb(self) -> int:
        # Between two looks this process alone may have been larger than all were at either.
        return max(self._highest, _resident_kb("self", "VmHWM")) // 1024

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            children = (_read(file).split() for file in Path("/proc/self/task").glob("*/children"))
            pids = ["self", *itertools.chain.from_iterable(children)]
            self._highest = max(self._highest, sum(_resident_kb(pid, "VmRSS") for pid in pids))


def _resident_kb(pid: str, name: str) -> int:
    """What the kernel says; what getrusage tells of a child includes what its parent had when it was started."""
    found = re.search(rf"{name}:\s+(\d+) kB", _read(Path(f"/proc/{pid}/status")))
    return int(found[1]) if found else 0


def _read(file: Path) -> str:
    """Nothing of a process or a thread that has ended meanwhile."""
    try:
        return file.read_text("ascii", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
