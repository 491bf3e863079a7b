"""The effect runner of one shard: follows its own log, calls the outside, hands outcomes back.

It stores no position of its own: open work is intent without outcome. The index spares reading the whole log; lost, it
is folded again from the beginning.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol, assert_never

from services.billing.effects.exceeded import Exceeded
from services.billing.effects.index import Index
from services.billing.effects.kinds import Effects
from services.billing.effects.lanes import Lanes
from services.billing.effects.open_work import Change, OpenWork
from services.billing.effects.times import Again, Ended, Next, soon
from services.billing.effects.works import OpenHold, OpenTransfer, ReadOnce, Work
from shared.clock import Clock
from shared.errors import WorldFault
from shared.eventlog.ports import EventRow
from shared.telemetry import metrics
from shared.telemetry.logs import about, logger

log = logger(__name__)

MOST_CALLS = 32
PAGE = 1_000
LOOK_EVERY_S = 0.5
KEEP_EVERY_S = 10.0
STOP_WAIT_S = 6.0
RETRY_S = 1.0
OWN_FAULT_TRIES = 100
REMEMBERED = 20_000
MOST_ROWS = 20_000


class LogReader(Protocol):
    """The part of a store that a runner reads."""

    async def read(self, shard: int, after: int, limit: int) -> Sequence[EventRow]: ...


class EffectRunner:
    """A part of a held shard; `start` begins it, `committed` feeds it, `stop` lets open calls end or abandons them."""

    def __init__(self, shard: int, log_reader: LogReader, index: Index, effects: Effects, clock: Clock) -> None:
        self._shard = shard
        self._log = log_reader
        self._index = index
        self._effects = effects
        self._clock = clock
        self._lanes = Lanes(MOST_CALLS)
        self._open = OpenWork()
        self._tries: dict[str, int] = {}
        self._position = 0
        self._kept_at = 0
        self._has_begun = False
        self._ended: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._rows: list[EventRow] = []
        self._wake = asyncio.Event()
        self._changed: set[str] = set()
        self._exceeded = Exceeded()
        self._calls: set[asyncio.Task[None]] = set()
        self._loop: list[asyncio.Task[None]] = []
        self._counted = 0

    @property
    def open_work(self) -> int:
        """How many intents have no outcome."""
        return len(self._open.by_id)

    def is_idle(self) -> bool:
        """Tell whether all committed rows are seen, nothing is called, and what is open only waits for a time."""
        if not self._has_begun:
            return False
        is_open = any(not isinstance(work, OpenHold | OpenTransfer) for work in self._open.by_id.values())
        return not self._rows and not is_open and self._lanes.running == 0

    async def start(self) -> None:
        """Begin; what the index and the log say is open is run again."""
        loop = asyncio.get_running_loop()
        self._loop = [loop.create_task(self._run()), loop.create_task(self._keep())]

    def committed(self, rows: Sequence[EventRow]) -> None:
        """Take note of a commit; of what is too much to keep, the last row has the rest read from the log."""
        self._rows.extend(rows)
        if len(self._rows) > MOST_ROWS:
            del self._rows[:-1]
        self._wake.set()

    async def stop(self) -> None:
        """Start nothing new, give open calls a moment, abandon the rest: whoever is next runs them again."""
        for task in self._loop:
            task.cancel()
        await asyncio.gather(*self._loop, return_exceptions=True)
        if self._calls:
            await asyncio.wait(self._calls, timeout=STOP_WAIT_S)
        for call in tuple(self._calls):
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        try:
            async with asyncio.timeout(RETRY_S):
                await self._save()
        except (WorldFault, TimeoutError) as error:
            log.warning("open_work_not_kept", shard=self._shard, error=str(error))
        await self._index.close()
        self._count(0)
        self._exceeded.clear()

    async def _run(self) -> None:
        while True:
            try:
                await self._begin()
                while True:
                    await self._fold()
                    self._launch()
                    await self._sleep()
            except WorldFault as error:
                log.warning("effects_wait", shard=self._shard, error=str(error))
            except Exception as error:
                log.critical("effects_failed", shard=self._shard, exc_info=error)
            await asyncio.sleep(RETRY_S)

    async def _begin(self) -> None:
        if self._position == 0:
            self._position, works = await self._index.load(self._shard)
            self._kept_at = self._position
            self._open = OpenWork(works)
            for work in works:
                self._lanes.now(work.work_id)
        await self._catch_up(None)
        self._has_begun = True

    async def _fold(self) -> None:
        while self._rows:  # until none is left: what is launched next goes by all that is committed
            rows, self._rows = self._rows, []
            for row in rows:
                if row.position > self._position + 1:
                    await self._catch_up(row.position - 1)
                self._take(row)
        self._count(len(self._open.by_id))

    async def _catch_up(self, through: int | None) -> None:
        """Read what was committed and not told: at the start, and after a gap."""
        while through is None or self._position < through:
            rows = await self._log.read(self._shard, self._position, PAGE)
            for row in rows:
                self._take(row)
            if len(rows) < PAGE:
                return

    def _take(self, row: EventRow) -> None:
        if row.position != self._position + 1:
            return
        self._position = row.position
        for change in self._open.take(row):
            self._react(change)

    def _react(self, change: Change) -> None:
        self._changed.add(change.work_id)
        match change.how:
            case "nudged":
                self._lanes.now(change.work_id)
            case "changed":
                return
            case "closed":
                self._remember_end(change)
                self._forget(change.work_id)
            case _:
                assert_never(change.how)

    def _forget(self, work_id: str) -> None:
        self._tries.pop(work_id, None)
        self._exceeded.note(work_id, None)
        self._lanes.forget(work_id)

    def _remember_end(self, change: Change) -> None:
        if change.ended_as:
            self._ended[change.work_id] = change.ended_as
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)

    def has_ended(self, attempt_id: str, object_id: str) -> bool:
        """Tell whether an attempt ended here lately by this very intent or charge; False may mean not known."""
        return object_id in self._ended.get(attempt_id, ())

    def _launch(self) -> None:
        self._lanes.wake(self._clock.now())
        while (work_id := self._lanes.take()) is not None:
            work = self._open.by_id.get(work_id)
            if work is not None and self._lanes.start(work_id, work.lane):
                call = asyncio.get_running_loop().create_task(self._call(work))
                self._calls.add(call)
                call.add_done_callback(self._calls.discard)

    async def _call(self, work: Work) -> None:
        work_id = work.work_id
        after: Next | None = None
        metrics.EFFECTS_IN_FLIGHT.labels("card").inc()
        try:
            with about(correlation=work.origin.correlation, work_id=work_id):
                after = await self._outcome(work)
        finally:
            metrics.EFFECTS_IN_FLIGHT.labels("card").dec()
            again = self._lanes.end(work_id)
            if after is not None:
                self._plan(work, after, again)
            self._wake.set()

    async def _outcome(self, work: Work) -> Next:
        tries = self._tries.get(work.work_id, 0)
        try:
            return await self._effects.run(work, tries, self._open.oldest_report)
        except WorldFault as error:
            log.warning("effect_retried", work_id=work.work_id, error=str(error))
            return soon(self._clock.now(), tries)
        except Exception as error:
            log.critical("effect_failed", work_id=work.work_id, exc_info=error)
            return soon(self._clock.now(), OWN_FAULT_TRIES)

    def _plan(self, work: Work, after: Next, again: bool) -> None:
        work_id = work.work_id
        if work_id not in self._open.by_id:
            return
        match after:
            case _ if again:
                self._lanes.now(work_id)
            case Ended() if isinstance(work, ReadOnce):
                self._open.end(work_id)
                self._changed.add(work_id)
                self._forget(work_id)
            case Ended():
                self._lanes.at(work_id, soon(self._clock.now(), OWN_FAULT_TRIES).at)
            case Again(at, exceeded):
                self._tries[work_id] = self._tries.get(work_id, 0) + 1
                self._exceeded.note(work_id, exceeded)
                self._lanes.at(work_id, at)

    async def _sleep(self) -> None:
        due = self._lanes.next_due()
        wait_s = None if due is None else min(LOOK_EVERY_S, max(0.0, (due - self._clock.now()).total_seconds()))
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(KEEP_EVERY_S)
            try:
                await self._save()
            except WorldFault as error:
                log.warning("open_work_not_kept", shard=self._shard, error=str(error))

    async def _save(self) -> None:
        if not self._changed or self._position == self._kept_at:  # the index takes nothing at a position twice
            return
        position, changed = self._position, self._changed
        self._changed = set()
        works = [self._open.by_id[work_id] for work_id in changed if work_id in self._open.by_id]
        try:
            await self._index.save(
                self._shard, position, works, [one for one in changed if one not in self._open.by_id]
            )
        except BaseException:
            self._changed |= changed
            raise
        self._kept_at = position

    def _count(self, number: int) -> None:
        if number != self._counted:
            metrics.EFFECTS_OPEN.labels("card").inc(number - self._counted)
            self._counted = number
