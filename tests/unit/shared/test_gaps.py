"""Silence is told from emptiness: a chain that ends above its cursor, of which nothing comes, is a gap."""

from shared.contracts.chains import ChainEnd, Head, encode, read_head
from shared.eventlog.cursors import GAP_ALARM_S, CursorBook, Verdict
from shared.eventlog.gaps import FIRST_ASK_S, LAST_ASK_S, SILENCE_S, GapWatch
from shared.eventlog.heads import Heads, head_of
from shared.eventlog.merkle import extend, leaf_hash, root
from tests.unit.shared.test_cursors import CHAIN, TOPIC, at, chain

SHARD = 3


def head(position: int, partition: int = SHARD) -> Head:
    end = ChainEnd(TOPIC, partition, position, "00" * 32)
    return Head(service="billing", shard=SHARD, position=position, root="", chains=(end,))


def heard(*heads: Head) -> Heads:
    found = Heads()
    for one in heads:
        found.hear(one)
    return found


def watch() -> GapWatch:
    return GapWatch("ledger.1", SHARD, [TOPIC])


def nothing_waits(topic: str, shard: int) -> int:
    return 0


def test_a_chain_that_ends_above_its_cursor_in_silence_is_a_gap_and_its_records_are_asked_for() -> None:
    records = chain(4)
    book, gaps = CursorBook.of([at(records[1])]), watch()
    heads = heard(head(4))
    assert gaps.look(book, heads, nothing_waits, 0.0) == []
    assert gaps.look(book, heads, nothing_waits, SILENCE_S - 0.1) == []
    assert book.open_troubles(Verdict.GAP) == 0
    assert gaps.look(book, heads, nothing_waits, SILENCE_S) == []
    assert book.open_troubles(Verdict.GAP) == 1
    (asked,) = gaps.look(book, heads, nothing_waits, SILENCE_S + FIRST_ASK_S)
    assert (asked.service, asked.topic, asked.shard, asked.partition) == ("billing", TOPIC, SHARD, SHARD)
    assert (asked.from_position, asked.asked_by) == (3, "ledger.1")
    for record in records:
        book.take(record, 10.0)
    assert book.open_troubles(Verdict.GAP) == 0
    assert gaps.look(book, heads, nothing_waits, 100.0) == []


def test_a_chain_of_which_nothing_was_ever_read_is_asked_for_from_its_first_record() -> None:
    book, gaps = CursorBook(), watch()
    asked = [gaps.look(book, heard(head(4)), nothing_waits, moment) for moment in (0.0, SILENCE_S, SILENCE_S + 1)]
    assert [one.from_position for looked in asked for one in looked] == [1]


def test_records_that_wait_to_be_handled_and_a_cursor_that_moves_are_no_silence() -> None:
    records = chain(9)
    book, gaps = CursorBook(), watch()
    heads = heard(head(9))
    for second in range(40):
        assert gaps.look(book, heads, lambda topic, shard: 1, float(second)) == []
    for second, record in enumerate(records[:8], 40):
        assert gaps.look(book, heads, nothing_waits, second * SILENCE_S * 0.9) == []
        book.take(record, 0.0)
    assert book.open_troubles(Verdict.GAP) == 0


def test_a_chain_at_or_above_what_was_heard_is_quiet() -> None:
    book, gaps = CursorBook.of([at(chain(4)[3])]), watch()
    for second in (0.0, 60.0, 120.0):
        assert gaps.look(book, heard(head(4), head(2)), nothing_waits, second) == []
    assert not book.troubles


def test_a_gap_asks_at_once_and_then_less_and_less_often_while_it_stays() -> None:
    records = chain(4)
    book, gaps = CursorBook.of([at(records[0])]), watch()
    assert book.take(records[3], 0.0) is Verdict.GAP
    moments = [second for second in range(100) if gaps.look(book, Heads(), nothing_waits, float(second))]
    assert moments[:4] == [1, 2, 4, 8]
    assert moments[-1] - moments[-2] == LAST_ASK_S
    assert [chain for chain, _ in book.alarms(GAP_ALARM_S)] == [CHAIN]


def test_a_gap_that_closes_in_part_is_asked_for_from_where_it_stands_now() -> None:
    records = chain(6)
    book, gaps = CursorBook.of([at(records[0])]), watch()
    book.take(records[5], 0.0)
    gaps.look(book, Heads(), nothing_waits, 0.0)
    assert [one.from_position for one in gaps.look(book, Heads(), nothing_waits, 1.0)] == [2]
    book.take(records[1], 1.0)
    book.take(records[5], 1.0)
    assert gaps.look(book, Heads(), nothing_waits, 1.5) == []
    assert [one.from_position for one in gaps.look(book, Heads(), nothing_waits, 2.5)] == [3]


def test_of_two_heads_the_higher_counts_whatever_comes_last() -> None:
    heads = heard(head(7), head(5))
    assert [end.position for _, end in heads.ends([TOPIC], SHARD)] == [7]
    assert heads.ends([TOPIC], SHARD + 1) == []
    assert heads.ends(["ledger.events.v1"], SHARD) == []


def test_a_head_tells_log_and_chains_and_nothing_else_is_read_as_one() -> None:
    leaves = [leaf_hash(b"1"), leaf_hash(b"2")]
    log = extend(b"", 0, leaves)
    told = head_of("billing", SHARD, (2, log), {(TOPIC, SHARD): (2, leaves[1])})
    assert read_head(encode(told)) == told
    assert (told.position, told.root) == (2, root(log).hex())
    assert told.chains == (ChainEnd(TOPIC, SHARD, 2, leaves[1].hex()),)
    assert read_head(b"{}") is None
    assert read_head(b"\xff") is None
