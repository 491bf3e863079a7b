"""Both adapters of the log's ports, and what the contract suite builds its batches from."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from typing import Any, Protocol

import psycopg

from shared import faults
from shared.eventlog.memory import MemoryStore
from shared.eventlog.merkle import extend, leaf_hash
from shared.eventlog.old_copy import TimelineStore
from shared.eventlog.placed_store import PlacedStore
from shared.eventlog.places import ChainStore
from shared.eventlog.ports import Batch, EventRow, Held, Mode, Seeks, Store
from shared.eventlog.postgres import PostgresStore
from shared.postgres.placement import Placement
from tests.conftest import Database

SHARDS = 4
SCHEMA = b"schema-1"
SIDE_SQL = {"request": "INSERT INTO test_side SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[])"}
SideRow = tuple[object, ...]


class LogStore(Store, ChainStore, Seeks, Protocol):
    async def close(self) -> None: ...


def timelines(store: LogStore) -> TimelineStore:
    """Return the log as one server has it: a timeline is a server's."""
    found: Any = store.of(0) if isinstance(store, PlacedStore) else store
    server: TimelineStore = found
    return server


class Adapter(Protocol):
    """What a test needs besides the port."""

    store: LogStore

    async def append_unanswered(self, batch: Batch, *, stored: bool) -> None:
        """Append and lose the answer of COMMIT; raises UnknownCommit."""
        ...

    def another(self) -> LogStore:
        """Return the same log as a second process sees it."""
        ...

    def side_rows(self) -> Sequence[SideRow]: ...


class MemoryAdapter:
    def __init__(self, mode: Mode) -> None:
        self.memory = MemoryStore(SHARDS, mode=mode)
        self.store: LogStore = self.memory

    async def append_unanswered(self, batch: Batch, *, stored: bool) -> None:
        self.memory.lose_commit(stored=stored)
        await self.store.append(batch)

    def another(self) -> LogStore:
        return self.store

    def side_rows(self) -> Sequence[SideRow]:
        return self.memory.side.get("request", [])


class PlacedAdapter:
    """Two servers that share the shards, by turns; a shared log lies on one of them, as its commits span shards."""

    def __init__(self, mode: Mode) -> None:
        dsns = tuple("first" if mode is Mode.SHARED or shard % 2 else "second" for shard in range(SHARDS))
        self.placement = Placement(dsns)
        self.servers = {dsn: memory_with(shards, mode) for dsn, shards in self.placement.servers.items()}
        self.store: LogStore = self.another()

    async def append_unanswered(self, batch: Batch, *, stored: bool) -> None:
        self.servers[self.placement.dsns[batch.shard]].lose_commit(stored=stored)
        await self.store.append(batch)

    def another(self) -> LogStore:
        return PlacedStore(self.placement, self.servers.__getitem__)

    def side_rows(self) -> Sequence[SideRow]:
        return self.servers["first"].side.get("request", [])


def memory_with(shards: Sequence[int], mode: Mode) -> MemoryStore:
    """Return a server that has these shards and no other."""
    memory = MemoryStore(SHARDS, mode=mode)
    memory.shards = {shard: memory.shards[shard] for shard in shards}
    return memory


class PostgresAdapter:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.opened: list[PostgresStore] = []
        self.store: LogStore = self.another()

    async def append_unanswered(self, batch: Batch, *, stored: bool) -> None:
        if stored:
            faults.arm(faults.Point.STORE_IN_COMMIT)
            try:
                await self.store.append(batch)
            finally:
                await self.reached(batch)
            return
        async with await psycopg.AsyncConnection.connect(self.database.admin_dsn) as admin:
            await admin.execute("SELECT FROM shard WHERE shard = %s FOR UPDATE", (batch.shard,))
            appending = asyncio.create_task(self.store.append(batch))
            await self.kill_the_waiting(admin)
            await appending

    async def reached(self, batch: Batch) -> None:
        """Return once the server has done what it was sent; whoever asks before ends it."""
        async with asyncio.timeout(10):
            while (await self.store.ends([batch.shard]))[batch.shard] < batch.next_position - 1:
                await asyncio.sleep(0.01)

    async def kill_the_waiting(self, admin: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        for _ in range(200):
            killed = await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            if await killed.fetchone():
                return
            await asyncio.sleep(0.02)
        raise AssertionError("no append waited for the shard's row")

    def another(self) -> LogStore:
        self.opened.append(PostgresStore(self.database.dsn, "gateway", statements=SIDE_SQL))
        return self.opened[-1]

    def side_rows(self) -> Sequence[SideRow]:
        with psycopg.connect(self.database.admin_dsn) as admin:
            return admin.execute("SELECT * FROM test_side").fetchall()


def row(held: Held, number: int = 0, *, stream: str = "acc_a", version: int | None = None, **more: object) -> EventRow:
    position = held.next_position + number
    return EventRow(
        shard=held.shard,
        position=position,
        stream=stream,
        version=position if version is None else version,
        event_id=more.pop("event_id", None) or os.urandom(16),  # type: ignore[arg-type]
        type="test.happened.v1",
        data=f"event {position}".encode(),
        **more,  # type: ignore[arg-type]
    )


def batch(held: Held, rows: Sequence[EventRow] = (), mode: Mode = Mode.OWNED, **more: object) -> Batch:
    given: dict[str, object] = {
        "recorded_at": max(held.recorded_at, held.database_now),
        "head": extend(held.head, held.next_position - 1, [leaf_hash(one.data) for one in rows]),
        **more,
    }
    return Batch(
        shard=held.shard,
        mode=mode,
        epoch=held.epoch,
        held_position=held.next_position,
        rows=rows,
        **given,  # type: ignore[arg-type]
    )


def after(held: Held, stored: Batch, *, epochs: int = 0) -> Held:
    return Held(
        held.shard, held.epoch + epochs, stored.next_position, stored.head, stored.recorded_at, held.database_now
    )


def tree_hash(data: Sequence[bytes]) -> bytes:
    """RFC 6962's recursion, independent of the code under test."""
    if len(data) < 2:
        return hashlib.sha256(b"\x00" + data[0] if data else b"").digest()
    split = 1 << ((len(data) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + tree_hash(data[:split]) + tree_hash(data[split:])).digest()
