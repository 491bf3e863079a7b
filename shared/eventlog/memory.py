"""The log in memory, for tests: the same promises as PostgreSQL's, over the library's in-memory recorder."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.popo import POPOApplicationRecorder

from shared.clock import Clock, SystemClock
from shared.errors import AlreadyStored, Fenced, OwnFault, StoreDown, UnknownCommit, WorldFault
from shared.eventlog.old_copy import Timeline
from shared.eventlog.places import First, Part
from shared.eventlog.ports import (
    Batch,
    Cursor,
    EventRow,
    Fate,
    Held,
    Mode,
    Outgoing,
    Parked,
    SharedPlan,
    SideRows,
    StoredState,
)
from shared.faults import ArmedFault, Point, reach

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class MemoryShard:
    """One shard's row, events and what hangs on them."""

    def __init__(self, shard: int, mode: Mode) -> None:
        self.shard = shard
        self.mode = mode
        self.epoch = 0
        self.next_position = 1
        self.head = b""
        self.recorded_at = _BEGINNING
        self.recorder = POPOApplicationRecorder()
        self.copies: list[EventRow] = []
        self.by_id: dict[bytes, EventRow] = {}
        self.cursors: dict[tuple[str, int], Cursor] = {}
        self.parked: dict[tuple[str, int, int], Parked] = {}
        self.ended: dict[tuple[str, int, int], str] = {}
        self.snapshots: dict[str, tuple[int, bytes, bytes]] = {}

    def held(self, now: datetime) -> Held:
        return Held(self.shard, self.epoch, self.next_position, self.head, self.recorded_at, now)

    def check(self, batch: Batch) -> None:
        """Refuse what PostgreSQL's fence and unique indexes refuse."""
        if (self.mode, self.epoch, self.next_position) != (batch.mode, batch.epoch, batch.held_position):
            raise Fenced(f"shard {self.shard} is not held at epoch {batch.epoch}, position {batch.held_position}")
        if batch.recorded_at < self.recorded_at:
            raise OwnFault(f"shard {self.shard}: recorded time would fall")
        ids = [row.event_id for row in batch.rows]
        if len(set(ids)) < len(ids) or any(event_id in self.by_id for event_id in ids):
            raise AlreadyStored(f"shard {self.shard}: an event id is stored already")
        for number, row in enumerate(batch.rows, batch.held_position):
            if (row.shard, row.position) != (self.shard, number):
                raise OwnFault(f"row {row.shard}.{row.position} stands where {self.shard}.{number} belongs")
        versions = [(row.stream, row.version) for row in batch.rows]
        if len(set(versions)) < len(versions) or any(
            self.recorder.select_events(stream, gt=version - 1, lte=version) for stream, version in versions
        ):
            raise AlreadyStored(f"shard {self.shard}: a version of a stream is stored already")

    def store(self, batch: Batch) -> None:
        """Take what was checked."""
        try:
            self.recorder.insert_events(
                [StoredEvent(row.stream, row.version, row.type, row.data) for row in batch.rows]
            )
        except IntegrityError as error:
            raise AlreadyStored(str(error)) from error
        self.copies.extend(batch.rows)
        self.by_id.update((row.event_id, row) for row in batch.rows)
        self.next_position, self.head, self.recorded_at = batch.next_position, batch.head, batch.recorded_at
        self.cursors.update(((cursor.topic, cursor.source_shard), cursor) for cursor in batch.cursors)
        for parked in batch.parked:
            self.parked.setdefault((parked.topic, parked.source_shard, parked.position), parked)
        for one in batch.ended:
            key = (one.topic, one.source_shard, one.position)
            if key in self.parked:
                self.ended.setdefault(key, one.how)

    def rows(self, stream: str, after_version: int) -> list[EventRow]:
        found = self.recorder.select_events(stream, gt=after_version)
        versions = {event.originator_version for event in found}
        return [row for row in self.copies if row.stream == stream and row.version in versions]


