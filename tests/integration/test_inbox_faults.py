"""F: Kafka dies or is away. Relay and inbox come back by themselves; every record is applied once, in order."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from shared.clock import SystemClock
from shared.eventlog.cursors import CursorBook, Verdict
from shared.eventlog.memory import MemoryPlaces
from shared.eventlog.ports import EventRow, Record, Stray
from shared.eventlog.relay import Relay
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.topics import ensure_topics
from tests.integration.inbox_bench import Offsets, Taker, chain, inbox_of, new_topic, publisher_of, until
from tests.unit.shared.test_relay import nudged, row

SHARD = 3
BACK_AFTER_S = 20.0


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A broker of our own, to be killed."""
    ours = {"PIPEROLL_KAFKA_BOOTSTRAP": ""}
    with Stack(tmp_path_factory.mktemp("kafka"), only=("kafka",), env=ours) as stack:
        yield stack


class Log(MemoryPlaces):
    """A shard's log that grows by itself; `Store` as far as a relay reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[EventRow] = []

    def grow(self, count: int) -> None:
        self.rows.extend(row(position, nudged()) for position in range(len(self.rows) + 1, len(self.rows) + count + 1))

    async def read(self, shard: int, after: int, limit: int) -> Sequence[EventRow]:
        return self.rows[after : after + limit]


class Applier(Taker):
    """Applies what its cursors say is next."""

    def __init__(self) -> None:
        super().__init__()
        self.book = CursorBook()
        self.verdicts: dict[Verdict, int] = dict.fromkeys(Verdict, 0)

    async def on_batch(self, shard: int, records: Sequence[Record | Stray]) -> None:
        for record in records:
            if isinstance(record, Record):
                self.verdicts[self.book.take(record, time.monotonic())] += 1


@pytest.fixture
async def flow(kafka: Stack) -> AsyncIterator[tuple[Log, Relay, Applier]]:
    """A relay that follows a growing log, and an inbox that applies what comes."""
    await ensure_topics(kafka.bootstrap, 8)
    log, applier = Log(), Applier()
    publisher = KafkaPublisher(kafka.bootstrap, "billing")
    relay = Relay("billing", SHARD, log, log, publisher, SystemClock(), shards=8)  # type: ignore[arg-type]
    task = asyncio.create_task(relay.run())
    async with inbox_of(kafka.bootstrap, ["billing.events.v1"], applier, Offsets(), service="ledger"):
        yield log, relay, applier
        await relay.stop()
        await task
    await publisher.stop()


async def grow(log: Log, relay: Relay, seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        log.grow(10)
        relay.wake(len(log.rows))
        await asyncio.sleep(0.02)


async def test_f_kafka_killed_amid_traffic_and_then_away_for_a_while(
    kafka: Stack, flow: tuple[Log, Relay, Applier]
) -> None:
    log, relay, applier = flow
    await grow(log, relay, 1.0)
    await until(lambda: applier.verdicts[Verdict.APPLY] > 0)
    await asyncio.to_thread(kafka.kill, "kafka")
    await grow(log, relay, 4.0)
    await until(lambda: applier.verdicts[Verdict.APPLY] == len(log.rows), BACK_AFTER_S)
    await asyncio.to_thread(kafka.stop_process, "kafka")
    await grow(log, relay, 8.0)
    await asyncio.to_thread(kafka.start_process, "kafka")
    await until(lambda: applier.verdicts[Verdict.APPLY] == len(log.rows), BACK_AFTER_S)
    assert applier.verdicts[Verdict.GAP] == applier.verdicts[Verdict.FORK] == 0
    assert relay.lag == 0


async def test_f_an_inbox_started_while_kafka_is_away_begins_when_it_returns(kafka: Stack) -> None:
    topic, taker = await new_topic(kafka.bootstrap), Taker()
    async with publisher_of(kafka.bootstrap) as publisher:
        await publisher.publish(chain(topic, 0, 1, 5))
    await asyncio.to_thread(kafka.stop_process, "kafka")
    async with inbox_of(kafka.bootstrap, [topic], taker, Offsets(), service="test-late") as inbox:
        await asyncio.sleep(1.0)
        assert inbox.healthy()
        await asyncio.to_thread(kafka.start_process, "kafka")
        await until(lambda: taker.positions(0) == [1, 2, 3, 4, 5], BACK_AFTER_S)


@pytest.fixture(autouse=True)
async def _kafka_up(kafka: Stack, tmp_path: Path) -> AsyncIterator[None]:
    yield
    await asyncio.to_thread(kafka.start_process, "kafka")
    await asyncio.to_thread(kafka.wait_ready, 30.0)
