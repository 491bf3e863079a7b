"""What only waits ends in time or is an alarm, on the stack clock."""

from datetime import UTC, datetime, timedelta

import pytest

from services.billing.domain.commands import ExpireHold
from services.billing.effects.days import bank_days_later
from services.billing.effects.limits import Limits
from services.billing.effects.times import Again, Ended
from services.billing.effects.works import OpenHold, OpenTransfer
from shared.clock import ManualClock, rfc3339
from tests.unit.billing.effect_story import NOW, ORIGIN, Writer

HOLD = OpenHold(origin=ORIGIN, account_id="acc_a", payment_id="pay_0_a", held_until=rfc3339(NOW))
TRANSFER = OpenTransfer(origin=ORIGIN, account_id="acc_a", transfer_id="trf_0_a", sent_at=rfc3339(NOW))
SECOND, MINUTES = timedelta(seconds=1), timedelta(minutes=10)


async def test_a_hold_waits_until_its_time() -> None:
    writer = Writer()
    assert await Limits(writer.outbox, ManualClock(NOW - SECOND)).hold(HOLD) == Again(NOW)
    assert writer.commands == []


async def test_a_hold_whose_time_is_over_is_expired_once() -> None:
    writer = Writer()
    for _ in range(2):
        assert await Limits(writer.outbox, ManualClock(NOW)).hold(HOLD) == Ended()
    assert writer.commands == [ExpireHold(account_id="acc_a", payment_id="pay_0_a")]


@pytest.mark.parametrize(
    ("later", "after"),
    [
        (MINUTES - SECOND, Again(NOW + MINUTES)),
        (MINUTES, Again(NOW + 2 * MINUTES, exceeded="transfer")),
    ],
)
async def test_a_transfer_under_way_for_ten_minutes_exceeds_its_limit(later: timedelta, after: Again) -> None:
    assert await Limits(Writer().outbox, ManualClock(NOW + later)).transfer(TRANSFER) == after


@pytest.mark.parametrize(("day", "later"), [(2, 4), (5, 9), (6, 10), (7, 10), (8, 10)])
def test_saturdays_and_sundays_are_no_bank_days(day: int, later: int) -> None:
    """2 March 2026 is a Monday."""
    assert bank_days_later(datetime(2026, 3, day, 12, tzinfo=UTC), 2) == datetime(2026, 3, later, 12, tzinfo=UTC)
