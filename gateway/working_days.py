"""Clocks in working days on the Chinese holiday calendar, make-up working days (调休) included.

The State Council announces each year's days off and make-up days late in the year before. For years that are
announced the ``holidays`` package has them; a year it does not have yet may stand in ``working-days.yml`` in the
home. For any other year the statutory holidays are computed, nobody knows the make-up days, and every deadline
that reaches into it says so: ``Deadline.provisional``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from connectors.errors import Refused
from schemas.china_time import CHINA

if TYPE_CHECKING:
    from holidays import HolidayBase

FILE = "working-days.yml"


@dataclass(frozen=True)
class Year:
    """One year as announced, from ``working-days.yml``.

    Attributes:
        off: days off that would be working days by the weekday alone.
        work: make-up working days: Saturdays and Sundays that are worked.
    """

    off: frozenset[date]
    work: frozenset[date]


@dataclass(frozen=True)
class Deadline:
    """When a clock runs out.

    Attributes:
        due_on: last day, Asia/Shanghai; the day after it is late.
        working_days: how many the clock has.
        provisional: years it reaches into that are not announced yet; the day may still move.
    """

    due_on: date
    working_days: int
    provisional: tuple[int, ...] = ()

    def is_over(self, now: datetime) -> bool:
        """Whether the last day has passed."""
        return now.astimezone(CHINA).date() > self.due_on


@dataclass(frozen=True)
class WorkingDays:
    """The calendar of an installation.

    Attributes:
        own: years from ``working-days.yml``; they win over the package's.
    """

    own: Mapping[int, Year] = field(default_factory=dict)

    def is_working_day(self, day: date) -> bool:
        """Whether offices work on a day."""
        if (year := self.own.get(day.year)) is not None:
            return day in year.work or (day.weekday() < 5 and day not in year.off)
        return _is_working_day(day)

    def is_announced(self, year: int) -> bool:
        """Whether days off and make-up days of a year are known; otherwise only statutory holidays are."""
        return year in self.own or year in _announced()

    def deadline(self, begun: datetime, days: int) -> Deadline:
        """The end of a clock of ``days`` working days; the first counted is the day after it began.

        Raises:
            ValueError: fewer than one day.
        """
        if days < 1:
            raise ValueError(f"a clock has at least one working day, got {days}")
        day = begun.astimezone(CHINA).date()
        first, left = day, days
        while left:
            day += timedelta(days=1)
            left -= self.is_working_day(day)
        unknown = tuple(year for year in range(first.year, day.year + 1) if not self.is_announced(year))
        return Deadline(day, days, unknown)


def load_working_days(home: Path) -> WorkingDays:
    """The calendar with what the installation itself has been told.

    Raises:
        Refused: ``working-days.yml`` is not of the form of docs/operations/grants.md.
    """
    path = home / FILE
    if not path.exists():
        return WorkingDays()
    return _read(path, path.stat().st_mtime_ns)


@cache
def _read(path: Path, _changed: int) -> WorkingDays:
    try:
        stored = yaml.safe_load(path.read_text("utf-8")) or {}
        years = {
            int(year): Year(_days(said, "days_off", year), _days(said, "make_up", year))
            for year, said in stored.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise Refused(
            f"{path} 不合格式：{error}；应为 年份: {{days_off: [日期…], make_up: [日期…]}}",
            f"{path} is not of the form `year: {{days_off: [dates], make_up: [dates]}}`: {error}",
            file=str(path),
        ) from error
    return WorkingDays(years)


def _days(said: Mapping[str, object], name: str, year: int) -> frozenset[date]:
    if unknown := set(said) - {"days_off", "make_up"}:
        raise ValueError(f"{year}: unknown {sorted(unknown)}")
    days = said.get(name) or []
    if not isinstance(days, list) or not all(isinstance(day, date) and day.year == int(year) for day in days):
        raise ValueError(f"{year}: {name} is a list of days of that year")
    return frozenset(days)


def _is_working_day(day: date) -> bool:
    return _china(day.year).is_working_day(day)


@cache
def _china(year: int) -> HolidayBase:
    from holidays import country_holidays  # imported when a clock is looked at: reading needs no calendar

    return country_holidays("CN", years=year)


@cache
def _announced() -> frozenset[int]:
    from holidays.countries.china import ChinaStaticHolidays

    # The swaps of each announcement; a year without one has not been announced, or is older than the custom.
    return frozenset(ChinaStaticHolidays.special_public_holidays)
