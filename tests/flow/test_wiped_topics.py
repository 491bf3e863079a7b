"""Topics that are deleted under a running stack: made again and filled from the logs, though nobody pays."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import aiohttp
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from psycopg.conninfo import make_conninfo

from deploy.local.stack import Stack
from shared.contracts.topics import BILLING_EVENTS_TOPIC, BY_NAME, LEDGER_EVENTS_TOPIC, Topic
from shared.eventlog.cursors import CursorBook, Verdict
from shared.eventlog.ports import Record
from shared.kafka.records import parse
from tests.flow.conftest import Portal

ROOT = Path(__file__).resolve().parents[2]
FILLED_WITHIN_S = 90.0
WIPED = (BILLING_EVENTS_TOPIC, LEDGER_EVENTS_TOPIC)
Ends = Mapping[int, int]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of our own, whose topics are deleted."""
    with Stack(tmp_path_factory.mktemp("wiped")) as running:
        yield running


@pytest.fixture
async def portal(stack: Stack) -> AsyncIterator[Portal]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield Portal(stack, session)


async def delete(stack: Stack, *topics: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(list(topics))
    finally:
        await admin.close()


def ask(stack: Stack, service: str, statement: str, *parameters: object) -> dict[int, int]:
    dsn = make_conninfo(stack.admin_dsn, dbname=f"piperoll_{service}")
    with psycopg.connect(dsn) as connection:
        return dict(connection.execute(statement.encode(), parameters).fetchall())


def log_ends(stack: Stack, service: str) -> Ends:
    return ask(stack, service, "SELECT shard, next_position - 1 FROM shard WHERE next_position > 1")


def cursors(stack: Stack, service: str, topic: str) -> Ends:
    return ask(stack, service, "SELECT source_shard, position FROM cursor WHERE topic = %s", topic)


async def at_rest(stack: Stack, within_s: float) -> None:
    """Return when every consumer of both topics stands at the ends of their logs."""
    async with asyncio.timeout(within_s):
        while not all(
            cursors(stack, consumer, topic) == log_ends(stack, BY_NAME[topic].producer)
            for topic in WIPED
            for consumer in BY_NAME[topic].consumers
        ):
            await asyncio.sleep(0.2)


async def whole_chains(stack: Stack, topic: Topic, within_s: float) -> None:
    """Return when a reader that begins at the beginning has seen every record of every chain."""
    partitions = [TopicPartition(topic.name, shard) for shard in range(8)]
    began = time.monotonic()
    while time.monotonic() - began < within_s:
        consumer = AIOKafkaConsumer(bootstrap_servers=stack.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        book = CursorBook()
        try:
            if topic.name in await consumer.topics():
                consumer.assign(partitions)
                ends = await consumer.end_offsets(partitions)
                while any([await consumer.position(one) < ends[one] for one in partitions]):
                    for records in (await consumer.getmany(timeout_ms=200)).values():
                        for raw in records:
                            record = parse(raw)
                            assert isinstance(record, Record)
                            assert book.take(record, 0.0) is not Verdict.FORK
        finally:
            await consumer.stop()
        seen = {chain[1]: cursor.position for chain, cursor in book.cursors.items()}
        if seen == log_ends(stack, topic.producer):
            return
        await asyncio.sleep(1.0)
    raise AssertionError(f"{topic.name} is not whole after {within_s} s: {seen}")


async def settle_one(portal: Portal, account_id: str = "") -> str:
    """Bill and pay, for a new household unless one is named; return its account."""
    email = ""
    if not account_id:
        account_id, email = await portal.household()
    invoice_id, due = await portal.bill(account_id)
    member = portal.client("member", account_id)
    paying = await portal.pay(member, account_id, invoice_id, due)
    assert (await portal.final(member, paying.body["payment_id"]))["status"] == "settled"
    if email:
        await portal.mail_to(email)
    return account_id


async def test_deleted_topics_are_made_again_and_filled_though_nobody_pays(portal: Portal) -> None:
    stack = portal.stack
    for _ in range(4):
        await settle_one(portal)
    await at_rest(stack, 30.0)
    await asyncio.sleep(12.0)  # every relay has told its head and knows how its partitions begin
    await delete(stack, *WIPED)
    for topic in WIPED:
        await whole_chains(stack, BY_NAME[topic], FILLED_WITHIN_S)
    await at_rest(stack, 10.0)
    await settle_one(portal)
    await at_rest(stack, 30.0)
    await asyncio.to_thread(stack.wait_ready, 30.0)


async def test_a_person_has_a_topic_filled_again_and_readers_skip_what_they_have(portal: Portal) -> None:
    stack = portal.stack
    await settle_one(portal)
    await at_rest(stack, 30.0)
    before, logged = await records_on(stack, LEDGER_EVENTS_TOPIC), log_ends(stack, "ledger")
    command = [sys.executable, "-m", "services.cli", "admin", "relay", "--refill", LEDGER_EVENTS_TOPIC, "--from", "2"]
    asked = await asyncio.create_subprocess_exec(*command, "--state", str(stack.state), cwd=ROOT)
    assert await asked.wait() == 0
    sent = sum(end - 1 for end in logged.values())
    async with asyncio.timeout(30.0):
        while await records_on(stack, LEDGER_EVENTS_TOPIC) < before + sent:
            await asyncio.sleep(0.2)
    await settle_one(portal)
    await at_rest(stack, 30.0)


async def records_on(stack: Stack, topic: str) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.bootstrap)
    await consumer.start()
    try:
        return sum((await consumer.end_offsets([TopicPartition(topic, shard) for shard in range(8)])).values())
    finally:
        await consumer.stop()
