"""A relay with a backlog: from the log in PostgreSQL to the broker's acknowledgement, one shard."""

import asyncio

import psycopg
import uvloop
from psycopg.conninfo import make_conninfo

from deploy.local.stack import Stack
from shared.clock import SystemClock
from shared.contracts.topics import ALL_TOPICS, LEDGER_EVENTS_TOPIC
from shared.eventlog.outgoing import outgoing
from shared.eventlog.ports import Outgoing
from shared.eventlog.postgres import PostgresStore
from shared.eventlog.relay import Relay
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.topics import ensure_topics
from shared.telemetry.collector import settle
from tests.bench.entries import accounts_of, entry_rows
from tests.bench.machine import RUNS, record, say

BACKLOG = 200_000
HOUSEHOLDS = 10_000


def run(stack: Stack, admin: str) -> list[dict[str, object]]:
    """Return `relay.catch_up`; the baseline is the publisher alone, given the same messages ready-made.

    `admin` is the superuser's DSN on a filled ledger's database; the relay is stopped where the backlog ends.
    """
    settle()
    return uvloop.run(_measure(stack, admin))


async def _measure(stack: Stack, admin: str) -> list[dict[str, object]]:
    await ensure_topics(stack.bootstrap, 1, ALL_TOPICS)
    publisher = KafkaPublisher(stack.bootstrap, "bench-relay")
    store = PostgresStore(make_conninfo(admin, user="piperoll_ledger"), "ledger")
    await publisher.start()
    ready, _ = outgoing("ledger", 0, 1, entry_rows(1, BACKLOG // 4, accounts_of(HOUSEHOLDS)), {})
    rates: list[float] = []
    bare: list[float] = []
    try:
        for number in range(RUNS):
            with psycopg.connect(admin, autocommit=True) as connection:
                connection.execute("TRUNCATE relay, relay_chain")
            rates.append(await _catch_up(store, publisher))
            bare.append(await _publish(publisher, ready))
            said = f"{rates[-1]:,.0f} records/s, publisher alone {bare[-1]:,.0f}"
            say(f"relay.catch_up run {number + 1}: {said}")
    finally:
        await publisher.stop()
        await store.close()
    return [record("relay.catch_up", "records/s", rates, bare)]


async def _catch_up(store: PostgresStore, publisher: KafkaPublisher) -> float:
    relay = Relay("ledger", 0, store, store, publisher, SystemClock(), shards=1)
    loop = asyncio.get_running_loop()
    began = loop.time()
    running = loop.create_task(relay.run())
    while relay.position < BACKLOG and not running.done():
        await asyncio.sleep(0.002)
    rate = relay.position / (loop.time() - began)
    await relay.stop()
    await running
    return rate


async def _publish(publisher: KafkaPublisher, ready: list[Outgoing]) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for first in range(0, len(ready), 2_000):
        await publisher.publish(ready[first : first + 2_000])
    assert ready[0].topic == LEDGER_EVENTS_TOPIC
    return len(ready) / (loop.time() - began)
