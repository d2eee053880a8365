"""Fields of identifiers. The rules live in ``schemas.identifiers``; here they meet marshmallow and the columns."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, Protocol, cast

import marshmallow as ma
import polars as pl

from schemas.faults import Fault
from schemas.fields.base import SharedField
from schemas.identifiers import customs, food_licence, gtin, hs, organisation, region, registration, taxpayer, uscc
from schemas.identifiers.uscc_columns import has_doubts, valid_uscc


class Rules(Protocol):
    """What a module of ``schemas.identifiers`` offers."""

    def normalize(self, text: str, /) -> str:
        """Bring a text into the written form of the identifier."""

    def validate(self, text: str, /) -> list[Fault]:
        """Faults of a normalised text; empty means valid."""


class WarningRules(Rules, Protocol):
    """A module that also has doubts about valid values."""

    def warnings(self, text: str, /) -> list[Fault]:
        """Doubts about a valid text; empty means none."""


class Identifier(SharedField[str]):
    """An identifier in its normalised form; a wrong check character is always a fault."""

    dtype = pl.String()
    kind = "C"
    form = ""
    rules: ClassVar[Rules]
    pattern: ClassVar[str]
    """JSON Schema pattern of the normalised form (its shape only)."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """An identifier whose module has ``warnings`` warns."""
        super().__init_subclass__(**kwargs)
        cls.warns = hasattr(cls.rules, "warnings")

    def warnings(self, value: str) -> list[Fault]:
        """The doubts the identifier's module has about a valid value."""
        return cast("WarningRules", self.rules).warnings(value) if self.warns else []

    def read(self, text: str) -> str:
        """Normalise and validate by the identifier's own module."""
        normal = self.rules.normalize(text)
        if faults := self.rules.validate(normal):
            raise ma.ValidationError(list(faults))
        return normal

    def shape(self) -> dict[str, Any]:
        """The shape of the identifier; its check character is not expressible here."""
        return {"type": "string", "pattern": self.pattern}


class Uscc(Identifier):
    """Unified social credit code 统一社会信用代码, GB 32100-2015."""

    rules: ClassVar[Rules] = uscc
    pattern = r"^[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}$"

    def suspects(self, col: pl.Expr) -> pl.Expr:
        """Exactly the codes with a doubt."""
        return col.map_batches(has_doubts, return_dtype=pl.Boolean)

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """Canonical codes with a right check character."""
        return col.map_batches(valid_uscc, return_dtype=pl.Boolean), col


def _sound_organisation(col: pl.Expr) -> pl.Expr:
    """Nine characters whose weighted sum is 0 modulo 11 (GB 11714-1997, 3.3)."""
    shaped = col.str.contains(r"^[0-9A-Z]{8}[0-9X]\z")
    ascii_bytes = pl.when(shaped).then(col).otherwise(pl.lit("000000000")).cast(pl.Binary)
    chars = ascii_bytes.bin.reinterpret(dtype=pl.Array(pl.UInt8, 9), endianness="little")
    body = [chars.arr.get(place).cast(pl.Int32) for place in range(9)]
    values = [char - 48 - 7 * (char > 57).cast(pl.Int32) for char in body[:8]]
    last = pl.when(body[8] == ord("X")).then(10).otherwise(body[8] - 48)
    total = pl.sum_horizontal(v * w for v, w in zip(values, organisation.WEIGHTS, strict=True)) + last
    return shaped & (total % 11 == 0)


