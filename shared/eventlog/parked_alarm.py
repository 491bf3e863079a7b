"""Parked records that wait too long: an alarm at 15 minutes, a person at 24 hours."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from shared.clock import Clock
from shared.eventlog.intake import BEHIND
from shared.eventlog.ports import Place, Shelved
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)

ALARM_AFTER = timedelta(minutes=15)
PERSON_AFTER = timedelta(hours=24)
LIMITS = (("15m", ALARM_AFTER), ("24h", PERSON_AFTER))


class Shelf(Protocol):
    """Where parked records wait."""

    async def shelved(self, shard: int) -> list[Shelved]:
        """Return the shard's parked records that nobody let go, oldest first."""
        ...


class ParkedAlarm:
    """A shard's parked records by age. One that only waits behind another is that one's trouble.

    The age is what the database says when a record is first seen, then moves with the stack's clock: a record is never
    taken for younger than it is by the machine's.
    """

    def __init__(self, service: str, shard: int, clock: Clock) -> None:
        self._service = service
        self._shard = shard
        self._clock = clock
        self._since: dict[Place, datetime] = {}
        self._told: set[tuple[Place, str]] = set()

    async def look(self, shelf: Shelf, *, any_parked: bool) -> None:
        """Set the gauges, and log each record once at each limit; StoreDown where the shelf cannot be read."""
        waiting = await shelf.shelved(self._shard) if any_parked else []
        self._take(one for one in waiting if one.cause != BEHIND)

    def _take(self, waiting: Iterable[Shelved]) -> None:
        now = self._clock.now()
        here = {one.place: one for one in waiting}
        self._since = {place: self._since.get(place, now - one.age) for place, one in here.items()}
        self._told = {(place, limit) for place, limit in self._told if place in here}
        for limit, after in LIMITS:
            old = [one for place, one in here.items() if now - self._since[place] >= after]
            metrics.PARKED_LONG.labels(self._service, str(self._shard), limit).set(len(old))
            for one in old:
                self._tell(one, limit)

    def _tell(self, one: Shelved, limit: str) -> None:
        if (one.place, limit) in self._told:
            return
        self._told.add((one.place, limit))
        tell = log.critical if limit == "24h" else log.error
        topic, source_shard, position = one.place
        tell("record_parked_long", shard=self._shard, limit=limit, topic=topic, source_shard=source_shard,
             position=position, key=one.key, cause=one.cause)  # fmt: skip
