"""The days on which the Federal Reserve Banks are closed, as they publish them, and counting over them."""

from datetime import date, timedelta

import pytest

from services.ledger.domain.bank_days import bank_day_after, holidays, is_bank_day

PUBLISHED = {
    2026: "01-01 01-19 02-16 05-25 06-19 09-07 10-12 11-11 11-26 12-25",  # 4 July is a Saturday: not kept
    2027: "01-01 01-18 02-15 05-31 07-05 09-06 10-11 11-11 11-25",  # 19 June, 25 December are; 4 July is a Sunday
}


@pytest.mark.parametrize("year", PUBLISHED)
def test_the_holidays_of_a_year_are_those_published(year: int) -> None:
    assert sorted(day.isoformat()[5:] for day in holidays(year)) == PUBLISHED[year].split()


@pytest.mark.parametrize("year", PUBLISHED)
def test_banks_settle_on_every_weekday_that_is_no_holiday(year: int) -> None:
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(365)]
    closed = [day for day in days if not is_bank_day(day)]

    assert {day for day in closed if day.weekday() < 5} == set(holidays(year))
    assert {day for day in days if day.weekday() >= 5} <= set(closed)


@pytest.mark.parametrize(
    ("day", "count", "after"),
    [
        pytest.param("2026-02-02", 3, "2026-02-05", id="in-a-week"),
        pytest.param("2026-02-05", 3, "2026-02-10", id="over-a-weekend"),
        pytest.param("2026-02-12", 3, "2026-02-18", id="over-a-long-weekend"),
        pytest.param("2026-02-14", 1, "2026-02-17", id="from-a-weekend"),
        pytest.param("2026-07-02", 1, "2026-07-03", id="saturday-holiday-closes-nothing"),
        pytest.param("2027-07-02", 1, "2027-07-06", id="sunday-holiday-closes-monday"),
        pytest.param("2026-12-31", 1, "2027-01-04", id="over-the-year"),
    ],
)
def test_bank_days_are_counted_from_the_day_after(day: str, count: int, after: str) -> None:
    assert bank_day_after(date.fromisoformat(day), count) == date.fromisoformat(after)
