"""Synthetic rows of every record type, made by column: millions a minute, seeded, with dirt, about given entities.

What a cell holds follows from the kind of its field, so a new record type needs nothing here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import polars as pl

from schemas import fields as f
from schemas.columnar import Contract, contract
from schemas.fields.base import SharedField
from schemas.identifiers import hs, organisation, registration, uscc

DIRT = 0.03
"""Share of cells that are not in canonical form, in columns of a kind that agencies do write otherwise."""

SHARES = {
    "registration": 0.0,
    "licence": 0.22,
    "penalty": 0.07,
    "abnormal_listing": 0.05,
    "credit_listing": 0.02,
    "credit_repair": 0.02,
    "inspection": 0.14,
    "product_sampling": 0.16,
    "produce_certificate": 0.10,
    "trace_event": 0.06,
    "customs_registration": 0.01,
    "import_refusal": 0.005,
    "health_licence": 0.03,
    "foodborne_event": 0.005,
    "complaint": 0.11,
}
"""Share of each record type in a city's holdings, after one registration per entity; the shares add up to 1."""

FILLED = 14
"""Columns of a row that hold something: about as many as real deliveries fill."""

_WORDS = ("华", "信", "安", "达", "盛", "泰", "宏", "瑞", "丰", "源", "嘉", "康", "东", "明", "新", "和")
_TRADES = ("食品", "农业", "商贸", "科技", "建材", "物流", "生物", "机械")
_REGIONS = ("330110", "320404", "440307", "510104", "110108", "350102", "370102", "420102")


def counts(rows: int, entities: int) -> dict[str, int]:
    """How many rows of each record type make up ``rows`` in all, one registration per entity among them."""
    rest = rows - entities
    shared = {name: int(rest * share) for name, share in SHARES.items()}
    shared["registration"] = entities
    shared["licence"] += rows - sum(shared.values())
    return shared


@lru_cache(maxsize=1)
def entity_table(entities: int) -> pl.DataFrame:
    """The entities that rows are about: ``uscc``, ``name``, ``registration_no``, ``region_code``, ``address``."""
    return pl.DataFrame([_entity(number) for number in range(entities)], orient="row", schema=_ENTITY)


_ENTITY = dict.fromkeys(("uscc", "name", "registration_no", "region_code", "address"), pl.String)


def _entity(number: int) -> tuple[str, ...]:
    region = _REGIONS[number % len(_REGIONS)]
    serial = f"MA{number:06X}"
    code = f"91{region}{serial}{organisation.check_character(serial)}"
    old = f"{region}{number % 10**8:08d}"
    digits = (number >> 12 & 15, number >> 8 & 15, number >> 4 & 15, number & 15)
    name = "".join(_WORDS[digit] for digit in digits) + f"{_TRADES[number >> 16 & 7]}第{number}有限公司"
    return (
        code + uscc.check_character(code),
        name,
        old + registration.check_digit(old),
        region,
        f"某市某区{_WORDS[digits[3]]}{_WORDS[digits[2]]}路{number}号",
    )


def mixed_rows(
    record_type: str, rows: int, entities: int, *, first: int = 0, seed: int = 7, dirt: float = DIRT
) -> pl.DataFrame:
    """Rows ``first`` to ``first + rows`` of one record type, as text; the same numbers always give the same rows.

    Returns:
        pl.String columns: the key, the subject and other fields in declared order, ``FILLED`` of them.
    """
    rules = contract(record_type)
    number = pl.int_range(first, first + rows, dtype=pl.UInt64)
    # A registration is of its own entity; every other record of any.
    about = number if rules.key == (rules.subject.uscc,) else _chance(pl.col("number"), seed, 0)
    known = entity_table(entities)
    frame = pl.select(number=number).with_columns(entity=(about % entities).cast(pl.UInt32))
    frame = frame.with_columns(known[name].gather(frame["entity"]).alias(f"entity_{name}") for name in known.columns)
    columns = [
        _dirty(_clean(rules, name, place, seed), rules.fields[name], place, seed, dirt).alias(name)
        for place, name in enumerate(_filled(rules))
    ]
    return frame.select(columns)


def _filled(rules: Contract) -> list[str]:
    subject = [name for name in vars(rules.subject).values() if name]
    required = [name for name, field in rules.fields.items() if field.required]
    wanted = dict.fromkeys([*rules.key, *subject, *required, *rules.fields])
    kept = set(list(wanted)[:FILLED])
    return [name for name in rules.fields if name in kept]


