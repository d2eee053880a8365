"""Taxpayer numbers 纳税人识别号: 15 = region + organisation code; 17, 18 (the unified code or a person's) and 20.

A 15-character number of an enterprise suggests a unified code (`91` + number + check character), but
only suggests: tax region and registering region may differ, and the class may be 92 or 93.
"""

from __future__ import annotations

import re

from schemas.faults import Fault
from schemas.identifiers import organisation, region, uscc
from schemas.identifiers.text import code_form

_OLD = re.compile(r"[0-9]{6}[0-9A-Z]{8}[0-9X]", re.ASCII)
_PERSONAL = re.compile(r"[0-9]{17}|[0-9]{17}[0-9X](?:[0-9A-Z]{2})?", re.ASCII)


def normalize(text: str) -> str:
    """Upper case, half width, without blanks and hyphens."""
    return code_form(text)


def form(text: str) -> str | None:
    """`taxpayer_15` (region + organisation code), `uscc` (18 and sound), `personal` (17, 18, 20), or None."""
    if _OLD.fullmatch(text):
        return "taxpayer_15"
    if uscc.is_sound(text):
        return "uscc"
    return "personal" if _PERSONAL.fullmatch(text) else None


def validate(text: str) -> list[Fault]:
    """Faults of a normalised number. The organisation code inside a 15-character one is only warned about."""
    if form(text):
        return []
    if len(text) == 18:
        return uscc.validate(text)
    return [
        Fault(
            "taxpayer.form",
            f"纳税人识别号应为15、17、18或20位，收到「{text}」（{len(text)}位）；请核对后重新报送",
            f"a taxpayer number has 15, 17, 18 or 20 characters, got '{text}' ({len(text)}); "
            "check it and send it again",
        )
    ]


def warnings(text: str) -> list[Fault]:
    """Doubts about a well-formed number: organisation code or region of the 15-character form."""
    if form(text) == "uscc":
        return uscc.warnings(text)
    if form(text) != "taxpayer_15":
        return []
    found = region.warnings(text[:6])
    if not organisation.is_valid(text[6:]):
        found.append(
            Fault(
                "taxpayer.organisation_code",
                f"纳税人识别号「{text}」后9位不是校验正确的组织机构代码；仅提示",
                f"the last 9 characters of '{text}' are no organisation code that checks; a remark only",
            )
        )
    return found


def candidate(text: str) -> str | None:
    """The unified code an enterprise with this 15-character number would have; to be confirmed by name.

    >>> candidate("350100M000100Y4") == "91350100M000100Y4" + "3"
    True
    """
    if form(text) != "taxpayer_15" or any(character not in uscc.VALUES for character in text):
        return None
    return f"91{text}{uscc.check_character(f'91{text}')}"


def explain(text: str) -> dict[str, str]:
    """Parts of the number by its form; empty when it has none."""
    shape = form(text)
    if shape == "uscc":
        return {"form": shape, **uscc.explain(text)}
    if shape != "taxpayer_15":
        return {"form": shape} if shape else {}
    parts = {"form": shape, **region.explain(text[:6]), "organisation_code": text[6:]}
    suggested = candidate(text)
    return parts | {"uscc_candidate": suggested} if suggested else parts
