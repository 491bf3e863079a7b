"""Commits whose answer was lost: their fate becomes known, and nothing is stored twice."""

from __future__ import annotations

import asyncio
from datetime import datetime

import psycopg
import pytest

from shared import faults
from shared.errors import Fenced, StoreDown, UnknownCommit
from shared.eventlog.ports import Cursor, Fate, Held, Parked
from shared.eventlog.postgres import PostgresStore
from tests.conftest import ServiceDatabase
from tests.contract.store_adapters import (
    Adapter,
    PostgresAdapter,
    after,
    batch,
    row,
)

# ---- unknown commits


@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize("stored", [True, False])
async def test_the_fate_of_an_unanswered_commit_becomes_known_and_costs_an_epoch(
    owned: Adapter, stored: bool, count: int
) -> None:
    held = await owned.store.take_over(0)
    lost = batch(held, [row(held, n) for n in range(count)])
    if not stored and count > 1 and isinstance(owned, PostgresAdapter):
        # The fence of a large batch is asked before COMMIT is sent: nothing is unknown, nothing stored.
        with pytest.raises(StoreDown):
            await owned.append_unanswered(lost, stored=False)
    else:
        with pytest.raises(UnknownCommit):
            await owned.append_unanswered(lost, stored=stored)
    assert await owned.store.fate_of(lost) is (Fate.COMMITTED if stored else Fate.REDO)
    assert len(await owned.store.read(0, 0, 1000)) == (count if stored else 0)
    now_held = after(held, lost, epochs=1) if stored else Held(0, held.epoch + 1, *_place(held))
    with pytest.raises(Fenced):
        await owned.store.append(lost)
    await owned.store.append(batch(now_held, [row(now_held)]))
    assert len(await owned.store.read(0, 0, 1000)) == (count + 1 if stored else 1)


def _place(held: Held) -> tuple[int, bytes, datetime, datetime]:
    return held.next_position, held.head, held.recorded_at, held.database_now


async def test_an_unanswered_batch_without_rows_is_done_again(owned: Adapter) -> None:
    held = await owned.store.take_over(0)
    lost = batch(held, cursors=[Cursor("t", 0, 1, b"h")], parked=[Parked("t", 0, 1, "acc", "cause", b"v")])
    with pytest.raises(UnknownCommit):
        await owned.append_unanswered(lost, stored=True)
    assert await owned.store.fate_of(lost) is Fate.REDO
    again = Held(0, held.epoch + 1, *_place(held))
    await owned.store.append(batch(again, cursors=lost.cursors, parked=lost.parked))
    assert (len(await owned.store.cursors(0)), len(await owned.store.holds(0))) == (1, 1)


@pytest.mark.parametrize("stored", [True, False])
async def test_the_fate_is_not_told_to_a_worker_whose_shard_was_taken_meanwhile(owned: Adapter, stored: bool) -> None:
    held = await owned.store.take_over(0)
    lost = batch(held, [row(held)])
    with pytest.raises(UnknownCommit):
        await owned.append_unanswered(lost, stored=stored)
    newer = await owned.another().take_over(0)
    with pytest.raises(Fenced):
        await owned.store.fate_of(lost)
    assert (await owned.store.take_over(0)).epoch == newer.epoch + 1


async def test_a_fault_before_commit_stores_nothing_and_is_known(owned: Adapter) -> None:
    held = await owned.store.take_over(0)
    faults.arm(faults.Point.STORE_BEFORE_COMMIT)
    with pytest.raises(StoreDown):
        await owned.store.append(batch(held, [row(held)]))
    assert await owned.store.ends([0]) == {0: 0}
    await owned.store.append(batch(held, [row(held)]))


async def test_an_answer_lost_after_commit_is_found_committed(owned: Adapter) -> None:
    held = await owned.store.take_over(0)
    lost = batch(held, [row(held)])
    faults.arm(faults.Point.STORE_AFTER_COMMIT)
    with pytest.raises(UnknownCommit):
        await owned.store.append(lost)
    assert await owned.store.fate_of(lost) is Fate.COMMITTED


async def test_a_backend_that_still_works_on_the_commit_is_ended_before_the_answer(
    service_database: ServiceDatabase,
) -> None:
    database = service_database("ledger", shards=1)
    store = PostgresStore(database.dsn, "ledger")
    held = await store.take_over(0)
    lost = batch(held, [row(held)])
    async with await psycopg.AsyncConnection.connect(database.admin_dsn) as admin:
        await admin.execute("SELECT FROM shard FOR UPDATE")
        faults.arm(faults.Point.STORE_IN_COMMIT)
        with pytest.raises(UnknownCommit):
            await store.append(lost)
        asking = asyncio.create_task(store.fate_of(lost))
        await asyncio.sleep(0.3)
        assert not asking.done()
    assert await asking is Fate.REDO
    assert await store.ends([0]) == {0: 0}
    await store.close()


async def test_a_lock_that_is_not_had_in_time_is_tried_again(service_database: ServiceDatabase) -> None:
    database = service_database("ledger", shards=1)
    store = PostgresStore(database.dsn, "ledger")
    held = await store.take_over(0)
    async with await psycopg.AsyncConnection.connect(database.admin_dsn) as admin:
        await admin.execute("SELECT FROM shard FOR UPDATE")
        appending = asyncio.create_task(store.append(batch(held, [row(held)])))
        await asyncio.sleep(2.5)
        assert not appending.done()
    await appending
    assert await store.ends([0]) == {0: 1}
    await store.close()


async def test_a_server_that_cannot_be_reached_is_a_store_that_is_down() -> None:
    store = PostgresStore("host=/nowhere dbname=none user=nobody", "ledger")
    with pytest.raises(StoreDown):
        await store.take_over(0)
