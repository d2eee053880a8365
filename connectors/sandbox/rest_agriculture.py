"""What the agriculture REST service says: produce certificates (承诺达标合格证) and trace events, paged by cursor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from connectors.sandbox import codes
from connectors.sandbox.goods import PRODUCE
from connectors.sandbox.happenings import Happening, happenings
from connectors.sandbox.world import FIRST_DAY, SandboxEntity, World
from schemas.china_time import CHINA

PROMISES = {
    "1": ("未使用禁用农药、兽药及其他化合物", "使用的常规农药、兽药残留不超标"),
    "2": ("已按规定收取并保存承诺达标合格证或者其他质量安全合格证明",),
}
"""By kind of subject: 1 生产者, 2 收购单位（个人）."""
BASES = ("质量安全控制符合要求", "自行检测合格", "委托检测合格")
OLD_BASES = ("自我检测", "委托检测", "内部质量控制", "自我承诺")
"""Wording of the trial form used up to 2021; still printed by old machines."""
EVENT_KINDS = ("生产", "加工", "运输", "销售")


def farms(world: World) -> Iterator[SandboxEntity]:
    """Who grows or buys up produce."""
    return world.having("farm")


def produce_certificates(world: World) -> list[dict[str, object]]:
    """Every certificate, oldest change first; a few were declared void (作废) some days later."""
    rows = [_certificate(event, world.today) for event in happenings(world, "certificate", farms)]
    return sorted(rows, key=lambda row: (str(row["gxsj"]), str(row["zsbh"])))


def _certificate(event: Happening, today: date) -> dict[str, object]:
    rng, entity = event.rng, event.entity
    produce = PRODUCE[event.serial % len(PRODUCE)]
    kind = "2" if rng.random() < 0.2 else "1"
    bases = rng.sample(OLD_BASES if rng.random() < 0.1 else BASES, rng.choice((1, 1, 2)))
    void_on = _void_on(event)
    void = void_on is not None and void_on <= today
    changed_at = datetime.combine(void_on, time(17), CHINA) if void and void_on else event.noted_at
    return {
        "zsbh": certificate_no(event),
        "zt": {"lx": kind, "mc": entity.name, "tyshxydm": entity.uscc, "lxfs": entity.contact_phone},
        "cp": {"mc": produce.name, "sl": f"{rng.randrange(5, 4000)}", "dw": produce.unit, "pc": batch_no(event)},
        "cd": f"{entity.place.province}{entity.place.city}{entity.place.county}{produce.place}",
        "xzqh": entity.region_code,
        "cnsx": "；".join(PROMISES[kind]),
        "cnyj": "；".join(bases),
        "kjrq": f"{event.on.year}年{event.on.month}月{event.on.day}日",
        "zt_bz": "作废" if void else "有效",
        "gxsj": f"{changed_at:%Y-%m-%dT%H:%M:%S+08:00}",
    }


def _void_on(event: Happening) -> date | None:
    """Day the certificate was declared void, or None: a few in the past, then an old one every day."""
    if event.noted_on <= FIRST_DAY and event.entity.number != 0 and event.serial % 12 == 5:
        return FIRST_DAY + timedelta(days=event.serial // 12 + 1)
    return event.noted_on + timedelta(days=9) if event.serial % 23 == 7 else None


def certificate_no(event: Happening) -> str:
    """Region, day and serial, as the certificate printers number."""
    return f"HGZ{event.entity.region_code}{event.on:%Y%m%d}{event.serial:05d}"


def batch_no(event: Happening) -> str:
    """Batch of the produce on a certificate: joins it to trace events and samples."""
    return f"{event.on:%y%m%d}-{event.entity.number:04d}"


def trace_events(world: World) -> list[dict[str, object]]:
    """One to four steps for every certificate: production, processing, transport, sale; oldest first."""
    buyers = [entity for entity in World(world.seed, world.size).entities if entity.sectors & {"trader", "restaurant"}]
    rows = [row for event in happenings(world, "certificate", farms) for row in _steps(event, buyers)]
    rows = [row for row in rows if str(row["recordTime"])[:10] <= world.today.isoformat()]
    return sorted(rows, key=lambda row: (str(row["recordTime"]), str(row["eventId"])))


def _steps(event: Happening, buyers: list[SandboxEntity]) -> Iterator[dict[str, object]]:
    rng, entity = event.rng, event.entity
    product = event.serial % len(PRODUCE)
    at = datetime.combine(event.on, time(6, 30), CHINA)
    for number, kind in enumerate(EVENT_KINDS[: rng.randrange(1, 5)], start=1):
        buyer = rng.choice(buyers) if kind in ("运输", "销售") else None
        at += timedelta(hours=rng.randrange(1, 14))
        yield {
            "eventId": f"urn:trace:{certificate_no(event)}:{number}",
            "eventType": kind,
            "eventTime": f"{at:%Y-%m-%dT%H:%M:%S}.000+08:00",
            "recordTime": f"{max(at, event.noted_at) + timedelta(minutes=20):%Y-%m-%dT%H:%M:%S+08:00}",
            "actor": {"uscc": entity.uscc, "name": entity.name},
            "counterpart": {"uscc": buyer.uscc, "name": buyer.name} if buyer else None,
            "product": {"name": PRODUCE[product].name, "gtin": codes.gtin13(100 + product), "lot": batch_no(event)},
            "quantity": {"value": rng.randrange(5, 4000), "uom": PRODUCE[product].unit},
            "certificateNo": certificate_no(event),
            "bizLocation": (buyer or entity).business_address,
        }
