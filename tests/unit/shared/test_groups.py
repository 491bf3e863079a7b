"""Group commit: what waits together is stored together, and who waits for a row waits by itself."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from shared.errors import Fenced, PiperollError, RowHeld, StoreDown, UnknownCommit
from shared.eventlog.ports import Batch, EventRow, Mode
from shared.eventlog.postgres_groups import ALONE_FROM_ROWS, MOST_PATIENT, Groups

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def batch(shard: int, count: int = 1) -> Batch:
    rows = [EventRow(shard, position, "acc_a", position, b"", "t", b"") for position in range(1, count + 1)]
    return Batch(shard=shard, mode=Mode.OWNED, epoch=1, held_position=1, head=b"", recorded_at=NOW, rows=rows)


class Server:
    """Commits at once, but for shards whose rows are `held` until it is told otherwise; `broken` raise."""

    def __init__(self) -> None:
        self.held: set[int] = set()
        self.broken: dict[int, PiperollError] = {}
        self.committed: list[list[int]] = []
        self.patient = 0

    async def __call__(self, batches: Sequence[Batch], hasty: bool) -> datetime:
        shards = [one.shard for one in batches]
        await asyncio.sleep(0)
        for shard in shards:
            if shard in self.broken:
                raise self.broken[shard]
        if self.held.intersection(shards):
            await self._wait(shards, hasty)
        self.committed.append(shards)
        return NOW

    async def _wait(self, shards: Sequence[int], hasty: bool) -> None:
        if hasty:
            raise RowHeld("held")
        self.patient += 1
        while self.held.intersection(shards):
            await asyncio.sleep(0)
        self.patient -= 1


async def passes() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_what_waits_together_is_one_transaction() -> None:
    server = Server()
    groups = Groups(server)
    await asyncio.gather(*(groups.append(batch(shard)) for shard in (2, 0, 1)))
    assert server.committed == [[0, 1, 2]]


async def test_a_large_batch_goes_by_itself() -> None:
    server = Server()
    groups = Groups(server)
    await asyncio.gather(groups.append(batch(0)), groups.append(batch(1, ALONE_FROM_ROWS)), groups.append(batch(2)))
    assert sorted(server.committed) == [[0, 2], [1]]


async def test_a_shard_whose_row_is_held_waits_alone_until_a_commit_of_it_went_well() -> None:
    server = Server()
    groups = Groups(server)
    server.held = {1}
    waiting = asyncio.create_task(groups.append(batch(1)))
    await asyncio.gather(groups.append(batch(0)), groups.append(batch(2)))
    for _ in range(3):
        await asyncio.gather(groups.append(batch(0)), groups.append(batch(2)))
    assert server.committed == [[0], [2], [0, 2], [0, 2], [0, 2]]
    assert not waiting.done()
    server.held = set()
    await waiting
    await asyncio.gather(*(groups.append(batch(shard)) for shard in range(3)))
    assert server.committed[-2:] == [[1], [0, 1, 2]]


async def test_a_shard_that_gave_up_waiting_joins_no_group_at_its_next_try() -> None:
    server = Server()
    groups = Groups(server)
    server.broken = {1: RowHeld("held")}
    with pytest.raises(RowHeld):
        await groups.append(batch(1))
    server.broken, server.held = {}, {1}
    again = asyncio.create_task(groups.append(batch(1)))
    await asyncio.gather(groups.append(batch(0)), groups.append(batch(2)))
    assert server.committed == [[0, 2]]
    server.held = set()
    await again


@pytest.mark.parametrize("count", [1, ALONE_FROM_ROWS])
async def test_few_wait_patiently_at_a_time_so_that_connections_are_left(count: int) -> None:
    server = Server()
    groups = Groups(server)
    server.held = set(range(20))
    waiting = [asyncio.create_task(groups.append(batch(shard, count))) for shard in range(20)]
    await passes()
    assert server.patient == MOST_PATIENT
    await groups.append(batch(20))
    server.held = set()
    await asyncio.gather(*waiting)
    assert sorted(shards for shards in server.committed if shards != [20]) == [[shard] for shard in range(20)]


async def test_of_a_group_that_cannot_be_stored_only_the_bad_batch_fails() -> None:
    server = Server()
    groups = Groups(server)
    server.broken = {1: Fenced("taken")}
    answers = await asyncio.gather(*(groups.append(batch(shard)) for shard in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [datetime, Fenced, datetime]


@pytest.mark.parametrize("error", [UnknownCommit("lost"), StoreDown("away")])
async def test_a_group_without_an_answer_fails_whole(error: PiperollError) -> None:
    server = Server()
    groups = Groups(server)
    server.broken = {1: error}
    answers = await asyncio.gather(*(groups.append(batch(shard)) for shard in range(3)), return_exceptions=True)
    assert answers == [error] * 3
    assert server.committed == []


async def test_closing_waits_for_those_that_are_patient() -> None:
    server = Server()
    groups = Groups(server)
    server.held = {0}
    waiting = asyncio.create_task(groups.append(batch(0)))
    await passes()
    closing = asyncio.create_task(groups.close())
    await passes()
    assert not closing.done()
    server.held = set()
    await closing
    assert await waiting == NOW
