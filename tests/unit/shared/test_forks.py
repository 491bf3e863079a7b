"""A forked chain stands still across restarts until a person lets it go on; then it asks for what it dropped."""

from collections.abc import Sequence

import msgspec

from shared.eventlog.cursors import CursorBook, Trouble, Verdict
from shared.eventlog.forks import Fork, look_at_forks
from shared.eventlog.gaps import SILENCE_S
from shared.eventlog.ports import Cursor
from tests.unit.shared.test_cursors import CHAIN, at, chain
from tests.unit.shared.test_gaps import SHARD, head, heard, nothing_waits, watch


class Kept:
    """Forks in memory; `order` is what a person does."""

    def __init__(self) -> None:
        self.forks: list[Fork] = []

    async def open(self, shards: Sequence[int]) -> list[Fork]:
        return [fork for fork in self.forks if fork.shard in shards]

    async def note(self, shard: int, cursor: Cursor, trouble: Trouble) -> None:
        place = (cursor.topic, cursor.source_shard)
        self.forks.append(Fork(len(self.forks), shard, place, trouble.position, trouble.previous, False))

    async def ended(self, ids: Sequence[int]) -> None:
        self.forks = [fork for fork in self.forks if fork.id not in ids]

    def order(self) -> None:
        self.forks = [fork._replace(skip=True) for fork in self.forks]


async def test_a_fork_is_kept_and_stops_its_chain_in_the_next_process_too() -> None:
    records, forks = chain(4), Kept()
    forged = msgspec.structs.replace(records[2], previous_hash=b"x" * 32)
    book = CursorBook.of([at(records[1])])
    assert book.take(forged, 0.0) is Verdict.FORK
    for _ in range(2):
        assert await look_at_forks({SHARD: book}, forks, 0.0) == []
    assert [(fork.chain, fork.position) for fork in forks.forks] == [(CHAIN, 3)]
    later = CursorBook.of([at(records[1])])
    await look_at_forks({SHARD: later}, forks, 0.0)
    assert later.take(records[2], 0.0) is Verdict.FORK
    assert [trouble.verdict for _, trouble in later.alarms(0.0)] == [Verdict.FORK]


async def test_a_chain_that_is_let_go_asks_for_what_it_dropped_and_applies_the_true_next_record() -> None:
    records, forks, gaps = chain(4), Kept(), watch()
    book = CursorBook.of([at(records[1])])
    book.take(msgspec.structs.replace(records[2], previous_hash=b"x" * 32), 0.0)
    assert book.take(records[2], 0.0) is Verdict.FORK
    await look_at_forks({SHARD: book}, forks, 0.0)
    forks.order()
    assert [fork.chain for fork in await look_at_forks({SHARD: book}, forks, 0.0)] == [CHAIN]
    assert (forks.forks, book.troubles) == ([], {})
    moments = (0.0, SILENCE_S, SILENCE_S + 1.0)
    asked = [one for moment in moments for one in gaps.look(book, heard(head(4)), nothing_waits, moment)]
    assert [one.from_position for one in asked] == [3]
    assert [book.take(record, 9.0) for record in records[2:]] == [Verdict.APPLY, Verdict.APPLY]
