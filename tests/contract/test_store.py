"""One suite for every `Store`, `RelayStore` and `Seeks`: what memory promises, PostgreSQL keeps."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from shared.errors import AlreadyStored, Fenced, OwnFault
from shared.eventlog.merkle import root
from shared.eventlog.old_copy import Timeline
from shared.eventlog.places import First
from shared.eventlog.ports import Cursor, Ended, Held, Parked
from tests.contract.store_adapters import (
    SCHEMA,
    Adapter,
    after,
    batch,
    row,
    timelines,
    tree_hash,
)

# ---- epochs and the fence


async def test_each_take_over_raises_the_epoch(owned: Adapter) -> None:
    first = await owned.store.take_over(1)
    second = await owned.store.take_over(1)
    assert (first.epoch, second.epoch) == (1, 2)
    assert (first.next_position, first.head) == (1, b"")
    assert abs(second.database_now - datetime.now(UTC)) < timedelta(seconds=5)


async def test_a_shared_shard_cannot_be_taken_over(shared: Adapter) -> None:
    with pytest.raises(Fenced):
        await shared.store.take_over(0)


@pytest.mark.parametrize("count", [1, 2, 95, 96, 300])
async def test_rows_come_back_as_they_were_stored(owned: Adapter, count: int) -> None:
    held = await owned.store.take_over(2)
    rows = [
        row(held, number, digest=b"d" * 32 if number % 2 else None, trace=None if number % 3 else "00-trace-01")
        for number in range(count)
    ]
    now = await owned.store.append(batch(held, rows))
    assert list(await owned.store.read(2, 0, 1000)) == rows
    assert list(await owned.store.read(2, count - 1, 1000)) == rows[-1:]
    assert list(await owned.store.read(2, 0, 1)) == rows[:1]
    assert await owned.store.ends([1, 2]) == {1: 0, 2: count}
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize("count", [0, 1, 100])
async def test_a_worker_that_lost_its_shard_stores_nothing(owned: Adapter, count: int) -> None:
    stale = await owned.store.take_over(0)
    holder = await owned.another().take_over(0)
    lost = batch(stale, [row(stale, n) for n in range(count)], cursors=[Cursor("t", 0, 9, b"h")])
    with pytest.raises(Fenced):
        await owned.store.append(lost)
    assert await owned.store.cursors(0) == []
    rows = [row(holder, n) for n in range(2)]
    await owned.store.append(batch(holder, rows))
    with pytest.raises(Fenced):
        await owned.store.append(lost)
    assert list(await owned.store.read(0, 0, 10)) == rows


async def test_of_two_holders_at_once_one_is_fenced_and_the_log_has_no_gap(owned: Adapter) -> None:
    held = await owned.store.take_over(0)
    rival = owned.another()
    answers = await asyncio.gather(
        owned.store.append(batch(held, [row(held, n) for n in range(80)])),
        rival.append(batch(held, [row(held, n) for n in range(70)])),
        return_exceptions=True,
    )
    assert sorted(isinstance(answer, Fenced) for answer in answers) == [False, True]
    assert len(await owned.store.read(0, 0, 1000)) in (70, 80)


async def test_an_owned_batch_on_a_shared_shard_is_fenced(shared: Adapter) -> None:
    held = Held(0, 0, 1, b"", datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC))
    with pytest.raises(Fenced):
        await shared.store.append(batch(held, [row(held)]))


async def test_recorded_time_never_falls(owned: Adapter) -> None:
    held = await owned.store.take_over(0)
    stored = batch(held, [row(held)])
    await owned.store.append(stored)
    held = after(held, stored)
    with pytest.raises(OwnFault):
        await owned.store.append(batch(held, [row(held)], recorded_at=stored.recorded_at - timedelta(microseconds=1)))
    same = batch(held, [row(held)], recorded_at=stored.recorded_at)
    await owned.store.append(same)
    assert (await owned.store.take_over(0)).recorded_at == stored.recorded_at


async def test_the_head_is_the_root_of_the_rows(owned: Adapter) -> None:
    held = await owned.store.take_over(3)
    for count in (1, 2, 70, 3, 0, 128):
        stored = batch(held, [row(held, n) for n in range(count)])
        await owned.store.append(stored)
        held = after(held, stored)
    fresh = await owned.store.take_over(3)
    rows = await owned.store.read(3, 0, 1000)
    assert root(fresh.head) == tree_hash([one.data for one in rows])
    assert fresh.next_position == len(rows) + 1 == 205


# ---- duplicates


@pytest.mark.parametrize("others", [0, 100])
async def test_an_event_id_stands_once(owned: Adapter, others: int) -> None:
    held = await owned.store.take_over(0)
    stored = batch(held, [row(held, event_id=b"i" * 16)])
    await owned.store.append(stored)
    held = after(held, stored)
    with pytest.raises(AlreadyStored):
        await owned.store.append(
            batch(held, [*(row(held, n) for n in range(others)), row(held, others, event_id=b"i" * 16)])
        )
    await owned.store.append(batch(held, [row(held, event_id=b"j" * 16)]))
    assert len(await owned.store.read(0, 0, 10)) == 2


async def test_a_version_of_a_stream_stands_once(owned: Adapter) -> None:
    held = await owned.store.take_over(0)
    with pytest.raises(AlreadyStored):
        await owned.store.append(batch(held, [row(held, version=1), row(held, 1, version=1)]))
    await owned.store.append(batch(held, [row(held, version=1), row(held, 1, version=1, stream="acc_b")]))


async def test_one_event_id_may_stand_in_two_shards(owned: Adapter) -> None:
    for shard in (0, 1):
        held = await owned.store.take_over(shard)
        await owned.store.append(batch(held, [row(held, event_id=b"i" * 16)]))
    found = await owned.store.find(1, [b"i" * 16, b"k" * 16])
    assert [one.shard for one in found.values()] == [1]


async def test_find_gives_what_is_there(owned: Adapter) -> None:
    held = await owned.store.take_over(0)
    rows = [row(held, n, digest=b"x" * 32) for n in range(3)]
    await owned.store.append(batch(held, rows))
    asked = [rows[0].event_id, os.urandom(16), rows[2].event_id]
    assert await owned.store.find(0, asked) == {rows[0].event_id: rows[0], rows[2].event_id: rows[2]}
    assert await owned.store.find(0, []) == {}


# ---- cursors, parked records


async def test_cursors_and_parked_records_move_in_the_transaction_of_the_events(owned: Adapter) -> None:
    held = await owned.store.take_over(0)
    parked = [
        Parked("t", 1, 8, "acc_z", "decide_raised", b"value", "some.type.v1", "trace"),
        Parked("t", -1, 77, "", "not_json", b"\xff"),
    ]
    cursors = [Cursor("t", 0, 5, b"h" * 32), Cursor("t", 1, 8, b"g" * 32)]
    twice = row(held, event_id=b"i" * 16)
    failing = batch(held, [twice, row(held, 1, event_id=b"i" * 16)], cursors=cursors, parked=parked)
    with pytest.raises(AlreadyStored):
        await owned.store.append(failing)
    assert (await owned.store.cursors(0), await owned.store.holds(0)) == ([], [])
    stored = batch(held, [twice], cursors=cursors, parked=parked)
    await owned.store.append(stored)
    assert list(await owned.store.cursors(0)) == cursors
    assert list(await owned.store.holds(0)) == parked
    assert await owned.store.cursors(1) == []

    held = after(held, stored)
    moved = batch(held, cursors=[Cursor("t", 0, 6, b"k" * 32)], ended=[Ended("t", 1, 8, "released")])
    await owned.store.append(moved)
    assert list(await owned.store.cursors(0)) == [Cursor("t", 0, 6, b"k" * 32), cursors[1]]
    assert list(await owned.store.holds(0)) == parked[1:]
    await owned.store.append(batch(held, ended=[Ended("t", -1, 77, "dropped")]))
    assert await owned.store.holds(0) == []


# ---- states


async def test_states_are_loaded_from_the_newest_snapshot_of_the_schema_on(owned: Adapter) -> None:
    held = await owned.store.take_over(0)
    rows = [row(held, n, stream="acc_a" if n % 2 else "acc_b", version=n // 2 + 1) for n in range(8)]
    await owned.store.append(batch(held, rows))
    await owned.store.save_snapshots(0, [("acc_a", 2, b"state a2", SCHEMA), ("acc_b", 1, b"state b1", b"schema-0")])
    await owned.store.save_snapshots(0, [("acc_a", 3, b"state a3", SCHEMA)])
    states = await owned.store.load(0, ["acc_a", "acc_b", "acc_new"], SCHEMA)
    assert (states["acc_a"].snapshot, states["acc_a"].version) == (b"state a3", 3)
    assert [one.version for one in states["acc_a"].rows] == [4]
    assert (states["acc_b"].snapshot, states["acc_b"].version) == (b"", 0)
    assert [one.version for one in states["acc_b"].rows] == [1, 2, 3, 4]
    assert (states["acc_new"].snapshot, list(states["acc_new"].rows)) == (b"", [])


async def test_the_types_of_a_stream_that_are_not_known_are_named(owned: Adapter) -> None:
    held = await owned.store.take_over(0)
    rows = [row(held, 0), row(held, 1, stream="acc_b"), row(held, 2)]
    await owned.store.append(batch(held, [msgspec.structs.replace(rows[0], type="test.newer.v1"), *rows[1:]]))
    assert await owned.store.other_types(0, "acc_a", ["test.happened.v1"]) == ["test.newer.v1"]
    assert await owned.store.other_types(0, "acc_a", ["test.newer.v1", "test.happened.v1"]) == []
    assert await owned.store.other_types(0, "acc_b", ["test.happened.v1"]) == []
    assert await owned.store.other_types(1, "acc_a", []) == []


# ---- places


async def test_a_relays_place_and_chains_are_kept(owned: Adapter) -> None:
    assert await owned.store.relay_place(0) == (0, {})
    await owned.store.save_relay_place(0, 3, {("t", 0): (3, b"a" * 32), ("u", 0): (2, b"b" * 32)})
    await owned.store.save_relay_place(0, 4, {("t", 0): (4, b"c" * 32)})
    assert await owned.store.relay_place(0) == (4, {("t", 0): (4, b"c" * 32), ("u", 0): (2, b"b" * 32)})
    assert await owned.store.relay_place(1) == (0, {})


async def test_a_relays_place_and_chains_never_go_back(owned: Adapter) -> None:
    await owned.store.save_relay_place(0, 9, {("t", 0): (9, b"a" * 32), ("u", 0): (8, b"b" * 32)})
    await owned.another().save_relay_place(0, 4, {("t", 0): (4, b"c" * 32)})
    assert await owned.store.relay_place(0) == (9, {("t", 0): (9, b"a" * 32), ("u", 0): (8, b"b" * 32)})


async def test_how_partitions_began_is_kept_for_those_on_which_the_shard_has_records(owned: Adapter) -> None:
    assert await owned.store.firsts(0) == {}
    await owned.store.save_relay_place(0, 3, {("t", 0): (3, b"a" * 32), ("u", 0): (2, b"b" * 32)})
    await owned.store.save_firsts(0, {("t", 0): First(7, 12), ("u", 0): First(0, None), ("v", 0): First(1, 2)})
    await owned.store.save_relay_place(0, 4, {("t", 0): (4, b"c" * 32)})
    assert await owned.another().firsts(0) == {("t", 0): First(7, 12), ("u", 0): First(0, None)}
    assert await owned.store.firsts(1) == {}


async def test_a_log_remembers_on_which_timeline_of_which_server_it_was_whole(owned: Adapter) -> None:
    store, again = timelines(owned.store), timelines(owned.another())
    now = await store.timeline()
    assert await again.timeline() == now
    await store.save_timeline([0, 1], Timeline(now.system_identifier, 7))
    await store.save_timeline([1], now)
    await store.save_timeline([], now)
    assert await again.known_timelines([0, 1, 2]) == {0: Timeline(now.system_identifier, 7), 1: now}


async def test_the_heads_of_logs_are_their_ends_and_compact_ranges(owned: Adapter) -> None:
    held = await owned.store.take_over(1)
    made = batch(held, [row(held), row(held, 1)])
    await owned.store.append(made)
    assert await owned.store.log_heads([0, 1]) == {0: (0, b""), 1: (2, made.head)}


async def test_seeks_are_kept(owned: Adapter) -> None:
    assert await owned.store.seeks() == {}
    await owned.store.save_seeks({("t", 0): 5, ("t", 1): 9})
    await owned.store.save_seeks({("t", 0): 6})
    await owned.store.save_seeks({})
    assert await owned.store.seeks() == {("t", 0): 6, ("t", 1): 9}


# ---- batches of several shards at once


async def test_of_shards_that_append_at_once_only_the_one_that_lost_its_place_is_fenced(owned: Adapter) -> None:
    held = [await owned.store.take_over(shard) for shard in range(3)]
    await owned.another().take_over(1)
    batches = [batch(one, [row(one, number) for number in range(3)]) for one in held]
    answers = await asyncio.gather(*(owned.store.append(one) for one in batches), return_exceptions=True)
    assert [type(answer) for answer in answers] == [datetime, Fenced, datetime]
    assert await owned.store.ends([0, 1, 2]) == {0: 3, 1: 0, 2: 3}
