"""A group fold is one transaction for all that waits, and one shard's trouble is only its own."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from services.gateway.projections.fold import Done, Work
from services.gateway.projections.group import FoldGroup
from shared.errors import Fenced, StoreDown


class Recorded:
    """Folds that note each transaction's shards; shard 2 is fenced, and all fail while the store is down."""

    def __init__(self) -> None:
        self.transactions: list[list[int]] = []
        self.down = False

    def fold(self, works: Sequence[Work]) -> list[Done]:
        self.transactions.append([work.shard for work in works])
        if self.down:
            raise StoreDown("down")
        if 2 in self.transactions[-1]:
            raise Fenced("shard 2")
        return [Done() for _ in works]


async def test_what_waits_while_one_transaction_is_under_way_is_the_next() -> None:
    folds = Recorded()
    group = FoldGroup(folds)
    first = asyncio.create_task(group.fold(Work(shard=0)))
    await asyncio.sleep(0)
    await asyncio.gather(first, *(group.fold(Work(shard=shard)) for shard in (5, 3, 4)))
    assert folds.transactions[-1][-3:] == [3, 4, 5]
    assert len(folds.transactions) <= 2


async def test_a_fenced_shard_leaves_the_others_of_its_group_folded() -> None:
    folds = Recorded()
    group = FoldGroup(folds)
    answers = await asyncio.gather(*(group.fold(Work(shard=s)) for s in (1, 2, 3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Done, Fenced, Done]


async def test_a_store_that_is_down_is_told_to_every_shard_at_once() -> None:
    folds = Recorded()
    folds.down = True
    group = FoldGroup(folds)
    answers = await asyncio.gather(*(group.fold(Work(shard=s)) for s in (1, 3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreDown, StoreDown]
    assert folds.transactions == [[1, 3]]
    folds.down = False
    assert isinstance(await group.fold(Work(shard=1)), Done)


async def test_a_group_is_settled_only_when_the_fold_of_an_abandoned_caller_has_ended() -> None:
    class Slow(Recorded):
        ended = False

        def fold(self, works: Sequence[Work]) -> list[Done]:
            time.sleep(0.2)
            self.ended = True
            return super().fold(works)

    folds = Slow()
    group = FoldGroup(folds)
    caller = asyncio.create_task(group.fold(Work(shard=0)))
    await asyncio.sleep(0.05)
    caller.cancel()
    await group.settled()
    assert folds.ended


@pytest.mark.parametrize("shard", [0, 7])
async def test_a_group_of_one_is_answered_with_its_own_error(shard: int) -> None:
    folds = Recorded()
    folds.down = True
    with pytest.raises(StoreDown):
        await FoldGroup(folds).fold(Work(shard=shard))
