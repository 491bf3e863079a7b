"""Reads heads and refill requests, and says which topics there are and how their partitions begin.

No group and no kept offset: heads are repeated every 10 s and a gap asks again, so what is missed comes once more.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.contracts.chains import Head, Refill, read_head, read_refill
from shared.contracts.topics import ALL_TOPICS, HEADS, REFILLS
from shared.errors import OwnFault, WorldFault
from shared.eventlog.places import First, Part
from shared.kafka.settings import KafkaSettings, settings_for
from shared.kafka.topics import ensure_topics

_log = logging.getLogger(__name__)

LOOK_BACK = 40
POLL_MS = 1_000
TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
FIRST_BACK_OFF_S = 0.5
LAST_BACK_OFF_S = 5.0


class KafkaSignals:
    """One consumer per process; made anew when it fails."""

    def __init__(
        self,
        settings: str | KafkaSettings,
        client_id: str,
        shards: int,
        on_head: Callable[[Head], None],
        on_refill: Callable[[Refill], None],
    ) -> None:
        self._settings = settings_for(settings)
        self._client_id = client_id
        self._shards = shards
        self._on_head = on_head
        self._on_refill = on_refill
        self._consumer: AIOKafkaConsumer | None = None

    async def run(self) -> None:
        """Read until cancelled."""
        back_off = FIRST_BACK_OFF_S
        while True:
            consumer = self._made()
            try:
                await consumer.start()
                await self._begin(consumer)
                self._consumer = consumer
                while True:
                    for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                        self._take(records)
                    back_off = FIRST_BACK_OFF_S
            except (KafkaError, TimeoutError, OSError, WorldFault, OwnFault) as error:
                _log.warning("heads and refill requests cannot be read: %r", error)
            finally:
                self._consumer = None
                with suppress(Exception):
                    async with asyncio.timeout(STOP_TIMEOUT_S):
                        await consumer.stop()
            await asyncio.sleep(back_off)
            back_off = min(back_off * 2, LAST_BACK_OFF_S)

    async def make_missing_topics(self) -> None:
        """Make what is not there, as whoever notices first does; WorldFault when Kafka is away."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                there = await self._there().topics()
        except (KafkaError, TimeoutError, OSError) as error:
            raise WorldFault(f"Kafka does not say which topics there are: {error!r}") from error
        missing = [topic for topic in ALL_TOPICS if topic.name not in there]
        if missing:
            _log.error("topics are missing and are made: %s", ", ".join(topic.name for topic in missing))
            await ensure_topics(self._settings, self._shards, missing)

    async def firsts(self, parts: Sequence[Part]) -> Mapping[Part, First]:
        """Return how partitions begin: offset and time of their first record, no time where there is none."""
        wanted = [TopicPartition(*part) for part in parts]
        consumer = self._there()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                found = await consumer.offsets_for_times(dict.fromkeys(wanted, 0))
                empty = [partition for partition in wanted if found[partition] is None]
                begins = await consumer.beginning_offsets(empty) if empty else {}
        except (KafkaError, TimeoutError, OSError) as error:
            raise WorldFault(f"Kafka does not say how its partitions begin: {error!r}") from error
        return {
            (p.topic, p.partition): First(begins[p], None) if at is None else First(at.offset, at.timestamp)
            for p, at in found.items()
        }

    def _there(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise WorldFault("Kafka cannot be reached")
        return self._consumer

    def _made(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **self._settings.client_options(),
            client_id=self._client_id,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=int(TIMEOUT_S * 1000),
            metadata_max_age_ms=30_000,
            fetch_max_wait_ms=POLL_MS,
            isolation_level="read_uncommitted",
            check_crcs=True,
        )

    async def _begin(self, consumer: AIOKafkaConsumer) -> None:
        """Read heads from a little before their ends, requests from their ends."""
        heads = [TopicPartition(HEADS, shard) for shard in range(self._shards)]
        refills = [TopicPartition(REFILLS, shard) for shard in range(self._shards)]
        consumer.assign([*heads, *refills])
        async with asyncio.timeout(TIMEOUT_S):
            firsts = await consumer.beginning_offsets(heads)
            ends = await consumer.end_offsets([*heads, *refills])
        for partition, end in ends.items():
            back = LOOK_BACK if partition.topic == HEADS else 0
            consumer.seek(partition, max(firsts.get(partition, 0), end - back))

    def _take(self, records: Sequence[ConsumerRecord]) -> None:
        for record in records:
            value = record.value or b""
            if record.topic == HEADS:
                if (head := read_head(value)) is not None:
                    self._on_head(head)
            elif (refill := read_refill(value)) is not None:
                self._on_refill(refill)
