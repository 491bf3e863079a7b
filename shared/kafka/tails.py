"""What stands on a service's own topics: the last records, to see an old copy, and all of them, to adopt a tail."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.errors import WorldFault
from shared.eventlog.merkle import leaf_hash
from shared.eventlog.ports import Outgoing, Record
from shared.kafka.records import OTHER_PARTITIONS, parse
from shared.kafka.settings import KafkaSettings, settings_for

LOOK_BACK = 50
TIMEOUT_S = 5.0
READ_TIMEOUT_S = 20.0


class KafkaTails:
    """Reads partitions without a group; `Tails` for `old_copies`, `Topics` for `Adoption`."""

    def __init__(self, settings: str | KafkaSettings) -> None:
        self._settings = settings_for(settings)

    async def last_positions(
        self, source: str, topics: Sequence[str], shards: Sequence[int]
    ) -> dict[tuple[str, int], int]:
        """Return the highest position of each (topic, source shard) among the last records of `source` there.

        A record counts only where the one it names as previous is there with the same hash, or where none is in view:
        what somebody else wrote on a topic does not make a log look rolled back. WorldFault when Kafka is away.
        """
        async with self._reading(source) as consumer:
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    read = await _last_records(consumer, await _partitions(consumer, topics, shards))
            except (KafkaError, TimeoutError, OSError) as error:
                raise WorldFault(f"the tails of {source}'s topics cannot be read: {error!r}") from error
        found: dict[tuple[str, int], int] = {}
        for partition, records in read.items():
            for shard, position in last_positions(source, records).items():
                found[partition.topic, shard] = max(position, found.get((partition.topic, shard), 0))
        return found

    async def written(self, topics: Sequence[str], source: str, shard: int, above: int) -> Sequence[Outgoing]:
        found: list[Outgoing] = []
        async with self._reading(source) as consumer:
            async for raw in self._all(consumer, await self._asked(consumer, topics, [shard])):
                record = parse(raw)
                ours = isinstance(record, Record) and (record.source, record.source_shard) == (source, shard)
                if ours and isinstance(record, Record) and record.position > above:
                    found.append(
                        Outgoing(
                            topic=raw.topic,
                            partition=raw.partition,
                            key=raw.key or b"",
                            value=record.value,
                            headers=[(name, value or b"") for name, value in raw.headers],
                        )
                    )
        return found

    async def read(self, topic: str, partition: int, source_shard: int, above: int, upto: int) -> Sequence[Record]:
        async with self._reading(topic) as consumer:
            return [
                record
                async for raw in self._all(consumer, [TopicPartition(topic, partition)])
                if isinstance(record := parse(raw), Record)
                and record.source_shard == source_shard
                and above < record.position <= upto
            ]

    @asynccontextmanager
    async def _reading(self, name: str) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            **self._settings.client_options(),
            client_id=f"piperoll.{name}.tails",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=int(TIMEOUT_S * 1000),
            isolation_level="read_uncommitted",
            check_crcs=True,
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await consumer.start()
            yield consumer
        except (KafkaError, TimeoutError, OSError) as error:
            raise WorldFault(f"Kafka at {self._settings.bootstrap} cannot be reached: {error!r}") from error
        finally:
            await asyncio.sleep(0)  # a consumer that is stopped before its first step raises
            with suppress(Exception):
                await consumer.stop()

    async def _asked(
        self, consumer: AIOKafkaConsumer, topics: Sequence[str], shards: Sequence[int]
    ) -> list[TopicPartition]:
        async with asyncio.timeout(TIMEOUT_S):
            return await _partitions(consumer, topics, shards)

    async def _all(
        self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
    ) -> AsyncIterator[ConsumerRecord]:
        """Yield every record that stands on the partitions now; each answer of the broker comes within 20 s."""
        async with asyncio.timeout(TIMEOUT_S):
            left = await _from_the_last(consumer, partitions, None)
        while left:
            async with asyncio.timeout(READ_TIMEOUT_S):
                read = await consumer.getmany(timeout_ms=int(READ_TIMEOUT_S * 1000))
            for partition, records in read.items():
                for record in records:
                    yield record
                if partition in left and records[-1].offset >= left[partition] - 1:
                    del left[partition]


def last_positions(source: str, records: Sequence[ConsumerRecord]) -> dict[int, int]:
    """Return, per source shard, the highest position that hangs on a chain within a partition's `records`."""
    by_shard: dict[int, list[Record]] = {}
    for parsed in map(parse, records):
        if isinstance(parsed, Record) and parsed.source == source:
            by_shard.setdefault(parsed.source_shard, []).append(parsed)
    found = {shard: _last_position(ours) for shard, ours in by_shard.items()}
    return {shard: position for shard, position in found.items() if position is not None}


def _last_position(ours: Sequence[Record]) -> int | None:
    hashes = {record.position: leaf_hash(record.value) for record in ours}
    lowest = min(hashes, default=0)
    chained = [r.position for r in ours if r.previous < lowest or hashes.get(r.previous) == r.previous_hash]
    return max(chained, default=None)


async def _partitions(consumer: AIOKafkaConsumer, topics: Sequence[str], shards: Sequence[int]) -> list[TopicPartition]:
    """Return where the shards' records may stand: their own partitions, but on a topic of routed facts any."""
    there = await consumer._client.fetch_all_metadata()  # `topics` keeps of this only the names
    return [
        TopicPartition(topic, number)
        for topic in topics
        for number in sorted(there.partitions_for_topic(topic) or ())
        if topic in OTHER_PARTITIONS or number in shards
    ]


async def _last_records(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> Mapping[TopicPartition, list[ConsumerRecord]]:
    ends = await _from_the_last(consumer, partitions, LOOK_BACK)
    read: dict[TopicPartition, list[ConsumerRecord]] = {partition: [] for partition in ends}
    while any(not records or records[-1].offset < ends[p] - 1 for p, records in read.items()):
        for partition, records in (await consumer.getmany(timeout_ms=200)).items():
            read[partition].extend(records)
    return read


async def _from_the_last(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition], look_back: int | None
) -> dict[TopicPartition, int]:
    """Read from so many records before the ends (None: all); return the ends of partitions that hold any."""
    consumer.assign(list(partitions))
    first = await consumer.beginning_offsets(partitions)
    last = await consumer.end_offsets(partitions)
    for partition in partitions:
        if last[partition] > first[partition]:
            begin = first[partition] if look_back is None else max(first[partition], last[partition] - look_back)
            consumer.seek(partition, begin)
        else:
            consumer.pause(partition)
            consumer.seek(partition, last[partition])
    return {partition: end for partition, end in last.items() if end > first[partition]}
