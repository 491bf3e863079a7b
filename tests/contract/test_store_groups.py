"""A group commit is one transaction of several shards; each shard's fate and epoch are its own all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import msgspec
import psycopg
import pytest

from shared import faults
from shared.errors import Fenced, StoreDown, UnknownCommit
from shared.eventlog.ports import Batch, Fate, Held
from shared.eventlog.postgres import PostgresStore
from tests.conftest import Database, ServiceDatabase
from tests.contract.store_adapters import PostgresAdapter, batch, row

SHARDS = 3


@pytest.fixture
def database(service_database: ServiceDatabase) -> Database:
    return service_database("ledger", shards=SHARDS)


async def taken(store: PostgresStore) -> list[Held]:
    return [await store.take_over(shard) for shard in range(SHARDS)]


async def at_once(store: PostgresStore, batches: Sequence[Batch]) -> list[datetime | BaseException]:
    return await asyncio.gather(*(store.append(one) for one in batches), return_exceptions=True)


async def committed(store: PostgresStore) -> None:
    """Return once the server has done what it was sent; whoever asks before ends it."""
    async with asyncio.timeout(10):
        while await store.ends(range(SHARDS)) != dict.fromkeys(range(SHARDS), 1):
            await asyncio.sleep(0.01)


async def next_epoch(store: PostgresStore, lost: Batch) -> Batch:
    """Return the batch to be stored again where its fate is that."""
    assert await store.fate_of(lost) is Fate.REDO
    return msgspec.structs.replace(lost, epoch=lost.epoch + 1)


async def test_a_group_whose_commit_was_stored_unanswered_is_committed_for_every_shard(database: Database) -> None:
    store = PostgresStore(database.dsn, "ledger")
    batches = [batch(held, [row(held)]) for held in await taken(store)]
    faults.arm(faults.Point.STORE_IN_COMMIT)
    assert [type(answer) for answer in await at_once(store, batches)] == [UnknownCommit] * SHARDS
    await committed(store)
    fates = await asyncio.gather(*(store.fate_of(one) for one in batches))
    assert fates == [Fate.COMMITTED] * SHARDS
    assert await store.ends(range(SHARDS)) == dict.fromkeys(range(SHARDS), 1)
    assert [type(answer) for answer in await at_once(store, batches)] == [Fenced] * SHARDS, "each fate cost an epoch"
    await store.close()


async def test_a_group_whose_backend_was_killed_is_done_again_by_every_shard_and_stands_once(
    database: Database,
) -> None:
    adapter = PostgresAdapter(database)
    store = PostgresStore(database.dsn, "ledger")
    batches = [batch(held, [row(held)]) for held in await taken(store)]
    async with await psycopg.AsyncConnection.connect(database.admin_dsn) as admin:
        await admin.execute("SELECT FROM shard WHERE shard = 2 FOR UPDATE")
        appending = asyncio.create_task(at_once(store, batches))
        await adapter.kill_the_waiting(admin)
        answers = await appending
    assert all(isinstance(answer, UnknownCommit | StoreDown) for answer in answers)
    again = [
        await next_epoch(store, one) if isinstance(answer, UnknownCommit) else one
        for one, answer in zip(batches, answers, strict=True)
    ]
    assert [type(answer) for answer in await at_once(store, again)] == [datetime] * SHARDS
    assert await store.ends(range(SHARDS)) == dict.fromkeys(range(SHARDS), 1)
    await store.close()


async def test_of_an_unanswered_group_a_shard_that_was_taken_meanwhile_is_told_nothing(database: Database) -> None:
    store, other = PostgresStore(database.dsn, "ledger"), PostgresStore(database.dsn, "ledger")
    batches = [batch(held, [row(held)]) for held in await taken(store)]
    faults.arm(faults.Point.STORE_IN_COMMIT)
    await at_once(store, batches)
    await committed(store)
    await other.take_over(1)
    fates = await asyncio.gather(*(store.fate_of(one) for one in batches), return_exceptions=True)
    assert fates[0] is fates[2] is Fate.COMMITTED
    assert isinstance(fates[1], Fenced)
    await store.close()
    await other.close()
