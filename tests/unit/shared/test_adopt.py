"""A store that is an old copy adopts its tail from its topics: nothing is lost, nothing is done twice."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from functools import wraps
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from shared.clock import ManualClock
from shared.decider import Context, Handler, Registry
from shared.errors import Conflict
from shared.eventlog.adopt import Adoption
from shared.eventlog.memory import MemoryStore
from shared.eventlog.merkle import extend, leaf_hash
from shared.eventlog.outgoing import outgoing
from shared.eventlog.ports import Batch, EventRow, Order, Outgoing, Record
from shared.eventlog.tail import NotAdoptable
from shared.eventlog.upstream import ADOPTED
from shared.eventlog.writer import Writer
from tests.unit.shared import test_writer as kit
from tests.unit.shared.test_writer import SHARD, START, Upstream, submitted

COMMANDS = "billing.commands.v1"


class Deciders:
    """The kit's, but for "later", which breaks until it is mended, and "even", which adds to even counts nothing."""

    def __init__(self) -> None:
        self.mended = False

    def decide(self, command: Any, state: Any, context: Context) -> Sequence[Any]:
        if command.language == "later" and not self.mended:
            raise RuntimeError("not yet")
        if command.language == "even" and state.opened % 2 == 0:
            return ()
        return kit.decide_open(command, state, context)

    @property
    def registry(self) -> Registry:
        handlers = {kind: Handler(one.stream, self.decide) for kind, one in kit.REGISTRY.handlers.items()}
        return Registry(service="billing", kinds=kit.REGISTRY.kinds, handlers=handlers)


class Copied(MemoryStore):
    """A store that remembers its commits."""

    def __init__(self, commits: Sequence[Batch] = ()) -> None:
        super().__init__(shards=1)
        self.commits = list(commits)
        for batch in commits:
            self.shards[SHARD].store(batch)

    async def append(self, batch: Batch) -> datetime:
        now = await super().append(batch)
        self.commits.append(batch)
        return now

    def back_to(self, commits: int) -> "Copied":
        """Return the store as it was after so many commits."""
        return Copied(self.commits[:commits])


class World:
    """Upstream's topic, billing's own topics, and a writer on whatever store there is."""

    def __init__(self) -> None:
        self.upstream = Upstream()
        self.records: list[Record] = []
        self.published: list[Outgoing] = []
        self.deciders = Deciders()

    async def written(self, topics: Sequence[str], source: str, shard: int, above: int) -> Sequence[Outgoing]:
        return [one for one in self.published if int(dict(one.headers)["position"]) > above and one.topic in topics]

    async def read(self, topic: str, partition: int, source_shard: int, above: int, upto: int) -> Sequence[Record]:
        return [one for one in self.records if above < one.position <= upto]

    def come(self, account: str, language: str, value: bytes | None = None) -> None:
        self.records.append(self.upstream.record(account, language, value))

    async def work(self, store: MemoryStore, jobs: Sequence[Any] = ()) -> None:
        """Take all records from the first on, then do `jobs` one by one: commands, or what is to be released."""
        writer = Writer(self.deciders.registry, SHARD, store, ManualClock(START), kit.ZONE)
        await writer.take_over()
        running = asyncio.create_task(writer.run())
        for start in range(0, len(self.records), 3):
            await writer.submit_batch(self.records[start : start + 3])
        for job in jobs:
            if isinstance(job, Order):
                await writer.obey([job])
            else:
                await asyncio.gather(writer.submit(job), return_exceptions=True)
        await writer.stop()
        await asyncio.wait([running])

    async def publish(self, store: MemoryStore) -> None:
        self.published, _ = outgoing("billing", SHARD, 1, await store.read(SHARD, 0, 10_000), {})

    async def adopt(self, store: MemoryStore) -> list[Order]:
        await Adoption("billing", SHARD, 1, store, self, self.deciders.registry).run()
        return [Order(0, *one.place, "released") for one in await store.holds(SHARD) if one.cause == ADOPTED]


async def release_all(world: World, store: MemoryStore) -> None:
    """Release what waits, key by key in order, as a person does in the end."""
    seen: set[str] = set()
    orders = []
    for parked in await store.holds(SHARD):
        if parked.key not in seen:
            seen.add(parked.key)
            orders.append(Order(0, *parked.place, "released"))
    await world.work(store, orders)


