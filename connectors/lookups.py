"""Words of a source to shared codes. A word that no entry names is never an ``else``: it is reported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import polars as pl
from marshmallow import ValidationError

from connectors.distinct import distinct_counts, replaced
from connectors.headings import heading_key
from connectors.spec import Word
from schemas.identifiers.placeholders import is_placeholder
from schemas.records import RECORD_TYPES

_BETWEEN = re.compile(r"[;；|\n]+")
_CONJOINED = re.compile(r"[、，,/\s]+")


@dataclass(frozen=True)
class LookedUp:
    """A column after its lookup.

    Attributes:
        column: codes; words that were not found stay as they are.
        unknown: word -> number of rows.
        ambiguous: unknown words that would be read as a shared code although the source may mean another thing.
    """

    column: pl.Series
    unknown: dict[str, int]
    ambiguous: frozenset[str]


def look_up(column: pl.Series, words: Sequence[Word], many: bool, record_type: str, field: str) -> LookedUp:
    """Translate each distinct value once.

    Args:
        column: pl.String.
        words: the lookup's entries.
        many: a cell may hold several words; codes are joined by ``;``.
        record_type: where the codes go, to tell which unknown words the field would take for a code.
        field: the field of it.
    """
    table = {heading_key(word): entry.code for entry in words for word in entry.words}
    codes: dict[str, str] = {}
    unknown: dict[str, int] = {}
    ambiguous: set[str] = set()
    # In the order met, so that what is reported about the same rows is always the same.
    for value, count in distinct_counts(column).items():
        if is_placeholder(value):
            continue
        found, missed = _many(value, table) if many else _one(value, table)
        if missed:
            unknown[value] = count
            if any(_is_a_code(record_type, field, word) for word in missed):
                ambiguous.add(value)
        elif found != value:
            codes[value] = found
    return LookedUp(replaced(column, codes), unknown, frozenset(ambiguous))


def _one(value: str, table: dict[str, str]) -> tuple[str, list[str]]:
    code = table.get(heading_key(value))
    return (value, [value]) if code is None else (code, [])


def _many(value: str, table: dict[str, str]) -> tuple[str, list[str]]:
    """A part that is a listed word is not split further: ``没收违法所得、没收非法财物`` is one kind of penalty."""
    codes: list[str] = []
    missed: list[str] = []
    for part in filter(None, (part.strip() for part in _BETWEEN.split(value))):
        words = [part] if heading_key(part) in table else [word for word in _CONJOINED.split(part) if word]
        for word in words:
            code = table.get(heading_key(word))
            if code is None:
                missed.append(word)
            elif code not in codes:
                codes.append(code)
    return ";".join(codes), missed


@lru_cache(maxsize=4096)
def _is_a_code(record_type: str, field: str, word: str) -> bool:
    """Whether the field would take the word for one of its own codes (rather than for the exact shared name)."""
    target = RECORD_TYPES[record_type].shared_fields().get(field)
    if target is None:
        return False
    try:
        return bool(target.deserialize(word) == word)
    except ValidationError:
        return False
