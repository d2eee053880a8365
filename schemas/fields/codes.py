"""Coded values. A table per code list in ``schemas/code_tables``; an unknown word is a fault, never "other"."""

from __future__ import annotations

import csv
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

import polars as pl

from schemas.fields.base import SharedField

_BETWEEN_VALUES = re.compile("[;,|\n]+")
_CONJOINED = re.compile("[、;,|\n]+")

KNOWN_SHOWN = 12
"""Known values a message lists; the data dictionary has them all."""


@dataclass(frozen=True)
class CodeRow:
    """One line of a code table.

    Attributes:
        code: the code.
        name_zh: its word; the first line of a code has its proper name, later lines other accepted words.
        name_en: the same in English.
        valid_from: ISO day the code or word came into use, or empty.
        valid_to: ISO day it was given up, or empty. Records keep old codes, so this does not refuse them.
    """

    code: str
    name_zh: str
    name_en: str
    valid_from: str
    valid_to: str


@dataclass(frozen=True)
class CodeTable:
    """A code list and how its words are found.

    Attributes:
        name: file name in ``schemas/code_tables`` without ``.csv``.
        rows: in file order.
        codes: code -> proper name in 简体中文, in file order.
        found: code or accepted word -> code.
    """

    name: str
    rows: tuple[CodeRow, ...]
    codes: MappingProxyType[str, str]
    found: MappingProxyType[str, str]

    def known(self) -> str:
        """The known values as a message lists them."""
        listed = [f"{code} {name}" for code, name in list(self.codes.items())[:KNOWN_SHOWN]]
        return "；".join(listed) + (" …" if len(self.codes) > KNOWN_SHOWN else "")


@cache
def code_table(name: str) -> CodeTable:
    """Read a packaged code table once.

    Raises:
        FileNotFoundError: there is no such table.
        ValueError: one word stands for two codes.
    """
    file = resources.files("schemas.code_tables") / f"{name}.csv"
    with file.open(encoding="utf-8") as lines:
        rows = tuple(CodeRow(**row) for row in csv.DictReader(lines))
    codes: dict[str, str] = {}
    found: dict[str, str] = {}
    for row in rows:
        codes.setdefault(row.code, row.name_zh)
        for word in (row.code.upper(), unicodedata.normalize("NFKC", row.name_zh).upper()):
            if found.setdefault(word, row.code) != row.code:
                raise ValueError(f"code table {name}: {word!r} stands for {found[word]} and for {row.code}")
    return CodeTable(name, rows, MappingProxyType(codes), MappingProxyType(found))


class _Coded(SharedField[str]):
    dtype = pl.String()
    kind = "C"

    def __init__(self, table: str, **told: Any) -> None:
        super().__init__(**told)
        self.table = code_table(table)

    def find(self, text: str) -> str | None:
        """The code of a code or of an exact word, or None."""
        return self.table.found.get(text.upper())

    def unknown(self, text: str) -> str:
        """Refuse a word the table does not know."""
        self.refuse(
            "code.unknown",
            f"「{self.zh}」的值「{self.quote(text)}」不在代码表 {self.table.name} 中；"
            f"已知值：{self.table.known()}。请改用表中代码，或申请增补。",
            f"{self.name}: {self.quote(text)!r} is not in code table {self.table.name}; known: {self.table.known()}. "
            "Use one of its codes or ask for it to be added.",
        )


class Code(_Coded):
    """One value of a code list; sent as code or as its exact Chinese name, kept as code."""

    def read(self, text: str) -> str:
        """Look the text up; ``1.0`` as spreadsheets write a numeric code is 1."""
        return self.find(text) or self.find(re.sub(r"(?<=[0-9])\.0+$", "", text)) or self.unknown(text)

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """The codes themselves."""
        return col.is_in(list(self.table.codes)), col

    def shape(self) -> dict[str, Any]:
        """One of the codes."""
        return {"type": "string", "enum": list(self.table.codes)}


class Codes(_Coded):
    """Several values of a code list in one cell, joined by ``;`` in the order of the table, each once."""

    def read(self, text: str) -> str:
        """Split the cell; a part that is a word containing 、 is not split further."""
        chosen: set[str] = set()
        for part in filter(None, (part.strip() for part in _BETWEEN_VALUES.split(text))):
            if code := self.find(part):
                chosen.add(code)
            else:
                words = filter(None, (word.strip() for word in _CONJOINED.split(part)))
                chosen.update(self.find(word) or self.unknown(word) for word in words)
        return ";".join(code for code in self.table.codes if code in chosen) or self.unknown(text)

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """A single code."""
        return col.is_in(list(self.table.codes)), col

    def shape(self) -> dict[str, Any]:
        """Codes joined by semicolons."""
        one = "(" + "|".join(re.escape(code) for code in self.table.codes) + ")"
        return {"type": "string", "pattern": f"^{one}(;{one})*$"}


# GB/T 4754-2017: the letter of the section each two-digit division belongs to, with the last division of the section.
_SECTIONS = (("A", 5), ("B", 12), ("C", 43), ("D", 46), ("E", 50), ("F", 52), ("G", 60), ("H", 62), ("I", 65),
             ("J", 69), ("K", 70), ("L", 72), ("M", 75), ("N", 79), ("O", 82), ("P", 83), ("Q", 85), ("R", 90),
             ("S", 96), ("T", 97))  # fmt: skip
_INDUSTRY = re.compile(r"([A-T])?([0-9]{2,4})?", re.ASCII)


def section_of(division: int) -> str:
    """The section letter of a division of GB/T 4754-2017, e.g. 13 -> ``C``.

    Raises:
        KeyError: there is no such division.
    """
    for letter, last in _SECTIONS:
        if 1 <= division <= last:
            return letter
    raise KeyError(division)


class IndustryCode(SharedField[str]):
    """Industry code of GB/T 4754: two to four digits, or a section letter alone.

    ``A0111`` is stored as ``0111``; the letter must agree with the division. The edition is another field,
    because 2011 and 2017 give 243 of their shared codes another name.
    """

    dtype = pl.String()
    kind = "C"

    def read(self, text: str) -> str:
        """Read one of the notations ``A0111``, ``0111``, ``01``, ``A``."""
        found = _INDUSTRY.fullmatch(text.upper())
        letter, digits = found.groups() if found else (None, None)
        division = int(digits[:2]) if digits else 0
        known = not digits or 1 <= division <= _SECTIONS[-1][1]
        agrees = not digits or not letter or (known and section_of(division) == letter)
        if not (letter or digits) or not known or not agrees:
            self.refuse(
                "industry.code",
                f"「{self.zh}」应为 GB/T 4754 代码（如 0111、A0111），收到「{self.quote(text)}」；请核对门类与大类。",
                f"{self.name} must be a code of GB/T 4754 such as 0111 or A0111, got {self.quote(text)!r}; "
                "check section and division.",
            )
        return digits or letter or text

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """Digits of a known division."""
        return col.str.contains(r"^(0[1-9]|[1-8][0-9]|9[0-7])[0-9]{0,2}\z"), col

    def shape(self) -> dict[str, Any]:
        """Digits or a letter."""
        return {"type": "string", "pattern": "^([A-T]|[0-9]{2,4})$"}