def _chance(number: pl.Expr, seed: int, place: int) -> pl.Expr:
    """A number from 0 to 2**31 that looks like chance and follows from row, seed and place (a step of an LCG)."""
    mixed = (number + (seed * 1_000_003 + place * 7_919 + 1)) * 6_364_136_223_846_793_005
    mixed = (mixed ^ (mixed // 2**29)) * 2_862_933_555_777_941_757
    return mixed // 2**33


def _clean(rules: Contract, name: str, place: int, seed: int) -> pl.Expr:
    """The canonical text of a cell."""
    subject, field = rules.subject, rules.fields[name]
    number = pl.col("number")
    for role in ("uscc", "name", "registration_no", "region_code", "address"):
        if getattr(subject, role) == name:
            return pl.col(f"entity_{role}")
    if name == subject.organisation_code:
        return pl.col("entity_uscc").str.slice(8, 9)
    if name == subject.taxpayer_no:
        return pl.col("entity_uscc")
    if name in rules.key and isinstance(field, f.Text):
        return pl.concat_str(pl.lit("第"), number.cast(pl.String), pl.lit("号")).str.head(field.max_length)
    # The days of a row are all the same, and so are its counts: what must not exceed something else does not.
    chance = _chance(number, seed, 1 if isinstance(field, f.OnDate | f.AtInstant | f.Count) else place + 2)
    return _BY_KIND.get(type(field), _text)(field, chance, number)


def _one_of(values: list[str], chance: pl.Expr) -> pl.Expr:
    return pl.lit(pl.Series(values, dtype=pl.String)).gather(chance % len(values))


def _day(_field: SharedField[Any], chance: pl.Expr, _number: pl.Expr) -> pl.Expr:
    return (pl.date(1995, 1, 1) + pl.duration(days=(chance % 10_000).cast(pl.Int64))).dt.to_string("%Y-%m-%d")


def _instant(field: SharedField[Any], chance: pl.Expr, number: pl.Expr) -> pl.Expr:
    return _day(field, chance, number) + " 08:30:00"


def _code(field: Any, chance: pl.Expr, _number: pl.Expr) -> pl.Expr:
    return _one_of(list(field.table.codes), chance)


def _amount(_field: SharedField[Any], chance: pl.Expr, _number: pl.Expr) -> pl.Expr:
    return (chance % 100_000 + 1).cast(pl.String)


def _count(_field: SharedField[Any], chance: pl.Expr, _number: pl.Expr) -> pl.Expr:
    return (chance % 100).cast(pl.String)


def _name(_field: SharedField[Any], chance: pl.Expr, _number: pl.Expr) -> pl.Expr:
    return pl.lit("某市") + _one_of(list(_TRADES), chance) + "监督管理局"


def _text(field: Any, chance: pl.Expr, _number: pl.Expr) -> pl.Expr:
    words = (_one_of(list(_TRADES), chance), pl.lit("销售；"), (chance % 5_000).cast(pl.String), pl.lit("项"))
    return pl.concat_str(words).str.head(field.max_length)


def _gtin(_field: SharedField[Any], chance: pl.Expr, _number: pl.Expr) -> pl.Expr:
    body = (pl.lit(690_000_000_000, pl.UInt64) + chance % 1_000_000_000).cast(pl.UInt64)
    total = pl.sum_horizontal(body // 10**place % 10 * (1 if place % 2 else 3) for place in range(12))
    return (body * 10 + (10 - total % 10) % 10).cast(pl.String)


def _customs(_field: SharedField[Any], _chance: pl.Expr, number: pl.Expr) -> pl.Expr:
    high, low = (number // 10_000 % 9_000 + 1_000).cast(pl.String), (number % 10_000).cast(pl.String).str.zfill(4)
    return pl.concat_str(high, pl.lit("16"), low)


_BY_KIND: dict[type, Callable[[Any, pl.Expr, pl.Expr], pl.Expr]] = {
    f.OnDate: _day,
    f.AtInstant: _instant,
    f.Code: _code,
    f.Codes: _code,
    f.Amount: _amount,
    f.Quantity: _amount,
    f.Count: _count,
    f.YesNo: lambda field, chance, number: _one_of(["是", "否"], chance),
    f.EntityName: _name,
    f.Uscc: lambda field, chance, number: pl.col("entity_uscc"),
    f.RegionCode: lambda field, chance, number: _one_of(list(_REGIONS), chance),
    f.IndustryCode: lambda field, chance, number: _one_of(["0111", "5211", "6510", "1411"], chance),
    f.HsCode: lambda field, chance, number: _one_of(_hs_codes(), chance),
    f.Gtin: _gtin,
    f.CustomsCode: _customs,
}


def _hs_codes() -> list[str]:
    return [code for code in hs.headings() if len(code) == 6]


def _dirty(clean: pl.Expr, field: SharedField[Any], place: int, seed: int, dirt: float) -> pl.Expr:
    """The clean text, or for a share of the rows another spelling of it or nonsense, as agencies send them."""
    spoiled = _SPOILED.get(type(field))
    if spoiled is None:
        return clean
    chance = _chance(pl.col("number"), seed, 1_000 + place)
    ways = spoiled(clean)
    choice: Any = pl.when(chance // 1_000 % len(ways) == 0).then(ways[0])
    for number, way in enumerate(ways[1:], start=1):
        choice = choice.when(chance // 1_000 % len(ways) == number).then(way)
    return pl.when(chance % 1_000 < int(dirt * 1_000)).then(choice).otherwise(clean)


_SPOILED: dict[type, Callable[[pl.Expr], list[pl.Expr]]] = {
    f.Uscc: lambda c: [
        c.str.to_lowercase(),
        pl.lit(" ") + c,
        c.str.head(17) + "?",
        pl.lit("9.16204E+17"),
        pl.lit("无"),
    ],
    f.EntityName: lambda c: [pl.lit(" ") + c, c.str.replace("有限", "(中国)有限", literal=True), c + "\u3000"],
    f.RegistrationNo: lambda c: [c + ".0", pl.lit("无"), c.str.head(14) + "X"],
    f.OnDate: lambda c: [
        c.str.replace_all("-", "/", literal=True),
        c + " 0:00:00",
        c.str.replace_all("-", "", literal=True),
        c.str.head(4) + "年" + c.str.slice(5, 2) + "月" + c.str.slice(8) + "日",
        pl.lit("2023-2-30"),
    ],
    f.Amount: lambda c: [c + ".0000", c + "万元", pl.lit(" ") + c, pl.lit("-")],
    f.Code: lambda c: [c + ".0", pl.lit(" ") + c, c + "\u3000", pl.lit("在逃")],
}
