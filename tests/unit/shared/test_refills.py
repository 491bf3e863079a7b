"""A refill sends the same records once more beside the ordinary relay, and every reader ends where it was."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import ManualClock
from shared.contracts.billing import TransferSent
from shared.contracts.chains import Refill, encode, read_refill
from shared.contracts.event import Event
from shared.errors import WorldFault
from shared.eventlog.cursors import CursorBook, Verdict
from shared.eventlog.memory import MemoryStore
from shared.eventlog.outgoing import Chains, outgoing
from shared.eventlog.ports import Batch, EventRow, Mode, Outgoing
from shared.eventlog.refills import MOST_FAILURES, PACE_S, SERVED_LATELY_S, STEP_ROWS, Refills
from shared.ids import shard_of
from tests.unit.shared.test_relay import NOW, SHARD, arrived, nudged, row, running, until

TOPIC, ROUTED = "billing.events.v1", "billing.routed.v1"
TARGET = shard_of("demo", "acc_2", 8)


def sent_to(account: str = "acc_2") -> Event:
    return TransferSent(
        account_id="acc_1", transfer_id="tra_3_1", routed_to=account, amount_minor=5, currency="USD",
        reason="moved", sources=(),
    )  # fmt: skip


def request(start: int, topic: str = TOPIC, partition: int = SHARD) -> Refill:
    return Refill(
        topic=topic, service="billing", shard=SHARD, partition=partition, from_position=start, asked_by="ledger.1"
    )


class Topic:
    """A publisher that is a topic; `away` makes the next calls fail."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.away = 0

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        if self.away:
            self.away -= 1
            raise WorldFault("away")
        self.sent.extend(messages)


async def log_of(rows: Sequence[EventRow]) -> MemoryStore:
    store = MemoryStore(8)
    await store.take_over(SHARD)
    await store.append(
        Batch(shard=SHARD, mode=Mode.OWNED, epoch=1, held_position=1, head=b"", recorded_at=NOW, rows=rows)
    )
    return store


def refills_over(store: MemoryStore, topic: Topic, clock: ManualClock) -> Refills:
    return Refills("billing", SHARD, 8, store, topic, clock)


async def serve(refills: Refills, clock: ManualClock, end: int) -> None:
    while (wait_s := refills.due_in_s()) is not None:
        clock.advance(timedelta(seconds=wait_s + 0.001))
        await refills.step(end)


def first_time(rows: Sequence[EventRow], topic: str = TOPIC, partition: int = SHARD) -> list[Outgoing]:
    messages, _ = outgoing("billing", SHARD, 8, rows, {})
    return [one for one in messages if (one.topic, one.partition) == (topic, partition)]


@pytest.mark.parametrize("start", [1, 2, STEP_ROWS, STEP_ROWS + 1, 2 * STEP_ROWS + 5])
async def test_a_refill_sends_the_same_bytes_from_its_position_to_the_relays(start: int) -> None:
    rows = [row(position, nudged()) for position in range(1, 2 * STEP_ROWS + 8)]
    store, topic, clock = await log_of(rows), Topic(), ManualClock(NOW)
    refills = refills_over(store, topic, clock)
    assert refills.ask(request(start))
    await serve(refills, clock, end=2 * STEP_ROWS + 6)
    assert topic.sent == first_time(rows)[start - 1 : -1]


async def test_a_refill_of_a_sparse_chain_names_the_record_before_it_however_far_back_that_is() -> None:
    events: list[Event] = [nudged()] * (2 * STEP_ROWS + 10)
    events[3] = events[STEP_ROWS + 7] = events[-1] = sent_to()
    rows = [row(position, event) for position, event in enumerate(events, 1)]
    store, topic, clock = await log_of(rows), Topic(), ManualClock(NOW)
    refills = refills_over(store, topic, clock)
    refills.ask(request(len(rows), ROUTED, TARGET))
    await serve(refills, clock, end=len(rows))
    assert topic.sent == first_time(rows, ROUTED, TARGET)[2:]
    assert dict(topic.sent[0].headers)["previous"] == str(STEP_ROWS + 8).encode()


async def test_several_askers_are_served_once() -> None:
    rows = [row(position, nudged()) for position in range(1, 20)]
    store, topic, clock = await log_of(rows), Topic(), ManualClock(NOW)
    refills = refills_over(store, topic, clock)
    for start in (7, 5, 9):
        assert refills.ask(request(start))
    await serve(refills, clock, end=19)
    assert not refills.ask(request(6))
    assert refills.due_in_s() is None
    assert topic.sent == first_time(rows)[4:]
    clock.advance(timedelta(seconds=SERVED_LATELY_S))
    assert refills.ask(request(6))


async def test_an_asker_of_more_than_was_served_is_served_again() -> None:
    rows = [row(position, nudged()) for position in range(1, 20)]
    store, topic, clock = await log_of(rows), Topic(), ManualClock(NOW)
    refills = refills_over(store, topic, clock)
    refills.ask(request(7))
    await serve(refills, clock, end=19)
    assert refills.ask(request(3))
    await serve(refills, clock, end=19)
    assert topic.sent == first_time(rows)[6:] + first_time(rows)[2:]


