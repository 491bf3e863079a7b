"""What stands last on a topic's partitions: the check against a store that was rolled back."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.errors import WorldFault
from shared.eventlog.merkle import leaf_hash
from shared.eventlog.ports import Record
from shared.kafka.records import parse
from shared.kafka.settings import KafkaSettings, settings_for

LOOK_BACK = 50
TIMEOUT_S = 5.0


class KafkaTails:
    """Reads the last records of each partition; `Tails` for `topic_ahead_of_log`."""

    def __init__(self, settings: str | KafkaSettings) -> None:
        self._settings = settings_for(settings)

    async def last_positions(self, source: str, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return the position of the last record of each (topic, shard) from `source`; an empty one is absent.

        A record counts only where the one it names as previous is there with the same hash, or where none is in view:
        what somebody else wrote on a topic does not make a log look rolled back. WorldFault when Kafka is away.
        """
        consumer = AIOKafkaConsumer(
            **self._settings.client_options(),
            client_id=f"piperoll.{source}.tails",
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
                read = await _last_records(consumer, [TopicPartition(*partition) for partition in partitions])
        except (KafkaError, TimeoutError, OSError) as error:
            raise WorldFault(f"the tails of {source}'s topics cannot be read: {error!r}") from error
        finally:
            await asyncio.sleep(0)  # a consumer that is stopped before its first step raises
            with suppress(Exception):
                await consumer.stop()
        found = {(p.topic, p.partition): last_position(source, records) for p, records in read.items()}
        return {partition: position for partition, position in found.items() if position is not None}


def last_position(source: str, records: Sequence[ConsumerRecord]) -> int | None:
    """Return the highest position that hangs on a chain within `records`; None if none is from `source`."""
    ours = [parsed for parsed in map(parse, records) if isinstance(parsed, Record) and parsed.source == source]
    hashes = {record.position: leaf_hash(record.value) for record in ours}
    lowest = min(hashes, default=0)
    chained = [r.position for r in ours if r.previous < lowest or hashes.get(r.previous) == r.previous_hash]
    return max(chained, default=None)


async def _last_records(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> Mapping[TopicPartition, list[ConsumerRecord]]:
    consumer.assign(list(partitions))
    first = await consumer.beginning_offsets(partitions)
    last = await consumer.end_offsets(partitions)
    read: dict[TopicPartition, list[ConsumerRecord]] = {}
    for partition in partitions:
        if last[partition] > first[partition]:
            read[partition] = []
            consumer.seek(partition, max(first[partition], last[partition] - LOOK_BACK))
        else:
            consumer.pause(partition)
            consumer.seek(partition, last[partition])
    while any(not records or records[-1].offset < last[p] - 1 for p, records in read.items()):
        for partition, records in (await consumer.getmany(timeout_ms=200)).items():
            read[partition].extend(records)
    return read
