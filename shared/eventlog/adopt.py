"""Adopts a tail: a store that is an old copy gets back what its topics still hold of its log.

Everything goes through the one append path. The cursors that the tail implies, and the records that must be looked at
again, are stored with the first rows: from then on the shard refuses to start until all rows are there.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from shared.clock import parse_rfc3339
from shared.contracts.envelope import Fact
from shared.contracts.topics import topics_written_by
from shared.decider import Registry
from shared.eventlog.merkle import extend, leaf_hash
from shared.eventlog.outgoing import Chains, Header, outgoing
from shared.eventlog.places import ChainStore
from shared.eventlog.ports import Batch, Cursor, EventRow, Held, Mode, Outgoing, Record, SideRows, Store
from shared.eventlog.tail import Found, NotAdoptable, hanging
from shared.eventlog.upstream import Consumed, causes, consumed, walk

CHUNK_ROWS = 5_000
READ_ROWS = 2_000
_NOTHING = Consumed([], [], [])

Side = Callable[[EventRow, Fact, Sequence[Header]], SideRows | None]
"""Makes the row of the service's own that goes with an event."""


class LogStore(Store, ChainStore, Protocol):
    """A service's log with its relay's places."""


class Topics(Protocol):
    """What stands on topics, read whole: nothing tells where a tail begins. WorldFault: Kafka is away."""

    async def written(self, topics: Sequence[str], source: str, shard: int, above: int) -> Sequence[Outgoing]:
        """Return the records of a shard's log above a position, on any partition of these topics, as they came."""
        ...

    async def read(self, topic: str, partition: int, source_shard: int, above: int, upto: int) -> Sequence[Record]:
        """Return the records of a chain between two positions, in the order in which they stand there."""
        ...


class Adopted(NamedTuple):
    """What was adopted: the log's last position before and after, and how many records were put on the shelf."""

    before: int
    after: int
    parked: int


class Adoption:
    """One shard's. `registry` is None for a service that decides nothing (the gateway), `side` is its own rows."""

    def __init__(
        self,
        service: str,
        shard: int,
        shards: int,
        store: LogStore,
        topics: Topics,
        registry: Registry | None,
        side: Side = lambda row, event, notes: None,
    ) -> None:
        self._service = service
        self._shard = shard
        self._shards = shards
        self._store = store
        self._topics = topics
        self._registry = registry
        self._side = side

    async def run(self) -> Adopted:
        """Adopt what the topics hold above the log's end; what is on the shelf as `adopted` is to be released then.

        NotAdoptable: nothing was changed. Fenced: another process has taken the shard meanwhile. After any error it
        may be run again.
        """
        end = (await self._store.ends([self._shard]))[self._shard]
        chains = await self._chains_at(end)
        topics = topics_written_by(self._service)
        copies = await self._topics.written(topics, self._service, self._shard, end)
        found = Found(self._service, self._shard, hanging(copies, chains))
        if not found.rows:
            return Adopted(end, end, 0)
        found.check(end, self._shards, chains)
        await self._check_versions(found)
        taken = await self._consumed(found.rows) if self._registry is not None else _NOTHING
        await self._append(found, taken)
        return Adopted(end, end + len(found.rows), len(taken.parked))

    async def _chains_at(self, end: int) -> Chains:
        """Return where the chains stand at the log's end, which may be above the relay's place."""
        position, chains = await self._store.relay_place(self._shard)
        while position < end:
            rows = await self._store.read(self._shard, position, READ_ROWS)
            _, chains = outgoing(self._service, self._shard, self._shards, rows, chains)
            position = rows[-1].position
        return chains

    async def _check_versions(self, found: Found) -> None:
        first = found.first_versions()
        stored = await self._store.load(self._shard, list(first), b"")
        for stream, version in first.items():
            state = stored[stream]
            last = state.rows[-1].version if state.rows else state.version
            if version != last + 1:
                raise NotAdoptable(
                    f"{self._service} shard {self._shard}: {stream} ends at version {last}, not before {version}"
                )

    async def _consumed(self, rows: Sequence[EventRow]) -> Consumed:
        """Return what the tail says of the records that caused it."""
        assert self._registry is not None
        cursors = {(one.topic, one.source_shard): one for one in await self._store.cursors(self._shard)}
        moved: list[Cursor] = []
        records: list[Record] = []
        for chain, upto in sorted(causes(self._service, self._shards, rows).items()):
            cursor = cursors.get(chain) or Cursor(*chain, 0, b"")
            if upto > cursor.position:
                there = await self._topics.read(chain[0], self._shard, chain[1], cursor.position, upto)
                reached, taken = walk(chain, cursor, upto, there)
                moved.append(reached)
                records += taken
        return consumed(self._registry, moved, records, rows, await self._store.holds(self._shard))

    async def _append(self, found: Found, taken: Consumed) -> None:
        held = None if self._registry is None else await self._store.take_over(self._shard)
        for start in range(0, len(found.rows), CHUNK_ROWS):
            rows = found.rows[start : start + CHUNK_ROWS]
            if held is None:
                await self._append_shared(rows, found)
            else:
                batch = _batch(held, Mode.OWNED, rows, found, taken if start == 0 else _NOTHING)
                await self._store.append(batch)
                held = msgspec.structs.replace(
                    held, next_position=batch.next_position, head=batch.head, recorded_at=batch.recorded_at
                )

    async def _append_shared(self, rows: Sequence[EventRow], found: Found) -> None:
        def plan(held: dict[int, Held], known: dict[bytes, EventRow]) -> tuple[Sequence[Batch], Sequence[SideRows]]:
            side = [self._side(row, found.facts[row.position], found.notes(row.position)) for row in rows]
            batch = _batch(held[self._shard], Mode.SHARED, rows, found, _NOTHING)
            return [batch], [one for one in side if one is not None]

        await self._store.append_shared([self._shard], [], plan)


def _batch(held: Held, mode: Mode, rows: Sequence[EventRow], found: Found, taken: Consumed) -> Batch:
    if rows[0].position != held.next_position:
        raise NotAdoptable(
            f"shard {held.shard} has grown to {held.next_position - 1} meanwhile: stop what writes there"
        )
    recorded_at = parse_rfc3339(found.facts[rows[-1].position].envelope.recorded_at)
    if parse_rfc3339(found.facts[rows[0].position].envelope.recorded_at) < held.recorded_at:
        raise NotAdoptable(
            f"shard {held.shard}: position {rows[0].position} was recorded before what the log ends with"
        )
    return Batch(
        shard=held.shard,
        mode=mode,
        epoch=held.epoch,
        held_position=held.next_position,
        head=extend(held.head, held.next_position - 1, [leaf_hash(row.data) for row in rows]),
        recorded_at=recorded_at,
        rows=rows,
        cursors=taken.cursors,
        parked=taken.parked,
        ended=taken.ended,
    )
