"""The gateway's append: all waiting requests of this process, over all shards, in one commit.

While one commit is under way the next batch gathers; nothing is decided before that commit is known. A repeated key
meets its first, in the log or in the same batch, and never makes a second event.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from prometheus_client import Counter

from services.gateway.plan import Appended, Plan, Waiting, Wanted
from shared.clock import Clock
from shared.errors import Overloaded, OwnFault, PiperollError, StoreDown, UnknownCommit
from shared.eventlog.ports import Fate, Store
from shared.faults import Point, reach
from shared.ids import event_id
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)

MOST_IN_COMMIT = 500
CALLERS_WAIT_S = 5.0
LOOK_S = 0.25
RETRY_FIRST_S, RETRY_MOST_S = 0.05, 1.0


class Appender:
    """One per process; `run` is its task. At most `limit` requests wait, further ones raise Overloaded."""

    def __init__(self, store: Store, clock: Clock, zone: ZoneInfo, limit: int) -> None:
        self._store = store
        self._clock = clock
        self._zone = zone
        self._limit = limit
        self._queue: deque[Waiting] = deque()
        self._woken = asyncio.Event()
        self._stopping = False
        self._in_hand: Sequence[Waiting] = ()

    async def append(self, wanted: Wanted) -> Appended:
        """Return when the request is committed, now or before.

        Errors: Conflict (the root stands for another request), Overloaded, StoreDown (nothing was stored),
        UnknownCommit (not known within 5 s: repeat).
        """
        if self._stopping or len(self._queue) >= self._limit:
            raise Overloaded(f"{len(self._queue)} requests are waiting")
        reach(Point.GATEWAY_BEFORE_APPEND)
        done: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        self._queue.append(Waiting(wanted, event_id(wanted.root, 0), self._clock.monotonic(), done))
        self._woken.set()
        appended = await done
        reach(Point.GATEWAY_AFTER_APPEND)
        return appended

    async def run(self) -> None:
        """Commit what waits until `stop`; ends when the queue is empty."""
        while self._queue or not self._stopping:
            if not self._queue:
                self._woken.clear()
                await self._woken.wait()
                continue
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), MOST_IN_COMMIT))]
            self._in_hand = batch
            await self._commit(batch)
            self._in_hand = ()

    async def stop(self) -> None:
        """Take no more; `run` finishes what waits."""
        self._stopping = True
        self._woken.set()

    async def _commit(self, batch: Sequence[Waiting]) -> None:
        plan = Plan(batch, self._clock, self._zone)
        started = self._clock.monotonic()
        try:
            await self._append_until_known(plan)
        except StoreDown as error:
            _fail(batch, error)
        except Exception as error:
            await self._isolate(batch, error)
        else:
            plan.answer()
            self._measure(plan, self._clock.monotonic() - started)

    async def _append_until_known(self, plan: Plan) -> None:
        while True:
            try:
                await self._store.append_shared(plan.shards, plan.identities, plan)
                return
            except UnknownCommit as error:
                log.warning("commit_unknown", shards=plan.shards, error=str(error))
                if await self._fate_of(plan) is Fate.COMMITTED:
                    return

    async def _fate_of(self, plan: Plan) -> Fate:
        """Ask until it is known; callers that have waited 5 s are told to repeat."""
        timer = asyncio.get_running_loop().create_task(self._let_go_of_old())
        wait_s = RETRY_FIRST_S
        try:
            while True:
                try:
                    fate = await self._store.fate_of(plan.batches[0])
                    metrics.UNKNOWN_COMMITS.labels("gateway", "all", fate.value).inc()
                    return fate
                except (StoreDown, UnknownCommit) as error:
                    log.warning("fate_unknown", shards=plan.shards, error=str(error))
                    await asyncio.sleep(wait_s)
                    wait_s = min(wait_s * 2, RETRY_MOST_S)
        finally:
            timer.cancel()

    async def _let_go_of_old(self) -> None:
        while True:
            old = self._clock.monotonic() - CALLERS_WAIT_S
            waiting = [*self._in_hand, *self._queue]
            _fail([one for one in waiting if one.since <= old], UnknownCommit("not known within 5 s"))
            await asyncio.sleep(LOOK_S)

    async def _isolate(self, batch: Sequence[Waiting], error: Exception) -> None:
        """Try the requests of a batch that cannot be stored one by one, so that one bad request fails alone."""
        if len(batch) == 1:
            log.error("request_not_stored", stream=batch[0].wanted.stream, error=repr(error), exc_info=error)
            _fail(batch, error if isinstance(error, PiperollError) else OwnFault(repr(error)))
            return
        for one in batch:
            await self._commit([one])

    def _measure(self, plan: Plan, seconds: float) -> None:
        events = 0
        for batch in plan.batches:
            events += len(batch.rows)
            _appended(batch.shard).inc(len(batch.rows))
        if events:
            _COMMITS.inc()
            _COMMIT_SECONDS.observe(seconds)
            _BATCH_EVENTS.observe(events)
        _QUEUE.set(len(self._queue))


_COMMITS = metrics.COMMITS.labels("gateway", "all")
_COMMIT_SECONDS = metrics.COMMIT_SECONDS.labels("gateway", "all")
_BATCH_EVENTS = metrics.BATCH_EVENTS.labels("gateway", "all")
_QUEUE = metrics.WRITER_QUEUE.labels("gateway", "all")
_by_shard: dict[int, Counter] = {}


def _appended(shard: int) -> Counter:
    if shard not in _by_shard:
        _by_shard[shard] = metrics.EVENTS_APPENDED.labels("gateway", str(shard))
    return _by_shard[shard]


def _fail(waiting: Sequence[Waiting], error: Exception) -> None:
    for one in waiting:
        if not one.done.done():
            one.done.set_exception(error)
