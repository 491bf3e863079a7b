"""What a projection is folded from, and how a range of it is folded."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Protocol

import msgspec
import psycopg

from shared.contracts.event import Event
from shared.eventlog.projections import Gathering, Placed, Projection

Chain = tuple[str, int]
"""A service and one shard of its log."""
Positions = dict[Chain, int]

FLUSH_AT = 250_000
"""So many keys may be in memory, some 300 bytes each."""


class Origin(Protocol):
    """The facts of a service's projections: its own log, or the topics of others. Travels to other processes.

    `cursors` is the table whose rows everybody who folds into live tables locks first.
    """

    @property
    def cursors(self) -> str: ...

    def close(self) -> None:
        """Let go of connections; it can be used again."""
        ...

    def live(self, cursor: psycopg.Cursor[Any], name: str) -> tuple[int, Positions]:
        """Return the version that is in the projection's tables (0: none yet) and how far it is."""
        ...

    def ends(self, cursor: psycopg.Cursor[Any]) -> Positions:
        """Return how far one can fold now."""
        ...

    def stand(self, cursor: psycopg.Cursor[Any], name: str, version: int, positions: Mapping[Chain, int]) -> None:
        """Note that the projection's tables hold this version, folded so far; no other version is."""
        ...

    def late(self, cursor: psycopg.Cursor[Any]) -> Iterator[Sequence[Placed]]:
        """Yield what was not there when its place was read and is there now; nobody folds meanwhile."""
        ...

    def facts(self, chain: Chain, after: int, until: int) -> Generator[Sequence[Placed], None, None]:
        """Yield the facts of one shard, in order."""
        ...

    def events(
        self, chain: Chain, after: int, until: int, event: type[Event], part: type[msgspec.Struct]
    ) -> Generator[Sequence[tuple[int, Any]], None, None]:
        """Yield of one type of event the positions and those fields that `part` has."""
        ...


def fold_range(
    cursor: psycopg.Cursor[Any], projection: Projection, origin: Origin, ranges: Mapping[Chain, tuple[int, int]]
) -> None:
    """Fold from after one position up to another of each chain, into what the search path names."""
    if isinstance(projection, Gathering):
        for sums in gathered(projection, origin, ranges):
            projection.set_aside(cursor, sums)
        projection.put(cursor)
        return
    for chain, (after, until) in ranges.items():
        with closing(origin.facts(chain, after, until)) as batches:
            for facts in batches:
                projection.apply(cursor, facts)


def gathered(
    projection: Gathering, origin: Origin, ranges: Mapping[Chain, tuple[int, int]]
) -> Iterator[Mapping[Any, Any]]:
    """Yield what the facts add up to, in parts of a bounded number of keys; each is valid until the next."""
    sums: dict[Any, Any] = {}
    for chain, (after, until) in ranges.items():
        with closing(origin.events(chain, after, until, projection.event, projection.part)) as pieces:
            for events in pieces:
                projection.gather(sums, events)
                if len(sums) >= FLUSH_AT:
                    yield sums
                    sums.clear()
    yield sums
