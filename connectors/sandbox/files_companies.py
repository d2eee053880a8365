"""企业名单: the list of companies people pass around, six columns of CSV. Knows no folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from connectors.sandbox.dirt import Dirt, Row
from connectors.sandbox.world import SandboxEntity

HEADINGS = ("企业名称", "统一社会信用代码", "注册日期", "注册资金", "所在省份", "地区")
CAPITAL_SHAPES = (
    "{0}(万元人民币)",
    "{0}万人民币",
    "{0}.0000(万元)",
    "{0}（万元）",
    "{0}( 万元人民币)",
    "{0}(万元(人民币))",
)
"""Six of the 224 shapes counted in real registers."""


def company_row(entity: SandboxEntity, dirt: Dirt) -> Row:
    """One company as the list has it."""
    shape = CAPITAL_SHAPES[entity.number % len(CAPITAL_SHAPES)] if entity.currency_code == "CNY" else "{0}(万美元 )"
    row: Row = {
        "企业名称": entity.name,
        "统一社会信用代码": entity.uscc,
        "注册资金": shape.format(f"{int(entity.capital_wan):,}"),
        "所在省份": entity.place.province.removesuffix("省").removesuffix("市").removesuffix("维吾尔自治区"),
        "地区": entity.place.city.removesuffix("市"),
    }
    dates = {"注册日期": entity.established_on}
    return dirt.row(row, code="统一社会信用代码", legacy=None, name="企业名称", dates=dates)


def as_csv(headings: Sequence[str], rows: Sequence[Row]) -> bytes:
    """UTF-8 with a byte order mark, as a spreadsheet saves it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(headings)
    writer.writerows([row[heading] or "" for heading in HEADINGS] for row in rows)
    return text.getvalue().encode("utf-8-sig")
