"""Foods refused at the border, as customs publishes them month by month: CSV one month, a workbook the next."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import date

from connectors.sandbox.dirt import Dirt, Row
from connectors.sandbox.goods import REFUSED
from connectors.sandbox.happenings import Happening, happenings
from connectors.sandbox.world import SandboxEntity, World

HEADINGS = (
    "序号",
    "HS编码",
    "检验检疫编号",
    "产品名称",
    "产地",
    "生产企业信息",
    "进口商信息",
    "进口商备案号",
    "重量",
    "未准入境的事实",
    "进境口岸",
    "年",
    "月",
)


def importers(world: World) -> Iterator[SandboxEntity]:
    """Who imports food."""
    return (entity for entity in world.entities if entity.customs_code)


def refusals(world: World) -> list[Happening]:
    """Every refused lot up to today."""
    return happenings(world, "import_refusal", importers)


def numbered(events: Sequence[Happening]) -> list[tuple[int, Happening]]:
    """Every lot with its line number: counted from 1 inside the notice of its month."""
    lines: dict[date, int] = {}
    numbered_events = []
    for event in events:
        lines[month_of(event)] = lines.get(month_of(event), 0) + 1
        numbered_events.append((lines[month_of(event)], event))
    return numbered_events


def refusal_row(event: Happening, dirt: Dirt, number: int) -> Row:
    """One lot. The importer is a name and the ten digits of a food importer's filing (no customs code, no USCC)."""
    rng, entity = event.rng, event.entity
    goods = rng.choice(REFUSED)
    weight = rng.choice(
        (f"{rng.randrange(20, 9000)}", f"{rng.randrange(1, 30)}.{rng.randrange(10)}吨", f"{rng.randrange(50, 900)}千克")
    )
    values = (
        str(number),
        goods.hs_code,
        f"{event.on:%y}{rng.randrange(10**12):012d}",
        goods.name,
        goods.origin,
        goods.producer,
        dirt.text(entity.name),
        filing_no(entity),
        weight,
        goods.facts,
        goods.port,
        f"{event.noted_on.year}",
        f"{event.noted_on.month}",
    )
    return dict(zip(HEADINGS, values, strict=True))


def filing_no(entity: SandboxEntity) -> str:
    """Filing number of a food importer; no relation to its customs code."""
    return f"{entity.region_code[:4]}{600_000 + entity.number:06d}"


def as_csv(headings: Sequence[str], rows: Sequence[Row]) -> bytes:
    """GB18030 without byte order mark, a note under the table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(headings)
    writer.writerows([row[heading] or "" for heading in HEADINGS] for row in rows)
    writer.writerow(["注：以上产品均已依法做退货或者销毁处理。", *[""] * (len(HEADINGS) - 1)])
    return text.getvalue().encode("gb18030")


def month_of(event: Happening) -> date:
    """First day of the month whose notice names the lot."""
    return event.noted_on.replace(day=1)
