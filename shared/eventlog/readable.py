"""Whether this version can read a household's log: effects ask before they act on what it says."""

from collections.abc import Sequence
from typing import Protocol

from shared.contracts.envelope import OPENERS
from shared.errors import OnHold

REMEMBERED = 50_000


class Log(Protocol):
    """The part of a store that is asked."""

    async def other_types(self, shard: int, stream: str, known: Sequence[str]) -> Sequence[str]: ...


class Readable:
    """The streams of one held shard. Each is asked for once: while we hold the shard nobody else adds to it."""

    def __init__(self, log: Log, shard: int) -> None:
        self._log = log
        self._shard = shard
        self._read: set[str] = set()

    async def check(self, stream: str) -> None:
        """Raise OnHold where a newer version wrote events that this one does not know; StoreDown as the store."""
        if stream in self._read:
            return
        others = await self._log.other_types(self._shard, stream, tuple(OPENERS))
        if others:
            raise OnHold(f"{stream} holds what this version cannot read: {', '.join(others)}")
        if len(self._read) >= REMEMBERED:
            self._read.clear()
        self._read.add(stream)
