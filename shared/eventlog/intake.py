"""From what arrives to what is decided: records are opened, and kept back where they must wait."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import msgspec

from shared.contracts.envelope import Fact, open_fact
from shared.contracts.topics import BY_NAME
from shared.decider import Cause, Registry
from shared.errors import BadRecord
from shared.eventlog.command import Submitted
from shared.eventlog.desk import Item
from shared.eventlog.ports import Order, Parked, Place, Record, Stray
from shared.ids import event_id, root_of_record

STRAY_SHARD = -1
BEHIND = "behind_parked"
NOT_READ = frozenset({"unknown_type", "wrong_schema"})
"""Causes that a newer version may mend: the record was true and this version could not read it."""


class Nobody(msgspec.Struct, frozen=True):
    """A known fact that concerns no stream of this service: only its cursor moves."""


NOBODY = Nobody()


def item_of_record(registry: Registry, record: Record) -> Item | Nobody:
    """Return what a record asks to be decided; bytes that are no fact of ours raise BadRecord."""
    return _item_of_fact(registry, open_fact(record.value), record.source, record.source_shard, record.position, record)


def item_of_parked(registry: Registry, parked: Parked) -> Item | Nobody:
    """Return what a parked record asks, with the record's own root; a stray one has no place and raises BadRecord."""
    if parked.source_shard == STRAY_SHARD:
        raise BadRecord("no_place", "a stray record can only be dropped")
    source = BY_NAME[parked.topic].producer
    return _item_of_fact(registry, open_fact(parked.data), source, parked.source_shard, parked.position, parked)


def _item_of_fact(
    registry: Registry, fact: Fact, source: str, shard: int, position: int, carrier: Record | Parked
) -> Item | Nobody:
    handler = registry.handlers.get(type(fact.event))
    stream = handler.stream(fact.event) if handler is not None else None
    if stream is None:
        return NOBODY
    if stream.partition("_")[0] not in registry.by_prefix or "\0" in stream:
        raise BadRecord("foreign_stream", f"{stream!r} is no stream of {registry.service}")
    envelope, root = fact.envelope, root_of_record(source, shard, position)
    return Item(
        message=fact.event,
        stream=stream,
        tenant=envelope.tenant,
        root=root,
        first_id=event_id(root, 0),
        actor=envelope.actor,
        correlation=envelope.correlation,
        causation=envelope.event_id,
        effective_date=envelope.effective_date,
        cause=Cause(envelope.event_id, f"{source}.{shard}.{position}", envelope.type),
        trace=carrier.trace,
    )


def item_of_submitted(registry: Registry, submitted: Submitted) -> Item:
    """Return what a caller asks; a command without a handler raises KeyError, one that concerns nobody ValueError."""
    message: Any = submitted.command
    stream = registry.handlers[type(message)].stream(message)
    if stream is None:
        raise ValueError(f"{type(message).__name__} names no stream")
    first_id = event_id(submitted.root, 0)
    return Item(
        message=message,
        stream=stream,
        tenant=submitted.tenant,
        root=submitted.root,
        first_id=first_id,
        actor=submitted.actor,
        correlation=submitted.correlation,
        causation=submitted.causation,
        effective_date=submitted.effective_date,
        cause=Cause(first_id.hex(), "submitted", message.TYPE or type(message).__name__),
        digest=submitted.digest,
        trace=submitted.trace,
    )


def parked_record(record: Record, cause: str) -> Parked:
    """Return a record of a chain as it is parked."""
    return Parked(
        record.topic,
        record.source_shard,
        record.position,
        record.key,
        cause,
        record.value,
        record.type,
        record.trace,
    )


def parked_stray(stray: Stray) -> Parked:
    """Return a record without a place as it is parked: named by its offset, once however often it is read."""
    return Parked(stray.topic, STRAY_SHARD, stray.offset, stray.key, stray.cause, stray.value)


def let_go_with(queue: Sequence[Parked], place: Place) -> list[Parked]:
    """Return the record at `place` of a key's queue and, where it is the first, those that waited behind it alone.

    A later record with a cause of its own holds the key in its turn, and all that comes after it.
    """
    if queue[0].place != place:
        return [one for one in queue if one.place == place]
    return [queue[0], *takewhile(lambda one: one.cause == BEHIND, queue[1:])]


class Holds:
    """Which keys wait behind a parked record, and those records in the order in which they came.

    `strays` are (topic, offset) of stray records that were ever parked: with no place in a chain, they may be read
    again after a person let them go.
    """

    def __init__(self, parked: Sequence[Parked], strays: Sequence[tuple[str, int]]) -> None:
        self._by_key: dict[str, list[Parked]] = {}
        self._keys: dict[Place, str] = {}
        self._strays = set(strays)
        self.add(parked)

    def add(self, parked: Sequence[Parked]) -> None:
        """Take note of records that were parked."""
        for one in parked:
            if one.source_shard == STRAY_SHARD:
                self._strays.add((one.topic, one.position))
            self._keys[one.place] = one.key
            self._by_key.setdefault(one.key, []).append(one)

    def held(self, key: str) -> bool:
        """Tell whether records of this key wait; the empty key holds nobody."""
        return key in self._by_key and bool(key)

    def knows(self, stray: Parked) -> bool:
        """Tell whether this very stray record is parked already, or was once."""
        return (stray.topic, stray.position) in self._strays

    def queue_of(self, topic: str, source_shard: int, position: int) -> list[Parked]:
        """Return the records of the key that this parked record holds, in order; empty if it is not parked."""
        key = self._keys.get((topic, source_shard, position))
        return [] if key is None else list(self._by_key[key])

    def remove(self, ended: Sequence[Place]) -> None:
        """Take note of parked records that were let go."""
        for place in ended:
            key = self._keys.pop(place)
            left = [one for one in self._by_key[key] if one.place != place]
            if left:
                self._by_key[key] = left
            else:
                del self._by_key[key]

    def to_read_again(self) -> list[Order]:
        """Return what releases, in order, the records that were parked because an older version could not read them.

        One that still cannot be read stays, and holds what came after it.
        """
        not_read = (one for queue in self._by_key.values() for one in queue if one.cause in NOT_READ)
        return [Order(0, *one.place, "released") for one in not_read]

    @property
    def keys(self) -> int:
        """How many keys wait; the empty one, which holds nobody, left out."""
        return len(self._by_key.keys() - {""})

    def __len__(self) -> int:
        return len(self._keys)
