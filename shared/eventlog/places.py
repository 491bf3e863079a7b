"""Where a shard's records stand on Kafka, and how a partition began when all of them were there."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from shared.eventlog.ports import RelayStore

Part = tuple[str, int]
"""A partition of a topic, by the topic's name and its number."""


class First(NamedTuple):
    """How a partition begins: its first offset, and the time (milliseconds) of the record there; None: it is empty."""

    offset: int
    at_ms: int | None


class ChainStore(RelayStore, Protocol):
    """What is kept beside the relay's place, and what a shard tells of its log."""

    async def log_heads(self, shards: Sequence[int]) -> dict[int, tuple[int, bytes]]:
        """Return, per shard, the last position of its log and the compact Merkle range up to there."""
        ...

    async def firsts(self, shard: int) -> dict[Part, First]:
        """Return how the shard's partitions began when they were last known to be whole; an unknown one is absent."""
        ...

    async def save_firsts(self, shard: int, firsts: Mapping[Part, First]) -> None:
        """Keep how partitions begin; one without a chain of the shard is left out."""
        ...
