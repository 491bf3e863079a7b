"""The append: what waits is one commit, a root is one event, and an unknown commit is asked after."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from services.gateway.append import Appender
from services.gateway.plan import Wanted
from services.gateway.statements import REQUEST
from shared.clock import Clock, ManualClock, SystemClock
from shared.contracts.envelope import open_fact
from shared.contracts.event import Actor
from shared.contracts.gateway import WebhookReceived
from shared.errors import Conflict, Overloaded, RowHeld, StoreDown, UnknownCommit
from shared.eventlog.memory import MemoryStore
from shared.eventlog.merkle import EMPTY_ROOT, extend, leaf_hash, root
from shared.eventlog.ports import Batch, Fate, Mode, SharedPlan
from shared.ids import Root, event_id

ZONE = ZoneInfo("America/New_York")
AT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def wanted(number: int, shard: int = 0, digest: bytes = b"d" * 32, kind: str | None = "payment") -> Wanted:
    return Wanted(
        shard=shard,
        tenant="demo",
        root=Root(number.to_bytes(14, "big")),
        stream=f"whk_{number}",
        event=WebhookReceived(
            provider="card", provider_event_id="e", kind="k", object_id="o", body_sha256="h", received_at="r"
        ),
        actor=Actor("processor", "card"),
        trace="00-a-b-01",
        digest=digest,
        kind=kind,
        account_id="acc",
    )


@asynccontextmanager
async def appending(store: MemoryStore, limit: int = 1_000, clock: Clock | None = None) -> AsyncIterator[Appender]:
    appender = Appender(store, clock or SystemClock(), ZONE, limit)
    task = asyncio.get_running_loop().create_task(appender.run())
    try:
        yield appender
    finally:
        await appender.stop()
        await task


async def test_what_waits_is_committed_together_over_all_shards() -> None:
    store = MemoryStore(4, mode=Mode.SHARED)
    async with appending(store) as appender:
        answers = await asyncio.gather(*(appender.append(wanted(n, shard=n % 4)) for n in range(40)))
    assert [answer.position for answer in answers] == [n // 4 + 1 for n in range(40)]
    assert len(store.side[REQUEST]) == 40
    for number, shard in store.shards.items():
        leaves = [leaf_hash(row.data) for row in shard.copies]
        assert [row.position for row in shard.copies] == list(range(1, 11))
        assert root(shard.head) == root(extend(b"", 0, leaves)) != EMPTY_ROOT
        assert {row.shard for row in shard.copies} == {number}


async def test_one_root_in_one_batch_is_one_event() -> None:
    store = MemoryStore(1, mode=Mode.SHARED)
    async with appending(store) as appender:
        answers = await asyncio.gather(*(appender.append(wanted(1)) for _ in range(10)))
    assert sum(not answer.replayed for answer in answers) == 1
    assert {answer.position for answer in answers} == {1}
    assert len(store.shards[0].copies) == len(store.side[REQUEST]) == 1


async def test_the_same_root_with_another_digest_is_a_conflict() -> None:
    store = MemoryStore(1, mode=Mode.SHARED)
    async with appending(store) as appender:
        await appender.append(wanted(1))
        with pytest.raises(Conflict):
            await appender.append(wanted(1, digest=b"e" * 32))
    assert len(store.shards[0].copies) == 1


async def test_the_envelope_says_who_what_and_when() -> None:
    clock = ManualClock(AT)
    store = MemoryStore(1, mode=Mode.SHARED, clock=clock)
    async with appending(store, clock=clock) as appender:
        await appender.append(wanted(1))
    (row,) = store.shards[0].copies
    envelope = open_fact(row.data).envelope
    assert row.event_id == event_id(Root((1).to_bytes(14, "big")), 0)
    assert envelope.event_id == row.event_id.hex()
    assert envelope.correlation == (1).to_bytes(14, "big").hex()
    assert (envelope.stream, envelope.version, row.trace) == ("whk_1", 1, "00-a-b-01")
    assert envelope.recorded_at == "2026-11-24T03:00:00.000000Z"
    assert envelope.effective_date == "2026-11-23"


async def test_recorded_time_never_falls_within_a_shard() -> None:
    clock = ManualClock(AT)
    store = MemoryStore(1, mode=Mode.SHARED, clock=clock)
    store.shards[0].recorded_at = AT + timedelta(hours=1)
    async with appending(store, clock=clock) as appender:
        answer = await appender.append(wanted(1))
    assert answer.recorded_at == AT + timedelta(hours=1)


@pytest.mark.parametrize("stored", [True, False])
async def test_an_unknown_commit_is_asked_after_and_made_once(stored: bool) -> None:
    store = MemoryStore(2, mode=Mode.SHARED)
    async with appending(store) as appender:
        store.lose_commit(stored=stored)
        answers = await asyncio.gather(appender.append(wanted(1)), appender.append(wanted(2, shard=1)))
    assert [answer.position for answer in answers] == [1, 1]
    assert [len(shard.copies) for shard in store.shards.values()] == [1, 1]


class Silent(MemoryStore):
    """A store that, while `silent`, does not tell what became of a commit."""

    silent = True

    async def fate_of(self, batch: Batch) -> Fate:
        if self.silent:
            raise StoreDown("no answer")
        return await super().fate_of(batch)


async def test_a_caller_is_let_go_after_five_seconds_of_not_knowing_and_its_repeat_meets_the_first() -> None:
    clock = ManualClock(AT)
    store = Silent(1, mode=Mode.SHARED, clock=clock)
    async with appending(store, clock=clock) as appender:
        store.lose_commit(stored=True)
        first = asyncio.get_running_loop().create_task(appender.append(wanted(1)))
        await asyncio.sleep(0.02)
        later = asyncio.get_running_loop().create_task(appender.append(wanted(2)))
        await asyncio.sleep(0.02)
        assert not first.done()
        clock.advance(timedelta(seconds=5))
        for unknown in (first, later):
            with pytest.raises(UnknownCommit):
                await unknown
        store.silent = False
        again = await asyncio.gather(appender.append(wanted(1)), appender.append(wanted(2)))
    assert [(answer.position, answer.replayed) for answer in again] == [(1, True), (2, True)]


async def test_a_store_that_is_down_stores_nothing_and_says_so() -> None:
    store = MemoryStore(1, mode=Mode.SHARED)
    async with appending(store) as appender:
        store.down = True
        with pytest.raises(StoreDown):
            await appender.append(wanted(1))
        store.down = False
        assert (await appender.append(wanted(1))).position == 1


async def test_a_full_queue_is_refused_and_a_stopping_one_too() -> None:
    store = MemoryStore(1, mode=Mode.SHARED)
    appender = Appender(store, SystemClock(), ZONE, 1)
    first = asyncio.get_running_loop().create_task(appender.append(wanted(1)))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await appender.append(wanted(2))
    task = asyncio.get_running_loop().create_task(appender.run())
    assert (await first).position == 1
    await appender.stop()
    await task
    with pytest.raises(Overloaded):
        await appender.append(wanted(3))


async def test_a_request_that_cannot_be_stored_fails_alone() -> None:
    store = MemoryStore(1, mode=Mode.SHARED)
    bad = msgspec.structs.replace(wanted(2), event=msgspec.structs.replace(wanted(2).event, kind="x" * 70_000))
    async with appending(store) as appender:
        answers = await asyncio.gather(
            appender.append(wanted(1)), appender.append(bad), appender.append(wanted(3)), return_exceptions=True
        )
    assert isinstance(answers[1], Exception)
    assert [row.stream for row in store.shards[0].copies] == ["whk_1", "whk_3"]


class HeldRows(MemoryStore):
    """A store whose shards' rows somebody else holds until `let_go`, or for longer than anybody waits."""

    def __init__(self, *held: int) -> None:
        super().__init__(4, mode=Mode.SHARED)
        self.held = set(held)
        self.tries: list[tuple[list[int], bool]] = []
        self._free = asyncio.Event()

    async def append_shared(
        self, shards: Sequence[int], event_ids: Sequence[tuple[int, bytes]], plan: SharedPlan, *, hasty: bool = False
    ) -> datetime:
        self.tries.append((sorted(set(shards)), hasty))
        if self.held & set(shards):
            if not hasty:
                await self._free.wait()
                self._free.clear()
            if self.held & set(shards):
                raise RowHeld("somebody holds the row")
        return await super().append_shared(shards, event_ids, plan, hasty=hasty)

    def let_go(self) -> None:
        self.held.clear()
        self._free.set()

    def wear_out(self) -> None:
        """Let those who wait for a row wait no longer."""
        self._free.set()


