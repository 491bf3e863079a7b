"""The log on each of its stores, in each mode."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from shared import faults
from shared.eventlog.ports import Mode
from tests.conftest import ServiceDatabase
from tests.contract.store_adapters import SHARDS, Adapter, MemoryAdapter, PostgresAdapter


@pytest.fixture(params=["memory", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@contextlib.asynccontextmanager
async def adapter(kind: str, mode: Mode, make: ServiceDatabase) -> AsyncIterator[Adapter]:
    if kind == "memory":
        yield MemoryAdapter(mode)
        return
    database = make("gateway", shards=SHARDS, mode=mode.value)
    with psycopg.connect(database.admin_dsn) as admin:
        admin.execute("CREATE TABLE test_side (id text, position bigint, body bytea)")
        admin.execute("GRANT INSERT ON test_side TO piperoll_gateway")
    postgres = PostgresAdapter(database)
    yield postgres
    for store in postgres.opened:
        await store.close()


@pytest.fixture
async def owned(kind: str, service_database: ServiceDatabase) -> AsyncIterator[Adapter]:
    async with adapter(kind, Mode.OWNED, service_database) as one:
        yield one


@pytest.fixture
async def shared(kind: str, service_database: ServiceDatabase) -> AsyncIterator[Adapter]:
    async with adapter(kind, Mode.SHARED, service_database) as one:
        yield one


@pytest.fixture(autouse=True)
def no_faults_left() -> Iterator[None]:
    yield
    faults.disarm_all()
