"""Customs registration code 海关注册编码: ten characters, no check digit.

1–4 customs region · 5 economic zone · 6 kind of enterprise · 7–10 serial (may hold letters).
The ten-digit filing number of a food importer is another number and cannot be told apart by its form.
"""

from __future__ import annotations

import re

from schemas.faults import Fault
from schemas.identifiers.text import code_form

_FORM = re.compile(r"[0-9]{4}[0-9A-Z]{6}", re.ASCII)

ZONES: dict[str, tuple[str, str]] = {
    "1": ("经济特区", "special economic zone"),
    "2": ("经济技术开发区", "economic and technological development zone"),
    "3": ("高新技术产业开发区", "high-tech zone"),
    "4": ("保税区", "bonded zone"),
    "5": ("出口加工区", "export processing zone"),
    "6": ("保税港区", "bonded port zone"),
    "7": ("保税物流园区", "bonded logistics park"),
    "9": ("其他", "other"),
}
"""Fifth character → (中文, English); newer letters are in no published table we hold and only warned about."""

ENTERPRISES: dict[str, tuple[str, str]] = {
    "1": ("国有", "state-owned"),
    "2": ("中外合作", "Sino-foreign contractual joint venture"),
    "3": ("中外合资", "Sino-foreign equity joint venture"),
    "4": ("外商独资", "wholly foreign-owned"),
    "5": ("集体", "collective"),
    "6": ("民营", "private"),
    "7": ("个体", "individual"),
    "8": ("报关企业", "customs broker"),
    "9": ("其他", "other"),
}
"""Sixth character → (中文, English); newer letters (processing enterprises) are only warned about."""


def normalize(text: str) -> str:
    """Upper case, half width, without blanks and hyphens; `AEOCN` in front of an AEO code is dropped.

    >>> normalize("AEOCN 3301964JX7")
    '3301964JX7'
    """
    folded = code_form(text)
    return folded.removeprefix("AEOCN") if len(folded) == 15 else folded


def validate(text: str) -> list[Fault]:
    """Faults of a normalised code: only its shape."""
    if _FORM.fullmatch(text):
        return []
    return [
        Fault(
            "customs.form",
            f"海关注册编码应为10位（前4位为数字），收到「{text}」；请核对后重新报送",
            f"a customs code has 10 characters, the first four digits; got '{text}'; check it and send it again",
        )
    ]


def warnings(text: str) -> list[Fault]:
    """Doubts about a well-formed code: economic zone or kind of enterprise outside the published tables."""
    if not _FORM.fullmatch(text):
        return []
    found = []
    if text[4] not in ZONES:
        found.append(
            Fault(
                "customs.zone_unknown",
                f"海关注册编码「{text}」第5位「{text[4]}」不在经济区划代码表中；仅提示",
                f"fifth character '{text[4]}' of '{text}' is no known economic zone; a remark only",
            )
        )
    if text[5] not in ENTERPRISES:
        found.append(
            Fault(
                "customs.enterprise_unknown",
                f"海关注册编码「{text}」第6位「{text[5]}」不在企业性质代码表中；仅提示",
                f"sixth character '{text[5]}' of '{text}' is no known kind of enterprise; a remark only",
            )
        )
    return found


def explain(text: str) -> dict[str, str]:
    """Region, economic zone and kind of enterprise in words; empty for another shape."""
    if not _FORM.fullmatch(text):
        return {}
    zone_zh, zone_en = ZONES.get(text[4], ("未知", "unknown"))
    kind_zh, kind_en = ENTERPRISES.get(text[5], ("未知", "unknown"))
    return {
        "region": text[:4],
        "economic_zone_zh": zone_zh,
        "economic_zone_en": zone_en,
        "enterprise_zh": kind_zh,
        "enterprise_en": kind_en,
        "serial": text[6:],
    }
