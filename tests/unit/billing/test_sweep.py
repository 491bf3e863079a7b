"""The sweep of intents that nobody confirmed leaves no hole, however far the clock moves."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.billing.schedule import Sweep

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Asked:
    """A rail that notes which spans it was asked for."""

    def __init__(self) -> None:
        self.spans: list[tuple[datetime, datetime]] = []

    async def stale(self, tenant: str, begin: datetime, end: datetime) -> Sequence[str]:
        self.spans.append((begin, end))
        return ()


async def test_the_spans_of_two_sweeps_meet_when_the_clock_moved_by_weeks() -> None:
    rail: Any = Asked()
    sweep = Sweep(rail, "demo")
    await sweep.tick(START)
    await sweep.tick(START + timedelta(minutes=59))
    await sweep.tick(START + timedelta(days=30))
    (_, first_end), (second_begin, second_end) = rail.spans
    assert second_begin <= first_end
    assert second_end == START + timedelta(days=29)
