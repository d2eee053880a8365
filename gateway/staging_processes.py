"""Processes that judge and stage chunks of a delivery beside the process that decodes it.

Decoding is a tenth of the work and needs the bytes in order, so one process does it. It hands a chunk to another
process where one has room, and stages the chunk itself where none has: while the others are still starting, and
whenever they are busy. Rows travel through anonymous memory, which no file and no killed process leaves behind.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from multiprocessing import connection

import polars as pl

from connectors.delivery import Delivery, Sheet
from connectors.errors import Unavailable, XinqiaoError
from connectors.spec import SourceSpec
from gateway.home import open_home
from gateway.parts import HandOver, Place, keep, stage_chunk
from gateway.settings import Settings
from gateway.store import Store
from gateway.undisturbed import let_alone
from schemas.columnar import contract

WORTH_BYTES = 24 * 2**20
"""A smaller delivery (some 100,000 rows of CSV) is staged in about the time in which other processes have started."""

_AHEAD = 2
"""Chunks given to a process before it is done with them: one at hand, and one so that it need not wait."""

_MOST_ON_SQLITE = 4
"""SQLite takes one writer at a time, and writing is a third of the work: more processes would only wait for it."""


def allowed(settings: Settings) -> int:
    """How many processes may stage one delivery, this one included."""
    # A daemonic process may have no children, and without anonymous files (outside Linux) rows cannot travel.
    if multiprocessing.current_process().daemon or not hasattr(os, "memfd_create"):
        return 1
    wanted = settings.staging_processes or len(os.sched_getaffinity(0))
    return min(wanted, _MOST_ON_SQLITE) if settings.store_url.startswith("sqlite") else wanted


@contextmanager
def staging_processes(
    store: Store, delivery: Delivery, spec: SourceSpec, processes: int | None = None
) -> Iterator[HandOver]:
    """What hands the chunks of a delivery to other processes; at the end of the block they are done, and ended.

    Args:
        processes: this one included; None: as many as ``allowed``.

    Raises:
        SourceChanged: a chunk shows it; of several, the first that was given away.
        Unavailable: a process was ended from outside.
    """
    count = (allowed(store.settings) if processes is None else processes) - 1
    if count < 1 or delivery.size < WORTH_BYTES:
        yield keep
        return
    others = _Others(store.settings, spec.record_type, count)
    try:
        with _told():
            try:
                yield others.take
            except XinqiaoError:
                # What was given away lies before: its error counts, whichever was met first.
                others.finish()
                raise
            others.finish()
    finally:
        others.end()


def _started(settings: Settings, record_type: str, count: int) -> ProcessPoolExecutor:
    # Polars must not be forked. Our own threads are made before the environment names other numbers.
    pl.thread_pool_size()
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _begin, (settings, record_type))
    before = os.environ.get("POLARS_MAX_THREADS")
    # There is a process for each core already.
    os.environ["POLARS_MAX_THREADS"] = "1"
    try:
        for _ in range(count):
            pool.submit(_nothing)
    finally:
        del os.environ["POLARS_MAX_THREADS"]
        if before is not None:
            os.environ["POLARS_MAX_THREADS"] = before
    return pool


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise Unavailable(
            "暂存交付的一个进程被终止（可能内存不足）；未入库任何内容，已暂存的部分不会重做，请重试",
            "a process that staged the delivery was ended (out of memory, perhaps); nothing has landed, and what is "
            "staged is not done twice: try again",
        ) from error


class _Others:
    """Processes that were given chunks, and what they have not finished yet, oldest first."""

    def __init__(self, settings: Settings, record_type: str, count: int) -> None:
        self._settings, self._most = settings, count * _AHEAD
        self._pool = _started(settings, record_type, count)
        self._given: deque[Future[None]] = deque()

    def take(self, place: Place, sheet: Sheet, spec: SourceSpec) -> bool:
        """Give a chunk away if there is room for it.

        Raises:
            SourceChanged: an earlier chunk shows it.
        """
        while self._given and self._given[0].done():
            self._forget_first()
        if sum(not future.done() for future in self._given) >= self._most:
            return False
        memory = os.memfd_create("xinqiao-chunk")
        try:
            sheet.frame.write_ipc(f"/proc/self/fd/{memory}", compat_level=pl.CompatLevel.newest())
            rows, rest = f"/proc/{os.getpid()}/fd/{memory}", replace(sheet, frame=sheet.frame.clear())
            future = self._pool.submit(_stage, self._settings, place, rest, rows, spec)
        except BaseException:
            os.close(memory)
            raise
        future.add_done_callback(lambda _: os.close(memory))
        self._given.append(future)
        return True

    def finish(self) -> None:
        """Wait for all that was given away; raises like ``take``."""
        while self._given:
            self._forget_first()

    def end(self) -> None:
        """End the processes; what they have at hand is done or undone as a whole."""
        self._pool.shutdown(cancel_futures=True)

    def _forget_first(self) -> None:
        # One that failed stays the first: it is what is told, however often it is asked for.
        self._given[0].result()
        self._given.popleft()


# -- in the other processes -------------------------------------------------------------------------


def _begin(settings: Settings, record_type: str) -> None:
    # Ctrl-C reaches every process of the terminal; the one that decodes ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _store(settings)
    contract(record_type)
    # This process does nothing but stage.
    let_alone()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _nothing() -> None:
    pass


@cache
def _store(settings: Settings) -> Store:
    return open_home(settings)


def _stage(settings: Settings, place: Place, sheet: Sheet, rows: str, spec: SourceSpec) -> None:
    stage_chunk(_store(settings), place, replace(sheet, frame=pl.read_ipc(rows)), spec)
