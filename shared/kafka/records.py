"""From a raw Kafka record to a `Record` with its place in a chain, or a `Stray` without one. Nothing raises."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from shared.contracts.envelope import MAX_DATA_BYTES
from shared.contracts.topics import BILLING_ROUTED, BY_NAME
from shared.eventlog.ports import Record, Stray

NO_PLACE = "no_place"
FOREIGN_SHARD = "foreign_shard"
FOREIGN_SOURCE = "foreign_source"
TOO_LARGE = "too_large"

_HASH_DIGITS = 64
_MAX_NUMBER_DIGITS = 18
_MAX_SHARD = 2**31 - 1
OTHER_PARTITIONS = frozenset({BILLING_ROUTED})
"""Topics whose partition is the target's shard, not the source's."""


class Raw(Protocol):
    """What is read of aiokafka's ConsumerRecord."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def parse(raw: Raw) -> Record | Stray:
    """Return the record with its place, or a stray: headers missing or wrong, a foreign shard or source.

    A value above 65,535 bytes that has a place stays a `Record`: its reader parks it and the chain goes on. Without a
    place it is a stray `too_large`.
    """
    headers = dict(raw.headers)
    place = _place(headers)
    if place is None:
        return _stray(raw, TOO_LARGE if len(raw.value or b"") > MAX_DATA_BYTES else NO_PLACE)
    shard, position, previous, previous_hash = place
    source = _word(headers.get("source"))
    topic = BY_NAME.get(raw.topic)
    if topic is not None and source != topic.producer:
        return _stray(raw, FOREIGN_SOURCE)
    if shard != raw.partition and raw.topic not in OTHER_PARTITIONS:
        return _stray(raw, FOREIGN_SHARD)
    trace = headers.get("traceparent")
    return Record(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        key=_text(raw.key),
        value=raw.value or b"",
        source=source,
        source_shard=shard,
        position=position,
        previous=previous,
        previous_hash=previous_hash,
        type=_word(headers.get("ce_type")),
        trace=None if trace is None else _text(trace),
    )


def _place(headers: dict[str, bytes | None]) -> tuple[int, int, int, bytes] | None:
    """Return shard, position, previous and its hash; None unless all are there and fit each other."""
    shard_digits, position_digits = headers.get("shard"), headers.get("position")
    previous_digits, hash_digits = headers.get("previous"), headers.get("previous_hash")
    if not shard_digits or not position_digits or not previous_digits or hash_digits is None:
        return None
    if not (shard_digits + position_digits + previous_digits).isdigit():
        return None
    if max(len(shard_digits), len(position_digits), len(previous_digits)) > _MAX_NUMBER_DIGITS:
        return None
    shard, position, previous = int(shard_digits), int(position_digits), int(previous_digits)
    if shard > _MAX_SHARD or previous >= position:
        return None
    if len(hash_digits) != (_HASH_DIGITS if previous else 0):
        return None
    try:
        return shard, position, previous, bytes.fromhex(hash_digits.decode("ascii"))
    except ValueError:
        return None


def _text(data: bytes | None) -> str:
    """Return text that PostgreSQL takes, whatever the bytes are: it has no NUL. Kafka knows null keys and headers."""
    return (data or b"").decode("utf-8", "replace").replace("\0", "\ufffd")


_word = lru_cache(maxsize=1_024)(_text)
"""For what few records differ in."""


def _stray(raw: Raw, cause: str) -> Stray:
    return Stray(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        key=_text(raw.key),
        value=raw.value or b"",
        cause=cause,
    )
