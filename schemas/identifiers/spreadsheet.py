"""Codes a spreadsheet has damaged: read as numbers, so rounded or shown in scientific notation.

23.7 % of real unified codes are all digits and 70 of three million look like `\\d+E\\d+`. A number of
18 digits does not fit a float (15 digits are kept, 17 at best), so the last digits are lost for good:
the damage can be named and the few possible originals listed, not repaired.
"""

from __future__ import annotations

import re
from decimal import Decimal

from stdnum.iso7064 import mod_11_10

from schemas.faults import Fault
from schemas.identifiers import organisation
from schemas.identifiers.uscc_alphabet import check_character, is_sound
from schemas.identifiers.uscc_classes import is_known_class

_SCIENTIFIC = re.compile(r"([1-9])(?:\.([0-9]{1,17}))?E\+?([0-9]{2,3})", re.ASCII)
_FLOATED_18 = re.compile(r"([1-9][0-9]{17})\.0+", re.ASCII)
_DIGITS_18 = re.compile(r"[1-9][0-9]{17}", re.ASCII)
_LEAST, _GREATEST = 10**17, 10**18 - 1
_LONGEST_EXPONENT = 308
_REMEDY_ZH = "请将该列设为「文本」格式，从原系统重新导出后报送"
_REMEDY_EN = "format the column as text, export it again from the original system and send it again"


def uscc_damage(text: str) -> Fault | None:
    """The fault of a normalised text that was an 18-character code before a spreadsheet read it; None if it was not.

    Recognised: `9.16204E+17`, `9.1620400079273805E+17`, `916204000792737792.0`, 18 digits with a wrong
    check character that a float would print (`916204000792737000`, `916204000792737792`), and
    `9.132E+86`, once a code of digits with one E in the middle.
    """
    if is_sound(text):
        return None
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific:
        exponent = int(scientific.group(3))
        return _uscc_fault(text, _from_scientific(scientific)) if 17 <= exponent <= _LONGEST_EXPONENT else None
    floated = _FLOATED_18.fullmatch(text)
    digits = floated.group(1) if floated else text
    if not _DIGITS_18.fullmatch(digits) or not (floated or _is_rounded(int(digits))):
        return None
    return _uscc_fault(text, _originals(int(digits)))


def registration_damage(text: str) -> Fault | None:
    """The fault of a 15-digit number shown in scientific notation (`3.20404E+14`); None if it is not one."""
    scientific = _SCIENTIFIC.fullmatch(text)
    if not scientific or int(scientific.group(3)) != 14:
        return None
    digits = str(int(Decimal(text)))
    fraction = scientific.group(2) or ""
    is_whole = len(fraction) >= 13 and len(digits) == 15 and mod_11_10.is_valid(digits)
    return Fault(
        "registration.spreadsheet_damage",
        f"「{text}」是被电子表格转成科学计数法的15位注册号，后几位已丢失；{_REMEDY_ZH}",
        f"'{text}' is a 15-digit registration number that a spreadsheet turned into scientific notation; {_REMEDY_EN}",
        (digits,) if is_whole else (),
    )


def _uscc_fault(text: str, originals: tuple[str, ...]) -> Fault:
    return Fault(
        "uscc.spreadsheet_damage",
        f"「{text}」是被电子表格当作数字处理而损坏的统一社会信用代码，末位数字已丢失；{_REMEDY_ZH}",
        f"'{text}' is a unified code that a spreadsheet read as a number, its last digits are lost; {_REMEDY_EN}",
        originals,
    )


def _is_rounded(number: int) -> bool:
    """Whether a float would print exactly this: 15 digits kept (Excel), the exact double, or its shortest form."""
    as_float = float(number)
    return number % 1000 == 0 or int(as_float) == number or int(Decimal(repr(as_float))) == number


def _originals(shown: int) -> tuple[str, ...]:
    """Codes of 18 digits that a float would show as `shown`; their organisation code checks too, or all would fit.

    Sixteen digits give the seventeenth (organisation code) and the eighteenth (check character), so a
    range of numbers holds at most one code per hundred: fifteen at the very most, three as a rule.
    """
    # Excel cuts after 15 digits; a program may instead have rounded to the nearest thousand.
    low, high = (shown - 500, shown + 999) if shown % 1000 == 0 else (shown - 128, shown + 128)
    # At either end of the numbers of 18 digits the range begins or ends among those of 17 or 19, which are no codes.
    low, high = max(low, _LEAST), min(high, _GREATEST)
    codes = (_completed(str(head)) for head in range(low // 100, high // 100 + 1))
    fitting = [
        code
        for code in codes
        if code and low <= int(code) <= high and (shown % 1000 == 0 or float(int(code)) == float(shown))
    ]
    return tuple(sorted(fitting, key=lambda code: (int(code) < shown, code)))


def _completed(head: str) -> str | None:
    """The code of 18 digits beginning with these 16; None when its last two are no digits or its class is unknown."""
    body = head + organisation.check_character(head[8:])
    code = body + check_character(body)
    return code if code.isdigit() and is_known_class(code[:2]) else None


def _is_likely(code: str) -> bool:
    return is_sound(code) and is_known_class(code[:2]) and organisation.is_valid(code[8:17])


def _from_scientific(scientific: re.Match[str]) -> tuple[str, ...]:
    lead, fraction, exponent = scientific.group(1), scientific.group(2) or "", int(scientific.group(3))
    if exponent == 17:
        number = int(Decimal(scientific.string))
        # With fewer digits than 15 shown, a thousand and more codes would fit: listing them helps nobody.
        return _originals(number) if len(fraction) >= 14 else ()
    return _with_e_inside(lead + fraction.rstrip("0"), exponent)


def _with_e_inside(shown: str, exponent: int) -> tuple[str, ...]:
    """Codes `digits E digits` of 18 characters whose value, read as a number, is `shown` × 10^exponent."""
    codes = []
    for place in range(max(8, len(shown)), 17):
        power = exponent - (place - 1)
        tail = str(power).zfill(17 - place)
        if power >= 0 and len(tail) == 17 - place:
            codes.append(f"{shown.ljust(place, '0')}E{tail}")
    return tuple(code for code in codes if _is_likely(code))