async def test_a_held_shard_waits_by_itself_until_its_row_is_let_go_and_then_joins_the_others() -> None:
    store = HeldRows(2)
    async with appending(store) as appender:
        stuck = [asyncio.ensure_future(appender.append(wanted(n, shard=2))) for n in range(3)]
        free = [appender.append(wanted(10 + n, shard=n % 2)) for n in range(4)]
        assert [answer.position for answer in await asyncio.gather(*free)] == [1, 1, 2, 2]
        later = asyncio.ensure_future(appender.append(wanted(4, shard=2)))
        assert (await appender.append(wanted(20))).position == 3
        assert store.tries == [
            ([0, 1, 2], True), ([2], True), ([0], True), ([1], True), ([2], False), ([0], True),
        ]  # fmt: skip
        assert not any(one.done() for one in (*stuck, later))
        store.let_go()
        answers = await asyncio.gather(*stuck, later)
        assert [answer.position for answer in answers] == [1, 2, 3, 4]
        await asyncio.gather(appender.append(wanted(30)), appender.append(wanted(31, shard=2)))
    assert store.tries[-1] == ([0, 2], True)


async def test_who_waits_for_a_row_that_is_not_to_be_had_is_told_so_and_the_next_waits_by_itself_again() -> None:
    store = HeldRows(1)
    async with appending(store) as appender:
        first = asyncio.ensure_future(appender.append(wanted(1, shard=1)))
        await asyncio.sleep(0.02)
        second = asyncio.ensure_future(appender.append(wanted(2, shard=1)))
        await asyncio.sleep(0.02)
        store.wear_out()
        for one in (first, second):
            with pytest.raises(StoreDown):
                await one
        again = asyncio.ensure_future(appender.append(wanted(1, shard=1)))
        await asyncio.sleep(0.02)
        assert store.tries[-1] == ([1], False)
        store.let_go()
        assert (await again).position == 1
    assert len(store.shards[1].copies) == 1


