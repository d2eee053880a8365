"""The queue of whoever wants to write to a SQLite database: each in the order in which it came, of whatever process.

SQLite has one writer and lets the others ask again and again, less and less often: whoever happens to ask at the right
moment is next, and whoever came first may wait until its patience is over. So every writer draws a number first, and
begins when nobody has a lower one.

To have a number is to have locked a byte of the database's *folder* for reading. Such a lock belongs to an open file
description (``F_OFD_SETLK``, fcntl(2)): it tells threads apart as well as processes, it is gone the moment its holder
is, however that ended, and no file is written for it. The queue is one of the machine, also where the folder comes
over a network: SQLite's WAL can be shared no further either.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from zlib import crc32

import structlog

_NUMBERS = 2**47
"""Numbers of one database; they begin with 1 again whenever nobody has one."""

_DATABASES = 2**16
"""Databases of one folder that have numbers of their own; two that do not wait for each other, which harms neither."""

_FLOCK = struct.Struct("hhqqi4x")
"""``struct flock`` of Linux on 64 bits: type, whence, start, length, process."""

_SHORTEST_S, _LONGEST_S = 0.0005, 0.02
"""How long to sleep before looking again, at least and at most."""

_SHARE = 50
"""Between the two, a fiftieth of the time waited for each number that may be ahead: whoever is next sees its turn soon,
and the others let it."""

_REFUSALS = {errno.EACCES, errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""Errors of a folder that may not be read, and of systems and file systems that have no such locks."""

log = structlog.get_logger(__name__)


@contextmanager
def turn(database: str, patience_s: float) -> Iterator[float]:
    """Keep a place in the queue, from the moment at which it is one's turn to the end of the block.

    Whoever has its turn must not wait for anybody who writes to the same database. Where the system gives no such
    locks nobody queues, and writers wait as SQLite has it.

    Args:
        database: file of the database, as SQLite names it: absolute, with symbolic links followed.
        patience_s: how long to wait at most, in seconds.

    Yields:
        What is left of the patience, all of it where nobody was ahead; 0 if it is over and it is not one's turn.
    """
    path, name = os.path.split(database)
    if not _has_queue(path):
        yield patience_s
        return
    folder = _opened(path)
    place = _Place(folder, crc32(os.fsencode(name)) % _DATABASES * _NUMBERS)
    try:
        yield place.wait(patience_s)
    finally:
        # Said expressly: a child process that is just being started has the description for a moment, too.
        place.leave()
        os.close(folder)


@cache
def _has_queue(path: str) -> bool:
    """Whether a folder's bytes can be locked; if they cannot, it is said once."""
    if sys.platform != "linux":
        return False
    try:
        folder = _opened(path)
        try:
            place = _Place(folder, 0)
            place.wait(0)
            place.leave()
        finally:
            os.close(folder)
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        log.warning("writers do not queue, SQLite gives them no order", folder=path, reason=error.strerror)
        return False
    return True


def _opened(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)


@dataclass(frozen=True, slots=True)
class _Place:
    """One's place in the queue of a database: the numbers as one open file description draws and sees them.

    Attributes:
        folder: descriptor of the folder.
        zero: the byte before that of number 1.
    """

    folder: int
    zero: int

    def wait(self, patience_s: float) -> float:
        """Draw a number and wait until nobody has a lower one; returns what ``turn`` yields."""
        begun = time.monotonic()
        left, number, ahead = patience_s, self._draw(), 0
        while number is None or (ahead := self._taken(1, number)):
            waited = time.monotonic() - begun
            left = patience_s - waited
            if left <= 0:
                return 0.0
            between = 1 if number is None else number - ahead
            time.sleep(min(left, _LONGEST_S, max(_SHORTEST_S, waited / _SHARE) * between))
            number = number or self._draw()
        return left

    def _draw(self) -> int | None:
        """Take the number after the highest that anybody has; None while another one is doing so."""
        try:
            # So that no two see the same highest. Whoever is stopped here costs the others no more than their patience.
            fcntl.flock(self.folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        try:
            highest = 0
            while higher := self._taken(highest + 1, _NUMBERS):
                highest = higher
            self._lock(fcntl.F_OFD_SETLK, fcntl.F_RDLCK, highest + 1, highest + 2)
            return highest + 1
        finally:
            fcntl.flock(self.folder, fcntl.LOCK_UN)

    def leave(self) -> None:
        """Give the number back."""
        self._lock(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, 1, _NUMBERS)

    def _taken(self, start: int, stop: int) -> int:
        """A number from ``start`` to below ``stop`` that somebody else has, mostly the lowest; 0 if nobody has any."""
        if start == stop:
            return 0
        # Asked as if for writing, which is what a lock for reading would be in the way of.
        kind, byte = self._lock(fcntl.F_OFD_GETLK, fcntl.F_WRLCK, start, stop)
        return 0 if kind == fcntl.F_UNLCK else byte - self.zero

    def _lock(self, command: int, kind: int, start: int, stop: int) -> tuple[int, int]:
        """What the kernel answers about the numbers from ``start`` to below ``stop``: type and first byte of a lock."""
        asked = _FLOCK.pack(kind, os.SEEK_SET, self.zero + start, stop - start, 0)
        kind, _, byte, *_ = _FLOCK.unpack(fcntl.fcntl(self.folder, command, asked))
        return kind, byte
