"""What the health commission pushes into its front-end database: licences and penalties, pinyin columns, all text.

Nothing here knows a database.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from itertools import chain

from connectors.sandbox.dirt import Dirt, Row
from connectors.sandbox.world import FIRST_DAY, SandboxEntity, World

ITEMS = ("住宿场所卫生许可", "美容美发场所卫生许可", "游泳场所卫生许可", "饮用水供水单位卫生许可")
PENALTIES = (
    ("警告", "", "未按规定组织从业人员进行健康检查", "警告"),
    ("罚款", "", "公共用品用具卫生检测不合格", "罚款人民币2000元整"),
    ("警告", "罚款", "未依法取得公共场所卫生许可证擅自营业", "警告，并处罚款人民币5000元整"),
    ("责令停产停业", "", "拒不整改集中空调通风系统卫生问题", "责令停业整顿七日"),
)
LAW = "《公共场所卫生管理条例实施细则》第三十六条"


def authority_name(entity: SandboxEntity) -> str:
    """The county's health bureau."""
    return f"{entity.place.city}{entity.place.county}卫生健康局"


def licence_rows(world: World, dirt: Dirt) -> list[Row]:
    """``frxzxk``: one row for each public place that holds a health licence."""
    return [licence_row(entity, world, dirt) for entity in world.entities if entity.health_licence_no]


def licence_row(entity: SandboxEntity, world: World, dirt: Dirt) -> Row:
    """The licence as it stands; after a change of name the same number under the new name."""
    rng = world.rng("health licence", entity.number)
    decided = _decided(entity, rng)
    clean: Row = {
        "XK_XDR_SHXYM": entity.uscc,
        "XK_XDR_GSDJ": entity.registration_no or None,
        "XK_XDR_ZDM": entity.organisation_code,
        "XK_XDR_SWDJ": entity.taxpayer_no,
        "XK_XDR": entity.name,
        "XK_XMMC": ITEMS[0] if entity.number == 0 else rng.choice(ITEMS),
        "XK_WSH": entity.health_licence_no,
        "XK_NR": f"准予卫生许可；量化分级：{rng.choice('ABC')}级",
        "XK_SPLB": "普通",
        "XK_BM": f"WS{entity.number:08d}",
        "XK_XZJG": authority_name(entity),
        "XK_JDRQ": None,
        "XK_JZQ": None,
        "XK_SYFW": "0",
        "XK_FR": entity.legal_representative,
        "XK_SFZ": entity.legal_representative_id_no,
        "BZ": rng.choice((None, None, "/", "延续")),
    }
    days = {"XK_JDRQ": decided, "XK_JZQ": decided + timedelta(days=4 * 365)}
    own = dirt.at("frxzxk", entity.number)
    return own.row(clean, code="XK_XDR_SHXYM", legacy="XK_XDR_GSDJ", name="XK_XDR", dates=days, usual="slash")


def penalty_rows(world: World, dirt: Dirt) -> list[Row]:
    """``frxzcf``: penalties of the health bureaus, over places people eat, sleep and have their hair done in."""
    found = chain(world.having("restaurant"), world.having("public_place"))
    fined = {entity.number: entity for entity in found if "penalised" in entity.marks}
    return [penalty_row(fined[number], world, dirt) for number in sorted(fined)]


def penalty_row(entity: SandboxEntity, world: World, dirt: Dirt) -> Row:
    """One penalty of one entity."""
    rng = world.rng("health penalty", entity.number)
    decided = _decided(entity, rng)
    first, second, facts, content = rng.choice(PENALTIES)
    clean: Row = {
        "CF_XDR_MC": entity.name,
        "CF_XDR_SHXYM": entity.uscc,
        "CF_XDR_GSDJ": entity.registration_no or None,
        "CF_XDR_ZDM": entity.organisation_code,
        "CF_XDR_SWDJ": entity.taxpayer_no,
        "CF_FR": entity.legal_representative,
        "CF_SFZ": entity.legal_representative_id_no,
        "CF_AJMC": f"{entity.name}{facts}案",
        "CF_WSH": f"{entity.place.province[0]}卫罚〔{decided.year}〕{entity.number:05d}号",
        "CF_BM": f"CF{entity.number:08d}",
        "CF_CFLB1": first,
        "CF_CFLB2": second,
        "CF_SY": facts,
        "CF_YJ": LAW,
        "CF_JG": content,
        "CF_JDRQ": None,
        "CF_XZJG": authority_name(entity),
        "CF_GSJZQ": None,
        "BZ": None,
        "CF_SYFW": "0",
    }
    days = {"CF_JDRQ": decided, "CF_GSJZQ": decided + timedelta(days=365)}
    own = dirt.at("frxzcf", entity.number)
    return own.row(
        clean,
        code="CF_XDR_SHXYM",
        legacy="CF_XDR_GSDJ",
        name="CF_XDR_MC",
        words=("CF_CFLB1",),
        dates=days,
        usual="slash",
    )


def _decided(entity: SandboxEntity, rng: random.Random) -> date:
    """A day in the last three years, not before the entity existed."""
    return max(entity.established_on, FIRST_DAY - timedelta(days=rng.randrange(30, 1000)))