async def test_a_held_shard_fills_a_fourth_of_the_queue_and_no_more() -> None:
    store = HeldRows(1)
    async with appending(store, limit=8) as appender:
        stuck = [asyncio.ensure_future(appender.append(wanted(0, shard=1)))]
        await asyncio.sleep(0.02)
        stuck += [asyncio.ensure_future(appender.append(wanted(n, shard=1))) for n in (1, 2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await appender.append(wanted(3, shard=1))
        assert (await appender.append(wanted(4))).position == 1
        store.let_go()
        assert [answer.position for answer in await asyncio.gather(*stuck)] == [1, 2, 3]


class HeldAfterATry(HeldRows):
    """A store whose shard 0 is held as soon as a first try has failed."""

    async def append_shared(
        self, shards: Sequence[int], event_ids: Sequence[tuple[int, bytes]], plan: SharedPlan, *, hasty: bool = False
    ) -> datetime:
        self.held = {0} if len(self.tries) in range(1, 4) else set()
        return await super().append_shared(shards, event_ids, plan, hasty=hasty)


async def test_requests_of_a_held_shard_that_were_tried_one_by_one_are_all_answered() -> None:
    store = HeldAfterATry()
    bad = msgspec.structs.replace(wanted(2), event=msgspec.structs.replace(wanted(2).event, kind="x" * 70_000))
    async with appending(store) as appender:
        asked = [asyncio.ensure_future(appender.append(one)) for one in (wanted(1), bad, wanted(3))]
        answers = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(answers[1], Exception)
    assert [row.stream for row in store.shards[0].copies] == ["whk_1", "whk_3"]


async def test_a_process_that_stops_answers_who_waits_for_a_held_row() -> None:
    store = HeldRows(0)
    async with appending(store) as appender:
        stuck = asyncio.ensure_future(appender.append(wanted(1)))
        await asyncio.sleep(0.02)
        await appender.stop()
        store.let_go()
    assert (await stuck).position == 1
