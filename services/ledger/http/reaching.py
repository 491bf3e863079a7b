"""Whether the projections here are as far as a caller has seen, and waiting until they are."""

from collections.abc import Callable, Sequence

from services.ledger.http.reads import Reads
from services.ledger.projections import PROJECTIONS
from shared.contracts.topics import BILLING_EVENTS_TOPIC
from shared.eventlog.bell import Bell, rung
from shared.http.positions import Place, places_text
from shared.http.problems import Problem
from shared.postgres.binary import INT4, array, int4

LOOK_AT_LEAST_EVERY_S = 0.5
_NAMES = {projection.name for projection in PROJECTIONS}


class Reaching:
    """Places of our own log, and of billing's: the ledger has then posted what billing decided there."""

    def __init__(self, reads: Reads, bell: Bell, shards: int, now: Callable[[], float]) -> None:
        self._reads = reads
        self._bell = bell
        self._shards = shards
        self._now = now

    async def reach(self, places: Sequence[Place], seconds: float) -> None:
        """Return when all places are reached; one that was never written, or not in time, raises the Problem."""
        if any(place.service not in ("ledger", "billing") for place in places):
            raise Problem("position_invalid", "min_position")
        if any(place.shard >= self._shards for place in places):
            raise Problem("position_ahead", "min_position")
        ends = await self._ends({place.shard for place in places})
        wanted = {place.shard: place.position for place in places if place.service == "ledger"}
        if any(position > ends.get(shard, 0) for shard, position in wanted.items()):
            raise Problem("position_ahead", "min_position")
        taken = {place.shard: place.position for place in places if place.service == "billing" and place.position}
        until = self._now() + seconds
        while True:
            ring = self._bell.next()
            if await self._are_reached(wanted, taken):
                return
            left = until - self._now()
            if left <= 0:
                raise Problem("position_not_reached", "min_position", headers=((b"retry-after", b"1"),))
            await rung(ring, min(left, LOOK_AT_LEAST_EVERY_S))

    async def is_whole(self, shard: int) -> bool:
        """Tell whether the projections have folded all of a shard's log as it is now."""
        end = (await self._ends({shard})).get(shard, 0)
        return (await self._folded([shard])).get(shard, 0) >= end

    async def position(self) -> str:
        """Return the places that all projections have reached on every shard."""
        folded = await self._folded(range(self._shards))
        return places_text(Place("ledger", shard, position) for shard, position in sorted(folded.items()))

    async def _are_reached(self, wanted: dict[int, int], taken: dict[int, int]) -> bool:
        """Tell whether all is folded; what came of billing's places goes from `taken` to `wanted` once it is here."""
        if taken:
            rows = await self._reads.ask("taken", array(INT4, [int4(shard) for shard in taken]))
            here = {shard for topic, shard, position in rows
                    if topic == BILLING_EVENTS_TOPIC and position >= taken[shard]}  # fmt: skip
            ends = await self._ends(here)
            for shard in here:
                del taken[shard]
                wanted[shard] = max(wanted.get(shard, 0), ends.get(shard, 0))
        folded = await self._folded(list(wanted))
        return not taken and all(folded.get(shard, 0) >= position for shard, position in wanted.items())

    async def _folded(self, shards: Sequence[int]) -> dict[int, int]:
        """Return how far the projection that is least far has folded each shard."""
        if not shards:
            return {}
        rows = await self._reads.ask("folded", array(INT4, [int4(shard) for shard in shards]))
        newest: dict[tuple[str, int], int] = {}
        for name, _, shard, position in rows:  # by version: the last is what is in the tables
            if name in _NAMES:
                newest[name, shard] = position
        return {shard: min(newest.get((name, shard), 0) for name in _NAMES) for shard in shards}

    async def _ends(self, shards: set[int]) -> dict[int, int]:
        if not shards:
            return {}
        return dict(await self._reads.ask("ends", array(INT4, [int4(shard) for shard in sorted(shards)])))
