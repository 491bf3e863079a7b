"""What services tell each other of their chains: how far each goes (heads) and what is missing of one (refills)."""

import msgspec

from shared.contracts.topics import BY_NAME


class ChainEnd(msgspec.Struct, frozen=True):
    """The last record that a shard has on one partition of one topic; `hash` is its leaf hash, hexadecimal."""

    topic: str
    partition: int
    position: int
    hash: str


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """How far a shard's log goes and where each of its chains ends.

    `position` and `root` (RFC 6962, hexadecimal) are the log's; chains may end below, but never above.
    """

    service: str
    shard: int
    position: int
    root: str
    chains: tuple[ChainEnd, ...]


class Refill(msgspec.Struct, frozen=True, kw_only=True):
    """Asks the owner of a shard to publish what its log has for one partition once more, from a position on."""

    topic: str
    service: str
    shard: int
    partition: int
    from_position: int
    asked_by: str


_encode = msgspec.json.Encoder().encode
_head = msgspec.json.Decoder(Head).decode
_refill = msgspec.json.Decoder(Refill).decode


def encode(notice: Head | Refill) -> bytes:
    """Return the record's value."""
    return _encode(notice)


def read_head(value: bytes) -> Head | None:
    """Return the head that a record holds; None where it is none."""
    try:
        return _head(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def read_refill(value: bytes) -> Refill | None:
    """Return the request that a record holds; None where it is none, or asks a service for what it does not publish."""
    try:
        asked = _refill(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    topic = BY_NAME.get(asked.topic)
    known = topic is not None and topic.kind == "events" and topic.producer == asked.service
    return asked if known and asked.from_position > 0 and min(asked.shard, asked.partition) >= 0 else None
