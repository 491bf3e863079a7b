"""Group commit: the batches of several shards that wait at the same moment are one transaction.

Each batch keeps its own fence. A group that cannot be stored is stored batch by batch, so that one shard's trouble is
only its own; a commit without an answer leaves every shard of the group to ask after its own.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from shared.errors import RowHeld, StoreDown, UnknownCommit
from shared.eventlog.ports import Batch

ALONE_FROM_ROWS = 200
MOST_PATIENT = 4

Waiting = tuple[Batch, "asyncio.Future[datetime]"]


class Commit(Protocol):
    """Stores batches in one transaction; `hasty` waits for no row, else a row is waited for as long as need be."""

    async def __call__(self, batches: Sequence[Batch], hasty: bool) -> datetime: ...


class Groups:
    """One group is in flight at a time; what comes meanwhile is the next. A large batch goes by itself at once.

    All of them are hasty. A batch whose shard's row another transaction holds waits for it patiently and by itself, a
    few such at a time, so that connections are left for the others; its shard joins no group until a commit of it went
    well.
    """

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._waiting: list[Waiting] = []
        self._running: asyncio.Task[None] | None = None
        self._held: set[int] = set()
        self._room = asyncio.Semaphore(MOST_PATIENT)
        self._patient: set[asyncio.Task[None]] = set()

    async def append(self, batch: Batch) -> datetime:
        """Return the database's clock once the batch is durable; errors are those of `Store.append`."""
        done: asyncio.Future[datetime] = asyncio.get_running_loop().create_future()
        if batch.shard in self._held:
            self._wait_patiently((batch, done))
        elif len(batch.rows) >= ALONE_FROM_ROWS:
            await self._store([(batch, done)])
        else:
            self._waiting.append((batch, done))
            if self._running is None:
                self._running = asyncio.get_running_loop().create_task(self._run())
        return await done

    async def close(self) -> None:
        """Return when nothing is in flight."""
        if self._running is not None:
            await self._running
        await asyncio.gather(*self._patient)

    async def _run(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = _one_batch_per_shard(self._waiting)
                await self._store(group)
        finally:
            self._running = None

    async def _store(self, group: Sequence[Waiting]) -> None:
        try:
            now = await self._commit([batch for batch, _ in group], hasty=True)
        except Exception as error:
            if len(group) > 1 and (isinstance(error, RowHeld) or not isinstance(error, UnknownCommit | StoreDown)):
                for one in group:
                    await self._store([one])
            elif isinstance(error, RowHeld):
                self._wait_patiently(group[0])
            else:
                _answer(group, error)
        else:
            _answer(group, now)

    def _wait_patiently(self, one: Waiting) -> None:
        task = asyncio.get_running_loop().create_task(self._patiently(one))
        self._patient.add(task)
        task.add_done_callback(self._patient.discard)

    async def _patiently(self, one: Waiting) -> None:
        batch = one[0]
        self._held.add(batch.shard)
        answer: datetime | Exception
        try:
            async with self._room:
                answer = await self._commit([batch], hasty=False)
        except Exception as error:
            answer = error
        if not isinstance(answer, RowHeld):
            self._held.discard(batch.shard)
        _answer([one], answer)


def _answer(group: Sequence[Waiting], answer: datetime | Exception) -> None:
    for _, done in group:
        if done.done():
            continue
        if isinstance(answer, Exception):
            done.set_exception(answer)
        else:
            done.set_result(answer)


def _one_batch_per_shard(waiting: Sequence[Waiting]) -> tuple[list[Waiting], list[Waiting]]:
    """Return the first batch of each shard, in shard order as rows are locked, and what is left for the next group."""
    first: dict[int, Waiting] = {}
    later: list[Waiting] = []
    for one in waiting:
        if one[0].shard in first:
            later.append(one)
        else:
            first[one[0].shard] = one
    return [first[shard] for shard in sorted(first)], later
