"""A shard whose row somebody holds: its own requests wait or are told to come back, those of other shards go on."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import msgspec
import psycopg
import pytest

from services.gateway.http.accounts import OPERATION
from services.gateway.http.database import Reads
from services.gateway.statements import STATEMENTS
from shared.auth.tokens import principal_id
from shared.eventlog.postgres import PostgresStore
from shared.eventlog.verify import verify_log
from shared.ids import account_id, root_of_key, shard_of
from tests.conftest import Database, ServiceDatabase
from tests.gateway_kit import ISSUER, Gateway, Reply, account_body, bearer, gateway, settings

SHARDS = 8
CONNECTIONS = 4
OTHERS_WAIT_S = 1.0
"""Far below what a request of the stuck shard waits, and above what this machine takes when it is busy."""
TOLD_WITHIN_S = 9.0


@pytest.fixture(scope="module")
def database(service_database: ServiceDatabase) -> Database:
    return service_database("gateway", shards=SHARDS)


@pytest.fixture
async def running(database: Database) -> AsyncIterator[Gateway]:
    store = PostgresStore(database.dsn, "gateway", statements=STATEMENTS, connections=CONNECTIONS)
    chosen = settings(postgres_dsn=database.dsn, shards=SHARDS, append_queue=80)
    async with gateway(store, Reads(database.dsn), chosen) as one:
        yield one
    await store.close()


@asynccontextmanager
async def held(database: Database, *shards: int, busy: bool = True) -> AsyncIterator[None]:
    """Hold shards' rows in a foreign transaction: one that works on, or one that only waits for its client."""
    async with await psycopg.AsyncConnection.connect(database.admin_dsn) as foreign:
        await foreign.execute("SELECT FROM shard WHERE shard = ANY (%s) FOR UPDATE", (list(shards),))
        working = asyncio.create_task(foreign.execute("SELECT pg_sleep(60)")) if busy else None
        try:
            yield
        finally:
            if working is not None:
                foreign.cancel()
                await asyncio.gather(working, return_exceptions=True)
            await foreign.rollback()


def keys(shards: Collection[int], count: int, name: str) -> list[str]:
    """Return keys under which accounts are opened in these shards."""
    found: list[str] = []
    for number in itertools.count():
        if len(found) == count:
            return found
        key = f"{name}-{number}"
        account = account_id(root_of_key("demo", principal_id(ISSUER, "sub-finance-"), OPERATION, None, key))
        if shard_of("demo", account, SHARDS) in shards:
            found.append(key)
    raise AssertionError("unreachable")


class Told(msgspec.Struct):
    """An answer, and how long it took."""

    reply: Reply
    took_s: float


async def open_account(running: Gateway, key: str) -> Told:
    began = time.monotonic()
    reply = await running.client.post("/v1/accounts", bearer(), account_body(), key)
    return Told(reply, time.monotonic() - began)


async def closed_loop(running: Gateway, shards: Collection[int], name: str, seconds: float) -> list[Told]:
    """Open one account after the other for some time."""
    told: list[Told] = []
    until = time.monotonic() + seconds
    for key in keys(shards, 1_000, name):
        if time.monotonic() > until:
            break
        told.append(await open_account(running, key))
    return told


async def test_a_held_shard_holds_up_no_other_and_its_callers_are_told_to_come_back(
    running: Gateway, database: Database
) -> None:
    others = set(range(SHARDS)) - {3}
    await asyncio.gather(*(open_account(running, key) for key in keys(range(SHARDS), 30, "warm")))
    async with held(database, 3):
        stuck = [asyncio.create_task(open_account(running, key)) for key in keys({3}, 5, "stuck")]
        loops = await asyncio.gather(*(closed_loop(running, others, f"loop-{n}", 8) for n in range(4)))
        told = await asyncio.wait_for(asyncio.gather(*stuck), TOLD_WITHIN_S)
    neighbours = [one for loop in loops for one in loop]
    print({"longest_s": max(one.took_s for one in neighbours), "count": len(neighbours),
           "stuck_s": max(one.took_s for one in told)})  # fmt: skip
    assert {one.reply.status for one in neighbours} == {202}
    assert max(one.took_s for one in neighbours) < OTHERS_WAIT_S
    assert {(one.reply.status, one.reply.body["code"], one.reply.header("retry-after")) for one in told} == {
        (503, "store_unavailable", "1")
    }
    again = await asyncio.gather(*(open_account(running, key) for key in keys({3}, 5, "stuck")))
    assert {one.reply.status for one in again} == {202}
    for shard in range(SHARDS):
        verify_log(database.dsn, shard)


async def test_a_shard_whose_holder_only_waits_for_its_client_is_taken_back(
    running: Gateway, database: Database
) -> None:
    idle = await psycopg.AsyncConnection.connect(database.dsn)
    await idle.execute("SELECT FROM lock_shards(ARRAY[5], 'shared')")
    told = await asyncio.gather(*(open_account(running, key) for key in keys({5}, 3, "idle")))
    await idle.close()
    assert {one.reply.status for one in told} == {202}


async def test_more_held_shards_than_may_wait_at_once_leave_room_for_the_rest(
    running: Gateway, database: Database
) -> None:
    async with held(database, 0, 1, 2, 3):
        stuck = [asyncio.create_task(open_account(running, key)) for key in keys({0, 1, 2, 3}, 12, "many")]
        told = await closed_loop(running, {4, 5, 6, 7}, "free", 4)
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)
    assert {one.reply.status for one in told} == {202}
    assert max(one.took_s for one in told) < OTHERS_WAIT_S


async def test_a_held_shard_fills_its_own_part_of_the_queue_only(running: Gateway, database: Database) -> None:
    async with held(database, 6):
        first = asyncio.create_task(open_account(running, keys({6}, 1, "first")[0]))
        await asyncio.sleep(0.6)
        crowd = [asyncio.create_task(open_account(running, key)) for key in keys({6}, 60, "crowd")]
        told = [await task for task in asyncio.as_completed(crowd[:1] + crowd[30:])][:10]
        free = await open_account(running, keys({7}, 1, "beside")[0])
        await asyncio.gather(first, *crowd)
    assert free.reply.status == 202
    assert {(one.reply.status, one.reply.body["code"], one.reply.header("retry-after")) for one in told} == {
        (503, "overloaded", "1")
    }
