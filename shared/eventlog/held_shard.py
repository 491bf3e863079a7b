"""A shard while this worker holds it: its writer, its relay and the parts that follow its log."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

from shared.clock import Clock
from shared.decider import Registry
from shared.errors import StoreDown
from shared.eventlog.cursors import Verdict
from shared.eventlog.orders import ParkedOrders
from shared.eventlog.parked_alarm import ParkedAlarm
from shared.eventlog.parking import dead_letter
from shared.eventlog.placed_store import LogStore
from shared.eventlog.ports import EventRow, Outgoing, Parked, Publisher, Record, Store, Stray
from shared.eventlog.relay import Relay
from shared.eventlog.writer import Writer
from shared.postgres.placement import Placement
from shared.telemetry import metrics
from shared.telemetry.health import ShardHealth
from shared.telemetry.logs import logger

log = logger(__name__)

LOOK_EVERY_S = 1.0
RETRY_S = 0.2
DRAIN_S = 8.0


@dataclass(frozen=True)
class ShardContext:
    """What a part of a held shard may use. Days begin and end in `zone`.

    `dsn` is the service's database on the shard's own server, `others` are those on other servers.
    """

    service: str
    shard: int
    shards: int
    writer: Writer
    store: Store
    clock: Clock
    dsn: str
    zone: ZoneInfo
    publisher: Publisher
    others: tuple[str, ...] = ()

    @property
    def dsns(self) -> tuple[str, ...]:
        """Every database of the service, the shard's own first: what is asked of all shards is asked of all of them."""
        return (self.dsn, *self.others)


class ShardPart(Protocol):
    """An effect runner, a schedule, a projection: lives while the shard is held.

    `committed` gets each commit's rows, in order, and must not block; `stop` returns within the drain time and leaves
    nothing half done that a next owner could not run again.
    """

    async def start(self) -> None: ...

    def committed(self, rows: Sequence[EventRow]) -> None: ...

    async def stop(self) -> None: ...


MakeParts = Callable[[ShardContext], Sequence[ShardPart]]


@dataclass(frozen=True)
class Surroundings:
    """What all held shards of a process share."""

    registry: Registry
    placement: Placement
    store: LogStore
    publisher: Publisher
    orders: Mapping[str, ParkedOrders]
    clock: Clock
    zone: ZoneInfo
    make_parts: MakeParts
    rewind: Callable[[str, int], None] = lambda topic, shard: None
    """Has a topic's partition read again from its beginning."""


