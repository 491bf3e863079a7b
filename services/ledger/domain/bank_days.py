"""On which days money moves between banks: all but weekends and the holidays of the Federal Reserve Banks.

A holiday that falls on a Sunday is kept on the Monday after; one that falls on a Saturday is not kept.
"""

from datetime import date, timedelta

SATURDAY, SUNDAY = 5, 6
MONDAY, THURSDAY = 0, 3
FIXED = ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25))
"""New Year's Day, Juneteenth, Independence Day, Veterans Day, Christmas Day."""
BY_WEEKDAY = ((1, MONDAY, 3), (2, MONDAY, 3), (9, MONDAY, 1), (10, MONDAY, 2), (11, THURSDAY, 4))
"""Birthday of Martin Luther King Jr., Washington's Birthday, Labor Day, Columbus Day, Thanksgiving Day."""


def holidays(year: int) -> frozenset[date]:
    """Return the days of a year on which the Federal Reserve Banks are closed, apart from weekends."""
    days = {_nth(year, month, weekday, number) for month, weekday, number in BY_WEEKDAY}
    days.add(_last_monday_of_may(year))
    for month, number in FIXED:
        day = date(year, month, number)
        days.add(day + timedelta(days=1) if day.weekday() == SUNDAY else day)
    return frozenset(day for day in days if day.weekday() != SATURDAY)


def _nth(year: int, month: int, weekday: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))


def _last_monday_of_may(year: int) -> date:
    last = date(year, 5, 31)
    return last - timedelta(days=last.weekday())


def is_bank_day(day: date) -> bool:
    """Tell whether banks settle on a day."""
    return day.weekday() < SATURDAY and day not in holidays(day.year)


def bank_day_after(day: date, count: int) -> date:
    """Return the `count`-th bank day after a day; `count` is above zero."""
    while count:
        day += timedelta(days=1)
        count -= is_bank_day(day)
    return day
