"""Administrative division codes 行政区划代码, GB/T 2260: PP CC DD, in every edition since 1980.

The packaged table says when a code and a name first appeared, not when a code was given up:
codes live on in identifiers long after the county is gone, so "known" means "had been introduced by then".
Development zones use codes that are in no edition (2.25 % of real unified codes), so nothing
here refuses an unknown region; `warnings` says so.
"""

from __future__ import annotations

import csv
import re
from datetime import date
from functools import cache
from importlib import resources

from schemas.faults import Fault
from schemas.identifiers.text import code_form

NATIONAL = "100000"
"""The national registry 国家市场监督管理总局 registers under this code; it is in no edition of GB/T 2260."""

_FORM = re.compile(r"[1-9][0-9]{5}", re.ASCII)
_WITH_TOWN = re.compile(r"([1-9][0-9]{5})(?:[0-9]{3}|[0-9]{6})", re.ASCII)


@cache
def _history() -> dict[str, tuple[tuple[int, str], ...]]:
    """Code → (first year, name) of every edition, oldest first."""
    history: dict[str, list[tuple[int, str]]] = {NATIONAL: [(0, "国家登记机关")]}
    table = resources.files("schemas.code_tables") / "gbt2260_records.csv"
    for code, year, label in csv.reader(table.read_text(encoding="utf-8").splitlines()):
        history.setdefault(code, []).append((int(year), label))
    return {code: tuple(sorted(editions)) for code, editions in history.items()}


@cache
def _introduced_by(year: int | None) -> frozenset[str]:
    return frozenset(code for code, editions in _history().items() if year is None or editions[0][0] <= year)


def known_regions(on: date | None = None) -> frozenset[str]:
    """Codes that any edition of GB/T 2260 has held up to and including the year of `on` (None: all editions)."""
    return _introduced_by(on.year if on else None)


def is_known(text: str) -> bool:
    """Whether the six digits are in any edition, or the code of the national registry."""
    return text in _history()


def name(text: str, on: date | None = None) -> str | None:
    """The name a six-digit code had on a day (None: the latest); None when no edition up to then has it.

    >>> name("500101", date(1997, 6, 1)), name("500101")
    ('万县区', '万州区')
    """
    editions = [label for year, label in _history().get(text, ()) if on is None or year <= on.year]
    return editions[-1] if editions else None


def normalize(text: str) -> str:
    """Half width, without blanks; township (9) and village (12 digits) codes are cut to their county.

    >>> normalize("330203001"), normalize(" ３３０203 ")
    ('330203', '330203')
    """
    folded = code_form(text)
    with_town = _WITH_TOWN.fullmatch(folded)
    return with_town.group(1) if with_town else folded


def validate(text: str) -> list[Fault]:
    """Faults of a normalised region code: only its shape, see the module's first lines."""
    if _FORM.fullmatch(text):
        return []
    return [
        Fault(
            "region.form",
            f"行政区划代码应为6位数字（或9、12位含乡镇村），收到「{text}」；请按GB/T 2260核对后重新报送",
            f"a region code is 6 digits (9 or 12 with township and village), got '{text}'; check it against GB/T 2260",
        )
    ]


def warnings(text: str) -> list[Fault]:
    """Doubts about a well-formed region code."""
    if not _FORM.fullmatch(text) or is_known(text):
        return []
    return [
        Fault(
            "region.unknown",
            f"行政区划代码「{text}」不在GB/T 2260任何版本中（开发区常见）；仅提示，不影响入库",
            f"region '{text}' is in no edition of GB/T 2260 (usual for development zones); "
            "a remark only, the row stays",
        )
    ]


def explain(text: str) -> dict[str, str]:
    """Names of province, prefecture and county (latest edition that has them); missing levels are left out."""
    if not _FORM.fullmatch(text):
        return {}
    levels = {"province": text[:2] + "0000", "prefecture": text[:4] + "00", "county": text}
    names = {level: name(code) for level, code in levels.items() if level == "province" or not code.endswith("0000")}
    if text.endswith("00"):
        names.pop("county", None)
    return {"region_code": text, **{level: label for level, label in names.items() if label}}
