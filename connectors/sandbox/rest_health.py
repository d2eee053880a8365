"""What the health REST service says: foodborne disease events, added up; no patient is in them."""

from __future__ import annotations

from datetime import timedelta

from connectors.sandbox.goods import FOODS, PLACES, SUSPECTED_CAUSES
from connectors.sandbox.happenings import Happening, happenings
from connectors.sandbox.world import World


def foodborne_events(world: World) -> list[dict[str, object]]:
    """Every event, oldest change first. A place is named only if it is a business, never a household."""
    return [_event(event) for event in happenings(world, "foodborne", lambda w: w.having("restaurant"))]


def _event(event: Happening) -> dict[str, object]:
    rng, entity = event.rng, event.entity
    food = rng.choice(FOODS)
    place = rng.choice(PLACES)
    business = place.startswith("餐饮服务单位")
    cases = rng.randrange(2, 40)
    cause = rng.choice(SUSPECTED_CAUSES)
    return {
        "reportId": f"SYZ{entity.region_code}{event.on:%Y%m}{event.serial:05d}",
        "period": {"from": f"{event.on - timedelta(days=rng.randrange(3)):%Y-%m-%d}", "to": f"{event.on:%Y-%m-%d}"},
        "regionCode": entity.region_code,
        "food": {"category": food.category, "name": food.name},
        "place": {
            "kind": place,
            "name": entity.name if business else None,
            "uscc": entity.uscc if business and rng.random() < 0.7 else None,
        },
        "counts": {
            "cases": cases,
            "exposed": cases + rng.randrange(60),
            "hospitalised": rng.randrange(cases // 2 + 1),
            "deaths": 0 if cause != "毒蘑菇" else rng.randrange(2),
        },
        "suspectedCause": cause,
        "remark": rng.choice(("", "", "待实验室确认")),
        "updatedAt": f"{event.noted_at:%Y-%m-%d %H:%M:%S}",
    }
