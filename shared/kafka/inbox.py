"""The inbox: reads a service's topics, hands each shard its records in order, and trusts no committed offset.

A FastStream batch subscriber with every option that touches delivery written out. Offsets are kept by the service
itself, as a hint; what was consumed is decided by the cursors in its database. The group only says who should work.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener

from shared.eventlog.ports import Seeks
from shared.kafka.lanes import Lane, OnBatch, OnShards
from shared.kafka.pulse import Pulse
from shared.kafka.settings import KafkaSettings, settings_for
from shared.kafka.subscriber import Subscription
from shared.telemetry.metrics import INBOX_LAG, INBOX_PAUSED, INBOX_RECORDS, INBOX_REWINDS, INBOX_SHARDS

_log = logging.getLogger(__name__)

CONNECT_BACK_OFF_S = 0.5
DRAIN_S = 4.0
WATCH_S = 1.0
SAVE_EVERY_S = 5.0
BOUNDS_EVERY_S = 10.0
STUCK_COURIER_S = 30.0


class Inbox:
    """One member of the group `piperoll.<service>`.

    For each assigned shard, by itself: `on_assigned([shard])`, then `on_batch(shard, records)` one after the other,
    each awaited, or `in_hand` of them begun in order before the first is done; an error is tried again with a back-
    off, but an OwnFault (Fenced above all) ends the shard's lane until it is assigned anew. When shards are taken
    away, and at `stop`, what waits is handed on within 4 s and `on_revoked(shards)` is awaited. `on_batch` returns
    when its effects and cursors are stored or will be within a second: offsets are saved 5 s later, so that a saved
    offset never lies above a stored cursor. Where nobody waits for what becomes of a record, `pause_s` after each poll
    lets more come together.
    """

    def __init__(
        self,
        service: str,
        settings: str | KafkaSettings,
        seeks: Seeks,
        topics: Sequence[str],
        on_assigned: OnShards,
        on_revoked: OnShards,
        on_batch: OnBatch,
        instance: str,
        *,
        in_hand: int = 1,
        pause_s: float = 0.0,
    ) -> None:
        self._service = service
        self._settings = settings_for(settings)
        self._seeks = seeks
        self._topics = tuple(topics)
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._on_batch = on_batch
        self._instance = instance
        self._in_hand = in_hand
        self._pause_s = pause_s
        self._lanes: dict[int, Lane] = {}
        self._subscription: Subscription | None = None
        self._pulse = Pulse()
        self._to_save: dict[tuple[str, int], int] = {}
        self._to_reread: set[TopicPartition] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self.is_assigned = False
        """Whether the group has said which shards are ours, be it none."""

    async def start(self) -> None:
        """Join the group in the background, for as long as it takes; shards come by `on_assigned`."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._connect()), loop.create_task(self._watch())]

    async def stop(self) -> None:
        """Hand on what was read, give the shards up, save the offsets, leave; within 10 s."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._subscription is not None:
            self._subscription.pause(self._partitions())
        await self._give_up()
        if self._subscription is not None:
            await self._subscription.stop()
            self._subscription = None

    @property
    def shards(self) -> tuple[int, ...]:
        """The shards assigned just now."""
        return tuple(sorted(self._lanes))

    def lag(self) -> dict[str, int]:
        """Return, per topic, how many records on our partitions are not yet handled, as far as is known."""
        behind = dict.fromkeys(self._topics, 0)
        for partition, offset in self._handled().items():
            behind[partition.topic] += max(0, self._end_of(partition) - offset)
        return behind

    def behind(self, topic: str, shard: int) -> int:
        """Return how many records of a partition of ours are not yet handled, as far as is known."""
        partition = TopicPartition(topic, shard)
        lane = self._lanes.get(shard)
        handled = None if lane is None else lane.handled.get(partition)
        return 0 if handled is None else max(0, self._end_of(partition) - handled)

    def faults(self) -> dict[int, BaseException]:
        """Return the shards that stand still by a fault of ours, each with it; others go on."""
        return {shard: lane.failed for shard, lane in self._lanes.items() if lane.failed is not None}

    def healthy(self) -> bool:
        """Tell whether there is progress: False where lag stands and nothing moved for 60 s, or a task of ours died."""
        moving = self._pulse.beats(self._handled(), sum(self.lag().values()))
        return moving and not any(task.done() and not task.cancelled() and task.exception() for task in self._tasks)

    def rewind(self, topic: str, shard: int, offset: int = 0) -> None:
        """Read a partition again from an earlier offset (0: the beginning); repeats are skipped by the cursors."""
        lane = self._lanes.get(shard)
        if lane is not None:
            INBOX_REWINDS.labels(self._service).inc()
            lane.rewind(TopicPartition(topic, shard), offset)

    def reread(self, topic: str, shard: int) -> None:
        """Read a partition again from the first record that it still has, once Kafka says where that is."""
        self._to_reread.add(TopicPartition(topic, shard))

    async def _connect(self) -> None:
        while not self._stopping:
            subscription = Subscription(
                self._service, self._instance, self._settings, self._topics, self._seeks, _Listener(self), self._receive
            )
            self._subscription = subscription
            if await subscription.start(self._pause_s):
                return
            await asyncio.sleep(CONNECT_BACK_OFF_S)

    def _receive(self, records: Sequence[ConsumerRecord]) -> None:
        """Split what was read by shard; never waits, never raises for a record's sake."""
        by_shard: dict[int, list[ConsumerRecord]] = defaultdict(list)
        counts: dict[str, int] = defaultdict(int)
        for record in records:
            by_shard[record.partition].append(record)
            counts[record.topic] += 1
        for topic, count in counts.items():
            INBOX_RECORDS.labels(self._service, topic).inc(count)
        for shard, of_shard in by_shard.items():
            lane = self._lanes.get(shard)
            if lane is not None:
                lane.offer(of_shard)

    async def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Begin a lane per shard; its partitions are paused until it has the shard and knows where to read.

        An inbox that is stopping takes nothing more: the shards are somebody else's.
        """
        if self._stopping:
            return
        subscription = self._subscription
        assert subscription is not None
        await self._give_up()
        by_shard: dict[int, list[TopicPartition]] = defaultdict(list)
        for partition in sorted(partitions):
            by_shard[partition.partition].append(partition)
        for shard, of_shard in by_shard.items():
            subscription.pause(of_shard)
            for partition in of_shard:
                subscription.seek(partition, 0)
            self._lanes[shard] = Lane(
                self._service, shard, of_shard, subscription, self._on_assigned, self._on_batch, self._in_hand
            )
        self.is_assigned = True
        INBOX_SHARDS.labels(self._service).set(len(self._lanes))
        self._pulse.restart()
        _log.info("shards assigned", extra={"service": self._service, "shards": list(by_shard)})

    async def revoked(self) -> None:
        """Give all shards up; in this protocol a rebalance takes all and then gives anew."""
        await self._give_up()

    async def _give_up(self) -> None:
        self.is_assigned = False
        lanes, self._lanes = self._lanes, {}
        if not lanes:
            return
        INBOX_SHARDS.labels(self._service).set(0)
        await asyncio.gather(*(lane.drain(DRAIN_S) for lane in lanes.values()))
        shards = sorted(lanes)
        try:
            await self._on_revoked(shards)
        except Exception as error:
            _log.error("giving up shards failed: %r", error, extra={"service": self._service, "shards": shards})
            return
        handled = {tuple(p): offset for lane in lanes.values() for p, offset in lane.handled.items()}
        await self._save(handled)
        self._to_save = {}

    async def _watch(self) -> None:
        """Every second: gauges and pulse; every 5 s save offsets; every 10 s look for partitions out of range."""
        save_at = bounds_at = asyncio.get_running_loop().time() + WATCH_S
        while True:
            await asyncio.sleep(WATCH_S)
            now = asyncio.get_running_loop().time()
            for topic, behind in self.lag().items():
                INBOX_LAG.labels(self._service, topic).set(behind)
            INBOX_PAUSED.labels(self._service).set(sum(len(x.partitions) for x in self._lanes.values() if x.paused))
            self.healthy()
            if now >= save_at:
                save_at = now + SAVE_EVERY_S
                await self._save(self._to_save)
                self._to_save = {tuple(p): offset for p, offset in self._handled().items()}
            if now >= bounds_at:
                bounds_at = now + BOUNDS_EVERY_S
                await self._look_at_bounds()
            await self._reread()
            await self._replace_stuck_courier()

    async def _save(self, offsets: dict[tuple[str, int], int]) -> None:
        if not offsets:
            return
        try:
            await self._seeks.save_seeks(dict(offsets))
        except Exception as error:
            _log.warning("offsets were not saved (a hint only): %r", error, extra={"service": self._service})

    async def _look_at_bounds(self) -> None:
        """Go back to the beginning where a partition's records end before our offset: its topic was made anew."""
        if self._subscription is None or not self._lanes:
            return
        lost = await self._subscription.out_of_range(self._handled())
        for partition, beginning in lost.items():
            _log.warning("offset is out of range, reading from %d", beginning, extra={"partition": str(partition)})
            self.rewind(partition.topic, partition.partition, beginning)

    async def _reread(self) -> None:
        if self._subscription is None or not self._to_reread:
            return
        beginnings = await self._subscription.out_of_range(dict.fromkeys(self._to_reread, -1))
        for partition, beginning in beginnings.items():
            self.rewind(partition.topic, partition.partition, beginning)
        self._to_reread -= beginnings.keys()

    async def _replace_stuck_courier(self) -> None:
        """Make a new consumer where records stand on the topics, nothing waits in our queues, and none arrive."""
        idle = not any(lane.waiting or lane.failed for lane in self._lanes.values())
        if self._lanes and idle and self._pulse.silent_s() > STUCK_COURIER_S and sum(self.lag().values()):
            _log.error("the consumer stands still; a new one is made", extra={"service": self._service})
            self._pulse.restart()
            await self._give_up()
            if self._subscription is not None:
                await self._subscription.stop()
            await self._connect()

    def _partitions(self) -> list[TopicPartition]:
        return [partition for lane in self._lanes.values() for partition in lane.partitions]

    def _handled(self) -> dict[TopicPartition, int]:
        return {p: offset for lane in self._lanes.values() for p, offset in lane.handled.items()}

    def _end_of(self, partition: TopicPartition) -> int:
        return 0 if self._subscription is None else self._subscription.end_of(partition)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Hands the group's decisions to the inbox."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        await self._inbox.revoked()

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        await self._inbox.assigned(list(assigned))
