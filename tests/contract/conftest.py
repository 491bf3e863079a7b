"""The log on each of its stores, in each mode."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import psycopg
import pytest

from shared import faults
from shared.eventlog.ports import Mode
from tests.conftest import Database, ServiceDatabase
from tests.contract.store_adapters import SHARDS, Adapter, MemoryAdapter, PlacedAdapter, PostgresAdapter


@pytest.fixture(params=["memory", "postgres", "placed"])
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture(scope="session")
def log_databases(service_database: ServiceDatabase) -> Callable[[Mode], Database]:
    """One database per mode, wiped for each test as only a superuser can."""
    made: dict[Mode, Database] = {}

    def give(mode: Mode) -> Database:
        if mode not in made:
            made[mode] = service_database("gateway", shards=SHARDS, mode=mode.value)
            with psycopg.connect(made[mode].admin_dsn) as admin:
                admin.execute("CREATE TABLE test_side (id text, position bigint, body bytea)")
                admin.execute("GRANT INSERT ON test_side TO piperoll_gateway")
        wipe(made[mode])
        return made[mode]

    return give


def wipe(database: Database) -> None:
    tables = ["event", *(f"event_{shard}" for shard in range(SHARDS))]
    with psycopg.connect(database.admin_dsn) as admin:
        for table in tables:
            admin.execute(f"ALTER TABLE {table} DISABLE TRIGGER refuse_change".encode())
        admin.execute("TRUNCATE event, cursor, seek, relay, relay_chain, parked, snapshot, timeline, test_side CASCADE")
        for table in tables:
            admin.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER refuse_change".encode())
        admin.execute("UPDATE shard SET epoch = 0, next_position = 1, head = '', recorded_at = 'epoch'")


@contextlib.asynccontextmanager
async def adapter(kind: str, mode: Mode, request: pytest.FixtureRequest) -> AsyncIterator[Adapter]:
    if kind == "memory":
        yield MemoryAdapter(mode)
        return
    if kind == "placed":
        yield PlacedAdapter(mode)
        return
    databases: Callable[[Mode], Database] = request.getfixturevalue("log_databases")
    postgres = PostgresAdapter(databases(mode))
    yield postgres
    for store in postgres.opened:
        await store.close()


@pytest.fixture
async def owned(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Adapter]:
    async with adapter(kind, Mode.OWNED, request) as one:
        yield one


@pytest.fixture
async def shared(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Adapter]:
    async with adapter(kind, Mode.SHARED, request) as one:
        yield one


@pytest.fixture(autouse=True)
def no_faults_left() -> Iterator[None]:
    yield
    faults.disarm_all()
