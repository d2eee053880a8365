"""Invented entities with correct check characters: whom the deliveries of the tests are about."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.sandbox import codes


@dataclass(frozen=True)
class Company:
    """What a register knows about one entity.

    Attributes:
        former: an earlier name, or empty.
        customs_code: ten characters, or empty.
    """

    uscc: str
    organisation_code: str
    name: str
    registration_no: str
    region_code: str
    address: str
    former: str = ""
    customs_code: str = ""


def company(
    serial: int, region_code: str, name: str, address: str, former: str = "", customs_code: str = ""
) -> Company:
    """An invented entity; another serial is another entity."""
    organisation = codes.organisation_code(f"WQ81{serial:04d}")
    return Company(
        uscc=codes.uscc("91", region_code, organisation),
        organisation_code=organisation,
        name=name,
        registration_no=codes.registration_no(region_code, 81_000_000 + serial),
        region_code=region_code,
        address=address,
        former=former,
        customs_code=customs_code,
    )


MILL = company(1, "330110", "杭州启禾面粉（集团）有限公司", "浙江省杭州市余杭区凤凰山路23号", "余杭启禾面粉厂")
DAIRY = company(2, "510104", "成都晨牧乳业有限公司", "四川省成都市锦江区幸福里3号", customs_code="5101960002")
BAKERY = company(3, "350111", "福州嘉衡糕点有限公司", "福建省福州市晋安区幸福里1号")
TWIN = company(4, "330110", MILL.name, "浙江省杭州市余杭区临平大道8号")
"""Another entity with the name and the region of the mill: a name can belong to two."""

WRONG_CHECK = MILL.uscc[:-1] + ("0" if MILL.uscc[-1] != "0" else "1")
"""The mill's code with one character wrong."""
