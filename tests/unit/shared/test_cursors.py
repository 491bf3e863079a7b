"""What a record is to a cursor: the next one, a repeat, a gap or a fork; no order of arrival applies wrongly."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shared.eventlog.cursors import GAP_ALARM_S, CursorBook, Verdict, judge, start_of
from shared.eventlog.merkle import leaf_hash
from shared.eventlog.ports import Cursor, Record

TOPIC = "billing.events.v1"
CHAIN = (TOPIC, 3)


def chain(length: int, *, step: int = 1, word: str = "event") -> list[Record]:
    """Return a true chain: each record names the one before it."""
    records: list[Record] = []
    previous, previous_hash = 0, b""
    for number in range(1, length + 1):
        value = f"{word} {number}".encode()
        records.append(record(number * step, previous, previous_hash, value))
        previous, previous_hash = number * step, leaf_hash(value)
    return records


def record(position: int, previous: int, previous_hash: bytes, value: bytes = b"x") -> Record:
    return Record(
        topic=TOPIC,
        partition=3,
        offset=position,
        key="acc_1",
        value=value,
        source="billing",
        source_shard=3,
        position=position,
        previous=previous,
        previous_hash=previous_hash,
    )


def at(one: Record) -> Cursor:
    return Cursor(TOPIC, 3, one.position, leaf_hash(one.value))


def verdict(cursor: Cursor, one: Record) -> Verdict:
    return judge(cursor, one, leaf_hash(one.value))


def test_the_record_that_names_the_cursor_is_applied() -> None:
    first, second = chain(2)
    assert verdict(start_of(CHAIN), first) is Verdict.APPLY
    assert verdict(at(first), second) is Verdict.APPLY


def test_positions_may_leave_room_for_what_went_to_other_topics() -> None:
    first, second = chain(2, step=7)
    assert verdict(at(first), second) is Verdict.APPLY


def test_a_record_below_the_cursor_is_skipped_whatever_its_bytes() -> None:
    first, second = chain(2)
    assert verdict(at(second), first) is Verdict.SKIP
    assert verdict(at(second), record(1, 0, b"", b"other bytes")) is Verdict.SKIP


def test_a_repeat_at_the_cursor_is_skipped_and_other_bytes_there_are_a_fork() -> None:
    first, second = chain(2)
    assert verdict(at(second), second) is Verdict.SKIP
    assert verdict(at(second), record(2, 1, leaf_hash(first.value), b"other bytes")) is Verdict.FORK


def test_a_missing_record_is_a_gap() -> None:
    first, _, third = chain(3)
    assert verdict(at(first), third) is Verdict.GAP
    assert verdict(start_of(CHAIN), third) is Verdict.GAP


def test_another_hash_of_the_cursor_is_a_fork() -> None:
    first, _ = chain(2)
    assert verdict(at(first), record(2, 1, leaf_hash(b"another first"))) is Verdict.FORK


def test_a_record_that_jumps_over_the_cursor_is_a_fork() -> None:
    first, second, _ = chain(3)
    assert verdict(at(second), record(3, 1, leaf_hash(first.value))) is Verdict.FORK


def test_after_a_gap_the_true_next_record_is_applied_and_the_chain_goes_on() -> None:
    first, second, third, fourth = chain(4)
    book = CursorBook()
    told = [book.take(one, now=0.0) for one in (first, third, second, third, fourth)]
    assert told == [Verdict.APPLY, Verdict.GAP, Verdict.APPLY, Verdict.APPLY, Verdict.APPLY]
    assert book.cursor(CHAIN) == at(fourth)
    assert book.open_troubles(Verdict.GAP) == 0


def test_a_forked_chain_is_not_applied_until_a_person_decides() -> None:
    first, second, third = chain(3)
    book = CursorBook.of([at(first)])
    assert book.take(record(1, 0, b"", b"forged"), now=0.0) is Verdict.FORK
    assert book.take(second, now=0.0) is Verdict.FORK
    book.settle(CHAIN)
    assert [book.take(one, now=0.0) for one in (second, third)] == [Verdict.APPLY, Verdict.APPLY]


def test_one_chain_in_trouble_stops_no_other() -> None:
    first, _, third = chain(3)
    other = record(1, 0, b"")
    book = CursorBook()
    book.take(first, now=0.0)
    book.take(third, now=0.0)
    assert book.take(_from_shard(other, 4), now=0.0) is Verdict.APPLY


def _from_shard(one: Record, shard: int) -> Record:
    return msgspec.structs.replace(one, source_shard=shard)


def test_a_gap_alarms_once_after_thirty_seconds_and_a_fork_at_once() -> None:
    first, _, third = chain(3)
    book = CursorBook()
    book.take(first, now=100.0)
    book.take(third, now=100.0)
    assert book.alarms(100.0 + GAP_ALARM_S - 0.1) == []
    assert [key for key, _ in book.alarms(100.0 + GAP_ALARM_S)] == [CHAIN]
    assert book.alarms(200.0) == []
    book.take(record(1, 0, b"", b"forged"), now=200.0)
    assert [(key, trouble.verdict) for key, trouble in book.alarms(200.0)] == [(CHAIN, Verdict.FORK)]


def test_a_moved_cursor_is_pending_until_a_commit_held_it() -> None:
    first, second = chain(2)
    book = CursorBook()
    book.take(first, now=0.0)
    pending = book.pending()
    assert pending == [at(first)]
    book.take(second, now=0.0)
    book.stored(pending)
    assert book.pending() == [at(second)]
    book.stored(book.pending())
    assert book.pending() == []


def test_after_a_failed_commit_the_book_is_as_stored() -> None:
    first, second = chain(2)
    book = CursorBook.of([at(first)])
    book.take(second, now=0.0)
    book.reset([at(first)])
    assert book.pending() == []
    assert book.take(second, now=0.0) is Verdict.APPLY


@given(st.data(), st.integers(1, 12), st.integers(1, 3))
def test_any_loss_repetition_and_disorder_applies_a_prefix_in_order_each_once(
    data: st.DataObject, length: int, step: int
) -> None:
    records = chain(length, step=step)
    arrivals = data.draw(st.lists(st.sampled_from(records), max_size=60))
    book = CursorBook()
    applied = [one.position for one in arrivals if book.take(one, now=0.0) is Verdict.APPLY]
    assert applied == [one.position for one in records[: len(applied)]]


@given(st.data(), st.integers(1, 8))
def test_a_record_of_another_history_is_never_applied_on_top_of_ours(data: st.DataObject, length: int) -> None:
    ours, theirs = chain(length), chain(length + 1, word="other")
    book = CursorBook()
    for one in ours:
        book.take(one, now=0.0)
    for one in data.draw(st.lists(st.sampled_from(theirs), max_size=20)):
        assert book.take(one, now=0.0) is not Verdict.APPLY


@given(st.data(), st.integers(1, 10))
def test_a_complete_resend_from_anywhere_mends_every_gap(data: st.DataObject, length: int) -> None:
    records = chain(length)
    book = CursorBook()
    for one in data.draw(st.lists(st.sampled_from(records), max_size=30)):
        book.take(one, now=0.0)
    for one in records:
        book.take(one, now=0.0)
    assert book.cursor(CHAIN) == at(records[-1])
    assert book.troubles == {}


def forged(one: Record, how: str) -> Record:
    """Return what somebody made of a record: other bytes, another place, another history before it."""
    changes: dict[str, dict[str, object]] = {
        "bytes": {"value": b"forged"},
        "hash": {"previous_hash": leaf_hash(b"forged")},
        "later": {"position": one.position + 1},
        "jump": {"previous": max(0, one.previous - 1)},
    }
    return msgspec.structs.replace(one, **changes.get(how, {}))


arrivals_of_three = st.lists(
    st.tuples(
        st.sampled_from([3, 4, 5]),
        st.integers(0, 7),
        st.sampled_from(["true"] * 6 + ["bytes", "hash", "later", "jump"]),
    ),
    max_size=60,
)


@given(arrivals_of_three)
def test_whatever_is_dropped_repeated_mixed_or_forged_nothing_is_skipped_or_applied_twice_and_a_fork_stops_its_source(
    drawn: list[tuple[int, int, str]],
) -> None:
    records = chain(8)
    arrivals = [_from_shard(forged(records[number], how), shard) for shard, number, how in drawn]
    book = CursorBook()
    applied: dict[int, list[Record]] = {3: [], 4: [], 5: []}
    forked: set[int] = set()
    verdicts: dict[int, list[Verdict]] = {3: [], 4: [], 5: []}
    for one in arrivals:
        told = book.take(one, now=0.0)
        verdicts[one.source_shard].append(told)
        if told is Verdict.FORK:
            forked.add(one.source_shard)
        elif told is Verdict.APPLY:
            assert one.source_shard not in forked
            applied[one.source_shard].append(one)
    for shard, ours in applied.items():
        before, hashed = 0, b""
        for one in ours:
            assert (one.previous, one.previous_hash) == (before, hashed), "each hangs on the one applied before it"
            assert one.position > before
            before, hashed = one.position, leaf_hash(one.value)
        cursor = book.cursor((TOPIC, shard))
        assert (cursor.position, cursor.hash) == (before, hashed)
        alone = CursorBook()
        assert verdicts[shard] == [alone.take(one, now=0.0) for one in arrivals if one.source_shard == shard]
    assert {shard for (_, shard), trouble in book.troubles.items() if trouble.verdict is Verdict.FORK} == forked
