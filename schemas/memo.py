"""Values judged before. Dirty values repeat, so each distinct one is read by its field once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import marshmallow as ma

from schemas.faults import Fault
from schemas.fields import SharedField

LIMIT = 2_000
"""Values remembered per field, a kilobyte each with their faults; then it starts anew. Dirt that repeats has few."""

LONGEST = 200
"""Characters of a text worth remembering: longer ones seldom repeat and would fill the memory."""


@dataclass(frozen=True)
class Verdict:
    """What a field made of one text: a value for the frame (None: nothing), or faults."""

    cell: Any
    faults: tuple[Fault, ...]


@dataclass
class Memo:
    """Remembers verdicts and warnings of one field. Safe between threads: entries are only ever added or dropped."""

    field: SharedField[Any]
    verdicts: dict[str | None, Verdict] = dataclasses.field(default_factory=dict)
    doubts: dict[Any, tuple[Fault, ...]] = dataclasses.field(default_factory=dict)

    def verdict(self, text: str | None) -> Verdict:
        """What the field's own ``deserialize`` says."""
        known = self.verdicts.get(text)
        if known is None:
            if text is not None and len(text) > LONGEST:
                return self._judge(text)
            if len(self.verdicts) >= LIMIT:
                self.verdicts.clear()
            known = self.verdicts[text] = self._judge(text)
        return known

    def warnings(self, value: Any) -> tuple[Fault, ...]:
        """What the field says about an accepted value."""
        known = self.doubts.get(value)
        if known is None:
            if len(self.doubts) >= LIMIT:
                self.doubts.clear()
            known = self.doubts[value] = tuple(self.field.warnings(value))
        return known

    def _judge(self, text: str | None) -> Verdict:
        try:
            value = self.field.deserialize(text)
        except ma.ValidationError as error:
            return Verdict(None, tuple(fault for fault in error.messages if isinstance(fault, Fault)))
        return Verdict(None if value is None else self.field.cell(value), ())
