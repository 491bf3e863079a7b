"""The one writer of a shard: many commands, one commit.

While one commit is in flight the next round gathers; nothing is decided before that commit's fate is known. The
fence in the database, not this process's belief, decides whether it still holds the shard.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from shared.clock import AnchoredClock, Clock
from shared.decider import Registry
from shared.errors import ClockAhead, Fenced, Overloaded, OwnFault, StoreDown, UnknownCommit, WorldFault
from shared.eventlog.command import Answer, Submitted
from shared.eventlog.cursors import CursorBook
from shared.eventlog.desk import Desk, Draft, Entry, open_own, schema_hashes
from shared.eventlog.intake import Holds, item_of_submitted
from shared.eventlog.ports import Batch, EventRow, Fate, Order, Parked, Record, Store, Stray
from shared.eventlog.round import Delivery, Job, Orders, Round, Submission, fail, settle, weight
from shared.faults import Point, reach
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)

MAX_WAITING = 20_000
MAX_ROUND = 8_000
MAX_CLOCK_AHEAD_S = 1.0
CURSOR_EVERY_S = 1.0
RETRY_FIRST_S = 0.05
RETRY_MOST_S = 2.0

T = TypeVar("T")
OnCommitted = Callable[[Sequence[EventRow]], None]
OnParked = Callable[[Sequence[Parked]], None]


class Writer:
    """Decides and appends for one shard: `await take_over()`, then `run()` as a task until `stop()`.

    `on_committed` gets each commit's rows, in order, `on_parked` the records a commit parked; both are called in
    the event loop and must not block.
    """

    def __init__(
        self,
        registry: Registry,
        shard: int,
        store: Store,
        clock: Clock,
        zone: ZoneInfo,
        on_committed: OnCommitted = lambda rows: None,
        on_parked: OnParked = lambda parked: None,
    ) -> None:
        self.shard = shard
        self.lost: BaseException | None = None
        self._registry = registry
        self._store = store
        self._clock = clock
        self._zone = zone
        self._on_committed = on_committed
        self._on_parked = on_parked
        self._schemas = schema_hashes(registry)
        self._waiting: list[Job] = []
        self._weight = 0
        self._wake = asyncio.Event()
        self._stopping = False
        self._labels = (registry.service, str(shard))

    async def take_over(self) -> None:
        """Take the shard: a new epoch fences whoever held it; load its place, cursors and holds."""
        held = await self._store.take_over(self.shard)
        self._desk = Desk(self._registry, held, self._zone)
        self._now = AnchoredClock(self._clock, held.database_now)
        self.book = CursorBook.of(await self._store.cursors(self.shard))
        self.holds = Holds(await self._store.holds(self.shard), await self._store.strays(self.shard))
        self._cursors_stored_at = self._clock.monotonic()

    @property
    def position(self) -> int:
        """The position of the newest committed event; 0 for an empty log."""
        return self._desk.next_position - 1

    @property
    def epoch(self) -> int:
        """The epoch under which this writer holds the shard."""
        return self._desk.epoch

    @property
    def waiting(self) -> int:
        """How many commands and records wait for a round."""
        return self._weight

    async def submit(self, submitted: Submitted) -> Answer:
        """Decide a command and return its committed events; a repeat gets the first one's.

        Errors: Overloaded (queue full), OnHold (the household waits behind a parked record), Conflict (same key,
        other content), StoreDown and OwnFault when the shard is lost here, and whatever the decider raised. The
        command may always be submitted again with the same root.
        """
        if self._weight >= MAX_WAITING:
            raise Overloaded(f"shard {self.shard} has {self._weight} commands waiting")
        item = item_of_submitted(self._registry, submitted)
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._enqueue(Submission(item, done))
        return await done

    async def submit_batch(self, records: Sequence[Record | Stray]) -> None:
        """Decide records in order; returns when their effects are stored (bare cursor moves follow within 1 s)."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._enqueue(Delivery(records, done))
        await done

    async def obey(self, orders: Sequence[Order]) -> None:
        """Release or drop parked records as people ordered; returns when that is stored."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._enqueue(Orders(orders, done))
        await done

    def _enqueue(self, job: Job) -> None:
        if self.lost is not None or self._stopping:
            raise StoreDown(f"shard {self.shard} is not held here any more") from self.lost
        self._waiting.append(job)
        self._weight += weight(job)
        self._wake.set()

    async def run(self) -> None:
        """Work until `stop`, or until the shard is lost: the cause is raised and kept in `lost`."""
        try:
            while self._waiting or not self._stopping:
                await self._wait_for_work()
                await self._round(self._take_waiting())
            await self._store_cursors()
        except BaseException as error:
            self.lost = error
            for job in self._waiting:
                fail(job, StoreDown(f"shard {self.shard} is lost: {error!r}"))
            raise

    async def stop(self) -> None:
        """Take no more work; `run` finishes what waits, stores the cursors and ends."""
        self._stopping = True
        self._wake.set()

    async def _wait_for_work(self) -> None:
        while not self._waiting and not self._stopping:
            self._wake.clear()
            try:
                async with asyncio.timeout(CURSOR_EVERY_S):
                    await self._wake.wait()
            except TimeoutError:
                await self._store_cursors()

    def _take_waiting(self) -> list[Job]:
        taken: list[Job] = []
        taken_weight = 0
        for job in self._waiting:
            if taken and taken_weight >= MAX_ROUND:
                break
            taken.append(job)
            taken_weight += weight(job)
        del self._waiting[: len(taken)]
        self._weight -= taken_weight
        return taken

    async def _round(self, jobs: Sequence[Job]) -> None:
        try:
            reach(Point.WRITER_BEFORE_DECIDE)
            round_ = Round(self._registry, self._desk, self.book, self.holds)
            round_.gather(jobs, self._clock.monotonic())
            keys = round_.keys()
            found = await self._patiently(lambda: self._store.find(self.shard, keys)) if keys else {}
            await self._load(round_.missing())
            draft = round_.decide(self._now.now(), found)
            reach(Point.WRITER_AFTER_DECIDE)
            await self._store_draft(draft)
        except BaseException as error:
            fault = error if isinstance(error, OwnFault) else StoreDown(f"shard {self.shard}: {error!r}")
            for job in jobs:
                fail(job, fault)
            raise
        for submission, answer in round_.answers:
            settle(submission.done, answer)
        for job in jobs:
            if not isinstance(job, Submission):
                settle(job.done, None)

    async def _load(self, streams: Sequence[str]) -> None:
        by_prefix: dict[str, list[str]] = {}
        for stream in streams:
            by_prefix.setdefault(self._registry.kind_of(stream).prefix, []).append(stream)
        for prefix, wanted in by_prefix.items():
            kind = self._registry.by_prefix[prefix]
            schema = self._schemas[prefix]
            states = await self._patiently(lambda w=wanted, s=schema: self._store.load(self.shard, w, s))  # type: ignore[misc]
            for stream, stored in states.items():
                snapshot = None
                if stored.version:
                    snapshot = (stored.version, msgspec.json.decode(stored.snapshot, type=kind.state_type))
                events = [(row.version, open_own(row)) for row in stored.rows]
                self._desk.remember(stream, snapshot, events)

    async def _store_draft(self, draft: Draft) -> None:
        if draft.changes_nothing():
            if self._clock.monotonic() - self._cursors_stored_at >= CURSOR_EVERY_S:
                await self._store_cursors()
            return
        await self._commit(draft)

    async def _store_cursors(self) -> None:
        if self.book.pending():
            await self._commit(self._desk.draft(self._now.now()))

    async def _commit(self, draft: Draft) -> None:
        cursors = self.book.pending()
        batch = self._desk.batch(draft, cursors)
        batch = await self._append_until_known(batch)
        due = self._desk.adopt(draft, batch)
        self.book.stored(cursors)
        self._cursors_stored_at = self._clock.monotonic()
        self.holds.add(draft.parked)
        self.holds.remove([(one.topic, one.source_shard, one.position) for one in draft.ended])
        if draft.rows:
            self._on_committed(draft.rows)
        if draft.parked:
            self._on_parked(draft.parked)
        if due:
            await self._save_snapshots(due)

    async def _save_snapshots(self, due: Sequence[tuple[str, Entry]]) -> None:
        """Keep states for a quicker load; they are never needed, so a store that is down is let be."""
        kind_of = self._registry.kind_of
        rows = [
            (stream, entry.version, msgspec.json.encode(entry.state), self._schemas[kind_of(stream).prefix])
            for stream, entry in due
        ]
        with suppress(WorldFault):
            await self._store.save_snapshots(self.shard, rows)

    async def _append_until_known(self, batch: Batch) -> Batch:
        """Append; an unknown commit is asked after until it is known, a store that is down is tried again."""
        wait_s = RETRY_FIRST_S
        unknown = 0
        while True:
            try:
                if unknown:
                    fate = await self._fate_of(batch, unknown)
                    batch = msgspec.structs.replace(batch, epoch=batch.epoch + 1)
                    self._desk.epoch = batch.epoch
                    unknown = 0
                    metrics.UNKNOWN_COMMITS.labels(*self._labels, fate.value).inc()
                    if fate is Fate.COMMITTED:
                        return batch
                asked_at = self._clock.monotonic()
                database_now = await self._store.append(batch)
                metrics.COMMIT_SECONDS.labels(*self._labels).observe(self._clock.monotonic() - asked_at)
                self._check_clock(self._now.anchor(database_now, asked_at))
                return batch
            except UnknownCommit as error:
                log.warning("commit_unknown", shard=self.shard, position=batch.held_position, error=str(error))
                unknown += 1
            except StoreDown as error:
                log.warning("store_down", shard=self.shard, error=str(error))
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
                raise OwnFault(f"shard {self.shard}: fenced, perhaps by its own unanswered question") from error
            raise

    def _check_clock(self, ahead_s: float) -> None:
        """Stop the shard, after its commit, when its time had run ahead of the database's."""
        metrics.CLOCK_DRIFT_SECONDS.labels(*self._labels).set(ahead_s)
        if ahead_s > MAX_CLOCK_AHEAD_S:
            raise ClockAhead(f"shard {self.shard}: {ahead_s:.3f} s ahead of the database's clock")

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        wait_s = RETRY_FIRST_S
        while True:
            try:
                return await ask()
            except StoreDown as error:
                log.warning("store_down", shard=self.shard, error=str(error))
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RETRY_MOST_S)
