"""F: two relays of one shard at once, refills among live records, and a topic deleted under all of them."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.stack import Stack
from shared.clock import SystemClock
from shared.contracts.chains import Head, Refill
from shared.contracts.topics import BILLING_EVENTS_TOPIC
from shared.eventlog.cursors import CursorBook, Verdict
from shared.eventlog.gaps import refill_message
from shared.eventlog.heads import head_message, head_of
from shared.eventlog.places import First
from shared.eventlog.relay import Relay
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.signals import KafkaSignals
from shared.kafka.topics import ensure_topics
from tests.contract.test_publisher import on_partition
from tests.integration.inbox_bench import Offsets, inbox_of, until
from tests.integration.test_inbox_faults import SHARD, Applier, Log
from tests.unit.shared.test_relay import arrived

SHARDS = 8
RECORDS = 400
PART = (BILLING_EVENTS_TOPIC, SHARD)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A broker of our own, whose topics are deleted."""
    ours = {"PIPEROLL_KAFKA_BOOTSTRAP": ""}
    with Stack(tmp_path_factory.mktemp("kafka"), only=("kafka",), env=ours) as stack:
        yield stack


class Shard:
    """A log, and owners whose relays publish it."""

    def __init__(self, bootstrap: str) -> None:
        self.log = Log()
        self._bootstrap = bootstrap
        self._publishers: list[KafkaPublisher] = []
        self._relays: list[tuple[Relay, asyncio.Task[None]]] = []

    def owner(self) -> Relay:
        """Start a relay, as a worker does that was given the shard; nobody tells the one before it."""
        publisher = KafkaPublisher(self._bootstrap, f"owner-{len(self._relays)}")
        relay = Relay("billing", SHARD, self.log, self.log, publisher, SystemClock(), shards=SHARDS, batch=7)  # type: ignore[arg-type]
        self._publishers.append(publisher)
        self._relays.append((relay, asyncio.create_task(relay.run())))
        return relay

    async def stop(self) -> None:
        for relay, task in self._relays:
            await relay.stop()
            await task
        for publisher in self._publishers:
            await publisher.stop()

    async def grow(self, count: int, *relays: Relay) -> None:
        for _ in range(count // 10):
            self.log.grow(10)
            for relay in relays:
                relay.wake(len(self.log.rows))
            await asyncio.sleep(random.random() * 0.01)


@pytest.fixture
async def shard(kafka: Stack) -> AsyncIterator[Shard]:
    """A shard with an empty topic."""
    await delete(kafka)
    await ensure_topics(kafka.bootstrap, SHARDS)
    made = Shard(kafka.bootstrap)
    yield made
    await made.stop()


async def delete(kafka: Stack) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    if BILLING_EVENTS_TOPIC in await admin.list_topics():
        await admin.delete_topics([BILLING_EVENTS_TOPIC])
    while BILLING_EVENTS_TOPIC in await admin.list_topics():
        await asyncio.sleep(0.05)
    await admin.close()


def request(start: int) -> Refill:
    return Refill(
        topic=PART[0], service="billing", shard=SHARD, partition=SHARD, from_position=start, asked_by="ledger.1"
    )


async def applied(kafka: Stack) -> list[int]:
    """Return what a reader of the whole partition applies, in order; a fork fails."""
    book, positions = CursorBook(), []
    for record in arrived(await on_partition(kafka.bootstrap, *PART)):
        verdict = book.take(record, 0.0)
        assert verdict is not Verdict.FORK
        if verdict is Verdict.APPLY:
            positions.append(record.position)
    return positions


async def test_two_relays_at_once_during_a_takeover_harm_nothing(kafka: Stack, shard: Shard) -> None:
    applier = Applier()
    old = shard.owner()
    async with inbox_of(kafka.bootstrap, [PART[0]], applier, Offsets(), service="takeover"):
        await shard.grow(RECORDS // 4, old)
        new = shard.owner()
        await shard.grow(RECORDS, old, new)
        newest = shard.owner()
        await shard.grow(RECORDS // 4, old, new, newest)
        end = len(shard.log.rows)
        await until(lambda: old.position == new.position == newest.position == end, 30.0)
        await until(lambda: applier.book.cursor(PART).position == end, 30.0)
    assert applier.verdicts[Verdict.APPLY] == end
    assert applier.verdicts[Verdict.SKIP] > RECORDS
    assert applier.verdicts[Verdict.GAP] == applier.verdicts[Verdict.FORK] == 0
    assert await applied(kafka) == list(range(1, end + 1))


async def test_refills_among_live_records_of_two_relays_leave_every_reader_at_the_end(
    kafka: Stack, shard: Shard
) -> None:
    applier = Applier()
    old = shard.owner()
    async with inbox_of(kafka.bootstrap, [PART[0]], applier, Offsets(), service="refilled"):
        await shard.grow(RECORDS // 2, old)
        new = shard.owner()
        for start in (RECORDS // 4, 1, 17):
            old.refills.ask(request(start))
            new.refills.ask(request(start))
            await shard.grow(RECORDS // 4, old, new)
        end = len(shard.log.rows)
        await until(lambda: applier.book.cursor(PART).position == end, 30.0)
        await until(lambda: old.refills.due_in_s() is None and new.refills.due_in_s() is None, 30.0)
    assert applier.verdicts[Verdict.APPLY] == end
    assert applier.verdicts[Verdict.FORK] == 0
    assert await applied(kafka) == list(range(1, end + 1))


async def test_a_topic_that_is_deleted_amid_traffic_is_made_again_and_a_refill_makes_it_whole(
    kafka: Stack, shard: Shard
) -> None:
    relay = shard.owner()
    signals = KafkaSignals(kafka.bootstrap, "signals", SHARDS, lambda head: None, lambda asked: None)
    reading = asyncio.create_task(signals.run())
    await shard.grow(RECORDS, relay)
    await until(lambda: relay.position == RECORDS, 30.0)
    await until(lambda: signals._consumer is not None, 30.0)
    before = (await signals.firsts([PART]))[PART]
    assert before.at_ms is not None
    await delete(kafka)
    shard.log.grow(10)
    relay.wake(len(shard.log.rows))
    await signals.make_missing_topics()
    await until(lambda: relay.position == RECORDS + 10, 60.0)
    assert (await signals.firsts([PART]))[PART] not in (before, First(0, None))
    assert await applied(kafka) == []
    relay.refills.ask(request(1))
    await until(lambda: relay.refills.due_in_s() is None, 30.0)
    assert await applied(kafka) == list(range(1, RECORDS + 11))
    reading.cancel()


async def test_heads_and_requests_are_heard_by_all_also_after_their_topics_were_deleted(
    kafka: Stack, shard: Shard
) -> None:
    relay, heads, asked = shard.owner(), list[Head](), list[Refill]()
    signals = KafkaSignals(kafka.bootstrap, "signals", SHARDS, heads.append, asked.append)
    reading = asyncio.create_task(signals.run())
    publisher = shard._publishers[0]
    await shard.grow(20, relay)
    await until(lambda: relay.position == 20 and signals._consumer is not None, 30.0)
    told = head_of("billing", SHARD, (20, b""), relay.chains)
    await publisher.publish([head_message(told), refill_message(request(3))])
    await until(lambda: heads == [told] and asked == [request(3)], 10.0)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.delete_topics(["piperoll.heads.v1", "piperoll.refills.v1"])
    while "piperoll.heads.v1" in await admin.list_topics():
        await asyncio.sleep(0.05)
    await admin.close()
    await signals.make_missing_topics()
    later = Head(service="billing", shard=SHARD, position=30, root="", chains=())
    async with asyncio.timeout(60.0):
        while later not in heads:
            await publisher.publish([head_message(later)])
            await asyncio.sleep(1.0)
    reading.cancel()
