"""What the credit platform says: black list, red list and repairs, in pinyin initials as it stores them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from connectors.sandbox.happenings import Happening, happenings, is_taken_off
from connectors.sandbox.world import World
from schemas.china_time import CHINA

BASES = ("《市场监督管理严重违法失信名单管理办法》第五条", "《重大税收违法失信主体信息公布管理办法》第六条")
FACTS = ("生产经营不符合食品安全标准的食品，情节严重", "伪造、冒用检验检测报告", "拒不履行已生效的行政处罚决定")
HONOURS = ("A级纳税人", "守合同重信用企业", "质量信用AA级企业", "绿色工厂")
TOPICS = ("行政处罚信用修复", "严重失信主体名单移出", "异议申请")


def blacklist(world: World) -> list[dict[str, object]]:
    """The list as it stands today: an entry whose publication has ended is gone."""
    events = happenings(world, "blacklist", lambda w: w.having("blacklisted"))
    standing = [event for event in events if _until(event) > world.today and not is_taken_off(event, world.day)]
    return [_dishonest(event, world.today) for event in standing]


def _until(event: Happening) -> date:
    """Three years, or one where a repair was granted (SAMR Order 44: it may be asked for after a year)."""
    return event.on + timedelta(days=366 if event.serial % 4 == 0 else 3 * 365)


def _dishonest(event: Happening, today: date) -> dict[str, object]:
    rng, entity = event.rng, event.entity
    return {
        "zzjgdm": f"{entity.organisation_code[:8]}-{entity.organisation_code[8:]}",
        "jgqc": entity.name,
        "gszch": entity.registration_no,
        "tyshxydm": entity.uscc,
        "rddw": entity.registration_authority,
        "rdwh": f"{entity.place.city[0]}市监信罚〔{event.on.year}〕{event.serial:04d}号",
        "rdyj": rng.choice(BASES),
        "zcdz": entity.address,
        "fddbr": entity.legal_representative,
        "fzrxm": entity.legal_representative,
        "zysxss": rng.choice(FACTS),
        "scfzynr": f"罚款{rng.randrange(5, 200)}万元，列入严重违法失信名单",
        "qryzsxrq": f"{event.on:%Y-%m-%d} 0:00:00",
        "gsjzq": f"{_until(event):%Y-%m-%d}",
        "jhdwqc": "示例市公共信用信息中心",
        "dqzt": "0" if today >= event.noted_on else "2",
        "bz": "",
    }


def redlist(world: World) -> list[dict[str, object]]:
    """Honours that have not run out and were not taken back."""
    events = happenings(world, "redlist", lambda w: w.having("redlisted"))
    standing = [event for event in events if not is_taken_off(event, world.day)]
    return [_honour(event) for event in standing if event.on + timedelta(days=730) > world.today]


def _honour(event: Happening) -> dict[str, object]:
    rng, entity = event.rng, event.entity
    honour = rng.choice(HONOURS)
    return {
        "jgqc": entity.name,
        "tyshxydm": entity.uscc,
        "gszch": entity.registration_no,
        "zzjgdm": entity.organisation_code,
        "fddbr": entity.legal_representative,
        "bzwjh": f"{entity.place.city[0]}信办发〔{event.on.year}〕{rng.randrange(1, 60)}号",
        "rymc": honour,
        "rdwh": f"{entity.place.city[0]}红名单〔{event.on.year}〕{event.serial:04d}号",
        "rdjgqc": f"{entity.place.city}社会信用体系建设领导小组办公室",
        "rdrq": f"{event.on:%Y%m%d}",
        "gsjzq": f"{event.on + timedelta(days=730):%Y%m%d}",
        "bz": rng.choice(("", "无")),
    }


def repairs(world: World) -> list[dict[str, object]]:
    """Applications for repair, oldest change first; the decision is a second change."""
    events = happenings(world, "repair", lambda w: w.having("repaired"))
    rows = [_repair(event, world.today) for event in events]
    return sorted(rows, key=lambda row: (str(row["gxsj"]), str(row["xfbh"])))


def _repair(event: Happening, today: date) -> dict[str, object]:
    rng, entity = event.rng, event.entity
    decided_on = event.on + timedelta(days=rng.randrange(5, 40))
    decided = decided_on <= today
    changed_at = datetime.combine(decided_on, time(15), CHINA) if decided else event.noted_at
    return {
        "xfbh": f"XF{event.on:%Y%m%d}{event.serial:05d}",
        "qymc": entity.name,
        "tyshxydm": entity.uscc,
        "gszch": entity.registration_no,
        "zzjgdm": entity.organisation_code,
        "swdjh": entity.taxpayer_no,
        "xfzt": rng.choice(TOPICS),
        "cfwsh": f"{entity.place.city[0]}市监罚〔{event.on.year - 1}〕{rng.randrange(1, 900):04d}号",
        "jbrxm": entity.legal_representative,
        "jbrsfz": entity.legal_representative_id_no,
        "jbrdh": entity.contact_phone,
        "sqsj": f"{event.on:%Y-%m-%d} {8 + rng.randrange(9):02d}:00:00",
        "shzt": rng.choice(("同意修复", "同意修复", "不予修复")) if decided else rng.choice(("部门审核", "中心审核")),
        "shsj": f"{decided_on:%Y-%m-%d}" if decided else None,
        "bz": "",
        "gxsj": f"{changed_at:%Y-%m-%d %H:%M:%S}",
    }
