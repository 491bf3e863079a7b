"""Group commit: the batches of several shards that wait at the same moment are one transaction.

Each batch keeps its own fence. A group that cannot be stored is stored batch by batch, so that one shard's trouble is
only its own; a commit without an answer leaves every shard of the group to ask after its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from shared.errors import StoreDown, UnknownCommit
from shared.eventlog.ports import Batch

ALONE_FROM_ROWS = 200

Commit = Callable[[Sequence[Batch]], Awaitable[datetime]]
Waiting = tuple[Batch, "asyncio.Future[datetime]"]


class Groups:
    """One group is in flight at a time; what comes meanwhile is the next. A large batch goes by itself at once."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._waiting: list[Waiting] = []
        self._running: asyncio.Task[None] | None = None

    async def append(self, batch: Batch) -> datetime:
        """Return the database's clock once the batch is durable; errors are those of `Store.append`."""
        if len(batch.rows) >= ALONE_FROM_ROWS:
            return await self._commit([batch])
        done: asyncio.Future[datetime] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, done))
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())
        return await done

    async def close(self) -> None:
        """Return when nothing is in flight."""
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = _one_batch_per_shard(self._waiting)
                await self._store(group)
        finally:
            self._running = None

    async def _store(self, group: Sequence[Waiting]) -> None:
        try:
            now = await self._commit([batch for batch, _ in group])
        except Exception as error:
            if len(group) > 1 and not isinstance(error, UnknownCommit | StoreDown):
                for one in group:
                    await self._store([one])
                return
            for _, done in group:
                if not done.done():
                    done.set_exception(error)
        else:
            for _, done in group:
                if not done.done():
                    done.set_result(now)


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
