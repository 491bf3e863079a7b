"""Alarms that the ledger's own log calls for."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from services.ledger.checks import late_payouts, trial_balance_minor, unexplained_minor
from shared.contracts.ledger import LimitBroken
from shared.eventlog.held_shard import ShardContext
from shared.eventlog.ports import EventRow
from shared.eventlog.task_part import TaskPart
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)

WATCHED_FROM_SHARD = 0
SUM_EVERY_S = 60.0


class LimitAlarm:
    """A part of a held shard: a broken limit means that billing and ledger disagree, and that a person must look."""

    def __init__(self, context: ShardContext) -> None:
        self._shard = context.shard

    async def start(self) -> None:
        """Nothing to begin: it looks at commits only."""

    def committed(self, rows: Sequence[EventRow]) -> None:
        """Count and log each broken limit."""
        for row in rows:
            if row.type == LimitBroken.TYPE:
                metrics.LIMITS_BROKEN.inc()
                log.error("limit_broken", shard=self._shard, position=row.position, stream=row.stream)

    async def stop(self) -> None:
        """Nothing to end."""


class BooksAlarm(TaskPart):
    """A part of shard 0: once a minute, over all shards: the trial balance, what is unexplained, payouts that are late.

    An entry is folded in one transaction, so all debits less all credits are 0 however far each shard's projection is;
    anything else is a fault of ours.
    """

    def __init__(self, context: ShardContext, every_s: float = SUM_EVERY_S) -> None:
        super().__init__(context)
        self._every_s = every_s

    async def _run(self) -> None:
        if self._context.shard == WATCHED_FROM_SHARD:
            await asyncio.sleep(self._every_s)
            await self._every(self._every_s, self._measure)

    async def _measure(self) -> None:
        await asyncio.to_thread(self._measured)

    def _measured(self) -> None:
        dsns = self._context.dsns
        minor = sum(map(trial_balance_minor, dsns))
        metrics.TRIAL_BALANCE_MINOR.set(minor)
        if minor:
            log.critical("trial_balance_is_not_zero", minor=minor)
        open_minor = Counter[str]()
        for dsn in dsns:
            open_minor.update(unexplained_minor(dsn))
        for account, unexplained in open_minor.items():
            metrics.UNEXPLAINED_MINOR.labels(account).set(unexplained)
            if unexplained:
                log.error("exceptions_unexplained", account=account, minor=unexplained)
        late = sum(map(late_payouts, dsns))
        metrics.PAYOUTS_LATE.set(late)
        if late:
            log.error("payouts_late", payouts=late)
