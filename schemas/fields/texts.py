"""Free text and names of entities."""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from schemas.fields.base import SharedField
from schemas.identifiers.placeholders import PLACEHOLDERS

# Left behind by web pages and byte-order marks; they print as nothing and make equal texts unequal.
_INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNPAIRED = re.compile("[\ud800-\udfff]")

# Texts a column may pass: they begin and end with a visible character and are made of what nearly all texts are made
# of (ASCII, CJK, full-width forms, the quotes, dashes and signs of documents); anything rarer is read one by one.
_VISIBLE = r"!-~·×\u2014‘’“”…℃①-⑳≤≥\u3001-\u303f\u3400-\u4dbf\u4e00-\u9fff\uff01-\uff5e"
_PLAIN = rf"^[{_VISIBLE}]([ \n{_VISIBLE}]*[{_VISIBLE}])?$"


def _placeholder_like() -> str:
    """A pattern that matches at least every spelling of a placeholder: case, width, blanks, quotes do not matter."""
    letters = {form for word in PLACEHOLDERS for char in word for form in (char, char.lower(), char.upper())}
    letters |= set("<>\"' \n-「」‘’“”\u2014")
    letters |= {chr(ord(char) + 0xFEE0) for char in letters if "!" <= char <= "~"}
    return "^[" + "".join(f"\\x{{{ord(char):X}}}" for char in sorted(letters)) + "]{0,40}$"


PLACEHOLDER_LIKE = _placeholder_like()
"""Texts that might be a placeholder; whether they are is asked one by one."""


class Text(SharedField[str]):
    """Text as the agency wrote it: trimmed, line ends unified, invisible characters removed, nothing else changed.

    Args:
        max_length: in characters.
        keep: placeholders that are meant literally here, e.g. ``空`` for "no document number".
    """

    dtype = pl.String()
    kind = "C"
    form = ""

    def __init__(self, max_length: int = 200, *, keep: tuple[str, ...] = (), **told: Any) -> None:
        super().__init__(**told)
        self.max_length, self.keep = max_length, keep

    def tidy(self, text: str) -> str:
        """Trim; unify line ends; remove characters that print as nothing."""
        return _INVISIBLE.sub("", text).replace("\r\n", "\n").replace("\r", "\n").strip()

    def stands_for_nothing(self, text: str) -> bool:
        """As everywhere, but words in ``keep`` are meant literally."""
        return text not in self.keep and super().stands_for_nothing(text)

    def read(self, text: str) -> str:
        """Refuse what cannot be stored or shown: too long, control characters, halves of characters."""
        if len(text) > self.max_length:
            self.refuse(
                "text.too_long",
                f"「{self.zh}」最长 {self.max_length} 个字符，收到 {len(text)} 个：{self.quote(text)}；请缩短。",
                f"{self.name} holds at most {self.max_length} characters, got {len(text)}: {self.quote(text)}; "
                "shorten it.",
            )
        if bad := _CONTROL.search(text) or _UNPAIRED.search(text):
            code = f"U+{ord(bad.group()):04X}"
            self.refuse(
                "text.control_character",
                f"「{self.zh}」第 {bad.start() + 1} 个字符 {code} 不可显示，多为编码错误；请检查导出编码后重新报送。",
                f"{self.name} has the unprintable character {code} at position {bad.start() + 1}, "
                "mostly a sign of a wrong encoding; check the export and send it again.",
            )
        return text

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """Plain characters with visible ends, short enough, no placeholder."""
        short = col.str.len_chars() <= self.max_length
        return short & col.str.contains(_PLAIN) & ~col.str.contains(PLACEHOLDER_LIKE), col

    def shape(self) -> dict[str, Any]:
        """A string with its greatest length."""
        return {"type": "string", "minLength": 1, "maxLength": self.max_length}


class EntityName(Text):
    """Name of an entity or of a body, as registered. Compared elsewhere by ``schemas.names.match_form``."""

    def __init__(self, max_length: int = 200, **told: Any) -> None:
        super().__init__(max_length, **told)

    def read(self, text: str) -> str:
        """As ``Text``; a name also has a letter or ideograph, and stands on one line."""
        text = super().read(" ".join(text.split("\n")))
        if not any(char.isalpha() for char in text):
            self.refuse(
                "name.not_a_name",
                f"「{self.zh}」应为名称，收到「{self.quote(text)}」，其中没有文字；请核对列是否错位。",
                f"{self.name} must be a name, got {self.quote(text)!r}, which has no letters; "
                "check for shifted columns.",
            )
        return text

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """As ``Text``, with at least one common letter or ideograph."""
        plain = super().vectorised(col)
        if plain is None:
            return None
        named = col.str.contains(r"[A-Za-z\u4e00-\u9fff]") & ~col.str.contains("\n", literal=True)
        return plain[0] & named, col
