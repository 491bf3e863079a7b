"""What the inbox tests share: topics of their own, records on them, and a service that takes from an inbox."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from shared.contracts.topics import Topic
from shared.eventlog.merkle import leaf_hash
from shared.eventlog.ports import Outgoing, Record, Stray
from shared.kafka.inbox import Inbox
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.topics import ensure_topics

SHARDS = 4


async def new_topic(bootstrap: str, shards: int = SHARDS) -> str:
    """Return the name of a new topic."""
    name = f"test.{uuid.uuid4().hex}.v1"
    topic = Topic(name=name, producer="billing", consumers=("ledger",), kind="events")
    await ensure_topics(bootstrap, shards, [topic])
    return name


def chain(topic: str, shard: int, first: int, count: int) -> list[Outgoing]:
    """Return records `first` to `first + count - 1` of one shard's chain."""
    return [_link(topic, shard, position) for position in range(first, first + count)]


def _link(topic: str, shard: int, position: int) -> Outgoing:
    previous = b"" if position == 1 else leaf_hash(_value(shard, position - 1)).hex().encode()
    headers = [
        ("ce_type", b"billing.attempt-nudged.v1"), ("source", b"billing"), ("shard", str(shard).encode()),
        ("position", str(position).encode()), ("previous", str(position - 1).encode()), ("previous_hash", previous),
    ]  # fmt: skip
    return Outgoing(topic=topic, partition=shard, key=b"acc_1", value=_value(shard, position), headers=headers)


def _value(shard: int, position: int) -> bytes:
    return f'{{"shard":{shard},"position":{position}}}'.encode()


class Offsets:
    """`Seeks` in memory."""

    def __init__(self) -> None:
        self.saved: dict[tuple[str, int], int] = {}

    async def seeks(self) -> dict[tuple[str, int], int]:
        return dict(self.saved)

    async def save_seeks(self, offsets: dict[tuple[str, int], int]) -> None:
        self.saved.update(offsets)


class Taker:
    """A service that keeps what its inbox hands it; `before` may raise or wait."""

    def __init__(self) -> None:
        self.taken: dict[int, list[Record | Stray]] = defaultdict(list)
        self.assigned: list[int] = []
        self.revoked: list[int] = []
        self.before: Callable[[int, Sequence[Record | Stray]], None] = lambda shard, records: None
        self.gate = asyncio.Event()
        self.gate.set()

    async def on_assigned(self, shards: Sequence[int]) -> None:
        self.assigned.extend(shards)

    async def on_revoked(self, shards: Sequence[int]) -> None:
        self.revoked.extend(shards)

    async def on_batch(self, shard: int, records: Sequence[Record | Stray]) -> None:
        await self.gate.wait()
        self.before(shard, records)
        self.taken[shard].extend(records)

    def positions(self, shard: int) -> list[int]:
        return [record.position for record in self.taken[shard] if isinstance(record, Record)]

    def strays(self, shard: int) -> list[Stray]:
        return [record for record in self.taken[shard] if isinstance(record, Stray)]

    @property
    def count(self) -> int:
        return sum(len(records) for records in self.taken.values())


@asynccontextmanager
async def inbox_of(
    bootstrap: str, topics: Sequence[str], taker: Taker, offsets: Offsets, *, service: str, instance: str = "one"
) -> AsyncIterator[Inbox]:
    """Run an inbox; at the end it is stopped."""
    inbox = Inbox(
        service, bootstrap, offsets, topics, taker.on_assigned, taker.on_revoked, taker.on_batch, instance=instance
    )
    await inbox.start()
    try:
        yield inbox
    finally:
        await inbox.stop()


@asynccontextmanager
async def publisher_of(bootstrap: str) -> AsyncIterator[KafkaPublisher]:
    """Run a publisher; at the end it is stopped."""
    publisher = KafkaPublisher(bootstrap, "test")
    try:
        yield publisher
    finally:
        await publisher.stop()


async def until(condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
    """Wait until the condition holds; TimeoutError after `timeout_s`."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)
