"""Organisation code 组织机构代码, GB 11714-1997: eight characters and a check character, `13830295-X`."""

from __future__ import annotations

import re
from operator import mul

from schemas.faults import Fault
from schemas.identifiers.text import code_form

WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
"""Weights of the eight body characters, GB 11714-1997, 3.3."""

_FORM = re.compile(r"[0-9A-Z]{8}[0-9X]", re.ASCII)
_VALUES = {character: index for index, character in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}


def normalize(text: str) -> str:
    """Upper case, half width, without blanks and without the printed hyphen.

    >>> normalize("ma35k3n5—x")
    'MA35K3N5X'
    """
    return code_form(text)


def check_character(body: str) -> str:
    """The ninth character for eight body characters (0-9, A-Z): 11 − Σ mod 11, 10 written X, 11 written 0.

    >>> check_character("13830295")
    'X'
    """
    if len(body) != 8:
        raise ValueError(f"expected 8 characters, got {len(body)}: '{body}'")
    return "0123456789X"[-sum(map(mul, map(_VALUES.__getitem__, body), WEIGHTS)) % 11]


def validate(text: str) -> list[Fault]:
    """Faults of a normalised organisation code; an empty list means it is well formed and checks."""
    if len(text) != 9:
        return [
            Fault(
                "organisation.length",
                f"组织机构代码应为9位，收到{len(text)}位：「{text}」；请核对后重新报送",
                f"an organisation code has 9 characters, got {len(text)}: '{text}'; check it and send it again",
            )
        ]
    if not _FORM.fullmatch(text):
        return [
            Fault(
                "organisation.characters",
                f"组织机构代码「{text}」含有不允许的字符：前8位为数字或大写字母，末位为数字或X；请核对后重新报送",
                f"'{text}' holds characters no organisation code has (8 digits or letters, then a digit or X); "
                "check it and send it again",
            )
        ]
    expected = check_character(text[:8])
    if text[8] != expected:
        return [
            Fault(
                "organisation.check_character",
                f"组织机构代码「{text}」校验码错误：末位应为{expected}，收到{text[8]}；请对照证照核对",
                f"check character of '{text}' is wrong: expected {expected}, got {text[8]}; "
                "compare with the certificate",
            )
        ]
    return []


def is_valid(text: str) -> bool:
    """`validate(text) == []`, without building messages."""
    return _FORM.fullmatch(text) is not None and check_character(text[:8]) == text[8]


def explain(text: str) -> dict[str, str]:
    """What the parts of a normalised code say; empty for a code of another shape."""
    if not _FORM.fullmatch(text):
        return {}
    return {
        "body": text[:8],
        "check_character": text[8],
        "expected_check_character": check_character(text[:8]),
        "printed": f"{text[:8]}-{text[8]}",
    }
