"""Dates and instants, in the shapes agencies really send."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from schemas.china_time import CHINA
from schemas.fields.base import SharedField

FOREVER = date(9999, 12, 31)
"""How a validity without end is stored; sent as 长期, 2099/12/31 or 9999-9-9."""
FIRST_YEAR, LAST_YEAR = 1850, 2200
"""Years outside are typing errors: the oldest bodies date from the 1890s, land-use terms end within 70 years."""

_NEVER = frozenset({date(1900, 1, 1), date(1900, 1, 2)})
_ENDLESS = frozenset({date(2099, 12, 31), date(9999, 9, 9), FOREVER, date(2999, 12, 31)})
_ORDINARY_YEARS = "(18[5-9][0-9]|190[1-9]|19[1-9][0-9]|20[0-8][0-9]|209[0-8]|21[0-9]{2}|2200)"
_ENDLESS_WORDS = frozenset({"长期", "长期有效", "永久", "永久有效", "永续", "无期限", "无固定期限", "无限期"})

_SHANGHAI = ZoneInfo("Asia/Shanghai")  # knows the summer times of 1986-1991
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXCEL_EPOCH = datetime(1899, 12, 30)  # day 0 of the 1900 system after its invented 29 February 1900
_EXCEL_DAYS = (10_000, 73_050)  # 1927-05-18 to 2099-12-31: five digits only

_CLOCK = (
    r"(?:[T ]\s*(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?)?"
    r"\s*(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_SEPARATED = re.compile(r"(?P<year>[0-9]{4})(?P<mark>[-/.])(?P<month>[0-9]{1,2})(?P=mark)(?P<day>[0-9]{1,2})" + _CLOCK)
_CHINESE = re.compile(r"(?P<year>[0-9]{4})\s*年\s*(?P<month>[0-9]{1,2})\s*月\s*(?P<day>[0-9]{1,2})\s*日" + _CLOCK)
_COMPACT = re.compile(r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})" + _CLOCK)
_COMPACT_CLOCK = re.compile(
    r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>[0-9]{2})"
)
_SHAPES = (_SEPARATED, _CHINESE, _COMPACT, _COMPACT_CLOCK)
_SERIAL = re.compile(r"[0-9]{5}(?:\.[0-9]{1,12})?")
_EPOCH_MS = re.compile(r"-?[0-9]{12,13}")


def read_moment(text: str) -> datetime | None:
    """Read any known shape of date or date with time.

    Args:
        text: NFKC, trimmed.

    Returns:
        Aware if the text told its zone or is an epoch count (given in +08:00), else naive local time;
        None if the shape is unknown.

    Raises:
        ValueError: the shape is known but there is no such day or time.
    """
    for shape in _SHAPES:
        if found := shape.fullmatch(text):
            return _built(found.groupdict())
    if _SERIAL.fullmatch(text) and _EXCEL_DAYS[0] <= float(text) < _EXCEL_DAYS[1] + 1:
        whole, _, part = text.partition(".")
        seconds = round(float(f"0.{part or 0}") * 86_400)
        return _EXCEL_EPOCH + timedelta(days=int(whole), seconds=seconds)
    if _EPOCH_MS.fullmatch(text):
        return (_EPOCH + timedelta(milliseconds=int(text))).astimezone(CHINA)
    return None


def _built(parts: dict[str, str | None]) -> datetime:
    number = {name: int(parts.get(name) or 0) for name in ("year", "month", "day", "hour", "minute", "second")}
    micros = int((parts.get("fraction") or "0").ljust(6, "0")[:6])
    zone = parts.get("zone")
    return datetime(**number, microsecond=micros, tzinfo=_zone(zone) if zone else None)


def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text[0] == "-" else offset)


class _Moment(SharedField[Any]):
    """What dates and instants share: finding the shape and saying what is wrong with it."""

    def moment(self, text: str) -> datetime:
        """The moment the text tells, or a fault."""
        try:
            found = read_moment(text)
        except ValueError:
            self.refuse(
                "date.no_such_day",
                f"「{self.zh}」不存在这一天或时刻：{self.quote(text)}；请核对。",
                f"{self.name} names a day or time that does not exist: {self.quote(text)}; check it.",
            )
        if found is None:
            self.refuse(
                "date.shape",
                f"「{self.zh}」无法识别为日期：「{self.quote(text)}」；请填写如 2023-04-01（年份四位、年月日齐全）。",
                f"{self.name} is not a known shape of date: {self.quote(text)!r}; write it like 2023-04-01, "
                "with a four-digit year, month and day.",
            )
        return found

    def in_range(self, day: date, text: str) -> None:
        """Refuse years that can only be typing errors."""
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            self.refuse(
                "date.out_of_range",
                f"「{self.zh}」年份应在 {FIRST_YEAR} 至 {LAST_YEAR} 之间，收到 {self.quote(text)}；请核对。",
                f"{self.name} must lie in the years {FIRST_YEAR} to {LAST_YEAR}, got {self.quote(text)}; check it.",
            )


class OnDate(_Moment):
    """A calendar day in China.

    A time that comes with it is dropped; a zone or an epoch count is first turned into +08:00. The days agencies
    write for "no date" (1900-1-1) are read as nothing; so are the days for "without end", unless ``open_ended``.

    Args:
        open_ended: 长期, 2099-12-31, 9999-9-9 … mean ``FOREVER``.
    """

    dtype = pl.Date()
    kind = "D"

    def __init__(self, *, open_ended: bool = False, **told: Any) -> None:
        super().__init__(**told)
        self.open_ended = open_ended

    def read(self, text: str) -> date | None:
        """Read one day in any known shape."""
        if text in _ENDLESS_WORDS:
            if not self.open_ended:
                self.refuse(
                    "date.open_ended",
                    f"「{self.zh}」不能是「{self.quote(text)}」；请填写具体日期。",
                    f"{self.name} cannot be without end ({self.quote(text)}); write a day.",
                )
            return FOREVER
        moment = self.moment(text)
        try:
            day = (moment.astimezone(CHINA) if moment.tzinfo else moment).date()
        except OverflowError:
            day = moment.date()
        if day in _NEVER:
            return None
        if day in _ENDLESS:
            return FOREVER if self.open_ended else None
        self.in_range(day, text)
        return day

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """ISO days of ordinary years; every year that holds a day with a special meaning is read one by one."""
        plain = col.str.contains(rf"^{_ORDINARY_YEARS}-[0-9]{{2}}-[0-9]{{2}}\z")
        day = col.str.to_date("%Y-%m-%d", strict=False, exact=True, cache=False)
        return plain & day.is_not_null(), day

    def shape(self) -> dict[str, Any]:
        """A day, ISO 8601."""
        return {"type": "string", "format": "date"}


class AtInstant(_Moment):
    """A moment, stored in UTC. Agencies' local times are those of Asia/Shanghai."""

    dtype = pl.Datetime("us", "UTC")
    kind = "T"

    def read(self, text: str) -> datetime | None:
        """Read one moment in any known shape; a day alone is its midnight."""
        moment = self.moment(text)
        if moment.date() in _NEVER or moment.date() in _ENDLESS:
            return None
        self.in_range(moment.date(), text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=_SHANGHAI)).astimezone(UTC)

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """Local ``YYYY-MM-DD HH:MM:SS`` of the years 1992 to 2098, when China kept one fixed offset."""
        hours = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
        plain = col.str.contains(rf"^(199[2-9]|20[0-8][0-9]|209[0-8])-[0-9]{{2}}-[0-9]{{2}}[ T]{hours}\z")
        local = col.str.replace("T", " ", literal=True).str.to_datetime(
            "%Y-%m-%d %H:%M:%S", time_unit="us", strict=False, exact=True, cache=False
        )
        return plain & local.is_not_null(), (local - pl.duration(hours=8)).dt.replace_time_zone("UTC")

    def shape(self) -> dict[str, Any]:
        """A moment in UTC, RFC 3339."""
        return {"type": "string", "format": "date-time"}
