"""Named transforms: text columns of a source to one text column, for what a heading alone cannot say.

Each takes the columns (pl.String, nulls for blanks) and the options of ``via:`` and gives a column of
the same length. A value it cannot read stays as it is, so that the field names what is wrong with it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

import polars as pl

from connectors.capital import is_unclear, read_capital
from connectors.distinct import distinct, replaced, translated
from schemas.fields.numbers import plain_decimal

Transform: TypeAlias = Callable[[Sequence[pl.Series], Mapping[str, str]], pl.Series]

_PARTY = re.compile(
    r"(委托方|受托方|委托单位|受托单位|委托企业|受托企业|被委托方|生产方|分装方)[名称]*[:：]\s*([^;；\n]*)"
)
_ENTRUSTED = ("受托方", "受托单位", "受托企业", "被委托方", "生产方")
_SAMPLING = re.compile(r"║|‖|\|\||[|｜丨]")
_WEIGHT = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?)(千克|公斤|KGS?|KG|吨|T|克|G)?", re.I)
_KILOGRAMS = {"吨": Decimal(1000), "T": Decimal(1000), "克": Decimal("0.001"), "G": Decimal("0.001")}
_MONTH = re.compile(r"([12][0-9]{3})(?:年|[-/.])?(1[0-2]|0?[1-9])月?")
_YEAR = re.compile(r"([12][0-9]{3})年?")
_MONTH_ALONE = re.compile(r"(1[0-2]|0?[1-9])月?")


def per_value(column: pl.Series, read: Callable[[str], str | None]) -> pl.Series:
    """Apply ``read`` once to every distinct value; where it gives None the value stays as it is."""
    changed = {value: new for value in distinct(column) if (new := read(value)) is not None and new != value}
    return replaced(column, changed)


def capital_amount_wan(columns: Sequence[pl.Series], options: Mapping[str, str]) -> pl.Series:
    """``1,000(万元人民币)`` -> ``1000``, in ten thousands of the currency."""
    return per_value(columns[0], lambda text: (found := read_capital(text)) and found[0])


def capital_currency(columns: Sequence[pl.Series], options: Mapping[str, str]) -> pl.Series:
    """``450(万美元 )`` -> ``USD``; null where the capital cannot be read, whose fault the amount names."""
    codes = {value: found[1] for value in distinct(columns[0]) if (found := read_capital(value))}
    return translated(columns[0], codes)


def split_party(columns: Sequence[pl.Series], options: Mapping[str, str]) -> pl.Series:
    """``委托方：甲；受托方：乙`` -> 乙, who made the product (or the one that ``party`` names); plain names stay."""
    wanted = options.get("party", "受托方")

    def read(text: str) -> str | None:
        parties = {match[1]: match[2].strip() for match in _PARTY.finditer(text) if match[2].strip()}
        names = (wanted, *(_ENTRUSTED if wanted in _ENTRUSTED else ()), *parties)
        return next((parties[name] for name in names if name in parties), None)

    return per_value(columns[0], read)


def _sampling(position: int) -> Transform:
    def transform(columns: Sequence[pl.Series], options: Mapping[str, str]) -> pl.Series:
        parts = {value: [part.strip() or None for part in _SAMPLING.split(value)] for value in distinct(columns[0])}
        # Without three parts only the item is known; it is the whole text.
        chosen = {
            value: part[position] if len(part) == 3 else (value if position == 0 else None)
            for value, part in parts.items()
        }
        return translated(columns[0], chosen)

    transform.__doc__ = f"Part {position + 1} of ``不合格项目║检验结果║标准值``."
    return transform


def join(columns: Sequence[pl.Series], options: Mapping[str, str]) -> pl.Series:
    """All filled columns joined by ``separator`` (default ``;``); null where none is."""
    frame = pl.DataFrame([column.alias(str(i)) for i, column in enumerate(columns)])
    joined = pl.concat_str(pl.all(), separator=options.get("separator", ";"), ignore_nulls=True)
    return frame.select(pl.when(pl.any_horizontal(pl.all().is_not_null())).then(joined).alias("joined"))["joined"]


def first_of(columns: Sequence[pl.Series], options: Mapping[str, str]) -> pl.Series:
    """The first of several columns that is filled."""
    return pl.DataFrame([column.alias(str(i)) for i, column in enumerate(columns)]).select(pl.coalesce(pl.all()))["0"]


def weight_kg(columns: Sequence[pl.Series], options: Mapping[str, str]) -> pl.Series:
    """``1.2吨``, ``1,200 千克``, ``500克`` -> kilograms; a bare number is kilograms already."""

    def read(text: str) -> str | None:
        match = _WEIGHT.fullmatch("".join(unicodedata.normalize("NFKC", text).split()))
        if match is None:
            return None
        factor = _KILOGRAMS.get((match[2] or "").upper(), Decimal(1))
        return plain_decimal(Decimal(match[1].replace(",", "")) * factor)

    return per_value(columns[0], read)


def month(columns: Sequence[pl.Series], options: Mapping[str, str]) -> pl.Series:
    """``2024年3月``, ``202403``, or year and month from two columns -> ``2024-03``."""
    if len(columns) == 1:
        return per_value(columns[0], _month)
    return pl.Series([_year_and_month(*pair) for pair in zip(columns[0], columns[1], strict=True)], dtype=pl.String)


def _month(text: str) -> str | None:
    match = _MONTH.fullmatch("".join(unicodedata.normalize("NFKC", text).split()))
    return f"{match[1]}-{int(match[2]):02d}" if match else None


def _year_and_month(year: str | None, text: str | None) -> str | None:
    if year is None or text is None:
        return year or text
    found = _YEAR.fullmatch(unicodedata.normalize("NFKC", year).strip())
    within = _MONTH_ALONE.fullmatch(unicodedata.normalize("NFKC", text).strip())
    # Some months already carry their year; then the two must agree.
    if found and within:
        return f"{found[1]}-{int(within[1]):02d}"
    whole = _month(text)
    return whole if whole and found and whole.startswith(found[1]) else f"{year} {text}"


def before(columns: Sequence[pl.Series], options: Mapping[str, str]) -> pl.Series:
    """The text before the first ``mark``; without it unchanged."""
    return per_value(columns[0], lambda text: text.partition(options["mark"])[0].strip())


def after(columns: Sequence[pl.Series], options: Mapping[str, str]) -> pl.Series:
    """The text after the first ``mark``; without it unchanged."""

    def read(text: str) -> str | None:
        head, mark, tail = text.partition(options["mark"])
        return tail.strip() if mark else head

    return per_value(columns[0], read)


TRANSFORMS: dict[str, Transform] = {
    "capital_amount_wan": capital_amount_wan,
    "capital_currency": capital_currency,
    "split_party": split_party,
    "sampling_item": _sampling(0),
    "sampling_measured": _sampling(1),
    "sampling_standard": _sampling(2),
    "join": join,
    "first_of": first_of,
    "multi_code": join,
    "weight_kg": weight_kg,
    "month": month,
    "before": before,
    "after": after,
}
"""Name in ``via:`` -> transform. ``multi_code`` joins here; its words are looked up one by one in ``lookups``."""

UNCLEAR: dict[str, Callable[[str], bool]] = {"capital_amount_wan": is_unclear}
"""Name in ``via:`` -> which values as sent say too little to be one: left out with a finding, their rows go on."""
