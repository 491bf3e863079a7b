"""A process that stands still in the middle of its transaction holds a shard for a bounded time only."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest

from shared.errors import StoreDown
from shared.eventlog.append import SQL
from shared.eventlog.ports import Held, Mode
from shared.eventlog.postgres import PostgresStore
from shared.postgres.settings import conninfo
from tests.conftest import Database, ServiceDatabase
from tests.contract.store_adapters import batch, row

HAD_WITHIN_S = 6.0


async def frozen(database: Database, held: Held, mode: Mode, *, copying: bool) -> psycopg.AsyncConnection[object]:
    """Return a connection of a process that stands still behind its fence."""
    one = await psycopg.AsyncConnection.connect(conninfo(database.dsn, "frozen"), autocommit=True)
    await one.execute("BEGIN")
    await one.execute("SELECT fence(0, %s, %s, 1, 1, '', 'epoch')", (mode, held.epoch))
    if copying:
        one.pgconn.send_query(SQL["copy_partition"].format(shard=0).encode())
    return one


@pytest.mark.parametrize("copying", [True, False], ids=["in the middle of COPY", "between two statements"])
async def test_a_shard_is_taken_from_a_process_that_stands_still_behind_its_fence(
    service_database: ServiceDatabase, copying: bool
) -> None:
    database = service_database("ledger", shards=2)
    store = PostgresStore(database.dsn, "ledger")
    held = await store.take_over(0)
    old = await frozen(database, held, Mode.OWNED, copying=copying)
    async with asyncio.timeout(HAD_WITHIN_S):
        assert (await store.take_over(0)).epoch == held.epoch + 1
    await old.close()
    await store.close()


@pytest.mark.parametrize("copying", [True, False], ids=["in the middle of COPY", "between two statements"])
async def test_a_shared_shard_is_had_though_another_process_stands_still_behind_its_fence(
    service_database: ServiceDatabase, copying: bool
) -> None:
    database = service_database("gateway", shards=2, mode="shared")
    store = PostgresStore(database.dsn, "gateway")
    held = Held(0, 0, 1, b"", datetime.fromtimestamp(0, UTC), datetime.now(UTC))
    old = await frozen(database, held, Mode.SHARED, copying=copying)
    async with asyncio.timeout(HAD_WITHIN_S):
        await store.append_shared(
            [0], [], lambda locked, found: ([batch(locked[0], [row(locked[0])], Mode.SHARED)], [])
        )
    await old.close()
    await store.close()


async def test_who_works_on_a_shard_or_is_somebody_else_is_not_ended(service_database: ServiceDatabase) -> None:
    database = service_database("ledger", shards=2)
    store = PostgresStore(database.dsn, "ledger")
    async with await psycopg.AsyncConnection.connect(database.admin_dsn) as person:
        await person.execute("SELECT FROM shard WHERE shard = 0 FOR UPDATE")
        with pytest.raises(StoreDown):
            await store.take_over(0)
        await person.execute("SELECT 1")
    async with await psycopg.AsyncConnection.connect(database.dsn, autocommit=True) as working:
        busy = asyncio.create_task(working.execute("SELECT epoch, pg_sleep(3) FROM take_over(0)"))
        await asyncio.sleep(0.2)
        assert (await store.take_over(0)).epoch == 2
        await busy
    await store.close()
