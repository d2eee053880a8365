"""What the market supervision REST service says: abnormal listings and complaints, in the register's own names."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from connectors.sandbox.happenings import Happening, happenings, is_taken_off
from connectors.sandbox.world import World
from schemas.china_time import CHINA

KINDS = {"1": "投诉", "2": "举报"}
CAUSES = (
    "未依照《企业信息公示暂行条例》第八条规定的期限公示年度报告的",
    "未按照《企业信息公示暂行条例》第十条规定责令的期限公示有关企业信息的",
    "公示企业信息隐瞒真实情况、弄虚作假的",
    "通过登记的住所或者经营场所无法联系的",
)
REMOVALS = ("列入经营异常名录后已补报未报年份的年度报告并公示", "依法办理住所或者经营场所变更登记，提出移出申请")
TOPICS = (
    ("食品安全", "称购买的预包装食品超过保质期"),
    ("价格", "称结算价格与标价不一致"),
    ("广告宣传", "称商品页面使用绝对化用语"),
    ("售后服务", "称商家拒绝履行七日无理由退货"),
    ("食品安全", "称就餐后出现腹泻，要求查处"),
)
CHANNELS = ("12315热线", "12315平台", "来信来访", "12345转办")
RESULTS = ("经调解双方达成一致", "不予立案", "已立案调查", "商家退款并致歉")


def abnormal_listings(world: World) -> list[dict[str, object]]:
    """The list as it stands today: who was taken off is shown for thirty days, and some vanish at once."""
    events = happenings(world, "abnormal", lambda w: w.having("abnormal"))
    standing = [event for event in events if not is_taken_off(event, world.day)]
    return [row for event in standing if (row := _abnormal_listing(event, world.today)) is not None]


def _abnormal_listing(event: Happening, today: date) -> dict[str, object] | None:
    rng, entity = event.rng, event.entity
    cause = rng.randrange(4)
    removed_on = event.on + timedelta(days=rng.randrange(60, 900)) if rng.random() < 0.3 else None
    if removed_on is not None and removed_on + timedelta(days=30) < today:
        return None
    removed = removed_on is not None and removed_on <= today
    authority = entity.registration_authority
    return {
        "busexclist": f"{entity.place.code}{event.on.year}{event.serial:06d}",
        "pripid": f"{entity.place.code}0000{entity.number:08d}",
        "ent": {"uniscid": entity.uscc, "regno": entity.registration_no, "entname": entity.name},
        "specause": str(cause + 1),
        "specause_cn": CAUSES[cause],
        "abnormal_putdate": epoch_ms(event.on),
        "decorg": entity.place.code,
        "decorg_cn": authority,
        "remexcpres_cn": REMOVALS[cause == 3] if removed else None,
        "remdate": epoch_ms(removed_on) if removed and removed_on else None,
        "redecorg_cn": authority if removed else None,
    }


def complaints(world: World) -> list[dict[str, object]]:
    """Every complaint, oldest change first; one that was closed changes once more.

    The service sends ``respondent`` as JSON inside the JSON.
    """
    rows = [
        _complaint(event, world.today) for event in happenings(world, "complaint", lambda w: w.having("complained"))
    ]
    return sorted(rows, key=lambda row: (str(row["update_time"]), str(row["complaint_no"])))


def _complaint(event: Happening, today: date) -> dict[str, object]:
    rng, entity = event.rng, event.entity
    topic, content = rng.choice(TOPICS)
    kind = rng.choice("112")
    closed_on = event.on + timedelta(days=rng.randrange(3, 60))
    closed = closed_on <= today
    changed_at = datetime.combine(closed_on, time(16, 30), CHINA) if closed else event.noted_at
    return {
        "complaint_no": f"{entity.place.code}{event.on:%Y%m%d}{event.serial:06d}",
        "type": KINDS[kind],
        "respondent": {"name": entity.name, "uniscid": entity.uscc, "address": entity.business_address},
        "areacode": entity.region_code,
        "receive_time": f"{event.on:%Y-%m-%d} {9 + rng.randrange(9)}:{rng.randrange(60):02d}:00",
        "channel": rng.choice(CHANNELS),
        "topic": topic,
        "content": content,
        "complainant": {"name": f"{rng.choice('赵钱孙李周吴')}某", "phone": f"1000{event.serial:07d}"},
        "status": "已办结" if closed else rng.choice(("待处理", "处理中")),
        "close_time": f"{closed_on:%Y/%m/%d}" if closed else "",
        "result": rng.choice(RESULTS) if closed else "",
        "update_time": f"{changed_at:%Y-%m-%d %H:%M:%S}",
    }


def epoch_ms(day: date) -> int:
    """Midnight in China as milliseconds since 1970 UTC: in UTC it is still the day before."""
    return int(datetime.combine(day, time(), CHINA).timestamp() * 1000)
