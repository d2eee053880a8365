"""Deliveries of many chunks that are small all the same, and which of their rows were judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import pytest

from connectors.delivery import Mapped
from gateway import parts, pipeline

T = TypeVar("T")


def cut_into(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Let a chunk have so many rows."""
    monkeypatch.setattr(parts, "CHUNK_ROWS", rows)
    monkeypatch.setattr(pipeline, "CHUNK_ROWS", rows)


def watch_judging(monkeypatch: pytest.MonkeyPatch, told: Callable[[Mapped], Iterable[T]]) -> list[T]:
    """A list that grows by what ``told`` says of each chunk that is judged from now on."""
    seen: list[T] = []
    judge = parts.judge

    def counted(mapped: Mapped, *rules: Any) -> Any:
        seen.extend(told(mapped))
        return judge(mapped, *rules)

    monkeypatch.setattr(parts, "judge", counted)
    return seen
