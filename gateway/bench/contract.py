"""How fast rows are judged, beside plain marshmallow on the same rows in the same run."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import marshmallow as ma
import polars as pl

from schemas.columnar import Contract, contract
from schemas.identifiers import organisation, registration, uscc
from schemas.records import RECORD_TYPES

DIRT = 0.03
"""Share of cells of the columns that are ever dirty."""

ROUNDS = 3
"""Interleaved runs of each way; the medians are reported."""

PLAIN_ROWS = 20_000
"""Plain marshmallow judges this many rows per round: its rate does not depend on their number."""

_WORDS = ("华", "信", "安", "达", "盛", "泰", "宏", "瑞", "丰", "源", "嘉", "康", "东", "明", "新", "和")
_TRADES = ("食品", "农业", "商贸", "科技", "建材", "物流", "生物", "机械")
_REGIONS = ("330110", "320404", "440307", "510104", "110108", "350102", "370102", "420102")
_NEW_ZONE = "610131"  # in no edition of GB/T 2260, as 2.25 % of real codes


def run(rows: int = 200_000, seed: int = 7) -> dict[str, Any]:
    """Measure ``Contract.judge`` against ``Schema.load(many=True)`` on synthetic ``registration`` rows with 3 % dirt.

    Each round of the fast way begins with an empty memory of judged values.

    Returns:
        ``rows``, ``rows_per_second``, ``marshmallow_rows_per_second``, ``ratio_to_marshmallow`` (medians of
        interleaved runs), ``accepted`` and ``rejected`` of the fast way.
    """
    frame = registration_rows(rows, seed)
    names = [name for name in frame.columns if not name.startswith("_")]
    sample = frame.head(PLAIN_ROWS).select(names).to_dicts()
    fast: list[float] = []
    slow: list[float] = []
    contract("registration").judge(frame.head(1_000))
    for _ in range(ROUNDS):
        agreed = Contract(RECORD_TYPES["registration"])
        fast.append(rows / _seconds(lambda agreed=agreed: agreed.judge(frame)))  # type: ignore[misc]  # bound per round
        slow.append(len(sample) / _seconds(lambda: plain_load(sample)))
    accepted = contract("registration").judge(frame).accepted.height
    return {
        "rows": rows,
        "rows_per_second": round(statistics.median(fast)),
        "marshmallow_rows_per_second": round(statistics.median(slow)),
        "ratio_to_marshmallow": round(statistics.median(fast) / statistics.median(slow), 1),
        "accepted": accepted,
        "rejected": rows - accepted,
    }


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


def plain_load(sample: list[dict[str, Any]], record_type: str = "registration") -> None:
    """The plain way: one ``Schema.load(many=True)``, errors and all."""
    try:
        RECORD_TYPES[record_type]().load(sample, many=True)
    except ma.ValidationError as error:
        if not error.messages:
            raise


def _seconds(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun
