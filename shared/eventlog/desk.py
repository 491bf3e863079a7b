"""The writer's desk: what it holds in memory for one shard, and how commands become the rows of the next commit.

No I/O: the writer loads states and appends; the desk decides and evolves. What is decided counts here at once, before
it is committed: a commit that fails ends the writer and all that it holds, so nothing is ever taken back.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from shared.clock import rfc3339
from shared.contracts.envelope import Unsealed, open_fact, seal
from shared.contracts.event import Actor, Event
from shared.decider import Cause, Context, Registry
from shared.errors import BadRecord
from shared.eventlog.merkle import extend, leaf_hash
from shared.eventlog.ports import Batch, Cursor, Ended, EventRow, Held, Mode, Parked
from shared.ids import event_id
from shared.telemetry.logs import logger

log = logger(__name__)

CACHED_STREAMS = 100_000
"""Far more than a draft and a commit can touch, so that what is dropped is always committed."""
SNAPSHOT_EVERY = 500


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One command or fact to be decided, with all that its events will carry; `first_id` is the id of its event 0."""

    message: Any
    stream: str
    tenant: str
    root: bytes
    first_id: bytes
    actor: Actor
    correlation: str
    causation: str | None
    effective_date: str | None
    cause: Cause
    digest: bytes | None = None
    trace: str | None = None


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A stream's state at a version."""

    version: int
    state: Any


class Unread(msgspec.Struct, frozen=True):
    """Stands for an event, and then for the state, of a stream that this version cannot read."""

    cause: str


def open_own(row: EventRow) -> Event | Unread:
    """Return the event of a row of our own log, or that it cannot be read: a newer version may have written it."""
    try:
        return open_fact(row.data).event
    except BadRecord as error:
        log.error("stream_not_read", stream=row.stream, position=row.position, type=row.type, cause=error.cause)
        return Unread(error.cause)


class Draft(msgspec.Struct, kw_only=True):
    """What the next commit will store, as it grows; `keyed` are the first events of its submitted commands."""

    rows: list[EventRow] = []
    leaves: list[bytes] = []
    parked: list[Parked] = []
    ended: list[Ended] = []
    snapshots: dict[str, Entry] = {}
    keyed: dict[bytes, EventRow] = {}

    def changes_nothing(self) -> bool:
        """Tell whether there is nothing to store but cursors."""
        return not (self.rows or self.parked or self.ended)


