"""I: no gap, nothing twice, nothing acknowledged lost, whoever takes a shard when; on the store in memory."""

import asyncio
from collections.abc import Sequence

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from shared.eventlog.memory import MemoryStore
from shared.eventlog.ports import EventRow, Store
from tests.log_machine import LogMachine


class InMemory:
    """`Subject`: all processes share the object."""

    shard = 0

    def __init__(self) -> None:
        self._store = MemoryStore(shards=1)

    def process(self) -> Store:
        return self._store

    def lose_commit(self, *, stored: bool) -> None:
        self._store.lose_commit(stored=stored)

    async def read(self) -> tuple[Sequence[EventRow], int]:
        shard = self._store.shards[self.shard]
        return list(shard.copies), shard.epoch

    async def wait(self) -> None:
        await asyncio.sleep(0)

    async def close(self) -> None:
        await self._store.close()


class Machine(LogMachine):
    def __init__(self) -> None:
        super().__init__(InMemory())


def test_any_takeovers_and_lost_answers_leave_one_true_log() -> None:
    run_state_machine_as_test(Machine, settings=settings(max_examples=60, stateful_step_count=25))
