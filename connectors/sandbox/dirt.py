"""The dirt of real data, put on clean values on purpose. The same generator gives the same dirt.

Every kind was met in real registry dumps and real exchange files. Nothing here knows an agency or a protocol.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from connectors.sandbox.codes import USCC_ALPHABET
from connectors.sandbox.world import OPEN_END, named_rng
from schemas.china_time import CHINA

Row = dict[str, str | None]
"""One row as an agency writes it: heading to text."""

PLACEHOLDERS = ("", "/", "-", "—", "无", "暂无", "不详", "NULL", "N/A", r"\N", "空", "／")
UNKNOWN_WORDS = ("其它（待定）", "类别99", "见附件", "？")
FOOTERS = ("表格说明：以上数据由各业务处室报送。", "注：带*为必填项，金额单位为万元。", "填表人：          审核人：")

CODE_KINDS = (
    "full_width",
    "lower_case",
    "blanks",
    "float_damaged",
    "legacy_number",
    "placeholder",
    "wrong_check",
    "swapped",
)
"""What happens to a code. The first three can be undone exactly; the others must never be."""

DATE_SHAPES = ("iso", "slash", "short", "compact", "chinese", "dotted", "midnight", "excel", "epoch")
"""Ways agencies write a day; ``short`` has no leading zeros, ``excel`` is the serial of the 1900 calendar."""


def full_width(text: str) -> str:
    """ASCII letters and digits as an input method in Chinese mode types them."""
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def float_damaged(code: str) -> str:
    """What a spreadsheet leaves of a code: ``9.16204E+17`` of an all-digit one (letters protect a code)."""
    return f"{float(code):.5E}"


def wrong_check(code: str, rng: random.Random) -> str:
    """The last character replaced by another of the alphabet."""
    return code[:-1] + rng.choice([char for char in USCC_ALPHABET if char != code[-1]])


def swapped(code: str, rng: random.Random) -> str:
    """Two neighbouring unequal characters exchanged."""
    places = [i for i in range(2, len(code) - 1) if code[i] != code[i + 1]]
    if not places:
        return wrong_check(code, rng)
    at = rng.choice(places)
    return code[:at] + code[at + 1] + code[at] + code[at + 2 :]


def damage_code(kind: str, code: str, rng: random.Random, legacy: str | None = None) -> str:
    """The code with dirt of one kind of ``CODE_KINDS``.

    Args:
        kind: one of ``CODE_KINDS``.
        code: clean, 18 characters.
        rng: decides where the damage sits.
        legacy: the number the entity had before it had a USCC; without one, and where a
            code with letters cannot be damaged as a float, the code gets a wrong check character.
    """
    if kind == "full_width":
        return full_width(code)
    if kind == "lower_case":
        return code.lower()
    if kind == "blanks":
        return f" {code[:8]} {code[8:]} "
    if kind == "float_damaged" and code.isdigit():
        return float_damaged(code)
    if kind == "legacy_number" and legacy:
        return legacy
    if kind == "placeholder":
        return rng.choice(PLACEHOLDERS)
    if kind == "swapped":
        return swapped(code, rng)
    return wrong_check(code, rng)


def date_text(day: date, shape: str = "iso") -> str:
    """A day in one of ``DATE_SHAPES``."""
    match shape:
        case "slash":
            return f"{day:%Y/%m/%d}"
        case "short":
            return f"{day.year}-{day.month}-{day.day}"
        case "compact":
            return f"{day:%Y%m%d}"
        case "chinese":
            return f"{day.year}年{day.month}月{day.day}日"
        case "dotted":
            return f"{day:%Y.%m.%d}"
        case "midnight":
            return f"{day.year}-{day.month}-{day.day} 0:00:00"
        case "excel":
            return str((day - date(1899, 12, 30)).days)
        case "epoch":
            return epoch_ms(day)
    return day.isoformat()


def epoch_ms(day: date) -> str:
    """Milliseconds since 1970 of midnight in China: the evening before in UTC."""
    return str(int(datetime(day.year, day.month, day.day, tzinfo=CHINA).timestamp()) * 1000)


class Dirt:
    """Decides which values get dirty, and how.

    Args:
        rng: source of a seed; the same state gives the same dirt.
        share: share of rows that get dirty, 0 to 1.
        spare: USCCs whose rows stay clean.
    """

    def __init__(self, rng: random.Random, share: float = 0.03, spare: Iterable[str] = ()) -> None:
        self._seed = rng.getrandbits(64)
        self.rng, self.share, self.spare = rng, share, frozenset(spare)

    def at(self, *key: object) -> Dirt:
        """Dirt of its own for one record, so that the same record is dirty in the same way on every page
        and on every request, whatever was asked before."""
        child = Dirt(named_rng(self._seed, *key), self.share, self.spare)
        child._seed = self._seed
        return child

    def strikes(self, part: float = 1.0) -> bool:
        """Whether this value is to be dirty: with probability ``share * part``."""
        return self.rng.random() < self.share * part

    def code(self, code: str, legacy: str | None = None) -> str:
        """A USCC, dirty in ``share`` of the calls."""
        if code in self.spare or not self.strikes():
            return code
        return damage_code(self.rng.choice(CODE_KINDS), code, self.rng, legacy)

    def word(self, word: str) -> str:
        """A code word; in a sixth of ``share`` of the calls one that stands in no list."""
        return self.rng.choice(UNKNOWN_WORDS) if self.strikes(1 / 6) else word

    def day(self, day: date, usual: str = "iso", shapes: Sequence[str] = DATE_SHAPES) -> str:
        """A day, mostly in the usual shape of the agency, in ``share`` of the calls in another of ``shapes``."""
        return date_text(day, self.rng.choice(shapes) if self.strikes() else usual)

    def open_end(self, day: date, usual: str = "iso") -> str:
        """The last day of a validity; ``OPEN_END`` in any of the ways agencies say long-term."""
        if day != OPEN_END:
            return self.day(day, usual)
        return self.rng.choice(("2099/12/31", "9999-9-9", "长期")) if self.strikes() else date_text(day, usual)

    def text(self, text: str) -> str:
        """Free text or a name: sometimes outer blanks, ASCII brackets or full-width letters. All can be undone."""
        if not self.strikes():
            return text
        return self.rng.choice((f" {text} ", text.replace("（", "(").replace("）", ")"), full_width(text)))

    def row(
        self,
        row: Mapping[str, str | None],
        *,
        code: str | None = None,
        legacy: str | None = None,
        name: str | None = None,
        words: Sequence[str] = (),
        dates: Mapping[str, date] | None = None,
        usual: str = "iso",
    ) -> Row:
        """One row with at most a few dirty cells. Rows whose code is spared come back clean.

        Args:
            row: heading to clean text.
            code: heading of the USCC column.
            legacy: heading of the legacy registration number, used where the USCC column gets the wrong number.
            name: heading of the entity's name.
            words: headings of code-word columns.
            dates: heading to day for date columns, written here in the agency's usual shape or another.
            usual: the usual shape.
        """
        soiled = dict(row)
        spared = code is not None and row.get(code) in self.spare
        for heading, day in (dates or {}).items():
            soiled[heading] = date_text(day, usual) if spared else self.open_end(day, usual)
        if spared:
            return soiled
        if code is not None and row.get(code):
            soiled[code] = self.code(str(row[code]), row.get(legacy) if legacy else None)
        if name is not None and row.get(name):
            soiled[name] = self.text(str(row[name]))
        for heading in words:
            if row.get(heading):
                soiled[heading] = self.word(str(row[heading]))
        return soiled

    def duplicated(self, rows: Sequence[Row]) -> list[Row]:
        """The rows, a sixth of ``share`` of them sent twice in exactly the same words, the second one later."""
        doubled: list[Row] = []
        for row in rows:
            doubled.append(row)
            if self.strikes(1 / 6):
                doubled.append(dict(row))
        return doubled

    def footer(self, width: int) -> list[list[str | None]]:
        """Rows that a person typed under a table: a note in the first cell, the rest empty."""
        return [[note, *[None] * (width - 1)] for note in FOOTERS[: 1 + self.rng.randrange(len(FOOTERS))]]
