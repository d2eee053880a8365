"""Synthetic rows with the dirt that agencies send, and a source that delivers them. Seeded; no real code or name."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import polars as pl

from connectors.registry import source
from connectors.spec import Column, Expect, Form, SourceSpec
from schemas.identifiers import organisation, registration, uscc

DIRT = 0.03
"""Share of cells of the columns that are ever dirty."""

_WORDS = ("华", "信", "安", "达", "盛", "泰", "宏", "瑞", "丰", "源", "嘉", "康", "东", "明", "新", "和")
_TRADES = ("食品", "农业", "商贸", "科技", "建材", "物流", "生物", "机械")
_REGIONS = ("330110", "320404", "440307", "510104", "110108", "350102", "370102", "420102")
_NEW_ZONE = "610131"  # in no edition of GB/T 2260, as 2.25 % of real codes


def registration_rows(rows: int, seed: int) -> pl.DataFrame:
    """Synthetic rows of ``registration`` as a mapped frame: ``_row``, ``_op`` and text columns, 3 % of cells dirty."""
    chance = random.Random(seed)  # noqa: S311  # synthetic data, not a secret
    table = [_registration(chance, number) for number in range(rows)]
    frame = pl.DataFrame(table, schema=dict.fromkeys(table[0], pl.String))
    return frame.with_columns(
        pl.arange(1, rows + 1, dtype=pl.UInt32, eager=True).alias("_row"), pl.lit("put").alias("_op")
    )


def _registration(chance: random.Random, number: int) -> dict[str, str | None]:
    region = _NEW_ZONE if chance.random() < 0.0225 else chance.choice(_REGIONS)
    serial = f"MA{number:06X}"
    code = f"91{region}{serial}{organisation.check_character(serial)}"
    name = "".join(chance.choices(_WORDS, k=4)) + chance.choice(_TRADES) + "有限公司"
    day = date(1995, 1, 1) + timedelta(days=chance.randrange(10_000))
    old = f"{region}{chance.randrange(10**8):08d}"
    row: dict[str, str | None] = {
        "uscc": code + uscc.check_character(code),
        "name": name,
        "registration_no": old + registration.check_digit(old),
        "status_code": chance.choice("11111234"),
        "legal_representative": chance.choice("王李张刘陈") + "".join(chance.choices(_WORDS, k=2)),
        "registered_capital_wan": str(chance.randrange(1, 100_000)),
        "registered_capital_currency_code": "CNY",
        "established_on": day.isoformat(),
        "approved_on": (day + timedelta(days=chance.randrange(3_000))).isoformat(),
        "valid_to_on": None,
        "business_scope": f"{chance.choice(_TRADES)}销售；{chance.choice(_TRADES)}技术开发、技术咨询；货物进出口。",
        "industry_code": chance.choice(("0111", "5211", "6510", "1411")),
        "region_code": region,
        "address": f"某市某区{chance.choice(_WORDS)}{chance.choice(_WORDS)}路{chance.randrange(999)}号",
    }
    for column, spoil in _DIRT.items():
        value = row[column]
        if value is not None and chance.random() < DIRT:
            row[column] = spoil(chance, value)
    return row


_DIRT: dict[str, Callable[[random.Random, str], str]] = {
    "uscc": lambda c, v: c.choice((v.lower(), " " + v, v[:17] + ("0" if v[17] != "0" else "1"), "9.16204E+17", "无")),
    "name": lambda c, v: c.choice((" " + v, v.replace("有限", "(中国)有限"), v + "\u3000", "——")),
    "registration_no": lambda c, v: c.choice((v + ".0", "无", v[:14] + str((int(v[14]) + 1) % 10))),
    "status_code": lambda c, v: c.choice(("存续（在营、开业、在册）", "吊销,未注销", "在逃", "正常")),
    "registered_capital_wan": lambda c, v: c.choice((f"{int(v):,}", f"{v}.0000", f"{v}万元", "-", f" {v}")),
    "established_on": lambda c, v: c.choice(
        (v.replace("-", "/"), v + " 0:00:00", v.replace("-", ""), "1900-1-1", "2023-2-30")
    ),
    "approved_on": lambda c, v: c.choice(
        (f"{v[:4]}年{int(v[5:7])}月{int(v[8:])}日", v.replace("-", "."), "45017", "不详")
    ),
}


def licence_rows(rows: int, seed: int) -> pl.DataFrame:
    """Synthetic rows of ``licence`` about the entities of ``registration_rows``, with the dirt of their columns."""
    number = pl.int_range(1, pl.len() + 1).cast(pl.String).str.zfill(8)
    return registration_rows(rows, seed).select(
        "_row",
        "_op",
        "uscc",
        document_no=pl.concat_str(pl.lit("市监许〔2026〕"), number, pl.lit("号")),
        subject_name="name",
        subject_registration_no="registration_no",
        item_name=pl.lit("食品经营许可"),
        licence_kind_codes=pl.lit("1"),
        licence_no=pl.concat_str(pl.lit("XK"), number),
        content="business_scope",
        decided_on="established_on",
        valid_from_on="established_on",
        valid_to_on="valid_to_on",
        authority_name=pl.lit("某市市场监督管理局"),
        legal_representative="legal_representative",
        region_code="region_code",
    )


RECORD_TYPES_MEASURED: dict[str, Callable[[int, int], pl.DataFrame]] = {
    "licence": licence_rows,
    "registration": registration_rows,
}
"""Record type -> maker of its rows."""


def bench_spec(record_type: str, fields: list[str]) -> SourceSpec:
    """A source with one column per measured field, GB18030, no expectations."""
    spec = source("market_supervision/company_list")
    form = Form("bench", tuple(Column(name, (name,)) for name in fields))
    decoding = replace(spec.decode, formats=("csv",), encoding="gb18030")
    return replace(spec, record_type=record_type, forms=(form,), decode=decoding, expect=Expect())