@cache
def _mod_11_10() -> tuple[pl.Series, pl.Series]:
    """ISO 7064 MOD 11,10 three digits at a time.

    Returns:
        (next state, whether the third digit is the right check digit), both indexed by state * 1000 + digits.
    """

    def step(state: int, digit: int) -> int:
        return ((state + digit + 9) % 10 + 1) * 2 % 11

    states, sound = [], []
    for index in range(11_000):
        state, digits = divmod(index, 1000)
        before = step(step(state, digits // 100), digits // 10 % 10)
        states.append(step(before, digits % 10))
        sound.append((before + digits % 10) % 10 == 1)
    return pl.Series(states, dtype=pl.UInt32), pl.Series(sound)


def _sound_registration(texts: pl.Series) -> pl.Series:
    """The two forms without a check digit, and fifteen digits whose check digit is right."""
    states, sound = _mod_11_10()
    fifteen = texts.str.contains(r"^[0-9]{15}\z").fill_null(value=False)
    number = texts.filter(fifteen).str.to_integer(dtype=pl.Int64)
    triples = [(number // 10**place % 1000).cast(pl.UInt32) for place in (12, 9, 6, 3, 0)]
    state = pl.repeat(10, len(number), dtype=pl.UInt32, eager=True)
    for triple in triples[:-1]:
        state = states.gather(state * 1000 + triple)
    checks = sound.gather(state * 1000 + triples[-1])
    if fifteen.all():
        return checks
    free = texts.str.contains(r"^([0-9]{6}NA[0-9]{6}[0-9X]|[0-9]{13})\z").fill_null(value=False)
    return free.scatter(fifteen.arg_true(), checks)


@cache
def _regions() -> tuple[str, ...]:
    return tuple(sorted(region.known_regions()))


def _strange_region(col: pl.Expr) -> pl.Expr:
    """Whether the first six characters are in no edition of GB/T 2260."""
    return ~col.str.head(6).is_in(_regions())


class OrganisationCode(Identifier):
    """Organisation code 组织机构代码, GB 11714-1997, without its hyphen."""

    rules: ClassVar[Rules] = organisation
    pattern = r"^[0-9A-Z]{8}[0-9X]$"

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """Nine characters whose weighted sum is 0 modulo 11."""
        return _sound_organisation(col), col


class RegistrationNo(Identifier):
    """Legacy registration number 工商注册号: 15 digits, 15 with NA (cooperatives), or 13 digits."""

    rules: ClassVar[Rules] = registration
    pattern = r"^([0-9]{15}|[0-9]{6}NA[0-9]{6}[0-9X]|[0-9]{13})$"

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """The two forms without check digit, and 15 digits that pass ISO 7064 MOD 11,10."""
        return col.map_batches(_sound_registration, return_dtype=pl.Boolean), col

    def suspects(self, col: pl.Expr) -> pl.Expr:
        """Numbers whose registering authority is in no edition of GB/T 2260."""
        return _strange_region(col)


class Gtin(Identifier):
    """Trade item number 商品条码, GTIN-8, -12, -13 or -14 (GB 12904)."""

    rules: ClassVar[Rules] = gtin
    pattern = r"^([0-9]{8}|[0-9]{12,14})$"

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """Thirteen digits whose weighted sum is 0 modulo 10."""
        number = col.str.to_integer(strict=False, dtype=pl.Int64)
        total = pl.sum_horizontal(number // 10**place % 10 * (3 if place % 2 else 1) for place in range(13))
        return col.str.contains(r"^[0-9]{13}\z") & (total % 10 == 0), col


class TaxpayerNo(Identifier):
    """Taxpayer number 纳税人识别号: 15, 17, 18 or 20 characters."""

    rules: ClassVar[Rules] = taxpayer
    pattern = r"^([0-9A-Z]{15}|[0-9A-Z]{17}|[0-9A-Z]{18}|[0-9A-Z]{20})$"

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """The form of region and organisation code, and unified codes."""
        old = col.str.contains(r"^[0-9]{6}[0-9A-Z]{8}[0-9X]\z")
        return old | col.map_batches(valid_uscc, return_dtype=pl.Boolean), col

    def suspects(self, col: pl.Expr) -> pl.Expr:
        """The old form with a doubtful region or organisation code; unified codes with a doubt."""
        old = (col.str.len_bytes() == 15) & (_strange_region(col) | ~_sound_organisation(col.str.slice(6)))
        return old | col.map_batches(has_doubts, return_dtype=pl.Boolean)


class CustomsCode(Identifier):
    """Customs registration code 海关注册编码: ten characters, no check digit."""

    rules: ClassVar[Rules] = customs
    pattern = r"^[0-9]{4}[0-9A-Z]{6}$"

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """Four digits and six digits or letters."""
        return col.str.contains(r"^[0-9]{4}[0-9A-Z]{6}\z"), col

    def suspects(self, col: pl.Expr) -> pl.Expr:
        """Zone or kind of enterprise that is not one of the published digits."""
        return ~col.str.contains(f"^.{{4}}[{''.join(customs.ZONES)}][{''.join(customs.ENTERPRISES)}]")


class FoodLicenceNo(Identifier):
    """Food licence number: SC or JY and 14 digits."""

    rules: ClassVar[Rules] = food_licence
    pattern = r"^(SC|JY)[0-9]{14}$"

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """Two letters and fourteen digits."""
        return col.str.contains(r"^(SC|JY)[0-9]{14}\z"), col


class RegionCode(Identifier):
    """Administrative division code 行政区划代码, GB/T 2260, six digits; towns and villages are cut to their county."""

    rules: ClassVar[Rules] = region
    pattern = r"^[1-9][0-9]{5}$"

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """Six digits."""
        return col.str.contains(r"^[1-9][0-9]{5}\z"), col

    def suspects(self, col: pl.Expr) -> pl.Expr:
        """Codes in no edition of GB/T 2260."""
        return _strange_region(col)


class HsCode(Identifier):
    """Commodity code 商品编号 of the Harmonized System, 6, 8, 10 or 13 digits."""

    rules: ClassVar[Rules] = hs
    pattern = r"^([0-9]{6}|[0-9]{8}|[0-9]{10}|[0-9]{13})$"

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """Digits alone, of one of the four lengths."""
        return col.str.contains(r"^([0-9]{6}|[0-9]{8}|[0-9]{10}|[0-9]{13})\z"), col

    def suspects(self, col: pl.Expr) -> pl.Expr:
        """Codes whose first six digits are no subheading of the 2022 edition."""
        known = pl.Series([code for code in hs.headings() if len(code) == 6], dtype=pl.String)
        return ~col.str.slice(0, 6).is_in(known.implode())
