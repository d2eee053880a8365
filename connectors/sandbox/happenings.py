"""What happened to whom and when: the events that the REST and file agencies report, the same for the same world."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from connectors.sandbox.world import FIRST_DAY, SandboxEntity, World
from schemas.china_time import CHINA

PAST_DAYS = 540
"""How far back the events of the first day reach."""


@dataclass(frozen=True)
class Happening:
    """One event in the life of an entity.

    Attributes:
        entity: as it was when the agency wrote the event down, former names and all.
        on: the day it happened.
        noted_on: the day the agency wrote it down; on or after ``on``.
        serial: number in its source, unique, from 1.
        rng: for everything else about it; a fresh generator with the same state at every access.
    """

    entity: SandboxEntity
    on: date
    noted_on: date
    serial: int
    source: str
    seed: int

    @property
    def rng(self) -> random.Random:
        """A generator that belongs to this event alone."""
        return random.Random(f"{self.seed}/{self.source}/{self.serial}")  # noqa: S311 - invented data, no secret

    @property
    def noted_at(self) -> datetime:
        """Instant of ``noted_on``, in office hours, China time."""
        seconds = self.serial * 37 % 28_800
        return datetime.combine(self.noted_on, time(9), CHINA) + timedelta(seconds=seconds)


def happenings(world: World, source: str, chosen: Callable[[World], Iterator[SandboxEntity]]) -> list[Happening]:
    """Every event of a source up to the world's today, in the order it was written down.

    The world only remembers its present, so it is lived through once more from the first day: an event
    keeps the name its entity had then.

    Args:
        world: its seed, size and day count; it is not changed.
        source: name that keeps the draws of sources apart.
        chosen: the entities of a world that such events befall.
    """
    past = World(world.seed, world.size)
    events = _of_the_past(past, source, list(chosen(past)))
    while past.day < world.day:
        past.advance()
        rng = past.rng(source, "day", past.day)
        befallen = rng.choices(list(chosen(past)), k=past.growth + 1)
        events += [
            Happening(
                entity, past.today - timedelta(days=rng.randrange(3)), past.today, len(events) + n, source, past.seed
            )
            for n, entity in enumerate(befallen, start=1)
        ]
    return events


def is_taken_off(event: Happening, day: int) -> bool:
    """Whether an entry of a list has vanished from it by this day of the world: one old entry every day.

    Nothing says why: a snapshot just no longer has it. The showcase stays.
    """
    return event.entity.number != 0 and event.serial % 5 == 2 and event.serial // 5 < day


def _of_the_past(world: World, source: str, befallen: list[SandboxEntity]) -> list[Happening]:
    drawn: list[tuple[date, date, SandboxEntity]] = []
    for entity in befallen:
        rng = world.rng(source, entity.number)
        for _ in range(rng.choice((1, 1, 1, 2))):
            on = max(entity.established_on, FIRST_DAY - timedelta(days=rng.randrange(2, PAST_DAYS)))
            on = min(on, FIRST_DAY)
            drawn.append((min(FIRST_DAY, on + timedelta(days=rng.randrange(4))), on, entity))
    drawn.sort(key=lambda event: (event[0], event[2].number))
    return [
        Happening(entity, on, noted, serial, source, world.seed)
        for serial, (noted, on, entity) in enumerate(drawn, start=1)
    ]
