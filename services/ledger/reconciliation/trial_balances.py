"""Reports the trial balance of each civil day once it has ended, and again when a late fact changes it.

It stores nothing: the stream knows what was reported, so days that ended while nobody worked are made up, and the same
figures are told once. It waits until the projections of all shards have reached the ends of their logs as it read them,
so the positions that the event names are those of the sums.
"""

import asyncio
from datetime import date

from services.ledger.domain.trial import ReportTrialBalance, figures, stream_of, uneven
from services.ledger.reconciliation.trial_reading import Books, ended_days
from shared.contracts.event import Actor
from shared.eventlog.command import Submitted
from shared.eventlog.held_shard import ShardContext
from shared.eventlog.task_part import TaskPart
from shared.ids import content_digest, event_id, root_of_key, shard_of
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)

TICK_S = 1.0
LOOK_EVERY_S = 30.0
WAIT_FOR_PROJECTIONS_S = 0.1


class TrialReporter(TaskPart):
    """A part of a held shard of the ledger: acts for the tenants whose trial balances are on it.

    It looks at once when a day has ended, and every `look_every_s` whether late facts have changed earlier days. A day
    that was not reported when it ends is reported by the next owner.
    """

    def __init__(self, context: ShardContext, look_every_s: float = LOOK_EVERY_S) -> None:
        super().__init__(context)
        self._look_every_s = look_every_s
        self._seen: tuple[date, dict[int, int]] | None = None
        self._looked_at = float("-inf")
        self._told: dict[tuple[str, str], str] = {}

    async def _run(self) -> None:
        await self._every(TICK_S, self._look)

    async def _look(self) -> None:
        context = self._context
        today = context.clock.now().astimezone(context.zone).date()
        is_new_day = self._seen is None or self._seen[0] != today
        if not is_new_day and context.clock.monotonic() - self._looked_at < self._look_every_s:
            return
        ends = await context.store.ends(range(context.shards))
        if (today, ends) != self._seen:
            while (found := await asyncio.to_thread(ended_days, context.dsns, today, ends, self._is_ours)) is None:
                await asyncio.sleep(WAIT_FOR_PROJECTIONS_S)
            for books in found:
                await self._report(books)
        self._seen, self._looked_at = (today, ends), context.clock.monotonic()

    def _is_ours(self, tenant: str) -> bool:
        return shard_of(tenant, stream_of(tenant), self._context.shards) == self._context.shard

    async def _report(self, books: Books) -> None:
        for command in books.days:
            told = figures(command.lines)
            if self._told.get((books.tenant, command.day)) == told:
                continue
            wrong = uneven(command.lines)
            if wrong:
                metrics.TRIAL_BALANCES_UNEVEN.inc()
                log.critical("trial_balance_is_uneven", tenant=books.tenant, day=command.day, minor=wrong)
                continue
            await self._submit(books.tenant, command)
            self._told[books.tenant, command.day] = told

    async def _submit(self, tenant: str, command: ReportTrialBalance) -> None:
        """The same figures at the same positions are the same command."""
        key = content_digest([command.day, figures(command.lines), command.positions])
        root = root_of_key(tenant, "ledger", command.TYPE, command.account_id, key)
        await self._context.writer.submit(
            Submitted(
                command=command,
                tenant=tenant,
                root=root,
                actor=Actor("system", "ledger"),
                correlation=event_id(root, 0).hex(),
                effective_date=command.day,
            )
        )
