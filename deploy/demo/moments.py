"""The moments at which something happens in the demo's month, and the stack clock's way from one to the next.

All days are counted from the demo's first day; hours are those of the exchange's zone.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

ZONE = ZoneInfo("America/New_York")


class Moment(Struct, frozen=True):
    """A day and hour, and what besides the households' acts happens then."""

    day: int
    hour: int = 9
    processor: str = ""


MOMENTS = (
    Moment(0),
    Moment(1),
    Moment(1, 12),
    Moment(2),
    Moment(4),
    Moment(7),
    Moment(7, 12, "leaves"),
    Moment(7, 13, "is away"),
    Moment(7, 15),
    Moment(10),
    Moment(13),
    Moment(16),
    Moment(19),
    Moment(22),
    Moment(25),
    Moment(28),
)
START, NEXT_DAY, NEXT_NOON, THIRD_DAY, DAY_4, DAY_7 = range(6)
LEAVES, AWAY, RETURNED = range(6, 9)
DAY_10, DAY_13, DAY_16, DAY_19, DAY_22, DAY_25, DAY_28 = range(9, 16)
DUE_DAY = 13
SECOND_DUE_DAY = 44


class Calendar(Struct, frozen=True):
    """The civil days of one demo."""

    first_day: date

    def day(self, number: int) -> date:
        """Return the date of a day."""
        return self.first_day + timedelta(days=number)

    def instant(self, moment: Moment) -> datetime:
        """Return when a moment is, in UTC."""
        return datetime.combine(self.day(moment.day), time(moment.hour), ZONE).astimezone(UTC)

    def coverage_month(self, number: int) -> str:
        """Return a month of coverage: 0 is the one after the demo's first day."""
        first = self.first_day.replace(day=1)
        for _ in range(number + 1):
            first = (first + timedelta(days=32)).replace(day=1)
        return first.strftime("%Y-%m")


def calendar_from(now: datetime) -> Calendar:
    """Return the calendar that begins on the day after `now`."""
    return Calendar(now.astimezone(ZONE).date() + timedelta(days=1))


def last_moment_of_day(index: int) -> bool:
    """Tell whether no later moment is on the same day."""
    return index + 1 == len(MOMENTS) or MOMENTS[index + 1].day != MOMENTS[index].day
