"""What the writer, the relay and the inbox need of the world; one contract suite holds all adapters."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, Protocol

import msgspec


class Mode(StrEnum):
    """How a shard is written; `fence` refuses any other way.

    `owned`: one worker holds it by epoch. `shared`: many processes lock its row. `library`: a plain `eventsourcing`
    application.
    """

    OWNED = "owned"
    SHARED = "shared"
    LIBRARY = "library"


class EventRow(msgspec.Struct, frozen=True, gc=False):
    """One stored event. `data` is the envelope's bytes; the other fields but `digest` and `trace` are copies of it.

    `event_id` is 16 bytes, `digest` (32 bytes, event 0 of a keyed command only) tells a repeat from a conflict.
    """

    shard: int
    position: int
    stream: str
    version: int
    event_id: bytes
    type: str
    data: bytes
    digest: bytes | None = None
    trace: str | None = None


class Cursor(msgspec.Struct, frozen=True):
    """How far the chain of one source shard in one topic is consumed; position 0 and hash b"" are nothing."""

    topic: str
    source_shard: int
    position: int
    hash: bytes


Place = tuple[str, int, int]
"""Where a parked record stood: topic, source shard, position."""


class Parked(msgspec.Struct, frozen=True):
    """A record that waits for a person, and holds its key. A stray record has source shard -1 and its offset.

    `key` is the household's id (empty: holds nobody), `cause` a stable word, `data` the record's value.
    """

    topic: str
    source_shard: int
    position: int
    key: str
    cause: str
    data: bytes
    type: str = ""
    trace: str | None = None

    @property
    def place(self) -> Place:
        """Where the record stood."""
        return self.topic, self.source_shard, self.position


class Shelved(msgspec.Struct, frozen=True):
    """A parked record as it waits: where it stood, whom it holds and why, and for how long by the database's clock."""

    place: Place
    key: str
    cause: str
    age: timedelta


class Ended(msgspec.Struct, frozen=True):
    """A parked record that a person let go: decided after all (`released`) or left out (`dropped`)."""

    topic: str
    source_shard: int
    position: int
    how: Literal["released", "dropped"]


class Order(msgspec.Struct, frozen=True):
    """What a person ordered about a parked record; `id` names the order's own row."""

    id: int
    topic: str
    source_shard: int
    position: int
    how: Literal["released", "dropped"]


class Held(msgspec.Struct, frozen=True):
    """What a shard row says: the next position, the compact Merkle range before it, the newest recorded time."""

    shard: int
    epoch: int
    next_position: int
    head: bytes
    recorded_at: datetime
    database_now: datetime


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One shard's part of one transaction. `head` and `recorded_at` are the new ones; rows start at `held_position`."""

    shard: int
    mode: Mode
    epoch: int
    held_position: int
    head: bytes
    recorded_at: datetime
    rows: Sequence[EventRow] = ()
    cursors: Sequence[Cursor] = ()
    parked: Sequence[Parked] = ()
    ended: Sequence[Ended] = ()

    @property
    def next_position(self) -> int:
        """The position after the last row."""
        return self.held_position + len(self.rows)


class Fate(StrEnum):
    """What became of a commit whose answer was lost."""

    COMMITTED = "committed"
    REDO = "redo"


class StoredState(msgspec.Struct, frozen=True):
    """What a stream is loaded from: a snapshot (state bytes at a version; b"" and 0: none) and the rows after it."""

    snapshot: bytes
    version: int
    rows: Sequence[EventRow]


class SideRows(msgspec.Struct, frozen=True):
    """Rows of a service's own that go with the events in one transaction: a named statement and its parameters.

    The statement is one of those that the store was made with and takes one array per column of the rows:
    `INSERT INTO t SELECT * FROM unnest($1::text[], $2::bigint[])`.
    """

    statement: str
    parameters: Sequence[tuple[object, ...]]


SharedPlan = Callable[[dict[int, Held], dict[bytes, EventRow]], tuple[Sequence[Batch], Sequence[SideRows]]]


