"""Global trade item number 商品条码 (GTIN-8, -12, -13, -14), GB 12904: digits with a modulo 10 check digit."""

from __future__ import annotations

import re

from stdnum import ean

from schemas.faults import Fault
from schemas.identifiers.text import code_form

_FORM = re.compile(r"[0-9]{8}|[0-9]{12,14}", re.ASCII)
_APPLICATION_IDENTIFIER = re.compile(r"\(01\)([0-9]{14})", re.ASCII)
_FLOATED = re.compile(r"([0-9]{8,14})\.0+", re.ASCII)


def normalize(text: str) -> str:
    """Half width, without blanks and hyphens; a GS1 `(01)` in front and a spreadsheet's `.0` behind are dropped.

    The number of digits is kept: 8, 12, 13 and 14 digits name different packages.

    >>> normalize("(01) 0690 1234 5678 92"), normalize("6901234567892.0")
    ('06901234567892', '6901234567892')
    """
    folded = code_form(text)
    inner = _APPLICATION_IDENTIFIER.fullmatch(folded) or _FLOATED.fullmatch(folded)
    return inner.group(1) if inner else folded


def validate(text: str) -> list[Fault]:
    """Faults of a normalised number: length, digits, check digit."""
    if not _FORM.fullmatch(text):
        return [
            Fault(
                "gtin.form",
                f"商品条码应为8、12、13或14位数字，收到「{text}」；请核对包装上的条码",
                f"a GTIN is 8, 12, 13 or 14 digits, got '{text}'; compare with the bar code on the package",
            )
        ]
    expected = ean.calc_check_digit(text[:-1])
    if text[-1] == expected:
        return []
    return [
        Fault(
            "gtin.check_digit",
            f"商品条码「{text}」校验位错误：末位应为{expected}，收到{text[-1]}；请核对包装上的条码",
            f"check digit of GTIN '{text}' is wrong: expected {expected}, got {text[-1]}; "
            "compare with the bar code on the package",
        )
    ]


def explain(text: str) -> dict[str, str]:
    """Kind of number, and whether GS1 China (690–699) gave the prefix; empty for another shape."""
    if not _FORM.fullmatch(text):
        return {}
    parts = {"form": f"GTIN-{len(text)}", "gtin_14": text.zfill(14), "check_digit": text[-1]}
    prefix = text.zfill(14)[1:4]
    if len(text) == 8:
        return parts | {"prefix": text[:3]}
    is_china = 690 <= int(prefix) <= 699
    return parts | {"prefix": prefix, "issuer": "GS1 China" if is_china else "another GS1 organisation"}
