"""A parked record does not wait for ever: an alarm at 15 minutes, a person at 24 hours, by the stack's clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.clock import ManualClock
from shared.eventlog import parked_alarm
from shared.eventlog.intake import BEHIND
from shared.eventlog.parked_alarm import ParkedAlarm
from shared.eventlog.ports import Shelved
from shared.telemetry import metrics

MINUTE = timedelta(minutes=1)


def shelved(position: int = 1, age: timedelta = timedelta(), cause: str = "unknown_type") -> Shelved:
    return Shelved(("billing.events.v1", 3, position), "acc_a", cause, age)


class Ward:
    """One shard's shelf, its alarm, and what was logged."""

    def __init__(self) -> None:
        self.clock = ManualClock(datetime(2026, 11, 24, tzinfo=UTC))
        self.alarm = ParkedAlarm("test", 3, self.clock)
        self.waiting: list[Shelved] = []
        self.logged: list[tuple[str, str]] = []

    async def shelved(self, shard: int) -> list[Shelved]:
        return self.waiting

    def error(self, event: str, **about: Any) -> None:
        self.logged.append(("error", about["limit"]))

    def critical(self, event: str, **about: Any) -> None:
        self.logged.append(("critical", about["limit"]))

    async def after(self, span: timedelta = timedelta()) -> tuple[float, float]:
        """Return how many records are older than each limit, a span later."""
        self.clock.advance(span)
        await self.alarm.look(self, any_parked=bool(self.waiting))
        gauges = [metrics.PARKED_LONG.labels("test", "3", limit)._value.get() for limit in ("15m", "24h")]
        return gauges[0], gauges[1]


@pytest.fixture
def ward(monkeypatch: pytest.MonkeyPatch) -> Ward:
    made = Ward()
    monkeypatch.setattr(parked_alarm, "log", made)
    return made


async def test_an_alarm_at_15_minutes_and_a_person_at_24_hours_each_once(ward: Ward) -> None:
    ward.waiting = [shelved()]
    assert await ward.after() == (0, 0)
    assert await ward.after(14 * MINUTE) == (0, 0)
    assert ward.logged == []
    assert await ward.after(MINUTE) == (1, 0)
    assert await ward.after(MINUTE) == (1, 0)
    assert ward.logged == [("error", "15m")]
    assert await ward.after(timedelta(hours=24)) == (1, 1)
    assert await ward.after(MINUTE) == (1, 1)
    assert ward.logged == [("error", "15m"), ("critical", "24h")]


async def test_a_record_that_was_let_go_is_no_trouble_and_would_be_told_anew(ward: Ward) -> None:
    ward.waiting = [shelved()]
    await ward.after()
    assert await ward.after(20 * MINUTE) == (1, 0)
    ward.waiting = []
    assert await ward.after() == (0, 0)
    ward.waiting = [shelved()]
    assert await ward.after() == (0, 0)
    await ward.after(15 * MINUTE)
    assert ward.logged == [("error", "15m")] * 2


async def test_what_waited_before_this_worker_came_counts(ward: Ward) -> None:
    ward.waiting = [shelved(1, age=timedelta(hours=25)), shelved(2, age=10 * MINUTE)]
    assert await ward.after() == (1, 1)
    assert await ward.after(5 * MINUTE) == (2, 1)
    assert ward.logged == [("error", "15m"), ("critical", "24h"), ("error", "15m")]


async def test_what_only_waits_behind_another_is_not_told(ward: Ward) -> None:
    ward.waiting = [shelved(1), *(shelved(n, cause=BEHIND) for n in range(2, 50))]
    await ward.after()
    assert await ward.after(timedelta(hours=30)) == (1, 1)
    assert len(ward.logged) == 2
