"""The FastStream subscriber of an inbox, and what its consumer is asked for.

FastStream's own ways that would lose money are all overruled here: it acknowledges first, resets to the latest
offset, reads record bytes as JSON, decodes headers as text, and counts a batch whose validation fails as processed.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from shared.errors import WorldFault
from shared.eventlog.ports import Seeks
from shared.kafka.settings import KafkaSettings

_log = logging.getLogger(__name__)
_faststream_log = logging.getLogger("shared.kafka.faststream")
_faststream_log.setLevel(logging.ERROR)

CLIENT_TIMEOUT_MS = 10_000
STOP_TIMEOUT_S = 5.0
BOUNDS_TIMEOUT_MS = 5_000
MAX_RECORDS = 4_000
POLL_MS = 200
"""How long one poll waits for records; it ends when the first come."""
PAUSE_PER_SHARD_S = 0.008
LONGEST_PAUSE_S = 0.03
"""After a poll that brought a little of several shards the next waits so long for each further one: a batch of a shard
costs much the same whether one record is in it or ten."""
LITTLE_RECORDS = 200
LATE_MS = 3
"""How long a poll waits after a pause for what the broker has kept back meanwhile."""


class Subscription:
    """One broker object with one batch subscriber on all topics; thrown away and made anew when it fails."""

    def __init__(
        self,
        service: str,
        instance: str,
        settings: KafkaSettings,
        topics: Sequence[str],
        seeks: Seeks,
        listener: ConsumerRebalanceListener,
        receive: Callable[[Sequence[ConsumerRecord]], None],
    ) -> None:
        self._seeks = seeks
        self._receive = receive
        self._ends: dict[TopicPartition, int] = {}
        self._broker = KafkaBroker(
            settings.bootstrap.split(","),
            security=settings.faststream_security(),
            client_id=f"piperoll.{service}.{instance}",
            consumer_only=True,
            allow_auto_create_topics=False,
            request_timeout_ms=CLIENT_TIMEOUT_MS,
            retry_backoff_ms=100,
            metadata_max_age_ms=10_000,
            connections_max_idle_ms=540_000,
            graceful_timeout=STOP_TIMEOUT_S,
            ack_policy=AckPolicy.MANUAL,
            apply_types=False,
            logger=_faststream_log,
            log_level=logging.DEBUG,
        )
        self._subscriber = self._broker.subscriber(
            *topics,
            batch=True,
            group_id=f"piperoll.{service}",
            group_instance_id=instance,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="none",
            partition_assignment_strategy=(RangePartitionAssignor,),
            listener=listener,
            session_timeout_ms=6_000,
            heartbeat_interval_ms=2_000,
            max_poll_interval_ms=300_000,
            rebalance_timeout_ms=20_000,
            isolation_level="read_uncommitted",
            check_crcs=True,
            exclude_internal_topics=True,
            fetch_min_bytes=1,
            fetch_max_wait_ms=500,
            max_partition_fetch_bytes=1_048_576,
            batch_timeout_ms=POLL_MS,
            max_records=MAX_RECORDS,
            parser=_unparsed,
            decoder=_untouched,
            no_reply=True,
        )
        self._subscriber(self._handle)

    async def start(self, pause_s: float) -> bool:
        """Connect and join; False where the broker is away, and all is closed again. `pause_s`: see `Polls`."""
        # FastStream's own sleeps after an empty poll, as long again as that has waited; records come in meanwhile.
        self._subscriber.get_msg = Polls(pause_s)  # type: ignore[method-assign]
        try:
            await self._broker.start()
        except (KafkaError, OSError, TimeoutError) as error:
            _log.warning("the inbox cannot reach Kafka: %r", error)
            await self.stop()
            return False
        return True

    async def stop(self) -> None:
        """Leave within 5 s; a static member keeps its place in the group until its session ends."""
        with suppress(Exception):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._broker.stop()

    async def _handle(self, records: Sequence[ConsumerRecord]) -> None:
        self._receive(records)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Read no more of these."""
        for partition in self._assigned(partitions):
            self._consumer.pause(partition)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these again."""
        for partition in self._assigned(partitions):
            self._consumer.resume(partition)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read on from `offset`."""
        with suppress(IllegalStateError):
            self._consumer.seek(partition, offset)

    async def starts(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the saved offsets where they still exist, else the beginnings; WorldFault when Kafka is away."""
        saved = await self._seeks.seeks()
        first, last = await self._bounds(partitions)
        starts = {}
        for partition in partitions:
            wanted = saved.get((partition.topic, partition.partition), -1)
            starts[partition] = wanted if first[partition] <= wanted <= last[partition] else first[partition]
        return starts

    async def out_of_range(self, offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Return the beginnings of partitions in which our offset does not exist any more; none when Kafka is away."""
        try:
            first, last = await self._bounds(list(offsets))
        except WorldFault:
            return {}
        return {p: first[p] for p, offset in offsets.items() if not first[p] <= offset <= last[p]}

    def end_of(self, partition: TopicPartition) -> int:
        """Return the offset after the last record, as far as is known without asking."""
        known = self._ends.get(partition, 0)
        try:
            return max(known, self._consumer.highwater(partition) or 0)
        except (AssertionError, IllegalStateError, AttributeError):
            return known

    async def _bounds(
        self, partitions: Sequence[TopicPartition]
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        try:
            async with asyncio.timeout(BOUNDS_TIMEOUT_MS / 1000):
                first = await self._consumer.beginning_offsets(partitions)
                last = await self._consumer.end_offsets(partitions)
        except (KafkaError, TimeoutError, OSError) as error:
            raise WorldFault(f"Kafka does not say where its partitions begin and end: {error!r}") from error
        self._ends.update(last)
        return first, last

    @property
    def _consumer(self) -> AIOKafkaConsumer:
        consumer = self._subscriber.consumer
        assert consumer is not None
        return consumer

    def _assigned(self, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        if self._subscriber.consumer is None:
            return []
        return [partition for partition in partitions if partition in self._consumer.assignment()]


class Polls:
    """Polls a consumer, with a pause after each poll that brought something, of at least `least_pause_s`."""

    def __init__(self, least_pause_s: float) -> None:
        self._least_pause_s = least_pause_s
        self._pause_s = 0.0

    async def __call__(self, consumer: AIOKafkaConsumer) -> tuple[ConsumerRecord, ...]:
        """Return what has come, of all partitions; nothing where nothing came within the poll.

        The client asks the broker on as soon as what it has is taken. So after a pause it has the first that came, and
        the broker all the rest, which is had by a second look.
        """
        early: Mapping[TopicPartition, Sequence[ConsumerRecord]] = {}
        if self._pause_s:
            await asyncio.sleep(self._pause_s)
            early = await consumer.getmany(timeout_ms=0, max_records=MAX_RECORDS)
        found = await consumer.getmany(timeout_ms=LATE_MS if early else POLL_MS, max_records=MAX_RECORDS)
        records = tuple(chain(*early.values(), *found.values()))
        shards = {partition.partition for partition in (*early, *found)}
        self._pause_s = pause_after(len(records), len(shards), self._least_pause_s)
        return records


def pause_after(records: int, shards: int, least_s: float) -> float:
    """Return how long to wait after a poll that brought so much: none after nothing, or where more stands ready."""
    if not 0 < records < LITTLE_RECORDS:
        return 0.0
    return max(least_s, min(LONGEST_PAUSE_S, PAUSE_PER_SHARD_S * (shards - 1)))


async def _unparsed(records: tuple[ConsumerRecord, ...]) -> KafkaMessage:
    """Wrap a batch without looking at it: FastStream's parser raises for a header that is no text."""
    return KafkaMessage(raw_message=records, body=b"", headers={}, batch_headers=[], consumer=_NO_COMMITS)


async def _untouched(message: Any) -> tuple[ConsumerRecord, ...]:
    """Return the records as they came."""
    records: tuple[ConsumerRecord, ...] = message.raw_message
    return records


class _NoCommits:
    """Stands where FastStream would commit; offsets are kept by the service."""

    async def commit(self) -> None: ...

    def seek(self, partition: Any, offset: Any) -> None: ...


_NO_COMMITS = _NoCommits()