class Store(Protocol):
    """One service's log. Errors: Fenced, ClockAhead, StoreDown (nothing stored), UnknownCommit (call `fate_of`)."""

    async def take_over(self, shard: int) -> Held:
        """Raise the shard's epoch by one, commit, and return what is held (mode `owned` only)."""
        ...

    async def cursors(self, shard: int) -> Sequence[Cursor]:
        """Return all cursors of a shard."""
        ...

    async def holds(self, shard: int) -> Sequence[Parked]:
        """Return the parked records of a shard that are not released, in the order in which they came."""
        ...

    async def strays(self, shard: int) -> Sequence[tuple[str, int]]:
        """Return (topic, offset) of every stray record that was ever parked, also those that were let go."""
        ...

    async def load(self, shard: int, streams: Sequence[str], schema: bytes) -> dict[str, StoredState]:
        """Return the states of streams in one query; a snapshot whose schema hash differs is ignored."""
        ...

    async def find(self, shard: int, event_ids: Sequence[bytes]) -> dict[bytes, EventRow]:
        """Return the stored events with these ids; a missing id is absent."""
        ...

    async def append(self, batch: Batch) -> datetime:
        """Store one shard's batch in one durable transaction behind its fence; return the database's clock."""
        ...

    async def append_shared(
        self, shards: Sequence[int], event_ids: Sequence[tuple[int, bytes]], plan: SharedPlan, *, hasty: bool = False
    ) -> datetime:
        """Lock the shards' rows in order, find the ids, call `plan`, store what it returns, all in one transaction.

        RowHeld where somebody else holds a row for too long; where it is `hasty`, for longer than a moment.
        """
        ...

    async def fate_of(self, batch: Batch) -> Fate:
        """Tell what became of a batch whose COMMIT went unanswered; an owned shard's epoch is one higher after it.

        A batch without rows is always to be done again: nothing tells, and nothing of it counts twice.

        Fenced when another worker has taken the shard meanwhile.
        """
        ...

    async def read(self, shard: int, after: int, limit: int) -> Sequence[EventRow]:
        """Return up to `limit` events with positions above `after`, in order."""
        ...

    async def other_types(self, shard: int, stream: str, known: Sequence[str]) -> Sequence[str]:
        """Return the types of a stream's events that are not among `known`, in their order; none where all are."""
        ...

    async def ends(self, shards: Sequence[int]) -> dict[int, int]:
        """Return the last position of each shard, 0 for an empty one."""
        ...

    async def save_snapshots(self, shard: int, snapshots: Sequence[tuple[str, int, bytes, bytes]]) -> None:
        """Keep (stream, version, state bytes, schema hash); outside the tree, never needed."""
        ...


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A record of a chain as it came: `previous` and its hash name the one before it from this shard in this topic."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    source: str
    source_shard: int
    position: int
    previous: int
    previous_hash: bytes
    type: str = ""
    trace: str | None = None


class Stray(msgspec.Struct, frozen=True, kw_only=True):
    """A record with no place in any chain (headers missing or wrong); `cause` is a stable word."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    cause: str


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One message for one partition."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


class Publisher(Protocol):
    """Where the relay sends; returns when every message is acknowledged by all in-sync replicas, else WorldFault."""

    async def publish(self, messages: Sequence[Outgoing]) -> None: ...


class RelayStore(Protocol):
    """Where a relay keeps its place and the ends of its chains."""

    async def relay_place(self, shard: int) -> tuple[int, dict[tuple[str, int], tuple[int, bytes]]]:
        """Return the last relayed position and, per (topic, partition), the last record's position and leaf hash."""
        ...

    async def save_relay_place(
        self, shard: int, position: int, chains: dict[tuple[str, int], tuple[int, bytes]]
    ) -> None:
        """Move the place and the chains on; what is further already stays, because an old owner may wake late."""
        ...


class Seeks(Protocol):
    """Where an inbox starts reading; a hint only: too low repeats, none or out of range is the beginning."""

    async def seeks(self) -> dict[tuple[str, int], int]: ...

    async def save_seeks(self, offsets: dict[tuple[str, int], int]) -> None: ...