async def test_steps_are_paced() -> None:
    rows = [row(position, nudged()) for position in range(1, STEP_ROWS + 2)]
    store, topic, clock = await log_of(rows), Topic(), ManualClock(NOW)
    refills = refills_over(store, topic, clock)
    refills.ask(request(1))
    await refills.step(len(rows))
    await refills.step(len(rows))
    assert len(topic.sent) == STEP_ROWS
    assert refills.due_in_s() == pytest.approx(PACE_S)


async def test_a_refill_that_fails_is_tried_again_and_given_up_after_ten_tries() -> None:
    rows = [row(position, nudged()) for position in range(1, 4)]
    store, topic, clock = await log_of(rows), Topic(), ManualClock(NOW)
    refills = refills_over(store, topic, clock)
    topic.away = MOST_FAILURES - 1
    refills.ask(request(1))
    await serve(refills, clock, end=3)
    assert topic.sent == first_time(rows)
    assert refills.served_since((TOPIC, SHARD), 0.0)
    topic.away = MOST_FAILURES
    clock.advance(timedelta(seconds=SERVED_LATELY_S))
    before = clock.monotonic()
    refills.ask(request(1))
    await serve(refills, clock, end=3)
    assert not refills.served_since((TOPIC, SHARD), before)
    assert topic.sent == first_time(rows)


async def test_the_relay_does_refills_beside_its_own_work() -> None:
    rows = [row(position, nudged()) for position in range(1, 31)]
    store, topic = await log_of(rows), Topic()
    async with running(store, topic, batch=10) as relay:  # type: ignore[arg-type]
        await until(lambda: relay.position == 30)
        relay.refills.ask(request(11))
        relay.wake()
        await until(lambda: len(topic.sent) == 50)
    assert topic.sent == first_time(rows) + first_time(rows)[10:]


@given(st.data())
async def test_refills_among_live_records_leave_every_reader_at_the_end(data: st.DataObject) -> None:
    """The topic is wiped at any moment, readers stand anywhere, and ask from there."""
    count = data.draw(st.integers(3, 14))
    events = data.draw(st.lists(st.sampled_from([nudged(), sent_to()]), min_size=count, max_size=count))
    rows = [row(position, event) for position, event in enumerate(events, 1)]
    store, topic, clock = await log_of(rows), Topic(), ManualClock(NOW)
    refills = refills_over(store, topic, clock)
    part = data.draw(st.sampled_from([(TOPIC, SHARD), (ROUTED, TARGET)]))
    books = [CursorBook() for _ in range(3)]
    chains: Chains = {}
    published = 0
    partition: list[Outgoing] = []
    read = [0] * len(books)

    def arrive(number: int, upto: int) -> None:
        for record in arrived(partition[read[number] : upto]):
            assert books[number].take(record, 0.0) is not Verdict.FORK
        read[number] = max(read[number], upto)

    for _ in range(data.draw(st.integers(0, 40))):
        match data.draw(st.sampled_from(["live", "refill", "ask", "read", "read", "wipe"])):
            case "live" if published < count:
                messages, chains = outgoing("billing", SHARD, 8, rows[published : published + 1], chains)
                partition += [one for one in messages if (one.topic, one.partition) == part]
                published += 1
            case "refill":
                clock.advance(timedelta(seconds=PACE_S))
                await refills.step(published)
                partition += topic.sent
                topic.sent = []
            case "ask" if published:
                book = data.draw(st.sampled_from(books))
                refills.ask(request(book.cursor((part[0], SHARD)).position + 1, *part))
            case "read":
                number = data.draw(st.integers(0, len(books) - 1))
                arrive(number, data.draw(st.integers(read[number], len(partition))))
            case "wipe":
                partition, read = [], [0] * len(books)
    messages, _ = outgoing("billing", SHARD, 8, rows[published:], chains)
    partition += [one for one in messages if (one.topic, one.partition) == part]
    for number, book in enumerate(books):
        arrive(number, len(partition))
        clock.advance(timedelta(seconds=SERVED_LATELY_S))
        refills.ask(request(book.cursor((part[0], SHARD)).position + 1, *part))
        await serve(refills, clock, end=count)
        partition += topic.sent
        topic.sent = []
        arrive(number, len(partition))
    whole = arrived(first_time(rows, *part))
    ends = [book.cursor((part[0], SHARD)).position for book in books]
    assert ends == [whole[-1].position if whole else 0] * len(books)


def test_a_request_for_what_a_service_does_not_publish_is_none() -> None:
    good = request(1)
    assert read_refill(encode(good)) == good
    for bad in (
        request(0),
        request(1, "ledger.events.v1"),
        request(1, "piperoll.heads.v1"),
        request(1, partition=-1),
        request(1, "no.such.v1"),
    ):
        assert read_refill(encode(bad)) is None
    assert read_refill(b"not json") is None
