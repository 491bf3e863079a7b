"""Many processes write one log: rows locked in shard order, one commit over all shards."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from shared import faults
from shared.errors import AlreadyStored, Fenced, UnknownCommit
from shared.eventlog.merkle import root
from shared.eventlog.ports import Batch, EventRow, Fate, Held, Mode, SideRows
from shared.eventlog.postgres import PostgresStore
from tests.conftest import ServiceDatabase
from tests.contract.store_adapters import (
    SHARDS,
    Adapter,
    MemoryAdapter,
    batch,
    row,
    tree_hash,
)

# ---- shared mode


ROOT = Path(__file__).resolve().parents[2]


async def test_shared_batches_and_side_rows_are_stored_together(shared: Adapter) -> None:
    known: list[dict[bytes, EventRow]] = []

    def plan(held: dict[int, Held], found: dict[bytes, EventRow]) -> tuple[list[Batch], list[SideRows]]:
        known.append(found)
        rows = {shard: [row(one, event_id=bytes([shard]) * 16)] for shard, one in held.items()}
        batches = [batch(one, rows[shard], Mode.SHARED) for shard, one in held.items()]
        sides = [(f"pay_{one.shard}", one.position, b"body") for [one] in rows.values()]
        return batches, [SideRows("request", sides)]

    ids = [(shard, bytes([shard]) * 16) for shard in range(SHARDS)]
    now = await shared.store.append_shared([2, 0, 2], [], plan)
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)
    assert await shared.store.ends(range(SHARDS)) == {0: 1, 1: 0, 2: 1, 3: 0}
    with pytest.raises(AlreadyStored):
        await shared.store.append_shared([0, 2], ids, plan)
    assert sorted(known[1]) == [b"\0" * 16, b"\2" * 16]
    assert sorted(shared.side_rows()) == [("pay_0", 1, b"body"), ("pay_2", 1, b"body")]


async def test_a_plan_that_stores_nothing_or_raises_leaves_no_lock(shared: Adapter) -> None:
    def failing(held: dict[int, Held], found: dict[bytes, EventRow]) -> tuple[list[Batch], list[SideRows]]:
        raise RuntimeError("no plan")

    now = await shared.store.append_shared([0, 1], [], lambda held, found: ((), ()))
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)
    with pytest.raises(RuntimeError):
        await shared.store.append_shared([0, 1], [], failing)
    await shared.another().append_shared(
        [0], [], lambda held, found: ([batch(held[0], [row(held[0])], Mode.SHARED)], ())
    )


async def test_an_owned_shard_is_not_for_shared_appends(owned: Adapter) -> None:
    with pytest.raises(Fenced):
        await owned.store.append_shared([0], [], lambda held, found: ((), ()))


async def test_many_shared_writers_leave_no_gap_and_one_time_line(shared: Adapter) -> None:
    stores = [shared.store, shared.another(), shared.another()]

    def plan(held: dict[int, Held], found: dict[bytes, EventRow]) -> tuple[list[Batch], list[SideRows]]:
        return [batch(one, [row(one), row(one, 1)], Mode.SHARED) for one in held.values()], []

    async def work(number: int) -> None:
        for turn in range(10):
            wanted = {number % SHARDS, (number + turn) % SHARDS}
            await stores[number % len(stores)].append_shared(list(wanted), [], plan)

    await asyncio.gather(*(work(number) for number in range(9)))
    for shard, end in (await shared.store.ends(range(SHARDS))).items():
        rows = await shared.store.read(shard, 0, 10_000)
        assert [one.position for one in rows] == list(range(1, end + 1))
        assert root(await head_of(shared, shard)) == tree_hash([one.data for one in rows])


async def head_of(shared: Adapter, shard: int) -> bytes:
    heads: list[bytes] = []

    def look(held: dict[int, Held], found: dict[bytes, EventRow]) -> tuple[list[Batch], list[SideRows]]:
        heads.append(held[shard].head)
        return [], []

    await shared.store.append_shared([shard], [], look)
    return heads[0]


PROCESS = """
import asyncio, sys
from shared.eventlog.ports import Mode
from shared.eventlog.postgres import PostgresStore
from tests.contract.store_adapters import batch, row

async def main(dsn, seed):
    store = PostgresStore(dsn, "gateway")
    def plan(held, found):
        return [batch(one, [row(one), row(one, 1)], Mode.SHARED) for one in held.values()], []
    for turn in range(40):
        await store.append_shared([(seed + turn) % 4, turn % 4], [], plan)
    await store.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def test_processes_at_once_leave_no_gap(service_database: ServiceDatabase) -> None:
    database = service_database("gateway", shards=SHARDS)
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", PROCESS, database.dsn, str(seed), cwd=ROOT)
        for seed in range(3)
    ]
    assert await asyncio.gather(*(process.wait() for process in processes)) == [0, 0, 0]
    store = PostgresStore(database.dsn, "gateway")
    for shard, end in (await store.ends(range(SHARDS))).items():
        rows = await store.read(shard, 0, 10_000)
        assert [one.position for one in rows] == list(range(1, end + 1))
        assert end >= 40
    await store.close()


@pytest.mark.parametrize("stored", [True, False])
async def test_the_fate_of_a_shared_commit_is_told_by_its_first_event(shared: Adapter, stored: bool) -> None:
    made: list[Batch] = []

    def plan(held: dict[int, Held], found: dict[bytes, EventRow]) -> tuple[list[Batch], list[SideRows]]:
        made[:] = [batch(one, [row(one)], Mode.SHARED) for one in held.values()]
        if not stored:
            raise UnknownCommit("as if")
        return made, []

    if isinstance(shared, MemoryAdapter) and stored:
        shared.memory.lose_commit(stored=True)
    elif stored:
        faults.arm(faults.Point.STORE_IN_COMMIT)
    with pytest.raises(UnknownCommit):
        await shared.store.append_shared([0, 1], [], plan)
    for one in made:
        assert await shared.store.fate_of(one) is (Fate.COMMITTED if stored else Fate.REDO)


async def test_the_same_event_by_another_process_is_no_sign_of_our_own_commit(shared: Adapter) -> None:
    made: list[Batch] = []

    def ours(held: dict[int, Held], found: dict[bytes, EventRow]) -> tuple[list[Batch], list[SideRows]]:
        made[:] = [batch(one, [row(one), row(one, 1)], Mode.SHARED) for one in held.values()]
        raise UnknownCommit("as if")

    def theirs(held: dict[int, Held], found: dict[bytes, EventRow]) -> tuple[list[Batch], list[SideRows]]:
        first = msgspec.structs.replace(made[0].rows[0], data=b"the same request, a moment later")
        return [batch(held[0], [first], Mode.SHARED)], []

    with pytest.raises(UnknownCommit):
        await shared.store.append_shared([0], [], ours)
    await shared.another().append_shared([0], [], theirs)
    assert await shared.store.fate_of(made[0]) is Fate.REDO
