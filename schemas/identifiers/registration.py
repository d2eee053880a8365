"""Legacy registration numbers 工商注册号: 15 digits (GS15-2006), 15 with NA (cooperatives), 13 digits (before 2007).

A few real numbers have NB where cooperatives have NA; no text we know names it, so it is read the same way.

A unified code cannot be computed from any of them (the organisation code is not inside); only a
crosswalk row can link the two.
"""

from __future__ import annotations

import re

from stdnum.iso7064 import mod_11_10

from schemas.faults import Fault
from schemas.identifiers import region
from schemas.identifiers.text import code_form

_DIGITS_15 = re.compile(r"[0-9]{15}", re.ASCII)
_COOPERATIVE = re.compile(r"[0-9]{6}N[AB][0-9]{6}[0-9X]", re.ASCII)
_DIGITS_13 = re.compile(r"[0-9]{13}", re.ASCII)
_FLOATED = re.compile(r"([0-9]{13}|[0-9]{15})\.0+", re.ASCII)
_LEADS = {
    range(0, 4): ("内资", "domestic"),
    range(4, 6): ("外资", "foreign-invested"),
    range(6, 10): ("个体", "individual"),
}


def normalize(text: str) -> str:
    """Upper case, half width, no blanks, no hyphens; a harmless `.0` that a spreadsheet added is dropped.

    >>> normalize("320404000009558.0")
    '320404000009558'
    """
    folded = code_form(text)
    floated = _FLOATED.fullmatch(folded)
    return floated.group(1) if floated else folded


def form(text: str) -> str | None:
    """Which of `registration_15`, `cooperative_15`, `registration_13` a normalised number is, by its shape."""
    if _DIGITS_15.fullmatch(text):
        return "registration_15"
    if _COOPERATIVE.fullmatch(text):
        return "cooperative_15"
    return "registration_13" if _DIGITS_13.fullmatch(text) else None


def check_digit(body: str) -> str:
    """The 15th digit for 14 digits: ISO 7064 MOD 11,10 (GS15-2006, 4.4)."""
    return str(mod_11_10.calc_check_digit(body))


def validate(text: str) -> list[Fault]:
    """Faults of a normalised number. Only the 15-digit form has a check digit."""
    shape = form(text)
    if shape is None:
        return [
            Fault(
                "registration.form",
                f"注册号应为15位数字、15位含NA的合作社号或13位数字，收到「{text}」；请核对后重新报送",
                "a registration number is 15 digits, 15 characters with NA (cooperatives) or 13 digits, "
                f"got '{text}'; check it and send it again",
            )
        ]
    if shape != "registration_15" or mod_11_10.is_valid(text):
        return []
    expected = check_digit(text[:14])
    return [
        Fault(
            "registration.check_digit",
            f"注册号「{text}」校验位错误：末位应为{expected}，收到{text[14]}；请对照营业执照核对",
            f"check digit of registration number '{text}' is wrong: expected {expected}, got {text[14]}; "
            "compare with the business licence",
        )
    ]


def warnings(text: str) -> list[Fault]:
    """Doubts about a well-formed number: a registering authority that is in no edition of GB/T 2260."""
    return region.warnings(text[:6]) if form(text) else []


def explain(text: str) -> dict[str, str]:
    """Registering region, kind of entity by the first serial digit, serial number."""
    shape = form(text)
    if shape is None:
        return {}
    parts = {"form": shape, **region.explain(text[:6])}
    if shape == "cooperative_15":
        return parts | {"kind_zh": "农民专业合作社", "kind_en": "farmers' cooperative", "serial": text[8:14]}
    if shape == "registration_13":
        return parts | {"serial": text[6:]}
    zh, en = next(words for leads, words in _LEADS.items() if int(text[6]) in leads)
    return parts | {"kind_zh": zh, "kind_en": en, "serial": text[6:14], "check_digit": text[14]}
