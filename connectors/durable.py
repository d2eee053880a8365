"""What must be on the disk before anybody is told of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

_Made = TypeVar("_Made")

_AT_ONCE = 8
"""Files of a process that are written and waited for at the same time."""


def sync_folder(folder: Path) -> None:
    """See the names in a folder to the disk; what stands behind a name is synced by whoever wrote it.

    Raises:
        OSError: the folder is not there, or the disk refuses.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def beside(act: Callable[[], _Made]) -> Future[_Made]:
    """Do something short that waits for the disk in another thread; a process starts a few of these and keeps them."""
    return _threads(os.getpid()).submit(act)


def at_once(act: Callable[[Path], object], paths: Iterable[Path]) -> None:
    """Do something that waits for the disk for all of some files at the same time; returns when all of it is done.

    Raises:
        OSError: the first that was met; the others were tried all the same.
    """
    every = [*paths]
    waiting = [beside(partial(act, path)) for path in every[1:]]
    try:
        for own in every[:1]:
            act(own)
    finally:
        wait(waiting)
    for one in waiting:
        one.result()


@lru_cache(maxsize=1)
def _threads(pid: int) -> ThreadPoolExecutor:
    """Those of this process: one that was forked has none of its parent's."""
    return ThreadPoolExecutor(_AT_ONCE, "disk")
