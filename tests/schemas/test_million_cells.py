"""A million cells of every record type with generated dirt: the columns say what marshmallow says, cell for cell."""

from __future__ import annotations

import os
import random

import pytest

from schemas.columnar import Contract, contract
from schemas.fields import SharedField
from schemas.judging import judge_columns
from schemas.records import RECORD_TYPES

from .cells import specimens
from .test_columnar import accepted, columns, errors, plain
from .test_vectorised import NASTY

CELLS = 1_000_000
"""Over all record types together."""
_ROWS_AT_ONCE = 1_000
_WILD = [*map(chr, range(0x20, 0x7F)), *map(chr, range(0xA0, 0x180)), *map(chr, range(0x2000, 0x2070)), *"无空甲乙"]


def dirty(chance: random.Random, field: SharedField[object]) -> str | None:
    """A specimen as it is, one with up to two characters put in, taken out or changed, or any text at all."""
    if chance.random() < 0.1:
        return "".join(chance.choices(_WILD, k=chance.randrange(12)))
    text = chance.choice(specimens(field))
    for _ in range(chance.choice((0, 0, 1, 1, 2)) if text else 0):
        place, width = chance.randrange(len(text or "") + 1), chance.randrange(2)
        text = (text or "")[:place] + chance.choice(("", *NASTY)) + (text or "")[place + width :]
    return text


def rows_of(chance: random.Random, agreed: Contract, count: int) -> list[dict[str, str | None]]:
    """Rows that are right but for one to three cells, so that many of them are accepted."""
    right = {name: [text for text in specimens(field)[:3] if text] for name, field in agreed.fields.items()}
    rows: list[dict[str, str | None]] = []
    for _ in range(count):
        row: dict[str, str | None] = {name: chance.choice(texts) for name, texts in right.items()}
        for name in chance.sample(list(row), chance.randint(0, 3)):
            row[name] = dirty(chance, agreed.fields[name])
        rows.append(row)
    return rows


@pytest.mark.long
@pytest.mark.parametrize("record_type", sorted(RECORD_TYPES))
def test_no_cell_of_a_million_is_judged_differently(record_type: str) -> None:
    seed = int(os.environ.get("XINQIAO_TEST_SEED", random.SystemRandom().randrange(2**32)))
    chance = random.Random(seed)
    agreed = contract(record_type)
    left = CELLS // len(RECORD_TYPES)
    taken = 0

    while left > 0:
        rows = rows_of(chance, agreed, _ROWS_AT_ONCE)
        judged = judge_columns(agreed, columns(agreed, rows), agreed.fields)
        assert (accepted(judged.accepted), errors(judged.faults)) == plain(agreed, rows), f"XINQIAO_TEST_SEED={seed}"
        left -= len(rows) * len(agreed.fields)
        taken += judged.accepted.height

    assert taken > 0
