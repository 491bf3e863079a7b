"""An outcome that nobody knows is asked after for ever, and after a day a person hears of it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.billing.effects.pursuit import Pursuit
from services.billing.effects.times import Again
from services.billing.effects.works import OpenAttempt, Origin
from services.billing.rails.port import NoAnswer
from shared.clock import ManualClock, rfc3339

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


class SilentRail:
    processor = "card"

    async def retrieve(self, ref: str) -> NoAnswer:
        return NoAnswer()


def attempt(unknown_for: timedelta) -> OpenAttempt:
    since = rfc3339(NOW - unknown_for)
    return OpenAttempt(
        origin=Origin(tenant="demo", correlation="c", causation=None, trace=None), account_id="acc_a",
        payment_id="pay_0_a", attempt_id="att_0_a", amount_minor=100, currency="USD", token="pm_card_visa",
        planned_at=since, processor_ref="pi_1", unknown_since=since,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("unknown_for", "exceeded"),
    [(timedelta(hours=23, minutes=59), None), (timedelta(hours=24), "unknown"), (timedelta(days=9), "unknown")],
)
async def test_an_outcome_not_known_for_a_day_exceeds_its_limit(unknown_for: timedelta, exceeded: str | None) -> None:
    rail: Any = SilentRail()
    outbox: Any = None
    answer = await Pursuit(rail, outbox, ManualClock(NOW), ZoneInfo("UTC")).pursue(attempt(unknown_for), tries=0)
    assert isinstance(answer, Again)
    assert NOW < answer.at <= NOW + timedelta(hours=1)
    assert answer.exceeded == exceeded