class HeldShard:
    """Starts in the order writer, relay, parts and stops in the other."""

    def __init__(self, around: Surroundings, shard: int) -> None:
        service, shards = around.registry.service, len(around.placement.dsns)
        self.writer = Writer(
            around.registry, shard, around.store, around.clock, around.zone, self.committed, self.parked
        )
        self.relay = Relay(service, shard, around.store, around.store, around.publisher, around.clock, shards=shards)
        dsn, *others = around.placement.from_shard(shard)
        self.context = ShardContext(
            service, shard, shards, self.writer, around.store, around.clock, dsn, around.zone, around.publisher,
            tuple(others),
        )  # fmt: skip
        self._orders = around.orders[dsn]
        self._around = around
        self._parts: Sequence[ShardPart] = ()
        self._tasks: list[asyncio.Task[None]] = []
        self._copies: set[asyncio.Task[None]] = set()
        self._labels = (service, str(shard))
        self._parked_long = ParkedAlarm(service, shard, around.clock)

    async def start(self, on_lost: Callable[[int, BaseException], None]) -> None:
        """Take the shard over and begin; `on_lost` is told when writer or relay end by an error.

        A start that fails or is cancelled leaves nothing running.
        """
        try:
            await self._start(on_lost)
        except BaseException:
            await self.stop()
            raise

    async def _start(self, on_lost: Callable[[int, BaseException], None]) -> None:
        while True:
            try:
                await self.writer.take_over()
                break
            except StoreDown as error:
                log.warning("take_over_waits", shard=self.context.shard, error=str(error))
                await asyncio.sleep(RETRY_S)
        log.info("shard_taken", shard=self.context.shard, epoch=self.writer.epoch, position=self.writer.position)
        self._parts = self._around.make_parts(self.context)
        for work in (self.writer.run, self.relay.run, self._look_after):
            task = asyncio.get_running_loop().create_task(work())
            task.add_done_callback(lambda done: self._report(done, on_lost))
            self._tasks.append(task)
        for part in self._parts:
            await part.start()
        self.relay.wake(self.writer.position)

    def committed(self, rows: Sequence[EventRow]) -> None:
        """Tell relay and parts of a commit."""
        metrics.COMMITS.labels(*self._labels).inc()
        metrics.EVENTS_APPENDED.labels(*self._labels).inc(len(rows))
        metrics.BATCH_EVENTS.labels(*self._labels).observe(len(rows))
        self.relay.committed(rows)
        for part in self._parts:
            part.committed(rows)

    def parked(self, parked: Sequence[Parked]) -> None:
        """Count parked records and send a copy of each to its dead-letter topic, for people to look at."""
        copies = []
        for one in parked:
            metrics.PARKED_TOTAL.labels(self.context.service, one.topic, one.cause.partition(":")[0]).inc()
            log.error("record_parked", topic=one.topic, source_shard=one.source_shard, position=one.position,
                      key=one.key, cause=one.cause)  # fmt: skip
            copies.append(dead_letter(self.context.service, self.context.shard, one))
        copying = asyncio.get_running_loop().create_task(self._copy(copies))
        self._copies.add(copying)
        copying.add_done_callback(self._copies.discard)

    async def _copy(self, copies: Sequence[Outgoing]) -> None:
        try:
            await self._around.publisher.publish(copies)
        except Exception as error:
            log.warning("dead_letter_copy_failed", shard=self.context.shard, error=repr(error))

    async def handle(self, records: Sequence[Record | Stray]) -> None:
        """Decide records of this shard's partitions; StoreDown where the shard is not held any more."""
        await self.writer.submit_batch(records)

    async def _look_after(self) -> None:
        """Once a second: obey what people ordered, raise alarms of chains, and set the gauges.

        At first, what an older version parked unread is decided.
        """
        again = self.writer.holds.to_read_again()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                if again:
                    await self.writer.obey(again)
                    again = []
                orders = await self._orders.waiting(self.context.shard)
                if orders:
                    await self.writer.obey(orders)
                    await self._orders.done(self.context.shard, orders)
                await self._parked_long.look(self._orders, any_parked=bool(self.writer.holds))
            except StoreDown as error:
                log.warning("orders_wait", shard=self.context.shard, error=str(error))
            for (topic, source_shard), trouble in self.writer.book.alarms(self.context.clock.monotonic()):
                metrics.CHAIN_ALARMS.labels(self.context.service, topic, trouble.verdict.value).inc()
                log.error("chain_stands_still", topic=topic, source_shard=source_shard, position=trouble.position,
                          previous=trouble.previous, verdict=trouble.verdict.value)  # fmt: skip
                if trouble.verdict is Verdict.GAP:  # perhaps the place to read from was above the cursor
                    self._around.rewind(topic, self.context.shard)
            metrics.PARKED.labels(*self._labels).set(len(self.writer.holds))
            metrics.HOLDS.labels(*self._labels).set(self.writer.holds.keys)
            metrics.GAPS.labels(*self._labels).set(self.writer.book.open_troubles(Verdict.GAP))
            metrics.FORKS.labels(*self._labels).set(self.writer.book.open_troubles(Verdict.FORK))
            metrics.WRITER_QUEUE.labels(*self._labels).set(self.writer.waiting)
            metrics.SHARD_POSITION.labels(*self._labels).set(self.writer.position)
            metrics.SHARD_EPOCH.labels(*self._labels).set(self.writer.epoch)

    def _report(self, task: "asyncio.Task[None]", on_lost: Callable[[int, BaseException], None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            on_lost(self.context.shard, error)

    async def stop(self) -> None:
        """Finish what waits, store the cursors and the relay's place, let the shard go; cancelled, at once."""
        try:
            await self._drain()
        finally:
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _drain(self) -> None:
        for part in reversed(self._parts):
            try:
                await part.stop()
            except Exception as error:  # the others are stopped all the same
                log.error("part_not_stopped", shard=self.context.shard, part=type(part).__name__, exc_info=error)
        await self.writer.stop()
        await self.relay.stop()
        if self._tasks:
            writing, relaying, looking_after = self._tasks
            looking_after.cancel()
            await asyncio.wait([writing, relaying], timeout=DRAIN_S)

    def health(self) -> ShardHealth:
        """Return how far the shard is."""
        return ShardHealth(self.writer.position, self.writer.epoch, self.relay.position)
