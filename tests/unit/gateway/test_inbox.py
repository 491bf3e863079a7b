"""A shard's inbox in memory: after any failure it goes by what is stored."""

from typing import Any

import pytest

from services.gateway.inbox import ShardInbox
from services.gateway.projections.fold import Done, Work
from shared.clock import SystemClock
from shared.errors import Fenced, StoreDown
from shared.eventlog.memory import MemoryStore
from shared.eventlog.ports import Record

VALUE = b"not json, so it is parked"


class Group:
    """Folds as told: an error is raised, None is done."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.folded: list[Work] = []

    async def fold(self, work: Work) -> Done:
        answer = self.answers.pop(0)
        if answer is not None:
            raise answer
        self.folded.append(work)
        return Done()


def record() -> Record:
    return Record(
        topic="billing.events.v1", partition=0, offset=0, key="acc_a", value=VALUE, source="billing",
        source_shard=0, position=1, previous=0, previous_hash=b"",
    )  # fmt: skip


def inbox(group: Any) -> ShardInbox:
    return ShardInbox(0, MemoryStore(shards=1), group, SystemClock())


async def test_a_fence_right_after_an_unknown_commit_may_be_that_commit_and_is_looked_at_again() -> None:
    group = Group(StoreDown("no answer"), Fenced("moved"), None)
    shard = inbox(group)
    for _ in range(2):
        with pytest.raises(StoreDown):
            await shard.take([record()])
    await shard.take([record()])
    assert [len(work.steps) for work in group.folded] == [1]


@pytest.mark.parametrize("answers", [(Fenced("moved"),), (StoreDown("down"), Fenced("moved"), Fenced("moved"))])
async def test_a_fence_that_is_not_our_own_ends_the_shard(answers: tuple[Exception, ...]) -> None:
    shard = inbox(Group(*answers))
    for _ in answers[1:]:
        with pytest.raises(StoreDown):
            await shard.take([record()])
    with pytest.raises(Fenced):
        await shard.take([record()])


async def test_what_was_not_folded_is_folded_when_it_is_offered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(None)
    shard = inbox(group)
    with monkeypatch.context() as broken:
        broken.setattr("services.gateway.inbox.open_fact", lambda data: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await shard.take([record()])
    await shard.take([record()])
    assert [len(work.steps) for work in group.folded] == [1]
