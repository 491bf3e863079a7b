"""Group fold: what shards want folded at the same moment is one transaction, because a commit costs more than a row."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from services.gateway.projections.fold import Done, Work
from shared.errors import StoreDown

Waiting = tuple[Work, "asyncio.Future[Done]"]


class Folds(Protocol):
    """The part of `Folder` that a group uses; runs in a thread."""

    def fold(self, works: Sequence[Work]) -> list[Done]: ...


class FoldGroup:
    """One transaction is under way at a time; what comes meanwhile is the next.

    A group that cannot be committed is tried shard by shard, so that one shard's trouble is only its own.
    """

    def __init__(self, folder: Folds) -> None:
        self._folder = folder
        self._waiting: list[Waiting] = []
        self._running: asyncio.Task[None] | None = None

    async def fold(self, work: Work) -> Done:
        """Return once the work is committed; errors are those of `Folder.fold`. A shard has one work at a time."""
        done: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())
        return await done

    async def settled(self) -> None:
        """Return when nothing is under way: what an abandoned caller asked for is then stored, or never will be."""
        while self._running is not None:
            await asyncio.wait({self._running})

    async def _run(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = sorted(self._waiting, key=lambda one: one[0].shard), []
                await self._commit(group)
        finally:
            self._running = None

    async def _commit(self, group: Sequence[Waiting]) -> None:
        try:
            dones = await asyncio.to_thread(self._folder.fold, [work for work, _ in group])
        except Exception as error:
            if len(group) > 1 and not isinstance(error, StoreDown):
                for one in group:
                    await self._commit([one])
                return
            for _, waiting in group:
                if not waiting.done():
                    waiting.set_exception(error)
        else:
            for (_, waiting), done in zip(group, dones, strict=True):
                if not waiting.done():
                    waiting.set_result(done)