def stories(rows: Sequence[EventRow]) -> dict[str, list[tuple[int, bytes, bytes | None]]]:
    told: dict[str, list[tuple[int, bytes, bytes | None]]] = {}
    for row in rows:
        told.setdefault(row.stream, []).append((row.version, row.event_id, row.digest))
    return told


async def standing(store: MemoryStore) -> tuple[Any, ...]:
    rows = await store.read(SHARD, 0, 10_000)
    parked = sorted(one.place for one in await store.holds(SHARD))
    return stories(rows), await store.cursors(SHARD), parked


def quiet(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Coroutine[Any, Any, None]]:
    """What deciders raise is logged with all that stood around it, which takes a second each time."""

    @wraps(test)
    async def silenced(*given: Any, **named: Any) -> None:
        with capture_logs():
            await test(*given, **named)

    return silenced


Step = tuple[str, str, str]


def _commanded(steps: Sequence[Step]) -> set[str]:
    return {account for what, account, _ in steps if what == "command"}


def _even(steps: Sequence[Step]) -> bool:
    return any(language == "even" for _, _, language in steps)


RECORDS = st.sampled_from(["acc_1", "acc_2"])
STEPS = st.one_of(
    st.tuples(st.just("record"), RECORDS, st.sampled_from(["en", "no", "even", "xx", "later"])),
    st.tuples(st.just("record"), RECORDS, st.just("bytes")),
    st.tuples(st.just("command"), st.sampled_from(["acc_1", "acc_3"]), st.sampled_from(["en", "fr"])),
    st.tuples(st.just("mend"), st.just(""), st.just("")),
    st.tuples(st.just("release"), st.just(""), st.just("")),
)


@settings(max_examples=100)
@example([("record", "acc_1", "later"), ("record", "acc_1", "en"), ("record", "acc_2", "en")])
@example([
    ("record", "acc_1", "later"), ("record", "acc_1", "bytes"), ("mend", "", ""), ("record", "acc_2", "en"),
    ("release", "", ""),
])  # fmt: skip
@example([
    ("record", "acc_1", "later"), ("record", "acc_1", "xx"), ("mend", "", ""), ("record", "acc_2", "en"),
    ("release", "", ""),
])  # fmt: skip
@example([("record", "acc_1", "even"), ("record", "acc_1", "en"), ("record", "acc_2", "en")])
@given(st.lists(STEPS, max_size=14).filter(lambda steps: not ({"acc_1"} & _commanded(steps) and _even(steps))))
@quiet
async def test_whatever_commit_a_store_is_rolled_back_to_adoption_and_catching_up_give_what_was(
    steps: list[Step],
) -> None:
    """What a record without an event would be told after later commands of its household, nothing can tell."""
    world, store = World(), Copied()
    for number, (what, account, language) in enumerate(steps):
        match what:
            case "record":
                value = b"no json" if language == "bytes" else None
                world.come(account, "en" if value else language, value)
                await world.work(store)
            case "command":
                await world.work(store, [submitted(f"k{number}", account, language)])
            case "mend":
                world.deciders.mended = True
            case "release":
                await release_all(world, store)
    await world.publish(store)
    tail = await store.read(SHARD, 0, 10_000)
    mended = world.deciders.mended
    copies = [store.back_to(commits) for commits in range(len(store.commits) + 1)]
    world.deciders.mended = True
    await release_all(world, store)
    expected = await standing(store)
    for restored in copies:
        world.deciders.mended = mended
        if restored.shards[SHARD].next_position <= len(tail):
            orders = await world.adopt(restored)
            rows = await restored.read(SHARD, 0, 10_000)
            assert rows == tail
            assert restored.shards[SHARD].head == extend(b"", 0, [leaf_hash(row.data) for row in rows])
            await world.work(restored, orders)
        world.deciders.mended = True
        await release_all(world, restored)
        assert await standing(restored) == expected


async def rolled_back(*, keep: int) -> tuple[World, Copied]:
    """Return a store that kept the first `keep` of six events, while its topic holds all."""
    world, store = World(), Copied()
    for number in range(6):
        await world.work(store, [submitted(f"k{number}", f"acc_{number % 2}")])
    await world.publish(store)
    return world, store.back_to(keep)


def changed(message: Outgoing, **headers: bytes) -> Outgoing:
    return msgspec.structs.replace(
        message, headers=[(name, headers.get(name, value)) for name, value in message.headers]
    )


