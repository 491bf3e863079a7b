"""What is to be done when: items by due time, handed to whoever asks."""

import asyncio
import heapq
import itertools
from typing import Generic, TypeVar

T = TypeVar("T")


class Agenda(Generic[T]):
    """Times are the event loop's; what is due together comes in the order in which it was put."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._later: list[tuple[float, int, T]] = []
        self._due: asyncio.Queue[T] = asyncio.Queue()
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def put(self, item: T, after_s: float = 0.0) -> None:
        """Have `item` handed out once, `after_s` seconds from now."""
        if after_s <= 0:
            self._due.put_nowait(item)
            return
        heapq.heappush(self._later, (self._loop.time() + after_s, next(self._numbers), item))
        self._set_timer()

    async def take(self) -> T:
        """Return the next item, when it is due."""
        return await self._due.get()

    def stop(self) -> None:
        """Forget what is not due yet."""
        self._later.clear()
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._later[0][0], self._ring) if self._later else None

    def _ring(self) -> None:
        while self._later and self._later[0][0] <= self._loop.time():
            self._due.put_nowait(heapq.heappop(self._later)[2])
        self._set_timer()
