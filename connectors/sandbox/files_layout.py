"""How people lay out the tables they upload: title, spelling of headings, notes under the table. Knows no agency."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from datetime import date

from openpyxl.utils import get_column_letter

from connectors.sandbox.dirt import Row
from connectors.sandbox.files_workbook import Cell, Page, workbook

NUMBERED = re.compile(r"^行政相对人代码_(\d)\((.+)\)$")
FIRST_ROW = 4
"""Worksheet row of the first record below title, line of the uploader and headings."""
SPELLINGS = ("{}_{}({})", "{}_{} ({})", "{}_{}（{}）", "{}-{}（{}）", "{}＿{}({})")
"""Ways the numbered headings of the double publicity were met."""
_SERIAL = re.compile(r"\d{5}")
_FLOAT = re.compile(r"\d\.\d+E\+\d+")
_SLASHED = re.compile(r"(\d{4})/(\d\d)/(\d\d)")


def spelled(heading: str, rng: random.Random) -> str:
    """A heading as this year's upload spells it; only the numbered ones vary."""
    if match := NUMBERED.match(heading):
        return rng.choice(SPELLINGS).format("行政相对人代码", *match.groups())
    return heading


def typed(heading: str, text: str | None, dates: frozenset[str]) -> Cell:
    """What a spreadsheet makes of a typed cell: damaged codes are numbers, days in date columns are dates."""
    if not text:
        return None
    if _FLOAT.fullmatch(text):
        return float(text)
    if heading in dates:
        if match := _SLASHED.fullmatch(text):
            return date(*map(int, match.groups()))
        if _SERIAL.fullmatch(text):
            return int(text)
    return text


def uploaded(
    title: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    notes: Sequence[str],
    merges: Sequence[str] = (),
) -> bytes:
    """A workbook with a merged title row, a line saying who filled it in, headings, rows and notes.

    The first row of ``rows`` is worksheet row ``FIRST_ROW``; ``merges`` are further merged ranges.
    """
    width = len(headings)
    filled_in = ["填报单位（盖章）：", None, None, "单位：万元"]
    above: list[Sequence[Cell]] = [[title], filled_in, list(headings)]
    below: list[Sequence[Cell]] = [[note] for note in notes]
    page = Page("Sheet1", [*above, *rows, *below], [f"A1:{get_column_letter(width)}1", *merges])
    return workbook([page])


def cells(row: Row, headings: Sequence[str], dates: frozenset[str] = frozenset()) -> list[Cell]:
    """The row's cells in the order of the headings."""
    return [typed(heading, row.get(heading), dates) for heading in headings]
