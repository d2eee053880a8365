"""What customs says of registered entities, as ``ExchangeMessage`` documents. Nothing here knows SOAP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from lxml import etree

from connectors.sandbox.dirt import Dirt, Row
from connectors.sandbox.world import FIRST_DAY, SandboxEntity, World

LEVELS = ("高级认证企业", "注册登记和备案企业", "失信企业")
OLD_LEVELS = ("一般认证企业", "一般信用企业")
"""Levels of before Order 251 (2021-11-01): rows that were never touched since still say them."""


def customs_rows(world: World, dirt: Dirt) -> list[Row]:
    """Every registered entity, in order of the world: a whole snapshot. Each day one has gone from it."""
    registered = [entity for entity in world.entities if entity.customs_code]
    first_day = [entity for entity in registered if entity.number < world.size]
    gone = {world.rng("customs gone", day).choice(first_day[1:]).number for day in range(1, world.day + 1)}
    rows = [_row(entity, dirt, world) for entity in registered if entity.number not in gone]
    return dirt.at("customs", "twice", world.day).duplicated(rows)


def exchange_message(rows: Sequence[Row], serial: str, *, lower: bool) -> str:
    """One document: a header and a ``fields`` element a row, tags in upper or lower case as the sender likes."""
    message = etree.Element("ExchangeMessage")
    header = etree.SubElement(message, "Header")
    told = {"sender": "customs", "receiver": "xinqiao", "cc": "", "flow": "push", "item": "HGQYZC", "sn": serial}
    for name, value in (told | {"securityType": "1", "operator": "值班员", "contacts": "0000-0000000"}).items():
        etree.SubElement(header, name).text = value
    body = etree.SubElement(message, "Body")
    for row in rows:
        fields = etree.SubElement(body, "fields")
        for name, text in row.items():
            etree.SubElement(fields, name.lower() if lower else name).text = text
    return etree.tostring(message, encoding="unicode")


def _row(entity: SandboxEntity, dirt: Dirt, world: World) -> Row:
    rng = world.rng("customs", entity.number)
    own = dirt.at("customs", entity.number)
    level = LEVELS[0] if entity.number == 0 else rng.choices((*LEVELS, *OLD_LEVELS), (2, 8, 0.4, 1, 1))[0]
    registered = entity.established_on
    judged = registered + timedelta(days=200)
    clean: Row = {
        "HGZCBM": entity.customs_code,
        "TYSHXYDM": entity.uscc,
        "ZZJGDM": f"{entity.organisation_code[:8]}-{entity.organisation_code[8]}",
        "QYMC": entity.name,
        "ZCHG": f"{entity.place.city.removesuffix('市')}海关",
        "XZQH": entity.region_code,
        "JJQH": "一般经济区域",
        "TSMYQY": "",
        "JYLB": "进出口货物收发货人" if rng.random() < 0.9 else "报关企业",
        "HYZL": entity.trade.word,
        "ZCRQ": None,
        "BGYXQ": None,
        "ZXBZ": "注销" if entity.status_code == "4" else "正常",
        "NBQK": rng.choice(("已报送", "未报送", "不需要")),
        "KJDSLX": rng.choice(("", "", "跨境电子商务企业", "跨境电子商务平台企业")),
        "ZCDZ": entity.address,
        "XYDJ": level,
        "DJRDSJ": None,
    }
    days = {"ZCRQ": registered, "BGYXQ": entity.valid_to_on, "DJRDSJ": judged if judged < FIRST_DAY else registered}
    return own.row(clean, code="TYSHXYDM", legacy=None, name="QYMC", words=("XYDJ",), dates=days, usual="compact")
