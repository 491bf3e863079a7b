"""What is missing of the chains that a shard reads, and whom to ask for it.

A record shows that those before it are missing; a head shows that the last ones are, though no record comes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.contracts.chains import Refill, encode
from shared.contracts.topics import BY_NAME, REFILLS
from shared.eventlog.cursors import ChainKey, CursorBook, Verdict
from shared.eventlog.heads import Heads
from shared.eventlog.ports import Outgoing

SILENCE_S = 5.0
FIRST_ASK_S = 1.0
LAST_ASK_S = 30.0


@dataclass
class _Asking:
    """How a gap is asked after: from which position, when next (monotonic), and how long to wait then."""

    position: int
    due: float
    wait_s: float


class GapWatch:
    """One shard's chains, held against the heads. `name` says who asks."""

    def __init__(self, name: str, shard: int, topics: Sequence[str]) -> None:
        self._name = name
        self._shard = shard
        self._topics = topics
        self._quiet: dict[ChainKey, tuple[int, float]] = {}
        self._asking: dict[ChainKey, _Asking] = {}

    def look(self, book: CursorBook, heads: Heads, behind: Callable[[str, int], int], now: float) -> list[Refill]:
        """Mark chains that ended in silence as gaps, and return what is to be asked for now.

        `behind` says how many records of a (topic, partition) are there and not yet handled: while there are any, a
        cursor below its chain's end is slowness. `now` is monotonic, in seconds.
        """
        for chain, end in heads.ends(self._topics, self._shard):
            self._listen(book, chain, end.position, behind(chain[0], self._shard), now)
        gaps = {chain for chain, trouble in book.troubles.items() if trouble.verdict is Verdict.GAP}
        self._asking = {chain: asking for chain, asking in self._asking.items() if chain in gaps}
        return [self._refill(book, chain) for chain in sorted(gaps) if self._due(book, chain, now)]

    def _listen(self, book: CursorBook, chain: ChainKey, end: int, behind: int, now: float) -> None:
        position = book.cursor(chain).position
        if position >= end or behind:
            self._quiet.pop(chain, None)
            return
        stood_at, since = self._quiet.setdefault(chain, (position, now))
        if stood_at != position:
            self._quiet[chain] = (position, now)
        elif now - since >= SILENCE_S:
            book.silent(chain, end, now)

    def _due(self, book: CursorBook, chain: ChainKey, now: float) -> bool:
        position = book.cursor(chain).position
        asking = self._asking.get(chain)
        if asking is None or asking.position != position:
            self._asking[chain] = _Asking(position, now + FIRST_ASK_S, FIRST_ASK_S)
            return False
        if now < asking.due:
            return False
        asking.due = now + asking.wait_s
        asking.wait_s = min(asking.wait_s * 2, LAST_ASK_S)
        return True

    def _refill(self, book: CursorBook, chain: ChainKey) -> Refill:
        topic, source_shard = chain
        return Refill(
            topic=topic,
            service=BY_NAME[topic].producer,
            shard=source_shard,
            partition=self._shard,
            from_position=book.cursor(chain).position + 1,
            asked_by=self._name,
        )


def refill_message(asked: Refill) -> Outgoing:
    """Return the record that asks the owner of the source shard."""
    key = f"{asked.service}.{asked.shard}".encode()
    return Outgoing(topic=REFILLS, partition=asked.shard, key=key, value=encode(asked))
