"""What a fuzz target is, and what it calls a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass


class Finding(AssertionError):
    """Something was accepted that must not be, or answered as if it were our fault."""


Run = Callable[[bytes], None]
"""Takes whatever the fuzzer made. Refusals that callers expect are caught inside; whatever else rises is a finding."""


@dataclass(frozen=True)
class Made:
    """A target that is ready to run.

    Attributes:
        run: one try.
        seeds: genuine material, from which the fuzzer goes on.
    """

    run: Run
    seeds: Sequence[bytes]


@dataclass(frozen=True)
class Target:
    """One place where bytes of strangers come in.

    Attributes:
        name: as ``make fuzz`` calls it.
        instruments: modules whose coverage guides the fuzzer.
        open: makes the target; what it made is gone at the end of the block.
    """

    name: str
    instruments: Sequence[str]
    open: Callable[[], AbstractContextManager[Made]]


def mutations(seed: bytes, count: int) -> Iterator[bytes]:
    """A few simple spoilings of genuine material: cut, doubled, with single bytes and blocks changed."""
    yield seed
    yield b""
    for number in range(count):
        place = number * 7919 % max(1, len(seed))
        kind = number % 4
        if kind == 0:
            yield seed[:place]
        elif kind == 1:
            yield seed[:place] + bytes([(seed[place] if seed else 0) ^ 1 << number % 8]) + seed[place + 1 :]
        elif kind == 2:
            yield seed[:place] + seed[place // 2 : place] + seed[place:]
        else:
            yield seed[:place] + b"\xff\x00\x80" + seed[place + 3 :]
