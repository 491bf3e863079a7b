"""Alarms that the ledger's own log calls for."""

from collections.abc import Sequence

from shared.contracts.ledger import LimitBroken
from shared.eventlog.held_shard import ShardContext
from shared.eventlog.ports import EventRow
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)


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
