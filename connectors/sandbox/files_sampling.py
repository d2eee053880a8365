"""Sampling results as uploaded: food in a workbook with continuation rows, produce in a ZIP of a GB18030 CSV.

Neither carries a unified social credit code: the producer is a name and an address on a label.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from connectors.sandbox.dirt import Dirt, Row
from connectors.sandbox.files_workbook import Cell
from connectors.sandbox.goods import FAILED_ITEMS, FOODS, LABORATORIES, PRODUCE, RESIDUES
from connectors.sandbox.happenings import Happening, happenings
from connectors.sandbox.world import SandboxEntity, World

FOOD_HEADINGS = (
    "序号",
    "标称生产企业名称",
    "标称生产企业地址",
    "被抽样单位名称",
    "被抽样单位地址",
    "样品名称",
    "规格型号",
    "商标",
    "生产日期",
    "保质期",
    "不合格项目║检验结果║标准值",
    "备注",
    "检验机构",
    "食品细类",
    "抽样编号",
    "备注",
)
"""As in the notices of unqualified samples: two columns have the same heading."""

PRODUCE_HEADINGS = (
    "抽样编号",
    "样品名称",
    "抽样数量",
    "抽样基数",
    "样品来源",
    "被抽样对象名称",
    "详细地址",
    "生产单位类别",
    "种植方式",
    "联系电话",
    "抽样日期",
    "检测项目",
    "检测结果",
    "检测值",
    "限量值",
    "检测机构",
    "行政区划",
    "备注",
)


def sampled_makers(world: World) -> Iterator[SandboxEntity]:
    """Food makers whose goods are sampled."""
    return (
        entity for entity in world.having("sampled") if "manufacturer" in entity.sectors and "food" in entity.sectors
    )


def sampled_farms(world: World) -> Iterator[SandboxEntity]:
    """Farms whose produce is sampled."""
    return (entity for entity in world.having("sampled") if "farm" in entity.sectors)


def food_samples(world: World) -> list[Happening]:
    """Every failed food sample up to today."""
    return happenings(world, "food_sampling", sampled_makers)


def produce_samples(world: World) -> list[Happening]:
    """Every produce sample up to today, good ones too."""
    return happenings(world, "produce_sampling", sampled_farms)


def food_rows(event: Happening, dirt: Dirt, number: int, shops: list[SandboxEntity]) -> list[list[Cell]]:
    """One sample: a full row, and for every further failed item a row with nothing but that item in it."""
    rng, entity = event.rng, event.entity
    shop, food = rng.choice(shops), FOODS[event.serial % len(FOODS)]
    items = rng.sample(FAILED_ITEMS, rng.choice((1, 1, 2, 3)))
    separator = rng.choice(("║", "║", "||", "｜", "丨"))
    told = [separator.join((item.item, item.found, item.standard)) for item in items]
    first: list[Cell] = [
        str(number),
        dirt.text(_producer(entity, shop) if rng.random() < 0.15 else entity.name),
        entity.address,
        shop.name,
        shop.business_address,
        food.name,
        food.specification,
        food.trademark,
        dirt.day(event.on - timedelta(days=30), "short", ("iso", "slash", "chinese", "dotted", "midnight")),
        food.shelf_life,
        told[0],
        rng.choices(("", "初检机构：示例省产品质量检验中心", "标称生产企业提出真实性异议，称系假冒"), (85, 10, 5))[0],
        rng.choice(LABORATORIES),
        food.category,
        sampling_no(event),
        rng.choice(("", "/", "抽检监测（市级本级）")),
    ]
    blank: Cell = None
    return [first, *([*[blank] * 10, text, *[blank] * 5] for text in told[1:])]


def food_merges(first: int, height: int) -> list[str]:
    """The ranges a tidy office merges for a sample of several rows: every column but that of the items."""
    columns = [letter for letter in "ABCDEFGHIJLMNOP" if height > 1]
    return [f"{letter}{first}:{letter}{first + height - 1}" for letter in columns]


def sampling_no(event: Happening) -> str:
    """``XBJ``, last two digits of the year, county and serial, as food samples are numbered."""
    return f"XBJ{event.on:%y}{event.entity.region_code}{event.serial:08d}"


def _producer(maker: SandboxEntity, principal: SandboxEntity) -> str:
    return f"委托方：{principal.name}；受托方：{maker.name}"


def produce_row(event: Happening, dirt: Dirt) -> Row:
    """One line of the CSV: one sample and one checked item."""
    rng, entity = event.rng, event.entity
    produce, residue = PRODUCE[event.serial % len(PRODUCE)], rng.choice(RESIDUES)
    failed = rng.random() < 0.1
    values = (
        f"NCP{event.on:%Y}{entity.region_code}{event.serial:06d}",
        produce.name,
        f"{rng.randrange(1, 5)}{produce.unit}",
        f"{rng.randrange(100, 9000)}{produce.unit}",
        rng.choice(("生产基地", "合作社", "运输车")),
        dirt.text(entity.name),
        entity.business_address,
        {"cooperative": "农民专业合作社", "rural_collective": "农村集体经济组织"}.get(entity.kind, "生产企业"),
        rng.choice(("露地", "设施", "养殖")),
        entity.contact_phone,
        dirt.day(event.on, "iso", ("slash", "short", "chinese", "compact")),
        residue.item,
        dirt.word("不合格" if failed else "合格"),
        residue.found if failed else "未检出",
        residue.standard,
        LABORATORIES[2],
        entity.region_code,
        rng.choice(("", "无")),
    )
    return dict(zip(PRODUCE_HEADINGS, values, strict=True))


def produce_zip(headings: Sequence[str], rows: Sequence[Row], day: date) -> bytes:
    """A ZIP as an old archiver on a Chinese desktop makes it: file name in GBK, the UTF-8 flag unset."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(headings)
    writer.writerows([row[heading] or "" for heading in PRODUCE_HEADINGS] for row in rows)
    # The archive writer knows only ASCII and UTF-8 names: a stand-in of the same length is replaced by the GBK bytes.
    name = f"农产品监督抽查_{day:%Y%m%d}.csv".encode("gbk")
    stand_in = b"\x7f" * len(name)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        member = zipfile.ZipInfo(stand_in.decode("ascii"), (2026, 1, 1, 0, 0, 0))
        archive.writestr(member, text.getvalue().encode("gb18030"), zipfile.ZIP_DEFLATED)
    return packed.getvalue().replace(stand_in, name)
