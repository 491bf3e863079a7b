"""The inbox on a real broker: each shard's records in order, nothing lost, nobody suffers for another."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from shared.errors import Fenced, StoreDown
from shared.eventlog.ports import Outgoing, Record, Stray
from shared.kafka import lanes
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.tails import KafkaTails
from tests.integration.inbox_bench import (
    SHARDS,
    Offsets,
    Taker,
    chain,
    inbox_of,
    new_topic,
    publisher_of,
    until,
)


@pytest.fixture
def bootstrap(stack_infra: Any) -> str:
    return str(stack_infra.bootstrap)


@pytest.fixture
async def publisher(bootstrap: str) -> AsyncIterator[KafkaPublisher]:
    async with publisher_of(bootstrap) as running:
        yield running


@pytest.fixture
def service() -> str:
    """A group of its own for each test."""
    return f"test-{uuid.uuid4().hex[:8]}"


async def test_each_shard_gets_its_records_of_all_topics_in_order(
    bootstrap: str, publisher: KafkaPublisher, service: str
) -> None:
    one, two, taker = await new_topic(bootstrap), await new_topic(bootstrap), Taker()
    async with inbox_of(bootstrap, [one, two], taker, Offsets(), service=service):
        for topic in (one, two):
            await publisher.publish([m for shard in range(SHARDS) for m in chain(topic, shard, 1, 100)])
        await until(lambda: taker.count == 2 * SHARDS * 100)
    for shard in range(SHARDS):
        for topic in (one, two):
            of_topic = [r for r in taker.taken[shard] if isinstance(r, Record) and r.topic == topic]
            assert [record.position for record in of_topic] == list(range(1, 101))
    assert sorted(taker.assigned) == sorted(taker.revoked) == list(range(SHARDS))


async def test_a_restarted_member_goes_on_where_it_was(bootstrap: str, publisher: KafkaPublisher, service: str) -> None:
    topic, taker, offsets = await new_topic(bootstrap), Taker(), Offsets()
    async with inbox_of(bootstrap, [topic], taker, offsets, service=service):
        await publisher.publish(chain(topic, 2, 1, 50))
        await until(lambda: taker.count == 50)
    await publisher.publish(chain(topic, 2, 51, 10))
    async with inbox_of(bootstrap, [topic], taker, offsets, service=service) as inbox:
        await until(lambda: taker.count == 60)
        await until(lambda: inbox.lag() == {topic: 0})
        assert inbox.healthy()
    assert taker.positions(2) == list(range(1, 61))


@pytest.mark.parametrize("saved", [{}, 10_000])
async def test_no_offset_or_one_out_of_range_is_the_beginning(
    bootstrap: str, publisher: KafkaPublisher, service: str, saved: Any
) -> None:
    topic, taker, offsets = await new_topic(bootstrap), Taker(), Offsets()
    offsets.saved = {(topic, 1): saved} if saved else {}
    await publisher.publish(chain(topic, 1, 1, 5))
    async with inbox_of(bootstrap, [topic], taker, offsets, service=service):
        await until(lambda: taker.count == 5)
    assert taker.positions(1) == [1, 2, 3, 4, 5]


async def test_poison_becomes_strays_and_its_neighbours_go_on(
    bootstrap: str, publisher: KafkaPublisher, service: str
) -> None:
    topic, taker = await new_topic(bootstrap), Taker()
    first, second, third = chain(topic, 0, 1, 3)
    poison = [
        Outgoing(topic=topic, partition=0, key=b"acc_9", value=b"360"),
        Outgoing(topic=topic, partition=0, key=b"\xff\xfe", value=b"x", headers=[("position", b"\xff\xfe")]),
        Outgoing(topic=topic, partition=0, key=b"k", value=b"y" * 70_000),
        Outgoing(topic=topic, partition=0, key=b"k", value=first.value, headers=chain(topic, 3, 1, 1)[0].headers),
        Outgoing(topic=topic, partition=0, key=b"acc_1", value=b"z", headers=[*first.headers, ("previous", b"7")]),
    ]
    async with inbox_of(bootstrap, [topic], taker, Offsets(), service=service):
        await publisher.publish([first, *poison, second])
        await publisher.publish([third])
        await until(lambda: taker.count == 8)
    assert taker.positions(0) == [1, 2, 3]
    assert [s.cause for s in taker.strays(0)] == ["no_place", "no_place", "too_large", "foreign_shard", "no_place"]
    assert taker.strays(0)[0].value == b"360"
    assert taker.strays(0)[0].key == "acc_9"


async def test_a_handler_that_fails_is_asked_again_and_other_shards_go_on(
    bootstrap: str, publisher: KafkaPublisher, service: str
) -> None:
    topic, taker, failures = await new_topic(bootstrap), Taker(), [0]

    def failing(shard: int, records: Sequence[Record | Stray]) -> None:
        if shard == 1 and failures[0] < 3:
            failures[0] += 1
            raise StoreDown("for a while")

    taker.before = failing
    async with inbox_of(bootstrap, [topic], taker, Offsets(), service=service):
        await publisher.publish([*chain(topic, 1, 1, 20), *chain(topic, 2, 1, 20)])
        await until(lambda: len(taker.taken[2]) == 20)
        await until(lambda: len(taker.taken[1]) == 20)
    assert failures == [3]
    assert taker.positions(1) == list(range(1, 21))


async def test_a_fenced_shard_stands_still_and_the_others_go_on(
    bootstrap: str, publisher: KafkaPublisher, service: str
) -> None:
    topic, taker, asked = await new_topic(bootstrap), Taker(), [0]

    def fenced(shard: int, records: Sequence[Record | Stray]) -> None:
        if shard == 1:
            asked[0] += 1
            raise Fenced("another worker took the shard")

    taker.before = fenced
    async with inbox_of(bootstrap, [topic], taker, Offsets(), service=service) as inbox:
        await publisher.publish([*chain(topic, 1, 1, 3), *chain(topic, 2, 1, 3)])
        await until(lambda: len(taker.taken[2]) == 3 and asked[0] == 1)
        await asyncio.sleep(0.3)
        assert asked == [1]
        assert inbox.lag() == {topic: 3}
    assert taker.positions(1) == []


async def test_a_slow_shard_is_paused_and_loses_nothing(
    bootstrap: str, publisher: KafkaPublisher, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "FULL_RECORDS", 100)
    monkeypatch.setattr(lanes, "MAX_BATCH", 50)
    topic, taker = await new_topic(bootstrap), Taker()
    taker.gate.clear()
    async with inbox_of(bootstrap, [topic], taker, Offsets(), service=service) as inbox:
        for first in range(1, 10_001, 1_000):
            await publisher.publish(chain(topic, 3, first, 1_000))
        await until(lambda: inbox._lanes[3].paused)
        await asyncio.sleep(0.3)
        assert inbox._lanes[3].waiting < 9_000
        await publisher.publish(chain(topic, 2, 1, 1))
        taker.gate.set()
        await until(lambda: taker.count == 10_001)
    assert taker.positions(3) == list(range(1, 10_001))


class OneShardStands(Taker):
    """Hands on all but what one shard is given, for as long as the gate is shut."""

    def __init__(self, standing: int) -> None:
        super().__init__()
        self._standing = standing

    async def on_batch(self, shard: int, records: Sequence[Record | Stray]) -> None:
        if shard == self._standing:
            await self.gate.wait()
        self.taken[shard].extend(records)


async def test_a_full_lane_pauses_its_own_partitions_and_the_other_shards_go_on(
    bootstrap: str, publisher: KafkaPublisher, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "FULL_RECORDS", 100)
    monkeypatch.setattr(lanes, "MAX_BATCH", 50)
    one, two, taker = await new_topic(bootstrap), await new_topic(bootstrap), OneShardStands(3)
    taker.gate.clear()
    async with inbox_of(bootstrap, [one, two], taker, Offsets(), service=service) as inbox:
        for first in range(1, 5_001, 1_000):
            await publisher.publish(chain(one, 3, first, 1_000))
        await until(lambda: len(inbox.shards) == SHARDS and inbox._lanes[3].paused)
        for shard in (0, 1, 2):
            await publisher.publish([*chain(one, shard, 1, 500), *chain(two, shard, 1, 500)])
        await until(lambda: all(len(taker.taken[shard]) == 1_000 for shard in (0, 1, 2)))
        assert [lane.paused for _, lane in sorted(inbox._lanes.items())] == [False, False, False, True]
        assert taker.taken[3] == []
        taker.gate.set()
        await until(lambda: len(taker.taken[3]) == 5_000)
    assert taker.positions(3) == list(range(1, 5_001))


async def test_a_rewound_partition_is_read_again_in_order(
    bootstrap: str, publisher: KafkaPublisher, service: str
) -> None:
    topic, taker = await new_topic(bootstrap), Taker()
    async with inbox_of(bootstrap, [topic], taker, Offsets(), service=service) as inbox:
        await publisher.publish(chain(topic, 0, 1, 10))
        await until(lambda: taker.count == 10)
        inbox.rewind(topic, 0, 4)
        await until(lambda: taker.count == 16)
        await publisher.publish(chain(topic, 0, 11, 1))
        await until(lambda: taker.count == 17)
    assert taker.positions(0) == [*range(1, 11), *range(5, 12)]


async def test_a_partition_to_be_read_again_begins_at_the_first_record_that_it_still_has(
    bootstrap: str, publisher: KafkaPublisher, service: str
) -> None:
    topic, taker = await new_topic(bootstrap), Taker()
    await publisher.publish(chain(topic, 0, 1, 10))
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=6)})
    await admin.close()
    async with inbox_of(bootstrap, [topic], taker, Offsets(), service=service) as inbox:
        await until(lambda: taker.count == 4)
        inbox.reread(topic, 0)
        await until(lambda: taker.count == 8)
        await publisher.publish(chain(topic, 0, 11, 1))
        await until(lambda: taker.count == 9)
    assert taker.positions(0) == [*range(7, 11), *range(7, 12)]


async def test_two_members_share_the_shards_and_one_alone_has_all(
    bootstrap: str, publisher: KafkaPublisher, service: str
) -> None:
    topic, first, second = await new_topic(bootstrap), Taker(), Taker()
    async with inbox_of(bootstrap, [topic], first, Offsets(), service=service, instance="a") as one:
        await until(lambda: len(one.shards) == SHARDS)
        async with inbox_of(bootstrap, [topic], second, Offsets(), service=service, instance="b") as two:
            await until(lambda: sorted(one.shards + two.shards) == list(range(SHARDS)) and bool(two.shards))
            await publisher.publish([m for shard in range(SHARDS) for m in chain(topic, shard, 1, 5)])
            await until(lambda: first.count + second.count == SHARDS * 5)
        await until(lambda: len(one.shards) == SHARDS, timeout_s=20)
    for shard in range(SHARDS):
        assert sorted(set(first.positions(shard) + second.positions(shard))) == [1, 2, 3, 4, 5]


async def test_a_member_for_which_no_shard_is_left_is_assigned_none_and_waits_for_one(
    bootstrap: str, publisher: KafkaPublisher, service: str
) -> None:
    topic, first, second = await new_topic(bootstrap, shards=1), Taker(), Taker()
    async with inbox_of(bootstrap, [topic], first, Offsets(), service=service, instance="a") as one:
        async with inbox_of(bootstrap, [topic], second, Offsets(), service=service, instance="b") as two:
            await until(lambda: one.is_assigned and two.is_assigned)
            assert sorted([one.shards, two.shards]) == [(), (0,)]
            await until(lambda: first.assigned + second.assigned != [])
        await until(lambda: one.shards == (0,), timeout_s=20)


async def test_an_inbox_that_is_stopping_takes_no_shard_more(
    bootstrap: str, publisher: KafkaPublisher, service: str
) -> None:
    topic, taker = await new_topic(bootstrap, shards=1), Taker()
    async with inbox_of(bootstrap, [topic], taker, Offsets(), service=service) as inbox:
        await until(lambda: taker.assigned == [0])
        await inbox.stop()
        await inbox.assigned([TopicPartition(topic, 0)])
        assert inbox.shards == ()


async def test_an_offset_is_saved_only_after_its_records_were_handled(
    bootstrap: str, publisher: KafkaPublisher, service: str
) -> None:
    topic, taker, offsets = await new_topic(bootstrap), Taker(), Offsets()
    async with inbox_of(bootstrap, [topic], taker, offsets, service=service):
        await publisher.publish(chain(topic, 0, 1, 10))
        await until(lambda: taker.count == 10)
        taker.gate.clear()
        await publisher.publish(chain(topic, 0, 11, 10))
        await until(lambda: offsets.saved.get((topic, 0)) == 10, timeout_s=20)
        await asyncio.sleep(0.2)
        assert offsets.saved[(topic, 0)] == 10
        taker.gate.set()
    assert offsets.saved[(topic, 0)] == 20


async def test_the_tail_of_a_topic_is_the_last_record_that_hangs_on_the_chain(
    bootstrap: str, publisher: KafkaPublisher
) -> None:
    topic = await new_topic(bootstrap)
    forged, stray = chain(topic, 0, 40, 1), Outgoing(topic=topic, partition=0, key=b"", value=b"?")
    await publisher.publish([*chain(topic, 0, 1, 9), *forged, stray])
    await publisher.publish(chain(topic, 1, 1, 120))
    tails = await KafkaTails(bootstrap).last_positions("billing", [topic], range(SHARDS))
    assert tails == {(topic, 0): 9, (topic, 1): 120}
    assert await KafkaTails(bootstrap).last_positions("gateway", [topic], [0]) == {}
