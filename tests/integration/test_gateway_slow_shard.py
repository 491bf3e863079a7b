"""A shard whose row somebody holds: its own requests wait or are told to come back, those of other shards go on."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from services.gateway.http.database import Reads
from services.gateway.statements import STATEMENTS
from shared.eventlog.postgres import PostgresStore
from shared.eventlog.verify import verify_log
from shared.ids import shard_of
from tests.conftest import Database, ServiceDatabase
from tests.gateway_kit import Gateway, Reply, account_body, bearer, gateway, settings

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


def keys(shards: Collection[int], count: int) -> list[str]:
    """Return keys of accounts that are opened in these shards."""
    found: list[str] = []
    number = 0
    while len(found) < count:
        number += 1
        key = f"key-{number}"
        if shard_of_key(key) in shards:
            found.append(key)
    return found
