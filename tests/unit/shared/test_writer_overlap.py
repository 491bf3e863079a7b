"""What a writer does while a commit is under way: it decides, it sends nothing, and it answers nobody early."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import msgspec
import pytest

from shared.contracts.event import Event
from shared.decider import Context, Handler, Registry, StreamKind
from shared.errors import Conflict, Fenced, OnHold, StoreDown
from shared.eventlog.command import Answer
from shared.eventlog.memory import MemoryStore
from shared.eventlog.merkle import extend, leaf_hash
from shared.eventlog.ports import Batch, EventRow
from shared.eventlog.round import AT_ONCE
from shared.eventlog.writer import HALVED_FROM
from tests.unit.shared.test_writer import SHARD, Open, Upstream, languages, opened, stored, submitted, writing


class Gated(MemoryStore):
    """Commits one batch each time that it is let; `asked` are the batches as they came."""

    def __init__(self) -> None:
        super().__init__(shards=1)
        self.asked: list[Batch] = []
        self._came = asyncio.Semaphore(0)
        self._let = asyncio.Semaphore(0)

    async def append(self, batch: Batch) -> datetime:
        self.asked.append(batch)
        self._came.release()
        await self._let.acquire()
        return await super().append(batch)

    async def came(self) -> None:
        async with asyncio.timeout(5):
            await self._came.acquire()

    def let(self, batches: int = 1) -> None:
        for _ in range(batches):
            self._let.release()


async def turns(count: int = 20) -> None:
    """Give the writer the loop often enough to do all that it may."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_comes_during_a_commit_is_one_batch_that_is_sent_and_answered_after_it() -> None:
    store = Gated()
    async with writing(store) as writer:
        first = asyncio.create_task(writer.submit(submitted("1")))
        await store.came()
        later = [asyncio.create_task(writer.submit(submitted(key))) for key in "234"]
        await turns()
        assert len(store.asked) == 1
        assert not any(task.done() for task in (first, *later))
        store.let()
        await store.came()
        assert (await first).position == 1
        assert [row.position for row in store.asked[1].rows] == [2, 3, 4]
        assert not any(task.done() for task in later)
        store.let()
        assert [answer.position for answer in await asyncio.gather(*later)] == [2, 3, 4]
    rows = await stored(store)
    held = await store.take_over(SHARD)
    assert held.head == extend(b"", 0, [leaf_hash(row.data) for row in rows])
    assert [row.version for row in rows] == [1, 2, 3, 4]


