"""What the relay sends for stored rows: the same bytes each time, because all of it comes from the log."""

from collections.abc import Sequence

import msgspec

from shared.contracts.topics import BILLING_ROUTED, topics_of
from shared.eventlog.merkle import leaf_hash
from shared.eventlog.ports import EventRow, Outgoing
from shared.ids import shard_of

Chains = dict[tuple[str, int], tuple[int, bytes]]
"""Per (topic, partition): position and leaf hash of the last record that this shard put there."""

_START: tuple[int, bytes] = (0, b"")


class _Payload(msgspec.Struct):
    account_id: str | None = None
    routed_to: str = ""


class _Envelope(msgspec.Struct):
    tenant: str
    recorded_at: str
    payload: _Payload


_peek = msgspec.json.Decoder(_Envelope).decode


def outgoing(
    service: str, shard: int, shards: int, rows: Sequence[EventRow], chains: Chains
) -> tuple[list[Outgoing], Chains]:
    """Return the messages for `rows` in order, and the chains after them; `chains` is left as it was.

    Key: the household, else the stream. Partition: the shard. What is routed has the household that it is for as key,
    and that one's shard (of `shards`) as partition. Headers: CloudEvents in binary mode, trace context, and the
    record's place in its chain.
    """
    after = dict(chains)
    messages: list[Outgoing] = []
    source, number = f"piperoll/{service}".encode(), str(shard).encode()
    for row in rows:
        seen = _peek(row.data)
        stream = row.stream.encode()
        key = stream if seen.payload.account_id is None else seen.payload.account_id.encode()
        hashed = leaf_hash(row.data)
        head = [
            ("ce_specversion", b"1.0"),
            ("ce_id", row.event_id.hex().encode()),
            ("ce_source", source),
            ("ce_type", row.type.encode()),
            ("ce_time", seen.recorded_at.encode()),
            ("ce_subject", stream),
            ("content-type", b"application/json"),
            ("schema", schema_of(row.type)),
            ("source", service.encode()),
            ("shard", number),
            ("position", str(row.position).encode()),
        ]
        if row.trace:
            head.append(("traceparent", row.trace.encode()))
        for topic in topics_of(row.type):
            partition, its_key = shard, key
            if topic == BILLING_ROUTED:
                its_key = seen.payload.routed_to.encode()
                partition = shard_of(seen.tenant, seen.payload.routed_to, shards)
            previous, previous_hash = after.get((topic, partition), _START)
            chain = [("previous", str(previous).encode()), ("previous_hash", previous_hash.hex().encode())]
            messages.append(
                Outgoing(topic=topic, partition=partition, key=its_key, value=row.data, headers=head + chain)
            )
            after[topic, partition] = (row.position, hashed)
    return messages, after


def schema_of(event_type: str) -> bytes:
    """Return the version at the end of a type's name: `ledger.entry-posted.v1` gives `1`."""
    return event_type.rpartition(".v")[2].encode()
