"""The world the sandbox agencies talk about: invented entities, the same for the same seed, moving a day at a time.

Nothing here is dirty and nothing here knows a protocol: services read the world and say it in their own way.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache

from connectors.sandbox import codes
from connectors.sandbox.words import BRANDS, GIVEN_NAMES, PLACES, ROADS, SURNAMES, TRADES, Place, Trade

FIRST_DAY = date(2026, 6, 30)
"""Today of a world that has not moved yet."""
OPEN_END = date(2099, 12, 31)
"""How agencies write "long-term" where a date must stand."""

STATUS_WORDS = {
    "1": "存续（在营、开业、在册）",
    "2": "经营异常",
    "3": "吊销，未注销",
    "4": "注销",
}


@dataclass(frozen=True)
class SandboxEntity:
    """One invented entity with everything any of the five agencies knows about it.

    Attributes:
        number: position in the world; 0 is the showcase.
        uscc: 18 characters, check character correct.
        organisation_code: the nine characters inside it.
        registration_no: 15 characters (GS15-2006; ``NA…X`` for cooperatives), empty for rural collectives.
        taxpayer_no: 15 characters, region and organisation code.
        kind: ``enterprise``, ``sole_trader``, ``cooperative`` or ``rural_collective``.
        entity_type_code: market supervision's own four digits; ``entity_type_name`` says it in words.
        name: current name; ``former_names`` are older ones, oldest first.
        place: county-level division; ``region_code`` is its code.
        address: where registered; ``business_address`` where it works.
        capital_wan: in 10,000 of ``currency_name`` (``currency_code`` GB/T 12406).
        status_code: 1 正常 2 异常 3 吊销 4 注销.
        legal_representative_id_no, contact_phone: of nobody; well-formed.
        sectors: ``food manufacturer trader restaurant public_place farm office``.
        marks: lists and events it is in: ``penalised abnormal complained blacklisted redlisted repaired sampled``.
        customs_code: ten characters, or None.
        food_licence_no: SC or JY number, or None.
        health_licence_no: public-place licence in free text, or None.
        changed_on: last day anything of this changed.
    """

    number: int
    uscc: str
    organisation_code: str
    registration_no: str
    taxpayer_no: str
    kind: str
    entity_type_code: str
    entity_type_name: str
    name: str
    former_names: tuple[str, ...]
    place: Place
    address: str
    business_address: str
    trade: Trade
    capital_wan: Decimal
    currency_name: str
    currency_code: str
    legal_representative: str
    legal_representative_id_no: str
    contact_phone: str
    established_on: date
    approved_on: date
    valid_to_on: date
    status_code: str
    marks: frozenset[str]
    customs_code: str | None
    food_licence_no: str | None
    health_licence_no: str | None
    changed_on: date

    @property
    def region_code(self) -> str:
        """GB/T 2260 code of the place."""
        return self.place.code

    @property
    def sectors(self) -> frozenset[str]:
        """What it does: the showcase does nearly everything."""
        return ALL_SECTORS if self.number == 0 else self.trade.sectors

    @property
    def status_name(self) -> str:
        """The status in the words of the register."""
        return STATUS_WORDS[self.status_code]

    @property
    def registration_authority(self) -> str:
        """Name of the county's market supervision administration."""
        return f"{self.place.city}{self.place.county}市场监督管理局"


WHERE = PLACES[:-1] * 3 + PLACES[-1:]
"""Where entities are: one in forty-three in the zone that no list has (2.25 % of the real codes)."""
ALL_SECTORS = frozenset({"food", "manufacturer", "trader", "restaurant", "public_place", "farm"})
KINDS = {
    "enterprise": ("91", "1130", "有限责任公司（自然人投资或控股）", "有限公司"),
    "sole_trader": ("92", "9500", "个体工商户", "经营部"),
    "cooperative": ("93", "9100", "农民专业合作社", "专业合作社"),
    "rural_collective": ("N2", "9900", "农村集体经济组织", "股份经济合作社"),
}


