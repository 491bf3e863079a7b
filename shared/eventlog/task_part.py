"""A part of a held shard that is one task: it works from the start of the shard until it is cancelled."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence

import psycopg

from shared.errors import WorldFault
from shared.eventlog.held_shard import ShardContext
from shared.eventlog.ports import EventRow
from shared.telemetry.logs import logger

log = logger(__name__)

Duty = Callable[[], Awaitable[None]]


class TaskPart(ABC):
    """A `ShardPart`. It keeps nothing that a next owner could not find again, so it may be ended at any moment."""

    def __init__(self, context: ShardContext) -> None:
        self._context = context
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin the task."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def committed(self, rows: Sequence[EventRow]) -> None:  # noqa: B027
        """Most follow the projections or the clock, not commits."""

    async def stop(self) -> None:
        """End the task where it is, and let go of what it holds."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._let_go()

    @abstractmethod
    async def _run(self) -> None:
        """Work until cancelled."""

    async def _let_go(self) -> None:  # noqa: B027
        """Close connections; after each duty that failed, and at the end."""

    async def _every(self, pause_s: float, duty: Duty) -> None:
        """Do a duty patiently, for ever."""
        while True:
            await self._patiently(duty)
            await asyncio.sleep(pause_s)

    async def _patiently(self, duty: Duty) -> bool:
        """Tell whether a duty was done. What hinders it, the world or a fault of ours, is logged: it is tried again."""
        names = {"part": type(self).__name__, "duty": duty.__name__, "shard": self._context.shard}
        try:
            await duty()
        except (WorldFault, psycopg.Error) as error:
            log.warning("duty_waits", **names, error=repr(error))
        except Exception as error:
            log.critical("duty_failed", **names, exc_info=error)
        else:
            return True
        await self._let_go()
        return False
