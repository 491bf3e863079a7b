"""Whether a shard's own topics still hold what it put there: one that was deleted and made anew is filled again.

The first record of a partition tells its incarnation: offset and time of that record change when the topic is made
anew, or when its beginning is deleted. What was last known to be whole is kept beside the relay's place.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.clock import Clock, parse_rfc3339
from shared.contracts.chains import Refill
from shared.contracts.envelope import open_envelope
from shared.contracts.topics import BY_NAME, FOR_EVER, Topic
from shared.eventlog.places import ChainStore, First, Part
from shared.eventlog.ports import Store
from shared.eventlog.relay import Relay
from shared.telemetry.metrics import TOPICS_WIPED

_log = logging.getLogger(__name__)


class _Asked(NamedTuple):
    since: float
    found: First


class Wholeness:
    """One shard's partitions, compared with what they were. Wiped ones are handed to the relay's refills."""

    def __init__(self, relay: Relay, store: Store, places: ChainStore, clock: Clock) -> None:
        self.relay = relay
        self._store = store
        self._places = places
        self._clock = clock
        self._known: dict[Part, First] | None = None
        self._asked: dict[Part, _Asked] = {}

    @property
    def parts(self) -> list[Part]:
        """The partitions on which the shard has records."""
        return list(self.relay.chains)

    @property
    def filling(self) -> bool:
        """Whether a partition is being filled: look soon, so that the next owner need not begin again."""
        return bool(self._asked)

    async def look(self, found: Mapping[Part, First]) -> None:
        """Compare what stands first on the partitions now; an unknown one is taken as whole unless it is empty."""
        if self._known is None:
            self._known = await self._places.firsts(self.relay.shard)
        whole: dict[Part, First] = {}
        for part in self.parts:
            first = found.get(part)
            if first is None or self.relay.refills.wants(part):
                continue
            known = self._known.get(part)
            asked = self._asked.pop(part, None)
            if asked is not None and self._filled(part, asked, first):
                whole[part] = first
            elif was_wiped(BY_NAME[part[0]], known, first):
                await self._refill(part, first)
            elif first != known:
                whole[part] = first
        if whole:
            await self._places.save_firsts(self.relay.shard, whole)
            self._known.update(whole)

    def _filled(self, part: Part, asked: _Asked, first: First) -> bool:
        """Tell whether the refill that was asked for ended well, in the same incarnation of the topic."""
        same = asked.found in (first, First(first.offset, None))
        return same and self.relay.refills.served_since(part, asked.since)

    async def _refill(self, part: Part, first: First) -> None:
        topic, partition = part
        start = await self._kept_from(BY_NAME[topic])
        self._asked[part] = _Asked(self._clock.monotonic(), first)
        TOPICS_WIPED.labels(self.relay.service, topic).inc()
        _log.error(
            "a topic was made anew or its beginning was deleted; it is filled again from position %d", start,
            extra={"service": self.relay.service, "shard": self.relay.shard, "topic": topic, "partition": partition},
        )  # fmt: skip
        self.relay.refills.ask(
            Refill(
                topic=topic,
                service=self.relay.service,
                shard=self.relay.shard,
                partition=partition,
                from_position=start,
                asked_by=f"{self.relay.service}.{self.relay.shard}",
            )
        )

    async def _kept_from(self, topic: Topic) -> int:
        """Return the first position that the topic would still keep, had it not been wiped."""
        if topic.retention_ms == FOR_EVER:
            return 1
        oldest = self._clock.now() - timedelta(milliseconds=topic.retention_ms)
        low, high = 1, self.relay.position
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if await self._recorded_at(middle) < oldest else (low, middle)
        return low

    async def _recorded_at(self, position: int) -> datetime:
        [row] = await self._store.read(self.relay.shard, position - 1, 1)
        return parse_rfc3339(open_envelope(row.data).recorded_at)


def was_wiped(topic: Topic, known: First | None, found: First) -> bool:
    """Tell whether a partition on which there must be records lost what it had.

    A topic that is kept for ever begins with the same record for ever. One that is kept for a while loses its
    beginning, but never gets an earlier one.
    """
    if known is None:
        return found == First(0, None)
    if topic.retention_ms == FOR_EVER:
        return found != known
    return found.offset < known.offset or (found.offset == known.offset and found.at_ms != known.at_ms)


def parts_of(shards: Sequence[Wholeness]) -> list[Part]:
    """Return all partitions on which shards have records, each once."""
    return list(dict.fromkeys(part for shard in shards for part in shard.parts))
