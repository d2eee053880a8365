"""The forms in which entity names and addresses are compared; for matching only, never shown or stored as the name.

Each form exists twice, as a function and as a Polars expression; both make the same text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

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
# Text that is its own form.
_PLAIN = r"^[0-9A-Z()\u4e00-\u9fff-]*$"
_FEW = 100
"""Values up to which forming them one by one costs less than asking Polars which of them are plain."""
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
    return col.map_batches(_match_column, return_dtype=pl.String, is_elementwise=True)


def address_form(text: str) -> str:
    """The form in which addresses are compared: as `match_form`, and without punctuation; hyphens of one kind.

    >>> address_form("宁波市 海曙区，桥头街１２－３号。")
    '宁波市海曙区桥头街12-3号'
    """
    return _PUNCTUATION_PATTERN.sub("", _DASHES_PATTERN.sub("-", match_form(text)))


def address_form_expr(col: pl.Expr) -> pl.Expr:
    """`address_form` over a String column; null stays null."""
    return col.map_batches(_address_column, return_dtype=pl.String, is_elementwise=True)


def _match_column(texts: pl.Series) -> pl.Series:
    """Nearly every name is plain but for full-width brackets, so those go first; what is left pays for NFKC."""
    if len(texts) <= _FEW:
        return _each(match_form, texts)
    return _where_not_plain(_where_not_plain(texts, _with_half_width_brackets), _unified)


def _address_column(texts: pl.Series) -> pl.Series:
    if len(texts) <= _FEW:
        return _each(address_form, texts)
    return _where_not_plain(_match_column(texts), _without_punctuation)


def _each(form: Callable[[str], str], texts: pl.Series) -> pl.Series:
    return pl.Series(texts.name, [None if text is None else form(text) for text in texts.to_list()], pl.String)


def _where_not_plain(texts: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """`texts` with `change` made to those values only that are not their own form already."""
    rows = (~texts.str.contains(_PLAIN)).fill_null(value=False).arg_true()
    return texts.scatter(rows, change(texts.gather(rows))) if len(rows) else texts


def _with_half_width_brackets(texts: pl.Series) -> pl.Series:
    return texts.str.replace_all("（", "(", literal=True).str.replace_all("）", ")", literal=True)


def _unified(texts: pl.Series) -> pl.Series:
    folded = texts.str.normalize("NFKC").str.to_uppercase().str.replace_all(_UNSEEN, "")
    return folded.str.replace_many(_UNIFY).str.normalize("NFKC")


def _without_punctuation(texts: pl.Series) -> pl.Series:
    return texts.str.replace_all(_DASHES, "-").str.replace_all(_PUNCTUATION, "")