class World:
    """All entities as of ``today``. The same ``seed`` and ``size`` give the same world, day for day.

    Args:
        seed: any integer.
        size: number of entities on the first day, at least 20.

    Attributes:
        entities: registered entities; ``entities[0]`` is the showcase.
        day: how many days the world has moved.
    """

    def __init__(self, seed: int = 7, size: int = 300) -> None:
        if size < 20:
            raise ValueError(f"a world needs at least 20 entities, got {size}")
        self.seed, self.size, self.day = seed, size, 0
        self.entities: list[SandboxEntity] = [_entity(seed, number) for number in range(size)]

    @property
    def today(self) -> date:
        """The date in the world; moves by ``advance``."""
        return FIRST_DAY + timedelta(days=self.day)

    @property
    def growth(self) -> int:
        """New entities a day, and renamed ones: one in a hundred, at least one."""
        return max(1, self.size // 100)

    @property
    def showcase(self) -> SandboxEntity:
        """One entity about which every agency has a clean record."""
        return self.entities[0]

    @property
    def showcase_uscc(self) -> str:
        """Its USCC."""
        return self.showcase.uscc

    @property
    def newcomers(self) -> list[SandboxEntity]:
        """Entities that the next ``advance`` will register. Agencies may already write their names:
        such rows stay unresolved until the registration arrives."""
        start = self.size + self.day * self.growth
        return [_entity(self.seed, number) for number in range(start, start + self.growth)]

    def rng(self, *names: object) -> random.Random:
        """A generator of its own for whatever the names name: the same for the same seed and names."""
        return named_rng(self.seed, *names)

    def having(self, word: str) -> Iterator[SandboxEntity]:
        """Entities with this sector or mark (``farm``, ``penalised`` …) or of this kind, in order."""
        return (e for e in self.entities if word in e.sectors or word in e.marks or word == e.kind)

    def changed_since(self, day: date) -> list[SandboxEntity]:
        """Entities whose ``changed_on`` is that day or later, oldest change first."""
        changed = [entity for entity in self.entities if entity.changed_on >= day]
        return sorted(changed, key=lambda entity: (entity.changed_on, entity.number))

    def advance(self) -> None:
        """Move one day: newcomers are registered, some entities change their name, one is struck off."""
        arriving = self.newcomers
        self.day += 1
        rng = self.rng("advance", self.day)
        moved = list(self.entities)
        leaving, *renamed = rng.sample(range(1, self.size), self.growth + 1)
        for number in renamed:
            moved[number] = _renamed(moved[number], rng, self.today)
        moved[leaving] = replace(moved[leaving], status_code="4", approved_on=self.today, changed_on=self.today)
        today = self.today
        moved += [
            replace(entity, established_on=today, approved_on=today, changed_on=today, status_code="1")
            for entity in arriving
        ]
        self.entities = moved


def named_rng(*names: object) -> random.Random:
    """A generator seeded by names: independent of call order and of Python's hash seed."""
    digest = hashlib.sha256("\x1f".join(map(str, names)).encode()).digest()
    return random.Random(digest)  # noqa: S311 - invented data, no secret


@lru_cache(maxsize=100_000)
def _entity(seed: int, number: int) -> SandboxEntity:
    """The entity of this number; what it is depends on nothing but seed and number."""
    rng = named_rng(seed, "entity", number)
    showcase = number == 0
    place, trade = (PLACES[0], TRADES[0]) if showcase else (rng.choice(WHERE), rng.choice(TRADES))
    kind = "enterprise" if showcase else _kind(rng, trade)
    prefix, type_code, type_name, form = KINDS[kind]
    organisation = codes.organisation_code(_organisation_stem(seed, number, rng))
    brand = _brand(seed, number)
    address = _address(place, rng)
    legal_representative = rng.choice(SURNAMES) + rng.choice(GIVEN_NAMES)
    established = date(2004, 1, 1) + timedelta(days=rng.randrange(8000))
    changed = max(established, FIRST_DAY - timedelta(days=rng.randrange(900)))
    serial = seed % 97 * 100_000 + number
    foreign = not showcase and kind == "enterprise" and rng.random() < 0.08
    exports = showcase or ("trader" in trade.sectors and kind == "enterprise")
    return SandboxEntity(
        number=number,
        uscc=codes.uscc(prefix, place.code, organisation),
        organisation_code=organisation,
        registration_no=_registration_no(kind, place.code, serial),
        taxpayer_no=place.code + organisation,
        kind=kind,
        entity_type_code=type_code,
        entity_type_name=type_name,
        name=_name(place, brand, trade, form, rng),
        former_names=(_name(place, brand[::-1], trade, form, rng),) if rng.random() < 0.1 else (),
        place=place,
        address=address,
        business_address=address if rng.random() < 0.8 else _address(place, rng),
        trade=trade,
        capital_wan=Decimal(rng.choice((5, 10, 50, 100, 137, 300, 500, 1000, 2000)))
        + Decimal(rng.choice((0, 0, "0.5"))),
        currency_name="美元" if foreign else "人民币",
        currency_code="USD" if foreign else "CNY",
        legal_representative=legal_representative,
        legal_representative_id_no=codes.id_card_no(f"19{rng.randrange(60, 99)}{rng.randrange(1, 13):02d}15", number),
        contact_phone=f"1000{number % 10_000_000:07d}",
        established_on=established,
        approved_on=changed,
        valid_to_on=OPEN_END if rng.random() < 0.6 else established + timedelta(days=20 * 365),
        status_code="1" if showcase else rng.choices("1234", (90, 4, 3, 3))[0],
        marks=ALL_MARKS if showcase else frozenset(mark for mark, share in MARKS.items() if rng.random() < share),
        customs_code=f"{place.code[:4]}96{number % 36**4:04d}" if exports else None,
        food_licence_no=_food_licence(trade, place.code, number),
        health_licence_no=_health_licence(place, number) if showcase or "public_place" in trade.sectors else None,
        changed_on=changed,
    )


MARKS = {
    "penalised": 0.12,
    "abnormal": 0.06,
    "complained": 0.15,
    "blacklisted": 0.03,
    "redlisted": 0.05,
    "repaired": 0.03,
    "sampled": 0.4,
}
ALL_MARKS = frozenset({"penalised", "complained", "redlisted", "sampled"})
"""Marks of the showcase: it has had a fine and a complaint, and stands on the red list."""


def _kind(rng: random.Random, trade: Trade) -> str:
    if "farm" in trade.sectors:
        return rng.choices(("enterprise", "cooperative", "rural_collective"), (4, 4, 2))[0]
    return rng.choices(("enterprise", "sole_trader"), (7, 3))[0]


def _organisation_stem(seed: int, number: int, rng: random.Random) -> str:
    """Eight characters in ranges nobody issues. Two in three are digits, which after two check characters
    leaves about one USCC in five all digits (23.7 % of the real ones): those a spreadsheet destroys."""
    serial = (seed % 10) * 100_000 + number
    return f"99{serial:06d}" if rng.random() < 0.7 else f"WQ{serial:06d}"


def _registration_no(kind: str, region_code: str, serial: int) -> str:
    if kind == "rural_collective":
        return ""
    if kind == "cooperative":
        return codes.cooperative_no(region_code, serial % 1_000_000)
    return codes.registration_no(region_code, (60_000_000 if kind == "sole_trader" else 0) + serial)


def _brand(seed: int, number: int) -> str:
    """Three syllables; different for every number below 12,167 (the step shares no factor with it)."""
    base = len(BRANDS)
    place = (number * 7919 + seed * 101) % base**3
    return BRANDS[place // base**2] + BRANDS[place // base % base] + BRANDS[place % base]


def _name(place: Place, brand: str, trade: Trade, form: str, rng: random.Random) -> str:
    city = place.city.removesuffix("市")
    return rng.choice(
        (
            f"{city}{brand}{trade.word}{form}",
            f"{brand}{trade.word}（{city}）{form}",
            f"{city}市{brand}{trade.word}{form}",
        )
    )


def _address(place: Place, rng: random.Random) -> str:
    tail = rng.choice(("", f"{rng.randrange(1, 20)}幢{rng.randrange(101, 2000)}室"))
    return f"{place.province}{place.city}{place.county}{rng.choice(ROADS)}{rng.randrange(1, 999)}号{tail}"


def _food_licence(trade: Trade, region_code: str, number: int) -> str | None:
    if "manufacturer" in trade.sectors and "food" in trade.sectors:
        return codes.food_production_licence(101 + number % 31, region_code, number % 10_000)
    if trade.sectors & {"food", "restaurant"}:
        return codes.food_business_licence(2 if "restaurant" in trade.sectors else 1, region_code, number)
    return None


def _health_licence(place: Place, number: int) -> str:
    return f"{place.province[0]}卫公证字〔2024〕第{number:04d}号"


def _renamed(entity: SandboxEntity, rng: random.Random, today: date) -> SandboxEntity:
    brand = "".join(rng.sample(BRANDS, 3))
    name = _name(entity.place, brand, entity.trade, KINDS[entity.kind][3], rng)
    former = (*entity.former_names, entity.name)
    return replace(entity, name=name, former_names=former, approved_on=today, changed_on=today)
