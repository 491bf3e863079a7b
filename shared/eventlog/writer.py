"""The one writer of a shard: many commands, one commit.

While one commit is under way, what comes is decided into the next draft; it is sent once that commit is known to have
happened, so commits follow each other and are answered in order. A commit that cannot happen ends the writer with all
that it has decided since. The fence in the database, not this process's belief, decides whether it still holds the
shard.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from zoneinfo import ZoneInfo

import msgspec

from shared.clock import AnchoredClock, Clock
from shared.decider import Registry
from shared.errors import Overloaded, OwnFault, StoreDown, WorldFault
from shared.eventlog.command import Answer, Submitted
from shared.eventlog.committer import Committer
from shared.eventlog.cursors import CursorBook
from shared.eventlog.desk import Desk, Draft, open_own, schema_hashes
from shared.eventlog.intake import Holds, item_of_submitted
from shared.eventlog.job_queue import JobQueue
from shared.eventlog.lookup import Keyed, Lookup
from shared.eventlog.ports import Batch, EventRow, Order, Parked, Record, Store, Stray
from shared.eventlog.round import Delivery, Job, Orders, Round, Submission, fail, first_ids
from shared.eventlog.sheet import Sheet
from shared.faults import Point, reach
from shared.telemetry.logs import logger

log = logger(__name__)

MAX_WAITING = 20_000
MAX_ROUND = 8_000
AHEAD_FROM = 64
HALVED_FROM = 32
CURSOR_EVERY_S = 1.0

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
        self._queue = JobQueue()
        self._lookup = Lookup(self._find)
        self._sheet = Sheet()
        self._sent: Sheet | None = None
        self._committing: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._stopping = False

    async def take_over(self) -> None:
        """Take the shard: a new epoch fences whoever held it; load its place, cursors and holds."""
        held = await self._store.take_over(self.shard)
        self._desk = Desk(self._registry, held, self._zone)
        self._committed = held.next_position - 1
        self._now = AnchoredClock(self._clock, held.database_now)
        self._committer = Committer(self._store, self._clock, self._now, self._registry.service)
        self.book = CursorBook.of(await self._store.cursors(self.shard))
        self.holds = Holds(await self._store.holds(self.shard), await self._store.strays(self.shard))
        self._cursors_stored_at = self._clock.monotonic()

    @property
    def position(self) -> int:
        """The position of the newest committed event; 0 for an empty log."""
        return self._committed

    @property
    def epoch(self) -> int:
        """The epoch under which this writer holds the shard."""
        return self._desk.epoch

    @property
    def waiting(self) -> int:
        """How many commands and records wait for a round."""
        return self._queue.weight

    async def submit(self, submitted: Submitted) -> Answer:
        """Decide a command and return its committed events; a repeat gets the first one's.

        Errors: Overloaded (queue full), OnHold (the household waits behind a parked record), Conflict (same key,
        other content), StoreDown and OwnFault when the shard is lost here, and whatever the decider raised. The
        command may always be submitted again with the same root.
        """
        [answer] = await self.submit_all([submitted])
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def submit_all(self, commands: Sequence[Submitted]) -> Sequence[Answer | Exception]:
        """Decide commands in order, each for itself, and return each one's answer or what `submit` would raise.

        Overloaded and a lost shard concern them all and are raised.
        """
        if self._queue.weight >= MAX_WAITING:
            raise Overloaded(f"shard {self.shard} has {self._queue.weight} commands waiting")
        items = [item_of_submitted(self._registry, submitted) for submitted in commands]
        done: asyncio.Future[Sequence[Answer | Exception]] = asyncio.get_running_loop().create_future()
        self._enqueue(Submission(items, done))
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
        self._queue.add(job)
        self._wake.set()

    async def run(self) -> None:
        """Work until `stop`, or until the shard is lost: the cause is raised and kept in `lost`."""
        try:
            while self._has_work() or not self._stopping:
                await self._step()
            await self._store_cursors()
        except BaseException as error:
            await self._lose(error)
            raise

    async def stop(self) -> None:
        """Take no more work; `run` finishes what waits, stores the cursors and ends."""
        self._stopping = True
        self._wake.set()

    def _has_work(self) -> bool:
        return bool(self._queue.jobs or self._sheet.jobs or self._committing is not None)

    async def _step(self) -> None:
        """Send what is decided as soon as no commit is under way; meanwhile decide what waits; else sleep."""
        if self._committing is not None and self._committing.done():
            self._committing.result()
            self._committing = self._sent = None
        elif self._committing is None and self._sheet.jobs:
            self._send()
        elif self._queue.jobs and self._sheet.weight < MAX_ROUND and not self._desk.doubtful:
            await self._round()
        elif self._committing is None and self._desk.doubtful:
            self._desk.forget_doubtful()
        else:
            await self._sleep()

    async def _sleep(self) -> None:
        self._wake.clear()
        if self._committing is not None:
            await self._wake.wait()
            return
        try:
            async with asyncio.timeout(CURSOR_EVERY_S):
                await self._wake.wait()
        except TimeoutError:
            await self._store_cursors()

    def _room(self) -> int:
        """How much a round may hold; of much that waits for an idle store a half: the rest is decided meanwhile."""
        most = MAX_ROUND - self._sheet.weight
        if self._committing is None and self._queue.weight >= HALVED_FROM:
            return min(most, self._queue.weight // 2)
        return most

    async def _round(self) -> None:
        """Decide jobs onto the sheet; what is being committed meanwhile is looked up in memory."""
        jobs, taken = self._queue.take(self._room())
        self._sheet.take(jobs, taken)
        reach(Point.WRITER_BEFORE_DECIDE)
        round_ = Round(self._registry, self._desk, self._sheet.draft, self.book, self.holds)
        round_.gather(jobs, self._clock.monotonic())
        known = await self._lookup.known(first_ids(jobs), *self._being_stored())
        await self._load(round_.missing())
        self._desk.begin(self._now.now())
        for _ in round_.decide(known):
            self._look_ahead()
            if self._committing is not None or self._lookup.is_ahead:
                await asyncio.sleep(0)
        self._sheet.answers += round_.answers
        reach(Point.WRITER_AFTER_DECIDE)

    def _being_stored(self) -> list[Keyed]:
        return [self._sent.draft.keyed] if self._sent is not None else []

    def _look_ahead(self) -> None:
        """Ask after the keys of what waits, so that the next round need not wait for the answer."""
        if self._queue.weight >= AHEAD_FROM and not self._lookup.is_ahead and (ids := first_ids(self._queue.jobs)):
            self._lookup.ask_ahead(ids, *self._being_stored(), self._sheet.draft.keyed)

    async def _find(self, ids: Sequence[bytes]) -> Keyed:
        return await self._committer.patiently(lambda: self._store.find(self.shard, ids))

    def _send(self) -> None:
        """Begin to commit what is on the sheet, and begin a new one; with nothing to store, answer at once."""
        sheet, self._sheet = self._sheet, Sheet()
        if sheet.draft.changes_nothing() and not self._cursors_are_due():
            sheet.settle()
            return
        batch = self._desk.batch(sheet.draft, self.book.pending())
        self._sent = sheet
        self._committing = asyncio.get_running_loop().create_task(self._commit(batch, sheet))
        self._committing.add_done_callback(lambda done: self._wake.set())

    async def _lose(self, error: BaseException) -> None:
        """End a commit that is under way, and tell all callers."""
        self.lost = error
        await self._lookup.close()
        committing, self._committing = self._committing, None
        if committing is not None:
            committing.cancel()
            await asyncio.gather(committing, return_exceptions=True)
        fault = error if isinstance(error, OwnFault) else StoreDown(f"shard {self.shard}: {error!r}")
        for job in (*(self._sent.jobs if self._sent else ()), *self._sheet.jobs):
            fail(job, fault)
        for job in self._queue.jobs:
            fail(job, StoreDown(f"shard {self.shard} is lost: {error!r}"))

    async def _load(self, streams: Sequence[str]) -> None:
        by_prefix: dict[str, list[str]] = {}
        for stream in streams:
            by_prefix.setdefault(self._registry.kind_of(stream).prefix, []).append(stream)
        for prefix, wanted in by_prefix.items():
            kind = self._registry.by_prefix[prefix]
            schema = self._schemas[prefix]
            states = await self._committer.patiently(lambda w=wanted, s=schema: self._store.load(self.shard, w, s))  # type: ignore[misc]
            for stream, stored in states.items():
                snapshot = None
                if stored.version:
                    snapshot = (stored.version, msgspec.json.decode(stored.snapshot, type=kind.state_type))
                events = [(row.version, open_own(row)) for row in stored.rows]
                self._desk.remember(stream, snapshot, events)

    def _cursors_are_due(self) -> bool:
        return bool(self.book.pending()) and self._clock.monotonic() - self._cursors_stored_at >= CURSOR_EVERY_S

    async def _store_cursors(self) -> None:
        cursors = self.book.pending()
        if cursors:
            self._desk.begin(self._now.now())
            sheet = Sheet()
            await self._commit(self._desk.batch(sheet.draft, cursors), sheet)

    async def _commit(self, batch: Batch, sheet: Sheet) -> None:
        self._desk.epoch = await self._committer.commit(batch)
        self._committed = batch.next_position - 1
        self.book.stored(batch.cursors)
        self._cursors_stored_at = self._clock.monotonic()
        if batch.rows:
            self._on_committed(batch.rows)
        if batch.parked:
            self._on_parked(batch.parked)
        sheet.settle()
        await self._save_snapshots(sheet.draft)

    async def _save_snapshots(self, draft: Draft) -> None:
        """Keep states for a quicker load; they are never needed, so a store that is down is let be."""
        kind_of = self._registry.kind_of
        rows = [
            (stream, entry.version, msgspec.json.encode(entry.state), self._schemas[kind_of(stream).prefix])
            for stream, entry in draft.snapshots.items()
        ]
        if rows:
            with suppress(WorldFault):
                await self._store.save_snapshots(self.shard, rows)