class Desk:
    """One shard's place in its log and its cached states, ahead of the stored ones by the drafts under way."""

    def __init__(self, registry: Registry, held: Held, zone: ZoneInfo) -> None:
        self._registry = registry
        self._zone = zone
        self.shard = held.shard
        self.epoch = held.epoch
        self.next_position = held.next_position
        self.doubtful: set[str] = set()
        self._drafted_from = held.next_position
        self._head = held.head
        self._cache: OrderedDict[str, Entry] = OrderedDict()
        self._set_time(held.recorded_at)

    def missing(self, items: Iterable[Item]) -> list[str]:
        """Return the streams of `items` whose state is not in memory, each once."""
        cache = self._cache
        return list(dict.fromkeys([item.stream for item in items if item.stream not in cache]))

    def remember(
        self, stream: str, snapshot: tuple[int, Any] | None, events: Sequence[tuple[int, Event | Unread]]
    ) -> None:
        """Fold a stream's events onto its snapshot's state (or the initial one) and keep it, or that it is unread."""
        kind = self._registry.kind_of(stream)
        version, state = snapshot or (0, kind.initial(stream))
        for version, event in events:  # noqa: B007 - the last version is the stream's
            if isinstance(event, Unread):
                state = event
                break
            state = kind.evolve(state, event)
        self._cache[stream] = Entry(version, state)

    def unread(self, stream: str) -> str:
        """Return why a stream that was loaded cannot be read by this version, and so must not be decided; else ""."""
        entry = self._cache.get(stream)
        return entry.state.cause if entry is not None and isinstance(entry.state, Unread) else ""

    def begin(self, now: datetime) -> None:
        """Begin a round; within a shard recorded time never falls."""
        if now > self._recorded_at:
            self._set_time(now)

    def _set_time(self, recorded_at: datetime) -> None:
        self._recorded_at = recorded_at
        self._recorded_text = rfc3339(recorded_at)
        self._today = recorded_at.astimezone(self._zone).date().isoformat()

    def decide(self, draft: Draft, item: Item) -> tuple[EventRow, ...]:
        """Decide one item into the draft and return its events; what a decider raises leaves the draft as it was.

        A decider that raised may have changed the state in its hands: its stream is doubtful until it is forgotten.
        """
        stream = item.stream
        entry = self._cache[stream]
        try:
            events = self._registry.handlers[type(item.message)].decide(item.message, entry.state, self._context(item))
            if not events:
                return ()
            evolve = self._registry.kind_of(stream).evolve
            state, rows = entry.state, []
            for index, event in enumerate(events):
                rows.append(self._row(item, event, index, entry.version + index + 1))
                state = evolve(state, event)
            leaves = [leaf_hash(row.data) for row in rows]
        except Exception:
            self.doubtful.add(stream)
            raise
        version = entry.version + len(rows)
        self._cache[stream] = entry = Entry(version, state)
        self._cache.move_to_end(stream)
        if version % SNAPSHOT_EVERY < len(rows):
            draft.snapshots[stream] = entry
        draft.rows += rows
        draft.leaves += leaves
        self.next_position += len(rows)
        return tuple(rows)

    def _context(self, item: Item) -> Context:
        return Context(
            tenant=item.tenant,
            shard=self.shard,
            root=item.root,
            recorded_at=self._recorded_at,
            effective_date=item.effective_date or self._today,
            today=self._today,
            actor=item.actor,
            correlation=item.correlation,
            cause=item.cause,
        )

    def _row(self, item: Item, event: Event, index: int, version: int) -> EventRow:
        identity = event_id(item.root, index)
        envelope = Unsealed(
            tenant=item.tenant,
            event_id=identity.hex(),
            type=event.TYPE,
            stream=item.stream,
            version=version,
            recorded_at=self._recorded_text,
            effective_date=event.effective_on() or item.effective_date or self._today,
            actor=item.actor,
            correlation=item.correlation,
            causation=item.causation,
            payload=event,
        )
        return EventRow(
            self.shard,
            self.next_position + index,
            item.stream,
            version,
            identity,
            event.TYPE,
            seal(envelope),
            None if index else item.digest,
            item.trace,
        )

    def batch(self, draft: Draft, cursors: Sequence[Cursor]) -> Batch:
        """Return the draft as one transaction behind this desk's epoch; the next draft begins after it."""
        held_position = self._drafted_from
        self._head = extend(self._head, held_position - 1, draft.leaves)
        self._drafted_from = held_position + len(draft.rows)
        while len(self._cache) > CACHED_STREAMS:
            self._cache.popitem(last=False)
        return Batch(
            shard=self.shard,
            mode=Mode.OWNED,
            epoch=self.epoch,
            held_position=held_position,
            head=self._head,
            recorded_at=self._recorded_at,
            rows=draft.rows,
            cursors=cursors,
            parked=draft.parked,
            ended=draft.ended,
        )

    def forget_doubtful(self) -> None:
        """Drop the states that are doubtful, to be loaded afresh; all that was decided must be committed."""
        for stream in self.doubtful:
            self._cache.pop(stream, None)
        self.doubtful.clear()


def schema_hashes(registry: Registry) -> Mapping[str, bytes]:
    """Return, per stream kind, the hash of its state's JSON Schema: a snapshot of another schema is ignored."""
    return {
        kind.prefix: leaf_hash(msgspec.json.encode(msgspec.json.schema(kind.state_type), order="sorted"))
        for kind in registry.kinds
    }