class MemoryPlaces:
    """`RelayStore` and `Seeks`."""

    def __init__(self) -> None:
        self._relay: dict[int, tuple[int, dict[tuple[str, int], tuple[int, bytes]]]] = {}
        self._seeks: dict[tuple[str, int], int] = {}
        self._firsts: dict[int, dict[Part, First]] = {}
        self._timelines: dict[int, Timeline] = {}
        self.server = Timeline(1, 1)

    async def relay_place(self, shard: int) -> tuple[int, dict[tuple[str, int], tuple[int, bytes]]]:
        position, chains = self._relay.get(shard, (0, {}))
        return position, dict(chains)

    async def save_relay_place(
        self, shard: int, position: int, chains: dict[tuple[str, int], tuple[int, bytes]]
    ) -> None:
        before, kept = self._relay.get(shard, (0, {}))
        further = {chain: place for chain, place in chains.items() if place[0] > kept.get(chain, (0, b""))[0]}
        self._relay[shard] = (max(before, position), {**kept, **further})

    async def firsts(self, shard: int) -> dict[Part, First]:
        return dict(self._firsts.get(shard, {}))

    async def save_firsts(self, shard: int, firsts: Mapping[Part, First]) -> None:
        _, chains = self._relay.get(shard, (0, {}))
        self._firsts.setdefault(shard, {}).update({part: first for part, first in firsts.items() if part in chains})

    async def timeline(self) -> Timeline:
        return self.server

    async def known_timelines(self, shards: Sequence[int]) -> dict[int, Timeline]:
        return {shard: self._timelines[shard] for shard in shards if shard in self._timelines}

    async def save_timeline(self, shards: Sequence[int], timeline: Timeline) -> None:
        self._timelines.update(dict.fromkeys(shards, timeline))

    async def seeks(self) -> dict[tuple[str, int], int]:
        return dict(self._seeks)

    async def save_seeks(self, offsets: dict[tuple[str, int], int]) -> None:
        self._seeks.update(offsets)


