"""What every publisher promises, in memory and on Kafka: in order, to the named partition, or a fault of the world."""

import socket
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contracts.topics import Topic
from shared.errors import WorldFault
from shared.eventlog.memory import MemoryPublisher
from shared.eventlog.ports import Outgoing, Publisher
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.topics import ensure_topics

PARTITIONS = 4
Read = Callable[[int], Awaitable[list[Outgoing]]]
Case = tuple[Publisher, str, Read]


@pytest.fixture(params=["memory", "kafka"])
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    """A publisher, a topic, and what stands on a partition of it."""
    if request.param == "memory":
        memory = MemoryPublisher()

        async def kept(partition: int) -> list[Outgoing]:
            return [message for message in memory.messages if message.partition == partition]

        yield memory, "test.memory.v1", kept
        return
    bootstrap = request.getfixturevalue("stack_infra").bootstrap
    topic = f"test.{uuid.uuid4().hex}.v1"
    await ensure_topics(bootstrap, PARTITIONS, [Topic(name=topic, producer="test", consumers=("test",), kind="events")])
    publisher = KafkaPublisher(bootstrap, "test")
    yield publisher, topic, lambda partition: on_partition(bootstrap, topic, partition)
    await publisher.stop()


async def on_partition(bootstrap: str, topic: str, partition: int) -> list[Outgoing]:
    """Return all that stands on a partition now."""
    place = TopicPartition(topic, partition)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        found: list[Any] = []
        while len(found) < end:
            found += (await consumer.getmany(place, timeout_ms=500)).get(place, [])
    finally:
        await consumer.stop()
    return [
        Outgoing(topic=topic, partition=partition, key=r.key, value=r.value, headers=list(r.headers)) for r in found
    ]


def messages(topic: str, count: int, partition: int = 0) -> list[Outgoing]:
    return [
        Outgoing(
            topic=topic, partition=partition, key=b"acc_1", value=b"%d" % number, headers=[("position", b"%d" % number)]
        )
        for number in range(count)
    ]


async def test_messages_stand_in_order_on_the_partition_that_was_named(case: Case) -> None:
    publisher, topic, read = case
    sent = [messages(topic, 1_000, partition) for partition in range(PARTITIONS)]
    await publisher.publish([message for group in zip(*sent, strict=True) for message in group])
    for partition in range(PARTITIONS):
        assert await read(partition) == sent[partition]


async def test_when_publish_returns_every_message_can_be_read(case: Case) -> None:
    publisher, topic, read = case
    for count in range(1, 6):
        await publisher.publish(messages(topic, 1))
        assert len(await read(0)) == count


async def test_nothing_to_publish_is_no_fault(case: Case) -> None:
    publisher, _, read = case
    await publisher.publish([])
    assert await read(0) == []


async def test_the_largest_event_fits(case: Case) -> None:
    publisher, topic, read = case
    largest = Outgoing(topic=topic, partition=1, key=b"k", value=b"x" * 65_535)
    await publisher.publish([largest])
    assert [message.value for message in await read(1)] == [largest.value]


async def refused(publisher: Publisher, batch: Sequence[Outgoing]) -> float:
    """Return the seconds until the publisher raised WorldFault."""
    begun = time.monotonic()
    with pytest.raises(WorldFault):
        await publisher.publish(batch)
    return time.monotonic() - begun


async def test_a_broker_that_is_away_is_a_fault_of_the_world_within_seconds() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        publisher = KafkaPublisher(f"127.0.0.1:{nobody.getsockname()[1]}", "test")
        assert await refused(publisher, messages("test.v1", 1)) < 10
        await publisher.stop()


async def test_a_producer_that_broke_is_replaced_and_the_next_batch_arrives(stack_infra: Any) -> None:
    topic = f"test.{uuid.uuid4().hex}.v1"
    await ensure_topics(
        stack_infra.bootstrap, PARTITIONS, [Topic(name=topic, producer="test", consumers=("test",), kind="events")]
    )
    publisher = KafkaPublisher(stack_infra.bootstrap, "test")
    await publisher.publish(messages(topic, 3))
    broken = publisher._producer
    assert broken is not None
    assert broken._txn_manager is not None
    broken._txn_manager._sequence_numbers[TopicPartition(topic, 0)] = 77
    await refused(publisher, messages(topic, 3))
    await publisher.publish(messages(topic, 3))
    assert publisher._producer is not broken
    assert [message.value for message in await on_partition(stack_infra.bootstrap, topic, 0)] == [b"0", b"1", b"2"] * 2
    await publisher.stop()


async def test_an_unknown_partition_is_a_fault_not_another_partition(stack_infra: Any) -> None:
    topic = f"test.{uuid.uuid4().hex}.v1"
    await ensure_topics(stack_infra.bootstrap, 1, [Topic(name=topic, producer="t", consumers=("t",), kind="events")])
    publisher = KafkaPublisher(stack_infra.bootstrap, "test")
    await refused(publisher, messages(topic, 1, partition=1))
    assert await on_partition(stack_infra.bootstrap, topic, 0) == []
    await publisher.stop()
