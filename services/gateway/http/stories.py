"""Following stories: who follows waits for the next facts of some accounts, and one query looks for all of them."""

import asyncio
from collections.abc import Callable, Collection

import msgspec

from services.gateway.domain.following import SOURCES, Marks, marks_at
from services.gateway.http.database import Reads, Row
from services.gateway.http.waiting import LOOK_AT_LEAST_EVERY_S
from shared.errors import StoreDown
from shared.eventlog.bell import Bell
from shared.telemetry.logs import logger

log = logger(__name__)

MOST_OF_A_SOURCE = 50
LOOK_AT_MOST_EVERY_S = 0.02


class _Follower(msgspec.Struct, eq=False):
    marks: Marks
    found: "asyncio.Future[list[Row]]"


class Stories:
    """One per process. `ending`: whether nobody shall wait any longer."""

    def __init__(self, reads: Reads, bell: Bell, ending: Callable[[], bool]) -> None:
        self._reads = reads
        self._bell = bell
        self._ending = ending
        self._waiting: list[_Follower] = []
        self._joined = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def ends(self, accounts: Collection[str]) -> Marks:
        """Return where the accounts' stories end just now."""
        if not accounts:
            return {}
        rows = await self._reads.run("story_ends", {"accounts": sorted(accounts), "sources": list(SOURCES)})
        return marks_at(accounts, ((account, source, position) for account, source, position in rows))

    async def after(self, marks: Marks, seconds: float) -> list[Row]:
        """Return the next facts after these marks, by time; none where none came in time, or all shall end."""
        follower = _Follower(marks, asyncio.get_running_loop().create_future())
        self._waiting.append(follower)
        self._joined.set()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        try:
            async with asyncio.timeout(seconds):
                return await follower.found
        except TimeoutError:
            return []
        finally:
            if follower in self._waiting:
                self._waiting.remove(follower)

    async def _look(self) -> None:
        while self._waiting:
            ring = self._bell.next()
            self._joined.clear()
            asked = list(self._waiting)
            if self._ending():
                _hand_out(asked, {}, to_all=True)
                return
            try:
                found = await self._found(asked)
            except StoreDown as error:
                log.warning("stories_wait", error=str(error))
                found = {}
            _hand_out(asked, found)
            self._waiting = [one for one in self._waiting if not one.found.done()]
            await asyncio.sleep(LOOK_AT_MOST_EVERY_S)
            if self._waiting:
                await _first_of(ring, self._joined, LOOK_AT_LEAST_EVERY_S)

    async def _found(self, asked: list[_Follower]) -> dict[int, list[Row]]:
        places = [
            (number, account, source, position)
            for number, follower in enumerate(asked)
            for account, mark in follower.marks.items()
            for source, position in zip(SOURCES, mark, strict=True)
        ]
        followers, accounts, sources, after = (list(column) for column in zip(*places, strict=True))
        parameters = {"followers": followers, "accounts": accounts, "sources": sources, "after": after}
        found: dict[int, list[Row]] = {}
        for number, *row in await self._reads.run("story_after", {**parameters, "limit": MOST_OF_A_SOURCE}):
            found.setdefault(number, []).append(tuple(row))
        return {number: sorted(rows, key=_by_time) for number, rows in found.items()}


def _by_time(row: Row) -> tuple[object, str, int]:
    """Order by recorded time: within a source that is the order of positions."""
    source, _, position, _, recorded_at = row[:5]
    return recorded_at, source, position


def _hand_out(asked: list[_Follower], found: dict[int, list[Row]], *, to_all: bool = False) -> None:
    for number, follower in enumerate(asked):
        if not follower.found.done() and (to_all or number in found):
            follower.found.set_result(found.get(number, []))


async def _first_of(one: asyncio.Event, other: asyncio.Event, seconds: float) -> None:
    """Return when either is set, or after `seconds`."""
    waits = [asyncio.create_task(one.wait()), asyncio.create_task(other.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
