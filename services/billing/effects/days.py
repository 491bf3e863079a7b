"""Civil days in the tenant's zone, as moments and back."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

SATURDAY = 5


def bounds_of(day: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when a day begins and ends, in UTC; a day of 23 or 25 hours where the zone's clock is moved."""
    begins = date.fromisoformat(day)
    return _midnight(begins, zone), _midnight(begins + timedelta(days=1), zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def bank_days_later(moment: datetime, days: int) -> datetime:
    """Return the moment that many bank days later; Saturdays and Sundays are none, holidays are not known here."""
    while days > 0:
        moment += timedelta(days=1)
        days -= moment.weekday() < SATURDAY
    return moment


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """Return the day on which a moment falls."""
    return moment.astimezone(zone).date()
