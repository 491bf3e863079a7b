"""What the relay sends for stored rows: the same bytes each time, because all of it comes from the log."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from shared.contracts.envelope import OPENERS
from shared.contracts.topics import BILLING_ROUTED, topics_of
from shared.errors import WorldFault
from shared.eventlog.merkle import leaf_hash
from shared.eventlog.ports import EventRow, Outgoing
from shared.ids import shard_of

Chains = dict[tuple[str, int], tuple[int, bytes]]
"""Per (topic, partition): position and leaf hash of the last record that this shard put there."""

Header = tuple[str, bytes]

Notes = Mapping[int, Sequence[Header]]
"""Per position: headers that the service's own rows add, the same each time."""
Annotate = Callable[[Sequence[EventRow]], Awaitable[Notes]]
"""Reads the notes of rows."""
NO_NOTES: Notes = MappingProxyType({})


async def no_notes(rows: Sequence[EventRow]) -> Notes:
    """Return nothing: most services keep no rows of their own beside their events."""
    return NO_NOTES


_START: tuple[int, bytes] = (0, b"")
_VERSION: Header = ("ce_specversion", b"1.0")
_JSON: Header = ("content-type", b"application/json")


class _Payload(msgspec.Struct):
    account_id: str | None = None
    routed_to: str = ""


class _Envelope(msgspec.Struct):
    tenant: str
    recorded_at: str
    payload: _Payload


_peek = msgspec.json.Decoder(_Envelope).decode


class _Sort(NamedTuple):
    """What all events of one type have in common on the wire."""

    type: Header
    schema: Header
    topics: tuple[str, ...]


@cache
def _sort_of(event_type: str) -> _Sort:
    if event_type not in OPENERS:
        raise WorldFault(f"{event_type} waits for a newer version: only that knows its topics")
    return _Sort(("ce_type", event_type.encode()), ("schema", schema_of(event_type)), topics_of(event_type))


def known(rows: Sequence[EventRow]) -> Sequence[EventRow]:
    """Return the rows before the first of a type that only a newer version knows."""
    for number, row in enumerate(rows):
        if row.type not in OPENERS:
            return rows[:number]
    return rows


def outgoing(
    service: str, shard: int, shards: int, rows: Sequence[EventRow], chains: Chains, notes: Notes = NO_NOTES
) -> tuple[list[Outgoing], Chains]:
    """Return the messages for `rows` in order, and the chains after them; `chains` is left as it was.

    Key: the household, else the stream. Partition: the shard. What is routed has the household that it is for as key,
    and that one's shard (of `shards`) as partition. Headers: CloudEvents in binary mode, trace context, what else the
    log keeps beside the event's bytes (`digest`, `notes`), and the record's place in its chain. WorldFault where a
    row's type is a newer version's.
    """
    after = dict(chains)
    messages: list[Outgoing] = []
    source, number = ("source", service.encode()), ("shard", str(shard).encode())
    ce_source = ("ce_source", b"piperoll/" + service.encode())
    for row in rows:
        seen = _peek(row.data)
        stream = row.stream.encode()
        key = stream if seen.payload.account_id is None else seen.payload.account_id.encode()
        hashed = leaf_hash(row.data)
        sort = _sort_of(row.type)
        head: list[Header] = [
            _VERSION,
            ("ce_id", row.event_id.hex().encode()),
            ce_source,
            sort.type,
            ("ce_time", seen.recorded_at.encode()),
            ("ce_subject", stream),
            _JSON,
            sort.schema,
            source,
            number,
            ("position", b"%d" % row.position),
        ]
        if row.trace:
            head.append(("traceparent", row.trace.encode()))
        if row.digest:
            head.append(("digest", row.digest.hex().encode()))
        head += notes.get(row.position, ())
        for topic in sort.topics:
            partition, its_key = shard, key
            if topic == BILLING_ROUTED:
                its_key = seen.payload.routed_to.encode()
                partition = shard_of(seen.tenant, seen.payload.routed_to, shards)
            place = (topic, partition)
            previous, previous_hash = after.get(place, _START)
            chain = [*head, ("previous", b"%d" % previous), ("previous_hash", previous_hash.hex().encode())]
            messages.append(Outgoing(topic=topic, partition=partition, key=its_key, value=row.data, headers=chain))
            after[place] = (row.position, hashed)
    return messages, after


def schema_of(event_type: str) -> bytes:
    """Return the version at the end of a type's name: `ledger.entry-posted.v1` gives `1`."""
    return event_type.rpartition(".v")[2].encode()
