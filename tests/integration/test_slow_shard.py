"""One shard in trouble is only its own trouble: its neighbours in the same process go on at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psycopg
import pytest

from shared.clock import SystemClock
from shared.eventlog.ports import Record
from shared.eventlog.postgres import PostgresStore
from shared.eventlog.postgres_groups import ALONE_FROM_ROWS
from shared.eventlog.writer import Writer
from tests.conftest import Database, ServiceDatabase
from tests.unit.shared.test_writer import REGISTRY, ZONE, Upstream, submitted

SHARDS = 8
STANDS_S = 4.0
AT_ONCE_S = 1.0
"""Far below the 2 s of one time-out for a lock, far above a commit on a busy machine."""


@pytest.fixture
def database(service_database: ServiceDatabase) -> Database:
    return service_database("billing", shards=SHARDS)


@asynccontextmanager
async def writers(database: Database) -> AsyncIterator[list[Writer]]:
    """Hold all shards in one process."""
    store = PostgresStore(database.dsn, "billing")
    held = [Writer(REGISTRY, shard, store, SystemClock(), ZONE) for shard in range(SHARDS)]
    for writer in held:
        await writer.take_over()
    running = [asyncio.create_task(writer.run()) for writer in held]
    await asyncio.gather(*(writer.submit(submitted("first")) for writer in held))
    try:
        yield held
    finally:
        for writer in held:
            await writer.stop()
        await asyncio.gather(*running)
        await store.close()


async def closed_loop(writer: Writer, until_s: float) -> list[float]:
    """Submit one command after another and return how long each took."""
    took: list[float] = []
    while time.monotonic() < until_s:
        began = time.monotonic()
        await writer.submit(submitted(f"{writer.shard}-{len(took)}"))
        took.append(time.monotonic() - began)
    return took


def records(count: int) -> Sequence[Record]:
    upstream = Upstream()
    return [upstream.record("acc_a") for _ in range(count)]


@pytest.mark.parametrize("large", [False, True], ids=["small batches", "large batches"])
@pytest.mark.parametrize("slow", [[1], [1, 2, 4, 5, 6, 7]], ids=["one of eight", "six of eight"])
async def test_shards_whose_rows_are_locked_hold_up_no_other_of_their_process(
    database: Database, slow: list[int], large: bool
) -> None:
    async with writers(database) as held:
        async with await psycopg.AsyncConnection.connect(database.admin_dsn) as person:
            await person.execute("SELECT FROM shard WHERE shard = ANY (%s) FOR UPDATE", (slow,))
            more = records(ALONE_FROM_ROWS + 1 if large else 1)
            waiting = [asyncio.create_task(held[shard].submit_batch(more)) for shard in slow]
            until_s = time.monotonic() + STANDS_S
            took = await asyncio.gather(*(closed_loop(one, until_s) for one in held if one.shard not in slow))
            assert max(longest for one in took for longest in one) < AT_ONCE_S
            assert not any(one.done() for one in waiting)
        await asyncio.gather(*waiting)
        assert [held[shard].position for shard in slow] == [1 + len(more)] * len(slow)
