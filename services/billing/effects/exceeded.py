"""What waits longer than its limit: one gauge, and one error of the log for each."""

from services.billing.effects.times import Limit
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)


class Exceeded:
    """The works of one shard that are over a limit."""

    def __init__(self) -> None:
        self._limits: dict[str, Limit] = {}

    def note(self, work_id: str, limit: Limit | None) -> None:
        """Take note of the limit that a work exceeds now, None: of none any more."""
        before = self._limits.pop(work_id, None)
        if before is not None:
            metrics.LIMITS_EXCEEDED.labels(before).dec()
        if limit is None:
            return
        self._limits[work_id] = limit
        metrics.LIMITS_EXCEEDED.labels(limit).inc()
        if limit != before:
            log.error("limit_exceeded", limit=limit, work_id=work_id)

    def clear(self) -> None:
        """Forget all: the shard is another's."""
        for work_id in tuple(self._limits):
            self.note(work_id, None)
