"""Commodity codes of the Harmonized System: 6 digits, 8 (tariff), 10 (supervision), 13 (inspection). No check digit.

Only the first six digits are international; they are looked up in the 2022 edition. The longer
national parts change every year and are not judged.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib import resources

from schemas.faults import Fault
from schemas.identifiers.text import code_form

_FORM = re.compile(r"[0-9]{6}|[0-9]{8}|[0-9]{10}|[0-9]{13}", re.ASCII)


@cache
def headings() -> dict[str, str]:
    """Code of 2, 4 or 6 digits → English heading, edition 2022."""
    table = resources.files("schemas.code_tables") / "hs_2022.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    return {row["code"]: row["name_en"] for row in csv.DictReader(lines)}


def normalize(text: str) -> str:
    """Half width, without blanks, hyphens and dots.

    >>> normalize("0102.29 00 00")
    '0102290000'
    """
    return code_form(text).replace(".", "")


def validate(text: str) -> list[Fault]:
    """Faults of a normalised code: only its shape."""
    if _FORM.fullmatch(text):
        return []
    return [
        Fault(
            "hs.form",
            f"商品编码应为6、8、10或13位数字，收到「{text}」；请按进出口税则核对",
            f"a commodity code is 6, 8, 10 or 13 digits, got '{text}'; check it against the customs tariff",
        )
    ]


def warnings(text: str) -> list[Fault]:
    """Doubts about a well-formed code: first six digits in no heading of the 2022 edition."""
    if not _FORM.fullmatch(text) or text[:6] in headings():
        return []
    return [
        Fault(
            "hs.unknown",
            f"商品编码「{text}」前6位{text[:6]}不在2022年版协调制度中（旧版编码或录入错误）；仅提示",
            f"the first six digits {text[:6]} of '{text}' are not in the 2022 Harmonized System "
            "(an older edition or a slip); a remark only",
        )
    ]


def explain(text: str) -> dict[str, str]:
    """Chapter, heading and subheading in words, as far as the 2022 edition has them; empty for another shape."""
    if not _FORM.fullmatch(text):
        return {}
    levels = {"chapter": text[:2], "heading": text[:4], "subheading": text[:6]}
    named = {level: headings()[code] for level, code in levels.items() if code in headings()}
    return {"hs6": text[:6], **named, "national_part": text[6:]} if len(text) > 6 else {"hs6": text, **named}
