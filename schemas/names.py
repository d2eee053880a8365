"""The forms in which entity names and addresses are compared; for matching only, never shown or stored as the name.

Each form exists twice, as a function and as a Polars expression; both make the same text.
"""

from __future__ import annotations

import re
import unicodedata

import polars as pl

# NFKC has made full-width （［｛＜ half width and a vertical ︵ a plain one; these are the rest.
_OPENING = "[{<〈《「『【〔〖〘〚"
_CLOSING = "]}>〉》」』】〕〗〙〛"
# Capitals younger (Unicode 16) than the tables of some Pythons: their letters stay small in both engines.
_YOUNG_CAPITALS = {"\ua7cb": "\u0264", "\ua7d2": "\ua7d3", "\ua7d4": "\ua7d5", "\ua7dc": "\u019b"}
_UNIFY = {**dict.fromkeys(_OPENING, "("), **dict.fromkeys(_CLOSING, ")"), **_YOUNG_CAPITALS}
# Blanks, control characters and invisible format characters; spelled out so that both engines take away the same.
_UNSEEN = r"[\x00-\x20\x7f-\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffb]"
# Hyphens stay, as one kind: 12-3号 is not 123号.
_DASHES = r"[\u2010-\u2015\u2043\u2212\u2500]"
_PUNCTUATION = "[,.;:、。·'\"“”‘’`~_]"
_UNSEEN_PATTERN = re.compile(_UNSEEN)
_PUNCTUATION_PATTERN = re.compile(_PUNCTUATION)
_DASHES_PATTERN = re.compile(_DASHES)
_TRANSLATION = str.maketrans(_UNIFY)


def match_form(text: str) -> str:
    """The form in which entity names are compared: NFKC, one kind of bracket, no blanks, upper case.

    Applying it twice changes nothing.

    >>> match_form("信桥（宁波） 食品有限公司ａ"), match_form("信桥【宁波】食品有限公司A")
    ('信桥(宁波)食品有限公司A', '信桥(宁波)食品有限公司A')
    """
    unified = unicodedata.normalize("NFKC", text).upper()
    return unicodedata.normalize("NFKC", _UNSEEN_PATTERN.sub("", unified).translate(_TRANSLATION))


def match_form_expr(col: pl.Expr) -> pl.Expr:
    """`match_form` over a String column; null stays null."""
    return (
        col.str.normalize("NFKC")
        .str.to_uppercase()
        .str.replace_all(_UNSEEN, "")
        .str.replace_many(_UNIFY)
        .str.normalize("NFKC")
    )


def address_form(text: str) -> str:
    """The form in which addresses are compared: as `match_form`, and without punctuation; hyphens of one kind.

    >>> address_form("宁波市 海曙区，桥头街１２－３号。")
    '宁波市海曙区桥头街12-3号'
    """
    return _PUNCTUATION_PATTERN.sub("", _DASHES_PATTERN.sub("-", match_form(text)))


def address_form_expr(col: pl.Expr) -> pl.Expr:
    """`address_form` over a String column; null stays null."""
    return match_form_expr(col).str.replace_all(_DASHES, "-").str.replace_all(_PUNCTUATION, "")
