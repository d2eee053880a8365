"""Clocks in working days: holidays, make-up days, and years that nobody has announced yet."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from connectors.errors import Refused
from gateway.working_days import FILE, Deadline, WorkingDays, load_working_days

# The announcements for 2025 (国办发明电〔2024〕12号) and 2026 (国办发明电〔2025〕7号).
MADE_UP = {
    2025: [(1, 26), (2, 8), (4, 27), (9, 28), (10, 11)],
    2026: [(1, 4), (2, 14), (2, 28), (5, 9), (9, 20), (10, 10)],
}
OFF = {
    2025: [(1, 1), (1, 28), (2, 4), (4, 4), (5, 5), (6, 2), (10, 1), (10, 8)],
    2026: [(1, 2), (2, 16), (2, 23), (4, 6), (5, 5), (6, 19), (9, 25), (10, 7)],
}


def at(*day: int) -> datetime:
    """Noon of that day in Shanghai."""
    return datetime(day[0], day[1], day[2], 4, tzinfo=UTC)


@pytest.mark.parametrize("year", MADE_UP)
def test_make_up_days_are_worked_and_announced_days_off_are_not(year: int) -> None:
    calendar = WorkingDays()

    assert [day for day in MADE_UP[year] if not calendar.is_working_day(date(year, *day))] == []
    assert [day for day in OFF[year] if calendar.is_working_day(date(year, *day))] == []
    assert all(date(year, *day).weekday() >= 5 for day in MADE_UP[year])


@pytest.mark.parametrize(
    ("begun", "days", "due"),
    [
        # Across the National Day of 2026: 1 to 7 October are off, Saturday the 10th is worked.
        (at(2026, 9, 29), 1, date(2026, 9, 30)),
        (at(2026, 9, 29), 4, date(2026, 10, 10)),
        (at(2026, 9, 29), 5, date(2026, 10, 12)),
        # A plain week, begun on a Friday.
        (at(2026, 11, 20), 10, date(2026, 12, 4)),
        # 16:00 UTC is the next day in Shanghai.
        (datetime(2026, 11, 19, 16, tzinfo=UTC), 1, date(2026, 11, 23)),
        (datetime(2026, 11, 19, 15, 59, tzinfo=UTC), 1, date(2026, 11, 20)),
    ],
)
def test_a_clock_begins_the_day_after_and_counts_working_days_in_china(begun: datetime, days: int, due: date) -> None:
    assert WorkingDays().deadline(begun, days) == Deadline(due, days)


def test_a_deadline_is_over_when_its_last_day_has_passed_in_china() -> None:
    due = Deadline(date(2026, 12, 4), 10)

    assert not due.is_over(datetime(2026, 12, 4, 15, 59, tzinfo=UTC))
    assert due.is_over(datetime(2026, 12, 4, 16, 0, tzinfo=UTC))


def test_a_deadline_that_reaches_into_a_year_nobody_has_announced_says_so() -> None:
    due = WorkingDays().deadline(at(2098, 12, 29), 10)

    assert due.provisional == (2098, 2099)
    # 1 January is off by law, whatever will be announced.
    assert not WorkingDays().is_working_day(date(2099, 1, 1))


def test_a_year_that_the_installation_was_told_counts_as_announced(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("2099: {days_off: [2099-01-01, 2099-01-02], make_up: [2099-01-04]}\n", "utf-8")
    calendar = load_working_days(tmp_path)

    due = calendar.deadline(datetime(2098, 12, 31, 16, tzinfo=UTC), 1)

    # Friday the 2nd is off, Sunday the 4th is worked.
    assert (due.due_on, due.provisional) == (date(2099, 1, 4), ())


@pytest.mark.parametrize(
    "text",
    [
        "2099: [2099-01-01]",
        "2099: {days_off: [2098-01-01]}",
        "2099: {day_off: []}",
        "2099: {days_off: soon}",
        "- 1",
        "{",
        "x: {days_off: []}",
    ],
)
def test_a_calendar_in_another_form_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, "utf-8")

    with pytest.raises(Refused, match=FILE):
        load_working_days(tmp_path)


def test_without_a_file_the_calendar_is_the_packages(tmp_path: Path) -> None:
    assert load_working_days(tmp_path) == WorkingDays()
