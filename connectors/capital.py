"""Registered capital as registries write it: amount and currency in one text of 224 known shapes."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from functools import cache

from schemas.fields.codes import code_table
from schemas.fields.numbers import plain_decimal

_CAPITAL = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?(?:E[+-]?[0-9]{1,2})?)(.*)", re.S)
_UNCLEAR = re.compile(r"[0-9][0-9,.]{0,14}[^0-9,.]{1,12}")
_DECORATION = re.compile(r"[()\s]")
_OTHER_SPELLINGS = {"香港元": "港元"}
_SCALES = {"亿": Decimal(10_000), "万": Decimal(1)}
_YUAN_PER_WAN = Decimal(10_000)


def read_capital(text: str) -> tuple[str, str] | None:
    """Amount in ten thousands (万) of the currency, and the currency's code; None if the text does not say both.

    A currency that is not named is the renminbi; a unit that is not named is not guessed.

    >>> [read_capital(text) for text in ("1,000(万元)", "450(万美元 )", "500,000(元人民币)", "5()")]
    [('1000', 'CNY'), ('450', 'USD'), ('50', 'CNY'), None]
    """
    match = _CAPITAL.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if match is None:
        return None
    amount, unit = Decimal(match[1].replace(",", "")), _DECORATION.sub("", match[2])
    scale = next((scale for word, scale in _SCALES.items() if unit.startswith(word)), None)
    currency = _currency(unit[1:] if scale else unit, needed=scale is None)
    if currency is None:
        return None
    return plain_decimal(amount * scale if scale else amount / _YUAN_PER_WAN), currency


def is_unclear(text: str) -> bool:
    """Whether this is capital, digits with something behind them, that does not say amount and unit.

    >>> [is_unclear(text) for text in ("300()", "3,0000000(万)", "1,000(万元)", "李雨桐", "-", "6")]
    [True, True, False, False, False, False]
    """
    return bool(_UNCLEAR.fullmatch(unicodedata.normalize("NFKC", text).strip())) and read_capital(text) is None


@cache
def _currency(words: str, needed: bool) -> str | None:
    """Code of ``元``, ``人民币``, ``人民币元``, ``元人民币``, ``元港币`` ...; blank is the renminbi unless needed."""
    if not words:
        return None if needed else "CNY"
    found = code_table("currency").found
    for spelling in (words, words.removeprefix("元"), words.removesuffix("元")):
        if code := found.get(_OTHER_SPELLINGS.get(spelling, spelling).upper()):
            return code
    return None
