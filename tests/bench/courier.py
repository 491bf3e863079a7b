"""The driver's own client of the broker: sends ready bytes in batches, and reads what comes back."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from shared.eventlog.ports import Outgoing

IN_FLIGHT = 10_000
AT_ONCE = 400
ANSWER_WITHIN_S = 60.0


class Courier:
    """One partition out, one partition in; every command has exactly one result, in order."""

    def __init__(self, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer, place: TopicPartition) -> None:
        self._producer = producer
        self._consumer = consumer
        self._place = place

    async def send(self, topic: str, messages: Sequence[Outgoing]) -> None:
        """Hand messages for partition 0 of a topic over; returns before they are acknowledged."""
        batch = self._producer.create_batch()
        for message in messages:
            put = batch.append(timestamp=None, key=message.key, value=message.value, headers=list(message.headers))
            if put is None:
                raise ValueError(f"{len(messages)} messages do not fit into a batch")
        await self._producer.send_batch(batch, topic, partition=0)

    async def read(self) -> Sequence[ConsumerRecord]:
        """Return what has come; an error after a minute without anything."""
        async with asyncio.timeout(ANSWER_WITHIN_S):
            while True:
                found: dict[TopicPartition, list[ConsumerRecord]] = await self._consumer.getmany(timeout_ms=1_000)
                if found:
                    return found[self._place]

    async def closed_loop(self, topic: str, messages: Sequence[Outgoing]) -> tuple[float, ConsumerRecord]:
        """Send with at most 10,000 unanswered; return results per second, and the last result."""
        loop = asyncio.get_running_loop()
        began, sent, got = loop.time(), 0, 0
        while got < len(messages):
            while sent < len(messages) and sent - got <= IN_FLIGHT - AT_ONCE:
                await self.send(topic, messages[sent : sent + AT_ONCE])
                sent = min(sent + AT_ONCE, len(messages))
            records = await self.read()
            got += len(records)
        return len(messages) / (loop.time() - began), records[-1]

    async def open_loop(self, topic: str, messages: Sequence[Outgoing], per_s: int) -> list[float]:
        """Send at a steady pace whatever comes back; return each message's ms from intended send to result read."""
        loop = asyncio.get_running_loop()
        began = loop.time() + 0.1

        async def pace() -> None:
            sent = 0
            while sent < len(messages):
                due = min(len(messages), int((loop.time() - began) * per_s) + 1, sent + AT_ONCE)
                if due > sent:
                    await self.send(topic, messages[sent:due])
                    sent = due
                await asyncio.sleep(0.002)

        pacing = asyncio.create_task(pace())
        waits: list[float] = []
        while len(waits) < len(messages):
            records = await self.read()
            now = loop.time()
            waits += [(now - began - number / per_s) * 1000 for number in range(len(waits), len(waits) + len(records))]
        await pacing
        return waits


@asynccontextmanager
async def courier(bootstrap: str, results: str) -> AsyncIterator[Courier]:
    """Connect, to read what comes on partition 0 of `results` from now on."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_batch_size=900_000, linger_ms=0
    )
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, max_poll_records=10_000
    )
    place = TopicPartition(results, 0)
    await producer.start()
    await consumer.start()
    try:
        consumer.assign([place])
        await consumer.seek_to_end(place)
        yield Courier(producer, consumer, place)
    finally:
        await consumer.stop()
        await producer.stop()
