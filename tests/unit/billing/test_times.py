"""When an attempt is asked about again, on the stack clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.billing.effects.days import bounds_of, day_of
from services.billing.effects.times import next_asking, soon

SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")


def test_an_unknown_attempt_is_asked_at_its_times_then_hourly() -> None:
    asked, now = [], SINCE
    for _ in range(7):
        now = next_asking(SINCE, now)
        asked.append((now - SINCE).total_seconds())
    assert asked == [5, 30, 120, 600, 3600, 7200, 10800]


def test_a_clock_that_jumps_asks_once_and_goes_on() -> None:
    assert next_asking(SINCE, SINCE + timedelta(days=3, minutes=1)) == SINCE + timedelta(days=3, hours=1)


def test_short_waits_grow_to_a_bound() -> None:
    waits = [(soon(SINCE, tries).at - SINCE).total_seconds() for tries in range(7)]
    assert waits == [0.25, 0.5, 1, 2, 5, 5, 5]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-07", 24), ("2026-03-08", 23), ("2026-11-01", 25)])
def test_a_day_lasts_as_long_as_the_zones_clock_says(day: str, hours: int) -> None:
    begin, end = bounds_of(day, NEW_YORK)
    assert end - begin == timedelta(hours=hours)
    assert day_of(begin, NEW_YORK) == date.fromisoformat(day)
    assert day_of(end - timedelta(microseconds=1), NEW_YORK) == date.fromisoformat(day)
