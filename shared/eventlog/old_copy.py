"""Whether a store is an old copy of its log: a topic is ahead of it, or, with Kafka away, its server has forked.

A position is never used twice, so a shard does not start before this is known. A server that was restored or promoted
is on another timeline than the one on which the log was last found to be whole.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from shared.contracts.topics import topics_written_by
from shared.errors import RolledBack, WorldFault

_log = logging.getLogger(__name__)


class Timeline(NamedTuple):
    """Which history of which PostgreSQL server."""

    system_identifier: int
    number: int


class TimelineStore(Protocol):
    """Where a log ends, on which timeline its server is, and on which it was when the log was last found whole."""

    async def ends(self, shards: Sequence[int]) -> dict[int, int]: ...

    async def timeline(self) -> Timeline: ...

    async def known_timelines(self, shards: Sequence[int]) -> dict[int, Timeline]: ...

    async def save_timeline(self, shards: Sequence[int], timeline: Timeline) -> None: ...


class Tails(Protocol):
    """What stands last on a service's own topics."""

    async def last_positions(
        self, source: str, topics: Sequence[str], shards: Sequence[int]
    ) -> Mapping[tuple[str, int], int]:
        """Return the highest position of each (topic, source shard); one without records is absent.

        WorldFault when Kafka is away.
        """
        ...


async def old_copies(service: str, shards: Sequence[int], store: TimelineStore, tails: Tails) -> dict[int, RolledBack]:
    """Return the shards that must not start, each with the error that says why."""
    now = await store.timeline()
    try:
        found = await tails.last_positions(service, topics_written_by(service), shards)
    except WorldFault as fault:
        return await _by_timeline(service, shards, store, now, fault)
    ends = await store.ends(shards)  # after the topics: a log that grows meanwhile must not look like an old copy
    ahead: dict[int, RolledBack] = {}
    for (topic, shard), position in sorted(found.items()):
        if shard in ends and position > ends[shard]:
            ahead[shard] = RolledBack(
                f"{topic} holds position {position} of {service} shard {shard}, its log ends at {ends[shard]}: "
                f"the store is an old copy; `piperoll admin adopt-tail {service} {shard}` appends what is missing"
            )
    await store.save_timeline([shard for shard in shards if shard not in ahead], now)
    return ahead


async def _by_timeline(
    service: str, shards: Sequence[int], store: TimelineStore, now: Timeline, fault: WorldFault
) -> dict[int, RolledBack]:
    known = await store.known_timelines(shards)
    _log.warning("Kafka is away: whether a topic is ahead of its log is told by PostgreSQL's timeline only: %s", fault)
    return {
        shard: RolledBack(
            f"Kafka is away, and {service} shard {shard} was last whole on timeline {known[shard].number} of server "
            f"{known[shard].system_identifier}, not on {now.number} of {now.system_identifier}: the store may be an "
            f"old copy; it starts when Kafka answers and has nothing that its log lacks"
        )
        for shard in shards
        if known.get(shard, now) != now
    }
