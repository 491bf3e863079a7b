"""How far each upstream chain is consumed, and what a record means there: the next, a repeat, a gap or a fork.

A chain is what one source shard has put on one topic. Every record names the one before it by position and hash, so
a reader with a cursor knows without asking whether anything is missing or was changed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from shared.eventlog.merkle import leaf_hash
from shared.eventlog.ports import Cursor, Record

GAP_ALARM_S = 30.0

ChainKey = tuple[str, int]


class Verdict(StrEnum):
    """What a record is to a cursor."""

    APPLY = "apply"
    SKIP = "skip"
    GAP = "gap"
    FORK = "fork"


def judge(cursor: Cursor, record: Record, hash_of_value: bytes) -> Verdict:
    """Return what `record` is to `cursor`; `hash_of_value` is the leaf hash of its value.

    Below the cursor: a repeat. At it: a repeat if the hash is the same, else a fork. Above it: the next one if it
    names the cursor as its previous, a gap if it names a later one, else a fork.
    """
    if record.position < cursor.position:
        return Verdict.SKIP
    if record.position == cursor.position:
        return Verdict.SKIP if hash_of_value == cursor.hash else Verdict.FORK
    if record.previous > cursor.position:
        return Verdict.GAP
    if record.previous == cursor.position and record.previous_hash == cursor.hash:
        return Verdict.APPLY
    return Verdict.FORK


def start_of(chain: ChainKey) -> Cursor:
    """Return the cursor of a chain of which nothing is consumed."""
    return Cursor(chain[0], chain[1], 0, b"")


@dataclass
class Trouble:
    """A chain that stands still: since when (monotonic seconds), and the record that showed it."""

    verdict: Verdict
    since: float
    position: int
    previous: int
    alarmed: bool = False


@dataclass
class CursorBook:
    """The cursors of one shard in memory, ahead of the stored ones by what waits for the next commit.

    `take` judges a record and, where it is the next, moves the cursor. After a failed commit `reset` goes back to
    what is stored. A chain in a gap drops records until the true next one comes; a forked chain drops all.
    """

    cursors: dict[ChainKey, Cursor] = field(default_factory=dict)
    troubles: dict[ChainKey, Trouble] = field(default_factory=dict)
    _dirty: set[ChainKey] = field(default_factory=set)

    @classmethod
    def of(cls, stored: Iterable[Cursor]) -> "CursorBook":
        """Return a book that begins at stored cursors."""
        return cls(cursors={(cursor.topic, cursor.source_shard): cursor for cursor in stored})

    def cursor(self, chain: ChainKey) -> Cursor:
        """Return the cursor of a chain, that of nothing where none is known."""
        return self.cursors.get(chain) or start_of(chain)

    def take(self, record: Record, now: float) -> Verdict:
        """Judge one record; APPLY has moved the cursor in memory. `now` is monotonic, in seconds."""
        chain = (record.topic, record.source_shard)
        trouble = self.troubles.get(chain)
        if trouble is not None and trouble.verdict is Verdict.FORK:
            return Verdict.FORK
        hashed = leaf_hash(record.value)
        verdict = judge(self.cursor(chain), record, hashed)
        if verdict is Verdict.APPLY:
            self.cursors[chain] = Cursor(chain[0], chain[1], record.position, hashed)
            self._dirty.add(chain)
            self.troubles.pop(chain, None)
        elif verdict is Verdict.FORK or (verdict is Verdict.GAP and trouble is None):
            self.troubles[chain] = Trouble(verdict, now, record.position, record.previous)
        return verdict

    def silent(self, chain: ChainKey, end: int, now: float) -> None:
        """Mark a chain whose source has published up to `end` and of which nothing comes: a gap without a record."""
        self.troubles.setdefault(chain, Trouble(Verdict.GAP, now, end, end))

    def pending(self) -> list[Cursor]:
        """Return the cursors that moved since they were last stored; they go with the next commit, or within 1 s."""
        return [self.cursors[chain] for chain in sorted(self._dirty)]

    def stored(self, cursors: Iterable[Cursor]) -> None:
        """Take note of a commit that held these cursors; one that moved on meanwhile stays pending."""
        for cursor in cursors:
            chain = (cursor.topic, cursor.source_shard)
            if self.cursors.get(chain) == cursor:
                self._dirty.discard(chain)

    def reset(self, stored: Iterable[Cursor]) -> None:
        """Go back to the stored cursors, after a commit that failed; chains in trouble stay in trouble."""
        self.cursors = {(cursor.topic, cursor.source_shard): cursor for cursor in stored}
        self._dirty.clear()

    def settle(self, chain: ChainKey) -> None:
        """Let a forked chain go on: a person has decided."""
        self.troubles.pop(chain, None)

    def open_troubles(self, verdict: Verdict) -> int:
        """Return how many chains stand still for this reason; a gauge."""
        return sum(trouble.verdict is verdict for trouble in self.troubles.values())

    def alarms(self, now: float) -> list[tuple[ChainKey, Trouble]]:
        """Return, once each, forks at once and gaps that have stood for 30 s; the caller logs and counts them."""
        due = [
            (chain, trouble)
            for chain, trouble in self.troubles.items()
            if not trouble.alarmed and (trouble.verdict is Verdict.FORK or now - trouble.since >= GAP_ALARM_S)
        ]
        for _, trouble in due:
            trouble.alarmed = True
        return due
