"""What verification finds wrong, and which comes first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

_SHOWN = 100
"""Problems kept in full; beyond that they are only counted."""

Progress = Callable[[str, int], None]
"""``progress(what, how_many_so_far)``, called every few thousand rows."""


@dataclass(frozen=True)
class Problem:
    """One thing that is not as the log says.

    Attributes:
        entry: place in the log of the entry concerned; None if it cannot be told.
        where: what was altered: an entry, a file, a version, a delivery.
        zh: what is wrong, in 简体中文.
        en: the same in English.
    """

    entry: int | None
    where: str
    zh: str
    en: str


@dataclass
class Problems:
    """Problems as they are found."""

    found: list[Problem] = field(default_factory=list)
    count: int = 0

    def add(self, entry: int | None, where: str, zh: str, en: str) -> None:
        """Note one; the one of the lowest entry is never dropped."""
        self.count += 1
        problem = Problem(entry, where, zh, en)
        if len(self.found) < _SHOWN or place(problem) < place(min(self.found, key=place)):
            self.found.append(problem)


def place(problem: Problem) -> float:
    return float("inf") if problem.entry is None else problem.entry


def unreadable(error: Exception) -> tuple[str, str]:
    """That something cannot be read, and why, in Chinese and English; values that the error quotes are left out."""
    why = str(error).partition("\n")[0].partition(': "')[0][:120]
    return f"无法读取：{why}", f"cannot be read: {why}"
