"""Heads: what every shard repeats of its log and its chains, so that silence is told from emptiness."""

from collections.abc import Iterable

from shared.contracts.chains import ChainEnd, Head, encode
from shared.contracts.topics import HEADS
from shared.eventlog.cursors import ChainKey
from shared.eventlog.merkle import root
from shared.eventlog.outgoing import Chains
from shared.eventlog.ports import Outgoing

EVERY_S = 10.0


def head_of(service: str, shard: int, log: tuple[int, bytes], chains: Chains) -> Head:
    """Return what a shard tells; `log` is the position of its last event and its compact range."""
    ends = [ChainEnd(topic, partition, *_end(end)) for (topic, partition), end in sorted(chains.items())]
    return Head(service=service, shard=shard, position=log[0], root=root(log[1]).hex(), chains=tuple(ends))


def _end(end: tuple[int, bytes]) -> tuple[int, str]:
    return end[0], end[1].hex()


def head_message(head: Head) -> Outgoing:
    """Return the record for the topic of heads, which keeps the newest of each shard."""
    key = f"{head.service}.{head.shard}".encode()
    return Outgoing(topic=HEADS, partition=head.shard, key=key, value=encode(head))


class Heads:
    """What was heard of each chain; of two ends the higher counts, because records of heads may repeat and reorder."""

    def __init__(self) -> None:
        self._ends: dict[tuple[str, int], dict[int, ChainEnd]] = {}

    def hear(self, head: Head) -> None:
        """Take note of a head."""
        for end in head.chains:
            of_partition = self._ends.setdefault((end.topic, end.partition), {})
            known = of_partition.get(head.shard)
            if known is None or end.position > known.position:
                of_partition[head.shard] = end

    def ends(self, topics: Iterable[str], partition: int) -> list[tuple[ChainKey, ChainEnd]]:
        """Return the chains in one partition of these topics, each with its end."""
        return [
            ((topic, shard), end) for topic in topics for shard, end in self._ends.get((topic, partition), {}).items()
        ]
