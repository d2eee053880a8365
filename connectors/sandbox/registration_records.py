"""What the register says of each entity, in its own element names (SAMR style). Nothing here knows SOAP."""

from __future__ import annotations

from datetime import datetime, time

from connectors.sandbox.dirt import Dirt, Row
from connectors.sandbox.world import FIRST_DAY, SandboxEntity, World

CURRENCY_NUMBERS = {"CNY": "156", "USD": "840"}
"""GB/T 12406 numeric codes, which the register stores beside the words."""
DATES = ("estdate", "apprdate", "opfrom", "opto")


def registration_rows(world: World, dirt: Dirt, since: datetime, until: datetime) -> list[Row]:
    """Rows whose ``lastmodified`` lies in the inclusive interval (local time), oldest change first.

    The same entity changed on the same day is always dirty in the same way.
    """
    changed = world.changed_since(since.date())
    rows = [_row(entity, dirt) for entity in changed if since <= last_modified(entity) <= until]
    return dirt.at("registration", "twice", since, until).duplicated(rows)


def last_modified(entity: SandboxEntity) -> datetime:
    """Local time of the last change: clerks work from nine, forty entities an hour."""
    return datetime.combine(entity.changed_on, time(9 + entity.number % 8, entity.number % 60, entity.number % 59))


def _row(entity: SandboxEntity, dirt: Dirt) -> Row:
    own = dirt.at("registration", entity.number, entity.changed_on)
    clean: Row = {
        "pripid": f"{entity.region_code}{entity.number:010d}",
        "uniscid": entity.uscc,
        "regno": entity.registration_no or None,
        "entname": entity.name,
        "hisname": ";".join(reversed(entity.former_names)) or None,
        "enttype": entity.entity_type_code,
        "enttype_cn": entity.entity_type_name,
        "lerep": entity.legal_representative,
        "regcap": f"{entity.capital_wan:.6f}",
        "regcapcur": CURRENCY_NUMBERS[entity.currency_code],
        "regcapcur_cn": entity.currency_name,
        "estdate": None,
        "apprdate": None,
        "opfrom": None,
        "opto": None,
        "opscope": entity.trade.scope,
        "industryphy": entity.trade.industry_code[0],
        "industryco": entity.trade.industry_code[1:],
        "regorg": entity.region_code,
        "regorg_cn": entity.registration_authority,
        "regstate": entity.status_code,
        "regstate_cn": entity.status_name,
        "dom": entity.address,
        "domdistrict": entity.region_code,
        "yiedom": entity.business_address,
        "tel": entity.contact_phone,
        "lastmodified": f"{last_modified(entity):%Y-%m-%d %H:%M:%S}",
    }
    days = (entity.established_on, entity.approved_on, entity.established_on, entity.valid_to_on)
    return own.row(
        clean,
        code="uniscid",
        legacy="regno",
        name="entname",
        words=("regstate_cn",),
        dates=dict(zip(DATES, days, strict=True)),
    )


EVERYTHING_SINCE = datetime(1900, 1, 1)
ALWAYS = datetime.combine(FIRST_DAY.replace(year=9000), time())
"""Bounds used where the caller names none."""
