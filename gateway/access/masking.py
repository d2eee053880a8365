"""How a personal value is shown to a reader who may know that it is there, but not what it is."""

from __future__ import annotations

import re

_IDENTITY_NUMBER = re.compile(r"[0-9A-Z]{15}|[0-9]{17}[0-9X]", re.ASCII)
_TELEPHONE = re.compile(r"\+?[0-9][0-9 -]{5,18}[0-9]", re.ASCII)
_BANK_CARD = re.compile(r"[0-9]{16}|[0-9]{19}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_HAN = re.compile(r"[㐀-鿿·]{2,}")


def mask(value: str) -> str:
    """Hide the middle of identity numbers and telephones, and all of a name but its first character.

    Of a bank card the last four digits stay, of an e-mail address the first character and the domain.

    The kind is read off the value, not off the field: agencies do put telephones into the field for
    a name, and the mask must hold there too. What is of no known kind keeps its first character
    only, and gives away nothing about its length.

    >>> mask("330106199001011234"), mask("13800001234"), mask("张三丰"), mask("Smith")
    ('3301**********1234', '138****1234', '张**', 'S***')
    """
    text = value.strip()
    if _IDENTITY_NUMBER.fullmatch(text):
        return text[:4] + "*" * (len(text) - 8) + text[-4:]
    if _BANK_CARD.fullmatch(text):
        return "*" * (len(text) - 4) + text[-4:]
    if _EMAIL.fullmatch(text):
        return text[0] + "***" + text[text.rindex("@") :]
    if _TELEPHONE.fullmatch(text):
        return text[:3] + "****" + text[-4:] if len(text) >= 11 else "*" * (len(text) - 2) + text[-2:]
    if _HAN.fullmatch(text):
        return text[0] + "*" * (len(text) - 1)
    return text[:1] + "***"
