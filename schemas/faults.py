"""A fault: one thing wrong with one value, said in Chinese and English with the next step."""

from __future__ import annotations

from typing import Self


class Fault(str):
    """A message that marshmallow can carry and a program can still read.

    marshmallow keeps error messages as strings; subclassing ``str`` lets a fault pass
    through ``ValidationError`` untouched and keep its stable rule code.

    Attributes:
        rule: stable code such as ``uscc.check_character``; tests and agencies rely on it.
        zh: one sentence in 简体中文, with the value and the next step.
        en: the same in English.
        candidates: corrected values a person may choose from; never applied by the program.
    """

    __slots__ = ("rule", "zh", "en", "candidates")

    rule: str
    zh: str
    en: str
    candidates: tuple[str, ...]

    def __new__(cls, rule: str, zh: str, en: str, candidates: tuple[str, ...] = ()) -> Self:
        self = super().__new__(cls, f"[{rule}] {zh} / {en}")
        self.rule, self.zh, self.en, self.candidates = rule, zh, en, candidates
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, str, tuple[str, ...]]]:
        return type(self), (self.rule, self.zh, self.en, self.candidates)