async def test_of_much_that_waits_for_an_idle_store_a_half_is_sent_and_the_other_decided_meanwhile() -> None:
    store = Gated()
    async with writing(store) as writer:
        tasks = [asyncio.create_task(writer.submit(submitted(str(number)))) for number in range(HALVED_FROM)]
        await store.came()
        await turns()
        waiting = writer.waiting
        store.let(2)
        answers = await asyncio.gather(*tasks)
    assert waiting == 0
    assert [len(batch.rows) for batch in store.asked] == [HALVED_FROM // 2, HALVED_FROM // 2]
    assert [answer.position for answer in answers] == list(range(1, HALVED_FROM + 1))


async def test_a_key_that_is_being_committed_is_a_repeat_or_a_conflict_and_is_told_after_the_commit() -> None:
    store = Gated()
    async with writing(store) as writer:
        first = asyncio.create_task(writer.submit(submitted("k")))
        await store.came()
        again = asyncio.create_task(writer.submit(submitted("k")))
        other = asyncio.create_task(writer.submit(submitted("k", language="es")))
        await turns()
        assert not again.done()
        assert not other.done()
        store.let()
        assert (await again).replayed
        assert (await again).rows == (await first).rows
        with pytest.raises(Conflict):
            await other
    assert await languages(store) == ["en"]


class Asked(Gated):
    """`looked_up` are the ids of each question, as they came."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_up: list[list[bytes]] = []

    async def find(self, shard: int, event_ids: Sequence[bytes]) -> dict[bytes, EventRow]:
        self.looked_up.append(list(event_ids))
        return await super().find(shard, event_ids)


async def test_keys_that_are_looked_up_ahead_are_repeats_of_what_is_on_the_way() -> None:
    """The store says that it has none of them: some are being committed then, the others being decided."""
    store = Asked()
    keys = [str(number) for number in range(6 * AT_ONCE)]
    async with writing(store) as writer:
        first = asyncio.create_task(writer.submit_all([submitted(key) for key in keys[:AT_ONCE]]))
        await store.came()
        second = asyncio.create_task(writer.submit_all([submitted(key) for key in keys[AT_ONCE:]]))
        while len(store.looked_up) < 2:
            await asyncio.sleep(0)
        again = asyncio.create_task(writer.submit_all([submitted(key) for key in keys]))
        while len(store.looked_up) < 3:
            await asyncio.sleep(0)
        committing, waiting = len(store.asked), writer.waiting
        store.let(3)
        told = [answer for answer in await again if isinstance(answer, Answer)]
        await asyncio.gather(first, second)
    assert (committing, waiting) == (1, len(keys))
    assert [len(asked) for asked in store.looked_up] == [AT_ONCE, 5 * AT_ONCE, 6 * AT_ONCE]
    assert [answer.replayed for answer in told] == [True] * len(keys)
    assert len(await stored(store)) == len(keys)


async def test_a_record_parked_in_a_commit_under_way_holds_its_key_already() -> None:
    store, upstream = Gated(), Upstream()
    async with writing(store) as writer:
        first = asyncio.create_task(writer.submit_batch([upstream.record("acc_a", value=b"not json")]))
        await store.came()
        later = asyncio.create_task(writer.submit_batch([upstream.record("acc_a", "fr"), upstream.record("acc_b")]))
        with_key = asyncio.create_task(writer.submit(submitted("k", "acc_a")))
        await turns()
        store.let(2)
        await asyncio.gather(first, later)
        with pytest.raises(OnHold):
            await with_key
    assert [one.cause for one in await store.holds(SHARD)] == ["not_json", "behind_parked"]
    assert await languages(store) == ["en"]


async def test_a_writer_fenced_in_a_commit_answers_nobody_and_stores_nothing_of_what_it_has_decided_since() -> None:
    store = Gated()
    async with writing(store) as writer:
        first = asyncio.create_task(writer.submit(submitted("1")))
        await store.came()
        later = asyncio.create_task(writer.submit(submitted("2")))
        await turns()
        await store.take_over(SHARD)
        store.let(2)
        for task in (first, later):
            with pytest.raises(Fenced):
                await task
        with pytest.raises(StoreDown):
            await writer.submit(submitted("3"))
    assert await stored(store) == []
    assert len(store.asked) == 1


@pytest.mark.parametrize("was_stored", [True, False])
async def test_an_unknown_commit_keeps_the_next_one_back_until_it_is_known(was_stored: bool) -> None:
    store = Gated()
    async with writing(store) as writer:
        store.lose_commit(stored=was_stored)
        first = asyncio.create_task(writer.submit(submitted("1")))
        await store.came()
        later = asyncio.create_task(writer.submit(submitted("2")))
        await turns()
        store.let(4)
        assert ((await first).position, (await later).position) == (1, 2)
    assert [row.position for row in await stored(store)] == [1, 2]
    assert [batch.held_position for batch in store.asked] == ([1, 2] if was_stored else [1, 1, 2])


class Tally(msgspec.Struct, frozen=True):
    """A state that a careless decider can spoil."""

    languages: dict[str, int] = {}


def decide_carelessly(command: Open, state: Tally, context: Context) -> Sequence[Event]:
    if command.language == "xx":
        state.languages["xx"] = 1
        raise RuntimeError("a decider that spoils its state and breaks")
    return (opened(command.account_id, "+".join([*state.languages, command.language])),)


def keep(state: Tally, event: Event) -> Tally:
    return Tally({**state.languages, event.language: 1})  # type: ignore[attr-defined]


CARELESS = Registry(
    service="billing",
    kinds=(StreamKind("acc", Tally, lambda stream: Tally({}), keep),),
    handlers={Open: Handler(lambda command: command.account_id, decide_carelessly)},
)


async def test_a_stream_whose_decider_raised_is_loaded_afresh_once_all_that_was_decided_is_committed() -> None:
    store = Gated()
    async with writing(store, registry=CARELESS) as writer:
        first = asyncio.create_task(writer.submit(submitted("1")))
        await store.came()
        bad = asyncio.create_task(writer.submit(submitted("2", language="xx")))
        await turns()
        good = asyncio.create_task(writer.submit(submitted("3", language="es")))
        await turns()
        store.let(2)
        await first
        with pytest.raises(RuntimeError):
            await bad
        await good
    assert await languages(store) == ["en", "en+es"]


async def test_many_commands_in_one_call_are_answered_each_for_itself() -> None:
    store = MemoryStore(shards=1)
    async with writing(store) as writer:
        answers = await writer.submit_all(
            [
                submitted("1"),
                submitted("2", language="xx"),
                submitted("1"),
                submitted("1", language="es"),
                submitted("3"),
            ]
        )
    said = [type(answer).__name__ if isinstance(answer, Exception) else answer.replayed for answer in answers]
    assert said == [False, "RuntimeError", True, "Conflict", False]
    assert len(await stored(store)) == 2


async def test_a_stopped_writer_finishes_the_commit_under_way_and_what_was_decided_behind_it() -> None:
    store = Gated()
    async with writing(store) as writer:
        tasks = [asyncio.create_task(writer.submit(submitted("1")))]
        await store.came()
        tasks.append(asyncio.create_task(writer.submit(submitted("2"))))
        await turns()
        await writer.stop()
        store.let(2)
    assert [answer.position for answer in await asyncio.gather(*tasks)] == [1, 2]