async def test_a_repeat_is_told_from_a_conflict_after_adoption_too() -> None:
    world, store = await rolled_back(keep=2)
    await world.adopt(store)
    writer = Writer(kit.REGISTRY, SHARD, store, ManualClock(START), kit.ZONE)
    await writer.take_over()
    running = asyncio.create_task(writer.run())
    repeat = await writer.submit(submitted("k4", "acc_0"))
    assert (repeat.position, repeat.replayed) == (5, True)
    with pytest.raises(Conflict):
        await writer.submit(submitted("k4", "acc_0", "fr"))
    await writer.stop()
    await asyncio.wait([running])


async def test_a_record_that_is_on_no_topic_is_a_gap_and_nothing_is_adopted() -> None:
    world, store = await rolled_back(keep=2)
    del world.published[3]
    with pytest.raises(NotAdoptable, match="position 4 is on no topic, though 6 is"):
        await world.adopt(store)
    assert await store.ends([SHARD]) == {SHARD: 2}


async def test_two_contents_for_one_position_are_refused() -> None:
    world, store = await rolled_back(keep=2)
    world.published.append(msgspec.structs.replace(world.published[4], value=world.published[5].value))
    with pytest.raises(NotAdoptable, match="position 5 has two contents"):
        await world.adopt(store)


@pytest.mark.parametrize("number", [2, 4])
@pytest.mark.parametrize("header", ["ce_id", "ce_subject", "ce_time"])
async def test_a_record_that_the_log_would_not_publish_so_is_refused(number: int, header: str) -> None:
    world, store = await rolled_back(keep=2)
    world.published[number] = changed(world.published[number], **{header: b"00" * 32})
    with pytest.raises(NotAdoptable, match=rf"position {number + 1} on billing\.events\.v1 is not what"):
        await world.adopt(store)


async def test_what_somebody_else_wrote_on_the_topic_is_no_tail() -> None:
    world, store = await rolled_back(keep=2)
    headers = {"position": b"999", "previous": b"998", "previous_hash": b"ab" * 32}
    world.published.append(changed(world.published[-1], **headers))
    world.published.append(changed(world.published[-1], **headers | {"previous": b"0", "previous_hash": b"ab" * 32}))
    await world.adopt(store)
    assert await store.ends([SHARD]) == {SHARD: 6}


async def test_a_log_that_went_on_otherwise_than_its_topic_adopts_nothing() -> None:
    """A store that was written to after it was rolled back has other events at the places of the topic's."""
    world, store = await rolled_back(keep=2)
    await world.work(store, [submitted("other", "acc_1", "fr")])
    with pytest.raises(NotAdoptable, match="position 4 is on no topic, though 5 is"):
        await world.adopt(store)


async def test_bytes_that_are_no_event_are_refused() -> None:
    world, store = await rolled_back(keep=2)
    world.published[4] = msgspec.structs.replace(world.published[4], value=b"no json")
    with pytest.raises(NotAdoptable, match="position 5 is no event"):
        await world.adopt(store)


async def test_a_cause_that_its_topic_has_lost_is_asked_for_first() -> None:
    world, store = World(), Copied()
    for language in ("en", "no", "en"):
        world.come("acc_1", language)
        await world.work(store)
    await world.publish(store)
    restored = store.back_to(0)
    del world.records[1]
    with pytest.raises(NotAdoptable, match=f"relay --refill {COMMANDS} --shard 0 --from 2"):
        await world.adopt(restored)
    assert await restored.ends([SHARD]) == {SHARD: 0}


@quiet
async def test_an_adoption_that_is_cut_short_is_finished_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.eventlog.adopt.CHUNK_ROWS", 2)
    world, store = World(), Copied()
    for number in range(5):
        world.come("acc_1", "en" if number != 3 else "xx")
        world.come("acc_2", "en")
        await world.work(store)
    await world.publish(store)
    expected = await standing(store)
    restored = store.back_to(0)
    await world.adopt(restored)
    assert len(restored.commits) > 3
    for commits in range(1, len(restored.commits)):
        again = restored.back_to(commits)
        await world.adopt(again)
        await world.work(again)
        assert await standing(again) == expected


async def test_with_nothing_above_the_log_nothing_happens() -> None:
    world, store = await rolled_back(keep=6)
    epoch = store.shards[SHARD].epoch
    assert await world.adopt(store) == []
    assert store.shards[SHARD].epoch == epoch
