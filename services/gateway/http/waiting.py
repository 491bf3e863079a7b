"""Waiting for what the worker folds: one listener per process wakes all, and one query then looks for all."""

import asyncio
from collections.abc import Callable, Iterable

from services.gateway.http.database import Reads
from services.gateway.http.views import SOURCE_OF
from shared.errors import StoreDown
from shared.eventlog.bell import Bell, rung
from shared.http.positions import Place
from shared.http.problems import Problem
from shared.telemetry.logs import logger

log = logger(__name__)

LOOK_AT_LEAST_EVERY_S = 0.5


class Outcomes:
    """Callers that wait until a thing they asked for is final; one query per ring for all of them."""

    def __init__(self, reads: Reads, bell: Bell) -> None:
        self._reads = reads
        self._bell = bell
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def final(self, thing_id: str, seconds: float) -> bool:
        """Return whether the thing became final, or waits for a person, within the time."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(thing_id, []).append(done)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        try:
            async with asyncio.timeout(seconds):
                await done
            return True
        except TimeoutError:
            return False
        finally:
            self._forget(thing_id, done)

    def _forget(self, thing_id: str, done: "asyncio.Future[None]") -> None:
        waiting = self._waiting.get(thing_id)
        if waiting is not None and done in waiting:
            waiting.remove(done)
            if not waiting:
                del self._waiting[thing_id]

    async def _look(self) -> None:
        while self._waiting:
            ring = self._bell.next()
            try:
                rows = await self._reads.run("finals", {"ids": list(self._waiting)})
            except StoreDown as error:
                log.warning("outcomes_wait", error=str(error))
                rows = []
            for (thing_id,) in rows:
                for done in self._waiting.pop(thing_id, ()):
                    if not done.done():
                        done.set_result(None)
            if self._waiting:
                await rung(ring, LOOK_AT_LEAST_EVERY_S)


class Places:
    """Callers that wait until the projections here are at least as far as what they have seen."""

    def __init__(self, reads: Reads, bell: Bell, shards: int, now: Callable[[], float]) -> None:
        self._reads = reads
        self._bell = bell
        self._shards = shards
        self._now = now

    async def reach(self, places: Iterable[Place], seconds: float) -> None:
        """Return when all places are reached; a place that was never written, or not in time, raises the Problem."""
        wanted = list(places)
        if any(place.shard >= self._shards for place in wanted):
            raise Problem("position_ahead", "min_position")
        await self._own([place for place in wanted if place.service == "gateway"])
        folded = [place for place in wanted if place.service != "gateway"]
        until = self._now() + seconds
        while folded:
            ring = self._bell.next()
            folded = await self._missing(folded)
            left = until - self._now()
            if folded and left <= 0:
                raise Problem("position_not_reached", "min_position", headers=((b"retry-after", b"1"),))
            if folded:
                await rung(ring, min(left, LOOK_AT_LEAST_EVERY_S))

    async def _own(self, places: list[Place]) -> None:
        """Our own log is what we answer from: a position above its end was never given to anybody."""
        if not places:
            return
        rows = await self._reads.run("ends", {"shards": [place.shard for place in places]})
        ends: dict[int, int] = dict(rows)
        if any(place.position > ends.get(place.shard, 0) for place in places):
            raise Problem("position_ahead", "min_position")

    async def _missing(self, places: list[Place]) -> list[Place]:
        rows = await self._reads.run("places", {"shards": sorted({place.shard for place in places})})
        known = {(SOURCE_OF[topic], shard): place for topic, shard, place in rows if topic in SOURCE_OF}
        return [place for place in places if known.get((place.service, place.shard), 0) < place.position]
