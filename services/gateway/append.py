"""The gateway's append: all waiting requests of this process, over all shards, in one commit.

While one commit is under way the next batch gathers; nothing is decided before that commit is known. A repeated key
meets its first, in the log or in the same batch, and never makes a second event. A shard whose row somebody else holds
goes by itself until a commit of it went well, so that no other waits for it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from prometheus_client import Counter

from services.gateway.plan import Appended, Plan, Waiting, Wanted
from shared.clock import Clock
from shared.errors import Overloaded, OwnFault, PiperollError, RowHeld, StoreDown, UnknownCommit, WorldFault
from shared.eventlog.old_copy import Tails, TimelineStore, old_copies
from shared.eventlog.ports import Fate, Store
from shared.faults import Point, reach
from shared.ids import event_id
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)

MOST_IN_COMMIT = 500
MOST_PATIENT = 2
HELD_PART = 4
CALLERS_WAIT_S = 5.0
LOOK_S = 0.25
GATE_AGAIN_S = 2.0
RETRY_FIRST_S, RETRY_MOST_S = 0.05, 1.0


class Gate:
    """Lets nothing into the log of a shard before it is known that the store is no old copy of it."""

    def __init__(self, shards: int, store: TimelineStore, tails: Tails) -> None:
        self._closed: dict[int, str] = dict.fromkeys(range(shards), "it is not known yet whether its store is whole")
        self._store = store
        self._tails = tails
        self.looked = asyncio.Event()

    def __call__(self, shard: int) -> None:
        """Raise StoreDown where the shard's log may not grow."""
        if shard in self._closed:
            raise StoreDown(f"shard {shard} is closed: {self._closed[shard]}")

    async def run(self) -> None:
        """Look until every shard is open: Kafka may be away, a tail may have to be adopted."""
        while self._closed:
            try:
                old = await old_copies("gateway", sorted(self._closed), self._store, self._tails)
            except WorldFault as error:
                log.warning("gate_waits", error=str(error))
            else:
                for shard, why in old.items():
                    if self._closed[shard] != str(why):
                        log.critical("shard_closed", shard=shard, error=str(why))
                self._closed = {shard: str(why) for shard, why in old.items()}
            self.looked.set()
            await asyncio.sleep(GATE_AGAIN_S if self._closed else 0)


