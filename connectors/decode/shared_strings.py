"""The texts of a workbook that its cells refer to by number: the first million in memory, the others on disk.

A full worksheet can refer to tens of millions of different texts, and any cell to any of them.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from functools import lru_cache
from typing import IO

MOST_IN_MEMORY = 1_000_000
MOST_CHARACTERS = 32 * 1024 * 1024
_REMEMBERED = 65_536


class SharedStrings:
    """A list of texts that only grows; close it when nothing refers to it any more."""

    def __init__(self, most_in_memory: int = MOST_IN_MEMORY) -> None:
        self._near: list[str] = []
        self._most, self._characters = most_in_memory, 0
        self._far: IO[bytes] | None = None
        self._offsets = array("Q", [0])
        self._recall = lru_cache(_REMEMBERED)(self._read)

    def append(self, text: str) -> None:
        """Add the next text."""
        if self._far is None and len(self._near) < self._most and self._characters < MOST_CHARACTERS:
            self._near.append(text)
            self._characters += len(text)
            return
        if self._far is None:
            self._far = tempfile.TemporaryFile(prefix="xinqiao-strings-")  # noqa: SIM115  # closed by close
        self._offsets.append(self._offsets[-1] + self._far.write(text.encode()))

    def __getitem__(self, index: int) -> str:
        """The text of that number, counted from 0.

        Raises:
            IndexError: there is none.
        """
        if 0 <= index < len(self._near):
            return self._near[index]
        far = index - len(self._near)
        if not 0 <= far < len(self._offsets) - 1:
            raise IndexError(index)
        return self._recall(far)

    def close(self) -> None:
        """Give the space on disk back."""
        if self._far is not None:
            self._far.close()

    def _read(self, far: int) -> str:
        if self._far is None:
            raise IndexError(far)
        self._far.flush()
        start, end = self._offsets[far], self._offsets[far + 1]
        return os.pread(self._far.fileno(), end - start, start).decode()