class MemoryStore(MemoryPlaces):
    """`Store` in memory. `side` keeps the services' own rows by statement; tests break it by `lose_commit` and `down`.

    Workers that share the object share the log.
    """

    def __init__(self, shards: int, *, mode: Mode = Mode.OWNED, clock: Clock | None = None) -> None:
        super().__init__()
        self.clock = clock or SystemClock()
        self.shards = {number: MemoryShard(number, mode) for number in range(shards)}
        self.side: dict[str, list[tuple[object, ...]]] = {}
        self.down = False
        self._lose: list[bool] = []

    def lose_commit(self, *, stored: bool) -> None:
        """Leave the next commit unanswered, stored or not."""
        self._lose.append(stored)

    async def close(self) -> None:
        """Nothing to end."""

    async def take_over(self, shard: int) -> Held:
        self._answer()
        one = self.shards[shard]
        if one.mode is not Mode.OWNED:
            raise Fenced(f"shard {shard} is in mode {one.mode}")
        one.epoch += 1
        return one.held(self.clock.now())

    async def cursors(self, shard: int) -> Sequence[Cursor]:
        self._answer()
        return [cursor for _, cursor in sorted(self.shards[shard].cursors.items())]

    async def holds(self, shard: int) -> Sequence[Parked]:
        self._answer()
        one = self.shards[shard]
        return [parked for key, parked in one.parked.items() if key not in one.ended]

    async def strays(self, shard: int) -> Sequence[tuple[str, int]]:
        self._answer()
        return [(topic, position) for topic, source_shard, position in self.shards[shard].parked if source_shard < 0]

    async def load(self, shard: int, streams: Sequence[str], schema: bytes) -> dict[str, StoredState]:
        self._answer()
        one = self.shards[shard]
        states = {}
        for stream in streams:
            version, state, of_schema = one.snapshots.get(stream, (0, b"", schema))
            if of_schema != schema:
                version, state = 0, b""
            states[stream] = StoredState(state, version, one.rows(stream, version))
        return states

    async def find(self, shard: int, event_ids: Sequence[bytes]) -> dict[bytes, EventRow]:
        self._answer()
        by_id = self.shards[shard].by_id
        return {event_id: by_id[event_id] for event_id in event_ids if event_id in by_id}

    async def append(self, batch: Batch) -> datetime:
        self._answer()
        return self._commit([batch], [])

    async def append_shared(
        self, shards: Sequence[int], event_ids: Sequence[tuple[int, bytes]], plan: SharedPlan, *, hasty: bool = False
    ) -> datetime:
        self._answer()
        held = {}
        for shard in sorted(set(shards)):
            one = self.shards[shard]
            if one.mode is not Mode.SHARED:
                raise Fenced(f"shard {shard} is in mode {one.mode}")
            held[shard] = one.held(self.clock.now())
        found = {
            event_id: self.shards[shard].by_id[event_id]
            for shard, event_id in event_ids
            if event_id in self.shards[shard].by_id
        }
        batches, side = plan(held, found)
        return self._commit(batches, side) if batches or side else self.clock.now()

    async def fate_of(self, batch: Batch) -> Fate:
        self._answer()
        one = self.shards[batch.shard]
        if (one.mode, one.epoch) != (batch.mode, batch.epoch):
            raise Fenced(f"shard {batch.shard} was taken by another worker")
        if batch.mode is not Mode.OWNED:
            stored = one.by_id.get(batch.rows[0].event_id) if batch.rows else None
            return Fate.COMMITTED if stored is not None and stored.data == batch.rows[0].data else Fate.REDO
        if batch.rows and (one.next_position, one.head) == (batch.next_position, batch.head):
            fate = Fate.COMMITTED
        elif one.next_position == batch.held_position:
            fate = Fate.REDO
        else:
            raise Fenced(f"shard {batch.shard} stands at {one.next_position}, where another worker brought it")
        one.epoch += 1
        return fate

    async def read(self, shard: int, after: int, limit: int) -> Sequence[EventRow]:
        self._answer()
        return self.shards[shard].copies[after : after + limit]

    async def other_types(self, shard: int, stream: str, known: Sequence[str]) -> Sequence[str]:
        self._answer()
        return sorted({row.type for row in self.shards[shard].rows(stream, 0)} - set(known))

    async def ends(self, shards: Sequence[int]) -> dict[int, int]:
        self._answer()
        return {shard: self.shards[shard].next_position - 1 for shard in shards if shard in self.shards}

    async def log_heads(self, shards: Sequence[int]) -> dict[int, tuple[int, bytes]]:
        self._answer()
        return {shard: (self.shards[shard].next_position - 1, self.shards[shard].head) for shard in shards}

    async def save_snapshots(self, shard: int, snapshots: Sequence[tuple[str, int, bytes, bytes]]) -> None:
        self._answer()
        kept = self.shards[shard].snapshots
        for stream, version, state, schema in snapshots:
            if version >= kept.get(stream, (0, b"", b""))[0]:
                kept[stream] = (version, state, schema)

    def _answer(self) -> None:
        if self.down:
            raise StoreDown("the store is down")

    def _commit(self, batches: Sequence[Batch], side: Sequence[SideRows]) -> datetime:
        for batch in batches:
            self.shards[batch.shard].check(batch)
        try:
            reach(Point.STORE_BEFORE_COMMIT)
        except ArmedFault as fault:
            raise StoreDown(str(fault)) from fault
        stored = self._lose.pop(0) if self._lose else None
        if stored is not False:
            for batch in batches:
                self.shards[batch.shard].store(batch)
            for rows in side:
                self.side.setdefault(rows.statement, []).extend(rows.parameters)
        try:
            reach(Point.STORE_IN_COMMIT)
            reach(Point.STORE_AFTER_COMMIT)
        except ArmedFault as fault:
            raise UnknownCommit(str(fault)) from fault
        if stored is not None:
            raise UnknownCommit("the answer of COMMIT was lost")
        return self.clock.now()


class MemoryPublisher:
    """`Publisher` in memory: `messages` are those acknowledged; `fail` makes the next `publish` acknowledge none."""

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []
        self.fail = 0

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        if self.fail:
            self.fail -= 1
            raise WorldFault("the broker did not acknowledge")
        self.messages.extend(messages)