class Appender:
    """One per process; `run` is its task. At most `limit` requests wait, further ones raise Overloaded.

    At most two held shards wait for their rows at a time, so that connections are left for the others; a fourth part of
    `limit` may wait for each. `gate` raises StoreDown for a shard whose log may not grow now.
    """

    def __init__(
        self, store: Store, clock: Clock, zone: ZoneInfo, limit: int, gate: Callable[[int], None] = lambda shard: None
    ) -> None:
        self._store = store
        self._clock = clock
        self._zone = zone
        self._limit = limit
        self._gate = gate
        self._queue: deque[Waiting] = deque()
        self._woken = asyncio.Event()
        self._stopping = False
        self._held: dict[int, deque[Waiting]] = {}
        self._patient: dict[int, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(MOST_PATIENT)

    async def append(self, wanted: Wanted) -> Appended:
        """Return when the request is committed, now or before.

        Errors: Conflict (the root stands for another request), Overloaded, StoreDown (nothing was stored),
        UnknownCommit (not known within 5 s: repeat).
        """
        held = self._held.get(wanted.shard)
        waiting, limit = (self._queue, self._limit) if held is None else (held, self._limit // HELD_PART)
        if self._stopping or len(waiting) >= limit:
            raise Overloaded(f"{len(waiting)} requests are waiting")
        self._gate(wanted.shard)
        reach(Point.GATEWAY_BEFORE_APPEND)
        done: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        waiting.append(Waiting(wanted, event_id(wanted.root, 0), self._clock.monotonic(), done))
        if held is None:
            self._woken.set()
        else:
            self._wait_patiently(wanted.shard)
        appended = await done
        reach(Point.GATEWAY_AFTER_APPEND)
        return appended

    async def run(self) -> None:
        """Commit what waits until `stop`; ends when nothing waits any more."""
        while self._queue or not self._stopping:
            if not self._queue:
                self._woken.clear()
                await self._woken.wait()
                continue
            batch = [one for one in _taken(self._queue) if not self._sent_aside(one)]
            if batch:
                await self._commit(batch, self._queue, hasty=True)
        while self._patient:
            await asyncio.wait(self._patient.values())

    async def stop(self) -> None:
        """Take no more; `run` finishes what waits."""
        self._stopping = True
        self._woken.set()

    def _sent_aside(self, one: Waiting) -> bool:
        """Tell whether a request's shard is held, and have it wait there."""
        held = self._held.get(one.wanted.shard)
        if held is None:
            return False
        held.append(one)
        self._wait_patiently(one.wanted.shard)
        return True

    def _wait_patiently(self, shard: int) -> None:
        if shard not in self._patient:
            self._patient[shard] = asyncio.get_running_loop().create_task(self._patiently(shard))

    async def _patiently(self, shard: int) -> None:
        """Commit what waits for a held shard; once its row was not to be had, all of that is told so."""
        waiting, batch = self._held[shard], list[Waiting]()
        try:
            while waiting:
                async with self._room:
                    batch = _taken(waiting)
                    await self._commit(batch, waiting, hasty=False)
            del self._held[shard]
        except RowHeld as error:
            _fail([*batch, *waiting], error)
            waiting.clear()
        finally:
            del self._patient[shard]

    async def _commit(self, batch: Sequence[Waiting], behind: Sequence[Waiting], *, hasty: bool) -> None:
        """Store a batch and answer it; `behind` waits for it meanwhile. RowHeld, unless it is hasty."""
        plan = Plan(batch, self._clock, self._zone)
        started = self._clock.monotonic()
        try:
            await self._append_until_known(plan, behind, hasty=hasty)
        except RowHeld:
            if not hasty:
                raise
            await self._part(batch, behind)
        except StoreDown as error:
            _fail(batch, error)
        except Exception as error:
            await self._isolate(batch, behind, error, hasty=hasty)
        else:
            plan.answer()
            self._measure(plan, self._clock.monotonic() - started)

    async def _part(self, batch: Sequence[Waiting], behind: Sequence[Waiting]) -> None:
        """Try each shard of a batch that was held up by itself; the one that holds it up waits apart from now on."""
        by_shard: dict[int, list[Waiting]] = {}
        for one in batch:
            by_shard.setdefault(one.wanted.shard, []).append(one)
        if len(by_shard) > 1:
            await asyncio.gather(*(self._commit(part, behind, hasty=True) for part in by_shard.values()))
            return
        for shard, part in by_shard.items():
            log.warning("shard_held", shard=shard, requests=len(part))
            self._held.setdefault(shard, deque()).extend(part)
            self._wait_patiently(shard)

    async def _append_until_known(self, plan: Plan, behind: Sequence[Waiting], *, hasty: bool) -> None:
        while True:
            try:
                await self._store.append_shared(plan.shards, plan.identities, plan, hasty=hasty)
                return
            except UnknownCommit as error:
                log.warning("commit_unknown", shards=plan.shards, error=str(error))
                if await self._fate_of(plan, behind) is Fate.COMMITTED:
                    return

    async def _fate_of(self, plan: Plan, behind: Sequence[Waiting]) -> Fate:
        """Ask until it is known; callers that have waited 5 s are told to repeat."""
        timer = asyncio.get_running_loop().create_task(self._let_go_of_old(plan, behind))
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

    async def _let_go_of_old(self, plan: Plan, behind: Sequence[Waiting]) -> None:
        while True:
            old = self._clock.monotonic() - CALLERS_WAIT_S
            waiting = [*plan.waiting, *behind]
            _fail([one for one in waiting if one.since <= old], UnknownCommit("not known within 5 s"))
            await asyncio.sleep(LOOK_S)

    async def _isolate(
        self, batch: Sequence[Waiting], behind: Sequence[Waiting], error: Exception, *, hasty: bool
    ) -> None:
        """Try the requests of a batch that cannot be stored one by one, so that one bad request fails alone."""
        if len(batch) == 1:
            log.error("request_not_stored", stream=batch[0].wanted.stream, error=repr(error), exc_info=error)
            _fail(batch, error if isinstance(error, PiperollError) else OwnFault(repr(error)))
            return
        for one in batch:
            await self._commit([one], behind, hasty=hasty)

    def _measure(self, plan: Plan, seconds: float) -> None:
        events = 0
        for batch in plan.batches:
            events += len(batch.rows)
            _appended(batch.shard).inc(len(batch.rows))
        if events:
            _COMMITS.inc()
            _COMMIT_SECONDS.observe(seconds)
            _BATCH_EVENTS.observe(events)
        _QUEUE.set(len(self._queue) + sum(len(held) for held in self._held.values()))


_COMMITS = metrics.COMMITS.labels("gateway", "all")
_COMMIT_SECONDS = metrics.COMMIT_SECONDS.labels("gateway", "all")
_BATCH_EVENTS = metrics.BATCH_EVENTS.labels("gateway", "all")
_QUEUE = metrics.WRITER_QUEUE.labels("gateway", "all")
_by_shard: dict[int, Counter] = {}


def _appended(shard: int) -> Counter:
    if shard not in _by_shard:
        _by_shard[shard] = metrics.EVENTS_APPENDED.labels("gateway", str(shard))
    return _by_shard[shard]


def _taken(queue: deque[Waiting]) -> list[Waiting]:
    """Take from a queue as much as one commit holds."""
    return [queue.popleft() for _ in range(min(len(queue), MOST_IN_COMMIT))]


def _fail(waiting: Sequence[Waiting], error: Exception) -> None:
    for one in waiting:
        if not one.done.done():
            one.done.set_exception(error)
