"""Five invented entities and an office, with correct check characters: whom the golden samples are about."""

from __future__ import annotations

from connectors.sandbox import codes


def code(prefix: str, region: str, stem: str) -> str:
    """An invented USCC with a correct check character."""
    return codes.uscc(prefix, region, codes.organisation_code(stem))


MILL = code("91", "330110", "WQ700001")
DAIRY = code("91", "510104", "99700002")
"""All digits: what a spreadsheet destroys."""
SHOP = code("92", "350111", "WQ700003")
FARM = code("93", "341302", "WQ700004")
OFFICE = code("11", "330110", "99330110")
WRONG_CHECK = MILL[:-1] + ("0" if MILL[-1] != "0" else "1")
MILL_REGISTRATION = codes.registration_no("330110", 1)
DAIRY_REGISTRATION = codes.registration_no("510104", 2)
FARM_REGISTRATION = codes.cooperative_no("341302", 43)
PERSON = codes.id_card_no("19800115", 1)
