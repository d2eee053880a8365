"""Landing in a process of its own, so that the time and the memory measured are of landing alone."""

from __future__ import annotations

import itertools
import re
import threading
import time
from concurrent.futures import ProcessPoolExecutor
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
    """What a process that landed one delivery used, and the processes that it started."""

    seconds: float
    peak_rss_mb: int


def deliver_apart(store: Store, spec: SourceSpec, delivery: Delivery) -> Apart:
    """Land in a process of its own, whose highest resident memory has nothing of what was measured before."""
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        return apart.submit(_deliver, store.settings, spec, delivery).result()


def _deliver(settings: Settings, spec: SourceSpec, delivery: Delivery) -> Apart:
    contract(spec.record_type)
    with open_home(settings) as store:
        delivery_id = pipeline.receive(store, delivery, spec)
        with Watch() as watch:
            begun = time.perf_counter()
            pipeline.deliver(store, delivery_id, spec, utc_now())
            seconds = time.perf_counter() - begun
        return Apart(seconds, watch.peak_rss_mb)


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
