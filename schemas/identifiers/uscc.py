"""Unified social credit code 统一社会信用代码, GB 32100-2015 with amendment 1 (2016).

18 = 1 registering authority + 1 class + 6 region + 9 organisation code + 1 check character.
A wrong check character is always a fault. Region, class and the organisation code inside are only
warnings: of 2,994,500 valid real codes 2.25 % have a region in no list, and 189 an organisation code
whose own check character is wrong.
"""

from __future__ import annotations

import re

from schemas.faults import Fault
from schemas.identifiers import organisation, region, spreadsheet
from schemas.identifiers.text import code_form
from schemas.identifiers.uscc_alphabet import ALPHABET, VALUES, WEIGHTS, check_character, is_sound
from schemas.identifiers.uscc_candidates import candidates, candidates_for_length
from schemas.identifiers.uscc_classes import AUTHORITIES, CLASSES, is_known_class

__all__ = [
    "ALPHABET",
    "VALUES",
    "WEIGHTS",
    "check_character",
    "class_doubt",
    "explain",
    "is_known_class",
    "is_sound",
    "normalize",
    "organisation_doubt",
    "region_doubt",
    "validate",
    "warnings",
]

_MASKED = re.compile(r"[0-9A-Z]*\*+[0-9A-Z]*", re.ASCII)


def normalize(text: str) -> str:
    """Upper case, half width, without blanks, hyphens, zero-width characters and leading apostrophe.

    >>> normalize("９１35-0100-m000-100y-43")
    '91350100M000100Y43'
    """
    return code_form(text)


def validate(text: str) -> list[Fault]:
    """Faults of a normalised unified code; empty means shape, alphabet and check character are right.

    A fault of a single slip carries the valid codes one slip away as `candidates`, likeliest first.
    """
    if is_sound(text):
        return []
    damage = spreadsheet.uscc_damage(text)
    if damage:
        return [damage]
    if _MASKED.fullmatch(text):
        return [
            Fault(
                "uscc.masked",
                f"统一社会信用代码「{text}」经过脱敏（含*），无法用于关联；请报送完整代码",
                f"'{text}' is masked with * and cannot be linked; send the whole code",
            )
        ]
    if len(text) != 18:
        return [_length_fault(text)]
    wrong = [character for character in text if character not in VALUES]
    if wrong:
        return [_characters_fault(text, wrong)]
    if not text[2:8].isdigit():
        return [
            Fault(
                "uscc.region_form",
                f"统一社会信用代码「{text}」第3至8位应为数字（登记机关行政区划码），收到「{text[2:8]}」；请核对后重新报送",
                f"characters 3 to 8 of '{text}' must be digits (region of the registry), got '{text[2:8]}'; "
                "check it and send it again",
                candidates(text),
            )
        ]
    return [_check_fault(text)]


def warnings(text: str) -> list[Fault]:
    """Doubts about a valid code: class, region, organisation code inside. Empty for an invalid code."""
    if not is_sound(text):
        return []
    found: list[Fault] = []
    if not is_known_class(text[:2]):
        found.append(class_doubt(text, text[:2]))
    if not region.is_known(text[2:8]):
        found.append(region_doubt(text, text[2:8]))
    if not organisation.is_valid(text[8:17]):
        found.append(organisation_doubt(text, text[8:17]))
    return found


def class_doubt(text: str, part: str) -> Fault:
    """The warning about authority and class, characters 1 and 2 of a valid code."""
    return Fault(
        "uscc.class_unknown",
        f"统一社会信用代码「{text}」的登记管理部门与机构类别「{part}」不在GB 32100代码表中；仅提示",
        f"authority and class '{part}' of '{text}' are not in the table of GB 32100; a remark only",
    )


def region_doubt(text: str, part: str) -> Fault:
    """The warning about the region, characters 3 to 8 of a valid code."""
    return Fault(
        "uscc.region_unknown",
        f"统一社会信用代码「{text}」中的区划码{part}不在GB/T 2260任何版本中（开发区常见）；仅提示",
        f"region {part} in '{text}' is in no edition of GB/T 2260 (usual for development zones); a remark only",
    )


def organisation_doubt(text: str, part: str) -> Fault:
    """The warning about the organisation code, characters 9 to 17 of a valid code."""
    return Fault(
        "uscc.organisation_code",
        f"统一社会信用代码「{text}」中的组织机构代码{part}校验码不符（个别已发代码如此）；仅提示",
        f"organisation code {part} in '{text}' fails its own check (a few issued codes do); a remark only",
    )


def explain(text: str) -> dict[str, str]:
    """What the parts of an 18-character code say, in words; empty for another length."""
    if len(text) != 18:
        return {}
    authority_zh, authority_en = AUTHORITIES.get(text[0], ("未知", "unknown"))
    class_zh, class_en = CLASSES.get(text[:2], ("未知", "unknown"))
    parts = {
        "authority_code": text[0],
        "authority_zh": authority_zh,
        "authority_en": authority_en,
        "class_code": text[1],
        "class_zh": class_zh,
        "class_en": class_en,
        "region_code": text[2:8],
        **region.explain(text[2:8]),
        "organisation_code": text[8:17],
        "check_character": text[17],
    }
    if all(character in VALUES for character in text[:17]):
        parts["expected_check_character"] = check_character(text[:17])
    return parts


def _length_fault(text: str) -> Fault:
    return Fault(
        "uscc.length",
        f"统一社会信用代码应为18位，收到{len(text)}位：「{text}」；请核对后重新报送",
        f"expected 18 characters, got {len(text)}: '{text}'; check it and send it again",
        candidates_for_length(text),
    )


def _characters_fault(text: str, wrong: list[str]) -> Fault:
    listed = "、".join(dict.fromkeys(wrong))
    return Fault(
        "uscc.characters",
        f"统一社会信用代码「{text}」含有不允许的字符{listed}（不使用I、O、S、V、Z）；请核对后重新报送",
        f"'{text}' holds characters that are not allowed: {', '.join(dict.fromkeys(wrong))} (I, O, S, V, Z are never "
        "used); check it and send it again",
        candidates(text),
    )


def _check_fault(text: str) -> Fault:
    expected = check_character(text[:17])
    near = candidates(text)
    hint_zh = f"可能是{'、'.join(near[:3])}；" if near else ""
    hint_en = f"did you mean {', '.join(near[:3])}? " if near else ""
    return Fault(
        "uscc.check_character",
        f"统一社会信用代码「{text}」校验码错误：按前17位应为{expected}，收到{text[17]}；{hint_zh}请对照营业执照核对后重新报送",
        f"check character of '{text}' is wrong: its first 17 characters ask for {expected}, got {text[17]}; {hint_en}"
        "compare with the licence and send it again",
        near,
    )
