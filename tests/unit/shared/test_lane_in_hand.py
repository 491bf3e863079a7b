"""A lane with two batches in hand: the second goes before the first is done, and never before it again."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.errors import Fenced, StoreDown
from shared.eventlog.ports import Record, Stray
from shared.kafka import lanes
from shared.kafka.lanes import Lane
from tests.unit.shared.test_kafka_units import PARTITION, Raw, Reader, nothing, place, settle


class Writer:
    """Takes batches as they are told, and ends each when it is let to; `failing` are the tellings that fail."""

    def __init__(self, failing: Sequence[int] = ()) -> None:
        self.told: list[list[int]] = []
        self.let: list[asyncio.Future[None]] = []
        self._failing = failing

    async def handle(self, shard: int, records: Sequence[Record | Stray]) -> None:
        number = len(self.told)
        self.told.append([record.offset for record in records])
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.let.append(done)
        await done
        if number in self._failing:
            raise StoreDown("the shard is not held")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "MAX_BATCH", 2)
    monkeypatch.setattr(lanes, "FIRST_BACK_OFF_S", 0.001)


async def lane_of(writer: Writer, records: int) -> Lane:
    lane = Lane("test", 3, [PARTITION], Reader(), nothing, writer.handle, in_hand=2)
    await settle()
    lane.offer([Raw(place(), offset=offset) for offset in range(5, 5 + records)])
    await settle()
    return lane


async def until_told(writer: Writer, batches: int) -> None:
    async with asyncio.timeout(5):
        while len(writer.told) < batches:
            await asyncio.sleep(0.001)


async def test_two_batches_are_in_hand_and_a_third_waits_for_the_first() -> None:
    writer = Writer()
    lane = await lane_of(writer, 6)
    assert writer.told == [[5, 6], [7, 8]]
    writer.let[1].set_result(None)
    await settle()
    assert writer.told == [[5, 6], [7, 8]]
    assert lane.handled == {PARTITION: 5}
    writer.let[0].set_result(None)
    await until_told(writer, 3)
    assert lane.handled[PARTITION] >= 7
    writer.let[2].set_result(None)
    assert await lane.drain(1.0)
    assert lane.handled == {PARTITION: 11}


async def test_after_a_failure_all_in_hand_are_told_again_one_by_one_in_order() -> None:
    writer = Writer(failing=(0, 1))
    lane = await lane_of(writer, 4)
    writer.let[0].set_result(None)
    await settle()
    assert len(writer.told) == 2, "the second is waited for before the first is told again"
    writer.let[1].set_result(None)
    await until_told(writer, 3)
    await settle()
    assert writer.told[2:] == [[5, 6]]
    assert lane.handled == {PARTITION: 5}
    writer.let[2].set_result(None)
    await until_told(writer, 4)
    writer.let[3].set_result(None)
    assert await lane.drain(1.0)
    assert writer.told[2:] == [[5, 6], [7, 8]]
    assert lane.handled == {PARTITION: 9}


async def test_a_fence_ends_the_lane_and_what_else_is_in_hand() -> None:
    writer = Writer()
    lane = await lane_of(writer, 4)
    writer.let[0].set_exception(Fenced("taken"))
    await settle()
    assert isinstance(lane.failed, Fenced)
    assert writer.let[1].cancelled()
    assert lane.handled == {PARTITION: 5}


async def test_an_abandoned_lane_leaves_nothing_running() -> None:
    writer = Writer()
    lane = await lane_of(writer, 4)
    await lane.abandon()
    await settle()
    assert [done.cancelled() for done in writer.let] == [True, True]
