"""Insists on a batch until its fate is known: stored once, or never by this holder of the shard."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from shared.clock import AnchoredClock, Clock
from shared.errors import ClockAhead, Fenced, OwnFault, StoreDown, UnknownCommit
from shared.eventlog.ports import Batch, Fate, Store
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)

MAX_CLOCK_AHEAD_S = 1.0
RETRY_FIRST_S = 0.05
RETRY_MOST_S = 2.0

T = TypeVar("T")


class Committer:
    """The one way of a writer to its store; `now` is brought back to the database's clock by each commit."""

    def __init__(self, store: Store, clock: Clock, now: AnchoredClock, service: str) -> None:
        self._store = store
        self._clock = clock
        self._now = now
        self._service = service

    async def commit(self, batch: Batch) -> int:
        """Append and return the epoch under which the shard is then held, one higher after each question.

        An unknown commit is asked after until it is known, a store that is down is tried again. Errors: Fenced,
        ClockAhead (the batch is stored), OwnFault.
        """
        labels = (self._service, str(batch.shard))
        wait_s = RETRY_FIRST_S
        unknown = 0
        while True:
            try:
                if unknown:
                    fate = await self._fate_of(batch, unknown)
                    batch = msgspec.structs.replace(batch, epoch=batch.epoch + 1)
                    unknown = 0
                    metrics.UNKNOWN_COMMITS.labels(*labels, fate.value).inc()
                    if fate is Fate.COMMITTED:
                        return batch.epoch
                asked_at = self._clock.monotonic()
                database_now = await self._store.append(batch)
                metrics.COMMIT_SECONDS.labels(*labels).observe(self._clock.monotonic() - asked_at)
                self._check_clock(batch.shard, self._now.anchor(database_now, asked_at))
                return batch.epoch
            except UnknownCommit as error:
                log.warning("commit_unknown", shard=batch.shard, position=batch.held_position, error=str(error))
                unknown += 1
            except StoreDown as error:
                log.warning("store_down", shard=batch.shard, error=str(error))
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RETRY_MOST_S)

    async def _fate_of(self, batch: Batch, unknown: int) -> Fate:
        """Ask; where an earlier question went unanswered too, it may be that one which raised the epoch.

        Then nothing tells whether another worker did: the process ends, and takes the shard again if it is assigned.
        """
        try:
            return await self._store.fate_of(batch)
        except Fenced as error:
            if unknown > 1:
                raise OwnFault(f"shard {batch.shard}: fenced, perhaps by its own unanswered question") from error
            raise

    def _check_clock(self, shard: int, ahead_s: float) -> None:
        """Stop the shard, after its commit, when its time had run ahead of the database's."""
        metrics.CLOCK_DRIFT_SECONDS.labels(self._service, str(shard)).set(ahead_s)
        if ahead_s > MAX_CLOCK_AHEAD_S:
            raise ClockAhead(f"shard {shard}: {ahead_s:.3f} s ahead of the database's clock")

    async def patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until the store is there to answer."""
        wait_s = RETRY_FIRST_S
        while True:
            try:
                return await ask()
            except StoreDown as error:
                log.warning("store_down", error=str(error))
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RETRY_MOST_S)
