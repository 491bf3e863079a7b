"""The writer's desk: what it holds in memory for one shard, and how a round of commands becomes one batch.

No I/O: the writer loads states and appends; the desk decides and evolves. A draft is adopted only once its commit is
known; until then the desk is as before, so a failed commit is dropped by dropping the draft.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from shared.clock import rfc3339
from shared.contracts.envelope import Envelope, encode_event, open_fact, seal
from shared.contracts.event import Actor, Event
from shared.decider import Cause, Context, Registry
from shared.errors import BadRecord
from shared.eventlog.merkle import extend, leaf_hash
from shared.eventlog.ports import Batch, Cursor, Ended, EventRow, Held, Mode, Parked
from shared.ids import event_id
from shared.telemetry.logs import logger

log = logger(__name__)

CACHED_STREAMS = 50_000
SNAPSHOT_EVERY = 500


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One command or fact to be decided, with all that its events will carry."""

    message: Any
    stream: str
    tenant: str
    root: bytes
    actor: Actor
    correlation: str
    causation: str | None
    effective_date: str | None
    cause: Cause
    digest: bytes | None = None
    trace: str | None = None


class Entry(msgspec.Struct, frozen=True):
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
    """What one round will store: rows and new states, parked and ended records. `today` is in the tenant's zone."""

    recorded_at: datetime
    today: str
    rows: list[EventRow] = []
    leaves: list[bytes] = []
    entries: dict[str, Entry] = {}
    parked: list[Parked] = []
    ended: list[Ended] = []
    doubtful: set[str] = set()

    def changes_nothing(self) -> bool:
        """Tell whether there is nothing to store but cursors."""
        return not (self.rows or self.parked or self.ended)


class Desk:
    """One shard's place in its log, its cached states and its holds."""

    def __init__(self, registry: Registry, held: Held, zone: ZoneInfo) -> None:
        self._registry = registry
        self._zone = zone
        self.shard = held.shard
        self.epoch = held.epoch
        self.next_position = held.next_position
        self.head = held.head
        self.recorded_at = held.recorded_at
        self._cache: OrderedDict[str, Entry] = OrderedDict()

    def missing(self, items: Sequence[Item]) -> list[str]:
        """Return the streams of `items` whose state is not in memory, each once."""
        return list(dict.fromkeys(item.stream for item in items if item.stream not in self._cache))

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

    def draft(self, now: datetime) -> Draft:
        """Begin a round; within a shard recorded time never falls."""
        recorded_at = max(now, self.recorded_at)
        return Draft(recorded_at=recorded_at, today=recorded_at.astimezone(self._zone).date().isoformat())

    def decide(self, draft: Draft, item: Item) -> tuple[EventRow, ...]:
        """Decide one item into the draft and return its events; what a decider raises leaves the draft as it was."""
        entry = draft.entries.get(item.stream) or self._cache[item.stream]
        handler = self._registry.handlers[type(item.message)]
        events = handler.decide(item.message, entry.state, self._context(draft, item))
        if not events:
            return ()
        kind = self._registry.kind_of(item.stream)
        rows: list[EventRow] = []
        version, state = entry.version, entry.state
        position = self.next_position + len(draft.rows)
        for index, event in enumerate(events):
            version += 1
            rows.append(self._row(draft, item, event, index, position + index, version))
            state = kind.evolve(state, event)
        draft.rows.extend(rows)
        draft.leaves.extend(leaf_hash(row.data) for row in rows)
        draft.entries[item.stream] = Entry(version, state)
        return tuple(rows)

    def _context(self, draft: Draft, item: Item) -> Context:
        return Context(
            tenant=item.tenant,
            shard=self.shard,
            root=item.root,
            recorded_at=draft.recorded_at,
            today=draft.today,
            effective_date=item.effective_date or draft.today,
            actor=item.actor,
            correlation=item.correlation,
            cause=item.cause,
        )

    def _row(self, draft: Draft, item: Item, event: Event, index: int, position: int, version: int) -> EventRow:
        identity = event_id(item.root, index)
        effective_date = event.effective_on() or item.effective_date or draft.today
        envelope = Envelope(
            tenant=item.tenant,
            event_id=identity.hex(),
            type=event.TYPE,
            stream=item.stream,
            version=version,
            recorded_at=rfc3339(draft.recorded_at),
            effective_date=effective_date,
            actor=item.actor,
            correlation=item.correlation,
            causation=item.causation,
            payload=encode_event(event),
        )
        return EventRow(
            shard=self.shard,
            position=position,
            stream=item.stream,
            version=version,
            event_id=identity,
            type=event.TYPE,
            data=seal(envelope),
            digest=item.digest if index == 0 else None,
            trace=item.trace,
        )

    def batch(self, draft: Draft, cursors: Sequence[Cursor]) -> Batch:
        """Return the draft as one transaction behind this desk's epoch and place."""
        return Batch(
            shard=self.shard,
            mode=Mode.OWNED,
            epoch=self.epoch,
            held_position=self.next_position,
            head=extend(self.head, self.next_position - 1, draft.leaves),
            recorded_at=draft.recorded_at,
            rows=draft.rows,
            cursors=cursors,
            parked=draft.parked,
            ended=draft.ended,
        )

    def adopt(self, draft: Draft, batch: Batch) -> list[tuple[str, Entry]]:
        """Take over what was committed and return the streams whose snapshot is due.

        States that a raising decider touched are dropped and loaded afresh.
        """
        self.next_position = batch.next_position
        self.head = batch.head
        self.recorded_at = batch.recorded_at
        due: list[tuple[str, Entry]] = []
        for stream, entry in draft.entries.items():
            if entry.version // SNAPSHOT_EVERY > self._cache[stream].version // SNAPSHOT_EVERY:
                due.append((stream, entry))
            self._cache[stream] = entry
            self._cache.move_to_end(stream)
        for stream in draft.doubtful:
            self._cache.pop(stream, None)
        while len(self._cache) > CACHED_STREAMS:
            self._cache.popitem(last=False)
        return due


def schema_hashes(registry: Registry) -> Mapping[str, bytes]:
    """Return, per stream kind, the hash of its state's JSON Schema: a snapshot of another schema is ignored."""
    return {
        kind.prefix: leaf_hash(msgspec.json.encode(msgspec.json.schema(kind.state_type), order="sorted"))
        for kind in registry.kinds
    }
