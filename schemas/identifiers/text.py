"""The written form of an identifier: what is taken away before any rule is asked.

Agencies send codes in lower case, in full-width characters, with blanks, hyphens, zero-width
characters and a spreadsheet's leading apostrophe. Nothing here knows a rule of any identifier.
"""

from __future__ import annotations

import re
import unicodedata

import polars as pl

_LOWER_TO_UPPER = {lower: lower - 32 for lower in range(ord("a"), ord("z") + 1)}
_ASCII_NOISE = re.compile(r"[\x00-\x20\x7f]+")
_ASCII_NOISE_AND_HYPHEN = r"[\x00-\x20\x7f-]+"
_DASHES = re.compile("[-\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58]+")
_INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
# A spreadsheet marks "this is text" with an apostrophe in front; exports sometimes keep it.
_TEXT_MARKS = "'`\u2018\u2019"


def fold(text: str) -> str:
    """NFKC, upper case (A-Z only), and no blank, control or zero-width character anywhere.

    Only ASCII letters are raised: no identifier has others, and full upper-casing is not
    stable under NFKC. Folding a folded text changes nothing.

    >>> fold(" ９1350100m000100y43\\u200b ")
    '91350100M000100Y43'
    """
    if text.isascii():
        return _ASCII_NOISE.sub("", text).translate(_LOWER_TO_UPPER)
    while True:
        folded = "".join(
            character
            for character in unicodedata.normalize("NFKC", text).translate(_LOWER_TO_UPPER)
            if unicodedata.category(character) not in _INVISIBLE
        )
        # Taking a joiner away can bring two characters together that NFKC then composes.
        if folded == text:
            return folded
        text = folded


def code_form(text: str) -> str:
    """`fold`, and neither hyphens of any kind nor the apostrophe a spreadsheet puts in front.

    >>> code_form("'13830295-x")
    '13830295X'
    """
    folded = _DASHES.sub("", fold(text)).lstrip(_TEXT_MARKS)
    return folded if folded.isascii() else fold(folded)


def ascii_code_form(col: pl.Series) -> pl.Series:
    """`code_form` of the ASCII values of a String column; null for the others (and for null)."""
    is_ascii = col.str.len_bytes() == col.str.len_chars()
    forms = (
        pl.col("text")
        .str.to_uppercase()
        .str.replace_all(_ASCII_NOISE_AND_HYPHEN, "")
        .str.strip_chars_start(_TEXT_MARKS)
    )
    return pl.select(text=col, is_ascii=is_ascii).select(pl.when("is_ascii").then(forms)).to_series()


def has_chinese(text: str) -> bool:
    """Whether any character is a CJK ideograph (or a private-use glyph standing in for one)."""
    return not text.isascii() and any(
        "\u3400" <= character <= "\u9fff" or "\ue000" <= character <= "\uf8ff" or character >= "\U00020000"
        for character in text
    )
