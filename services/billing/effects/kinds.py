"""All effects of billing, by kind of work."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never
from zoneinfo import ZoneInfo

from services.billing.effects.limits import Limits
from services.billing.effects.outbox import Outbox
from services.billing.effects.pursuit import Pursuit
from services.billing.effects.refunds import Refunds
from services.billing.effects.reports import ReportReader
from services.billing.effects.times import Next
from services.billing.effects.traces import Traces
from services.billing.effects.works import (
    OpenAttempt,
    OpenHold,
    OpenRefund,
    OpenReport,
    OpenTrace,
    OpenTransfer,
    SentRefund,
    StrangeThing,
    Work,
)
from services.billing.rails.port import Rail
from shared.clock import Clock
from shared.eventlog.readable import Readable


@dataclass(frozen=True)
class Effects:
    """What runs each kind of work."""

    pursuit: Pursuit
    refunds: Refunds
    traces: Traces
    limits: Limits
    reports: ReportReader
    readable: Readable

    async def run(self, work: Work, tries: int, oldest: Callable[[str], OpenReport | None]) -> Next:
        """Run a piece of work once; `tries` counts the short waits before, `oldest` gives a processor's oldest day.

        Errors: a WorldFault where it must be tried again; OnHold where a newer version knows more of the household.
        """
        if not isinstance(work, OpenTrace | OpenReport):
            await self.readable.check(work.account_id)
        match work:
            case OpenAttempt():
                return await self.pursuit.pursue(work, tries)
            case OpenRefund():
                return await self.refunds.pursue(work, tries)
            case OpenTrace():
                return await self.traces.follow(work)
            case OpenHold():
                return await self.limits.hold(work)
            case OpenTransfer():
                return await self.limits.transfer(work)
            case OpenReport():
                return await self.reports.read(oldest(work.processor) or work)
            case StrangeThing():
                return await self.pursuit.look_at(work, tries)
            case SentRefund():
                return await self.refunds.look_again(work)
            case _:
                assert_never(work)


def effects_over(
    rail: Rail, outbox: Outbox, clock: Clock, zone: ZoneInfo, currency: str, readable: Readable
) -> Effects:
    """Return all effects over one rail, whose outcomes go to one outbox."""
    return Effects(
        Pursuit(rail, outbox, clock, zone),
        Refunds(rail, outbox, clock, zone),
        Traces(rail, outbox, zone),
        Limits(outbox, clock),
        ReportReader(rail, outbox, zone, currency),
        readable,
    )
