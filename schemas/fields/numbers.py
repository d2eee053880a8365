"""Amounts of money, quantities, counts and yes-or-no."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import polars as pl

from schemas.fields.base import SharedField

_PLAIN = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]+")
_UNIT_LEFT = re.compile(r"[+-]?[0-9][0-9,.]*\s*([^0-9+.,\s_-].*)|([^0-9+.,-]+)[0-9].*")

WHOLE_DIGITS = 15
"""Digits before the decimal point: more is no amount this gateway will ever see, but a number in the wrong column."""


def plain_decimal(value: Decimal) -> str:
    """Write a decimal in its one canonical form: no exponent, no trailing zeros, no negative zero.

    >>> plain_decimal(Decimal("1.2300E+3"))
    '1230'
    """
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


class Quantity(SharedField[Decimal]):
    """A number without a fixed unit (or with the unit told by ``unit``), exact to ``decimals`` places.

    Loads as ``Decimal``; stands in frames and payloads as its canonical text (``plain_decimal``).
    """

    dtype = pl.String()
    kind = "N"

    def __init__(self, decimals: int = 6, *, negative: bool = False, **told: Any) -> None:
        super().__init__(**told)
        self.decimals, self.negative = decimals, negative

    def read(self, text: str) -> Decimal:
        """Read digits, optionally grouped by thousands; refuse units, exponents and false precision."""
        if not (_PLAIN.fullmatch(text) or _GROUPED.fullmatch(text)):
            self._refuse_shape(text)
        value = Decimal(text.replace(",", ""))
        whole, _, places = plain_decimal(abs(value)).partition(".")
        if len(whole) > WHOLE_DIGITS:
            self.refuse(
                "number.too_large",
                f"「{self.zh}」的值 {self.quote(text)} 超过 {WHOLE_DIGITS} 位整数；请核对单位或列是否错位。",
                f"{self.name} has more than {WHOLE_DIGITS} whole digits: {self.quote(text)}; check unit and column.",
            )
        if len(places) > self.decimals:
            self.refuse(
                "number.too_precise",
                f"「{self.zh}」最多 {self.decimals} 位小数，收到 {self.quote(text)}；请按规定精度报送。",
                f"{self.name} has at most {self.decimals} decimal places, got {self.quote(text)}; send it so.",
            )
        if value < 0 and not self.negative:
            self.refuse(
                "number.negative",
                f"「{self.zh}」不能为负，收到 {self.quote(text)}；请核对。",
                f"{self.name} cannot be negative, got {self.quote(text)}; check it.",
            )
        return Decimal(plain_decimal(value))

    def _refuse_shape(self, text: str) -> None:
        if _SCIENTIFIC.fullmatch(text):
            self.refuse(
                "number.scientific",
                f"「{self.zh}」的值 {self.quote(text)} 为科学计数法，可能已丢失位数；请将该列设为文本后重新导出。",
                f"{self.name} is in scientific notation and may have lost digits: {self.quote(text)}; "
                "set the column to text and export it again.",
            )
        if found := _UNIT_LEFT.fullmatch(text):
            word = (found.group(1) or found.group(2)).strip()
            unit = f"，本列单位为{self.unit}" if self.unit else ""
            self.refuse(
                "number.unit_word",
                f"「{self.zh}」应只有数字{unit}，收到「{self.quote(text)}」，其中有「{self.quote(word)}」；请去掉文字并换算。",
                f"{self.name} must be digits only{f' (unit {self.unit})' if self.unit else ''}, got "
                f"{self.quote(text)!r} with {self.quote(word)!r}; remove the word and convert the value.",
            )
        self.refuse(
            "number.shape",
            f"「{self.zh}」不是数字：「{self.quote(text)}」；请填写如 1234.56。",
            f"{self.name} is not a number: {self.quote(text)!r}; write it like 1234.56.",
        )

    def cell(self, value: Decimal) -> str:
        """Canonical text of the decimal."""
        return plain_decimal(value)

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """Plain digits without leading zeros; trailing zeros of the fraction are dropped."""
        places = rf"(\.[0-9]{{1,{self.decimals}}})?" if self.decimals else ""
        plain = col.str.contains(rf"^(0|[1-9][0-9]{{0,{WHOLE_DIGITS - 1}}}){places}\z")
        trimmed = col.str.strip_chars_end("0").str.strip_chars_end(".")
        return plain, pl.when(col.str.contains(".", literal=True)).then(trimmed).otherwise(col)

    def shape(self) -> dict[str, Any]:
        """A decimal as text, so that no reader rounds it."""
        sign = "-?" if self.negative else ""
        places = rf"(\.[0-9]{{0,{self.decimals - 1}}}[1-9])?" if self.decimals else ""
        return {"type": "string", "pattern": rf"^{sign}(0|[1-9][0-9]{{0,{WHOLE_DIGITS - 1}}}){places}$"}


class Amount(Quantity):
    """An amount of money in a stated unit, by default exact to six places (as 双公示 has it)."""

    def __init__(self, unit: str, decimals: int = 6, **told: Any) -> None:
        super().__init__(decimals, unit=unit, **told)


class Count(SharedField[int]):
    """A whole number of things, not negative."""

    dtype = pl.Int64()
    kind = "N"

    def __init__(self, *, largest: int = 10**12, **told: Any) -> None:
        super().__init__(**told)
        self.largest = largest

    def read(self, text: str) -> int:
        """Read digits, optionally grouped by thousands; ``3.0`` as spreadsheets write it is 3."""
        plain = re.fullmatch(r"\+?([0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.0*)?", text)
        if not plain:
            self.refuse(
                "count.shape",
                f"「{self.zh}」应为非负整数，收到「{self.quote(text)}」；请只填数字。",
                f"{self.name} must be a whole number, got {self.quote(text)!r}; write digits only.",
            )
        digits = plain.group(1).replace(",", "").lstrip("0") or "0"
        if len(digits) > len(str(self.largest)) or int(digits) > self.largest:
            self.refuse(
                "count.too_large",
                f"「{self.zh}」最大 {self.largest}，收到 {self.quote(text)}；请核对。",
                f"{self.name} is at most {self.largest}, got {self.quote(text)}; check it.",
            )
        return int(digits)

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """Up to 18 digits without a leading zero, not above the largest."""
        number = col.str.to_integer(strict=False, dtype=pl.Int64)
        plain = col.str.contains(r"^(0|[1-9][0-9]{0,17})\z")
        return plain & (number <= self.largest), number

    def shape(self) -> dict[str, Any]:
        """A whole number with its bounds."""
        return {"type": "integer", "minimum": 0, "maximum": self.largest}


_YES = ("1", "是", "Y", "YES", "TRUE", "T", "有")
_NO = ("0", "否", "N", "NO", "FALSE", "F", "没有")


class YesNo(SharedField[bool]):
    """Yes or no, in any of the words agencies use; an unknown word is a fault, never "no"."""

    dtype = pl.Boolean()
    kind = "B"

    def read(self, text: str) -> bool:
        """Read one of the known words."""
        word = text.upper()
        if word not in _YES and word not in _NO:
            self.refuse(
                "yes_no.unknown",
                f"「{self.zh}」应为“是”或“否”，收到「{self.quote(text)}」；已知写法：{'、'.join(_YES + _NO)}。",
                f"{self.name} must be yes or no, got {self.quote(text)!r}; known words: {', '.join(_YES + _NO)}.",
            )
        return word in _YES

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """The commonest four words."""
        yes = col.is_in(["1", "是"])
        return yes | col.is_in(["0", "否"]), yes

    def shape(self) -> dict[str, Any]:
        """true or false."""
        return {"type": "boolean"}
