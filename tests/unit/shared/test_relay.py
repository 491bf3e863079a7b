"""The relay repeats and never skips; what it sends is computed from the log, so a resend is the same bytes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import SystemClock
from shared.contracts.billing import AttemptNudged, ReportDue
from shared.contracts.envelope import Envelope, encode_event, seal
from shared.contracts.event import Actor, Event
from shared.contracts.ledger import ReconciliationReported
from shared.errors import WorldFault
from shared.eventlog.cursors import CursorBook, Verdict
from shared.eventlog.memory import MemoryPlaces, MemoryStore
from shared.eventlog.merkle import leaf_hash
from shared.eventlog.outgoing import outgoing
from shared.eventlog.ports import Batch, EventRow, Mode, Outgoing, Record
from shared.eventlog.relay import SAVE_EVERY_S, PollingRelay, Relay
from shared.faults import Point, arm, disarm_all
from shared.kafka.records import parse

TRACE = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
SHARD = 3
NOW = datetime(2026, 3, 5, 14, tzinfo=UTC)


class Courier:
    """A publisher that keeps what it was given; `away` makes it fail, before or after some arrived."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.away = 0
        self.arrive_first = 0

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        if self.away:
            self.away -= 1
            self.sent.extend(messages[: self.arrive_first])
            raise WorldFault("away")
        self.sent.extend(messages)

    def positions(self, topic: str = "billing.events.v1") -> list[int]:
        return [int(dict(one.headers)["position"]) for one in self.sent if one.topic == topic]


class RawRecord(msgspec.Struct):
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def arrived(messages: Sequence[Outgoing]) -> list[Record]:
    """Return messages as a reader sees them."""
    records = [
        parse(RawRecord(one.topic, one.partition, offset, one.key, one.value, one.headers))
        for offset, one in enumerate(messages)
    ]
    assert all(isinstance(record, Record) for record in records)
    return [record for record in records if isinstance(record, Record)]


def nudged(account: str = "acc_1") -> Event:
    return AttemptNudged(account_id=account, payment_id="pay_3_1", attempt_id="att_3_1", object_id="pi_1")


RECONCILED = ReconciliationReported(
    day="2026-03-05", account="1125", sub_key="card", currency="USD", book_minor=1, bank_minor=None, processor_minor=1,
    difference_minor=0, open_exceptions=(), positions={},
)  # fmt: skip


def row(position: int, event: Event, stream: str = "acc_1", trace: str | None = TRACE) -> EventRow:
    event_id = position.to_bytes(16, "big")
    envelope = Envelope(
        tenant="demo",
        event_id=event_id.hex(),
        type=event.TYPE,
        stream=stream,
        version=position,
        recorded_at="2026-03-05T14:00:00.000000Z",
        effective_date="2026-03-05",
        actor=Actor("system", "test"),
        correlation="req_1",
        causation=None,
        payload=encode_event(event),
    )
    return EventRow(SHARD, position, stream, position, event_id, event.TYPE, seal(envelope), None, trace)


async def append(store: MemoryStore, first: int, count: int, *, epoch: int = 1) -> None:
    rows = [row(position, nudged(f"acc_{position % 3}")) for position in range(first, first + count)]
    await store.append(
        Batch(shard=SHARD, mode=Mode.OWNED, epoch=epoch, held_position=first, head=b"", recorded_at=NOW, rows=rows)
    )


async def log_of(count: int) -> MemoryStore:
    store = MemoryStore(8)
    await store.take_over(SHARD)
    if count:
        await append(store, 1, count)
    return store


@asynccontextmanager
async def running(
    store: MemoryStore, courier: Courier, *, batch: int = 500, places: MemoryPlaces | None = None
) -> AsyncIterator[Relay]:
    relay = Relay("billing", SHARD, store, places or store, courier, SystemClock(), shards=8, batch=batch)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        await relay.stop()
        await task


async def until(condition: object, timeout_s: float = 3.0) -> None:
    assert callable(condition)
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.002)


@pytest.fixture(autouse=True)
def _disarmed() -> object:
    yield
    disarm_all()


async def test_the_log_is_published_in_order_and_the_place_is_saved_on_stop() -> None:
    store, courier = await log_of(25), Courier()
    async with running(store, courier, batch=10) as relay:
        await until(lambda: relay.position == 25)
        assert relay.lag == 0
    assert courier.positions() == list(range(1, 26))
    assert (await store.relay_place(SHARD))[0] == 25


async def test_a_commit_wakes_the_relay() -> None:
    store, courier = await log_of(0), Courier()
    async with running(store, courier) as relay:
        await asyncio.sleep(0.02)
        await append(store, 1, 3)
        relay.wake(3)
        await until(lambda: relay.position == 3, timeout_s=0.5)
    assert courier.positions() == [1, 2, 3]


async def test_the_place_is_saved_within_about_a_second_of_quiet() -> None:
    store, courier = await log_of(3), Courier()
    async with running(store, courier) as relay:
        await until(lambda: relay.position == 3)
        async with asyncio.timeout(SAVE_EVERY_S + 1):
            while (await store.relay_place(SHARD))[0] != 3:
                await asyncio.sleep(0.02)


async def test_a_failed_publish_is_repeated_from_the_saved_place_with_the_same_bytes() -> None:
    store, courier = await log_of(20), Courier()
    courier.away, courier.arrive_first = 2, 4
    async with running(store, courier, batch=10) as relay:
        await until(lambda: relay.position == 20)
    assert courier.positions() == [1, 2, 3, 4, 1, 2, 3, 4, *range(1, 21)]
    assert courier.sent[0] == courier.sent[4] == courier.sent[8]


@pytest.mark.parametrize("point", [Point.RELAY_BEFORE_SEND, Point.RELAY_AFTER_SEND])
async def test_a_fault_before_or_after_sending_repeats_and_never_skips(point: Point) -> None:
    store, courier = await log_of(30), Courier()
    arm(point, "raise", at_pass=2)
    async with running(store, courier, batch=10) as relay:
        await until(lambda: relay.position == 30)
    assert sorted(set(courier.positions())) == list(range(1, 31))
    assert _applied(courier.sent) == list(range(1, 31))


async def test_a_reader_of_a_relay_whose_place_was_never_saved_applies_each_record_once() -> None:
    store, courier = await log_of(10), Courier()
    for end in (10, 15):
        async with running(store, courier, places=MemoryPlaces()) as relay:
            await until(lambda relay=relay, end=end: relay.position == end)
        if end == 10:
            await append(store, 11, 5)
    assert courier.positions() == [*range(1, 11), *range(1, 16)]
    assert _applied(courier.sent) == list(range(1, 16))


def _applied(messages: Sequence[Outgoing]) -> list[int]:
    book = CursorBook()
    return [record.position for record in arrived(messages) if book.take(record, 0.0) is Verdict.APPLY]


async def test_the_polling_relay_follows_shards_that_others_write() -> None:
    store, courier = await log_of(2), Courier()
    relay = PollingRelay("billing", range(8), store, store, courier, SystemClock(), all_shards=8)
    task = asyncio.create_task(relay.run())
    await until(lambda: courier.positions() == [1, 2])
    await append(store, 3, 2)
    await until(lambda: courier.positions() == [1, 2, 3, 4], timeout_s=0.5)
    await relay.stop()
    await task
    assert (await store.relay_place(SHARD))[0] == 4


def test_a_message_carries_cloudevents_trace_and_its_place_in_the_chain() -> None:
    first, second = row(1, nudged()), row(2, nudged(), trace=None)
    messages, chains = outgoing("billing", SHARD, 8, [first, second], {})
    assert dict(messages[0].headers) == {
        "ce_specversion": b"1.0",
        "ce_id": first.event_id.hex().encode(),
        "ce_source": b"piperoll/billing",
        "ce_type": b"billing.attempt-nudged.v1",
        "ce_time": b"2026-03-05T14:00:00.000000Z",
        "ce_subject": b"acc_1",
        "content-type": b"application/json",
        "schema": b"1",
        "source": b"billing",
        "shard": b"3",
        "position": b"1",
        "traceparent": TRACE.encode(),
        "previous": b"0",
        "previous_hash": b"",
    }
    later = dict(messages[1].headers)
    assert (later["previous"], later["previous_hash"]) == (b"1", leaf_hash(first.data).hex().encode())
    assert "traceparent" not in later
    assert chains == {("billing.events.v1", SHARD): (2, leaf_hash(second.data))}
    assert messages[0].value == first.data
    assert messages[0].partition == SHARD


def test_the_key_is_the_household_where_there_is_one_else_the_stream() -> None:
    rows = [row(1, nudged("acc_9"), stream="acc_9"), row(2, ReportDue(processor="card", day="2026-03-05"), "prc_card")]
    messages, _ = outgoing("billing", SHARD, 8, rows, {})
    assert [one.key for one in messages] == [b"acc_9", b"prc_card"]


def test_an_event_on_two_topics_has_two_chains() -> None:
    rows = [row(1, RECONCILED), row(2, RECONCILED)]
    messages, chains = outgoing("ledger", SHARD, 8, rows, {})
    assert [one.topic for one in messages] == ["ledger.events.v1", "finance.reconciliation.daily.v1"] * 2
    assert len(chains) == 2


@given(st.data(), st.integers(1, 12))
def test_the_cut_into_batches_does_not_show_in_what_is_sent(data: st.DataObject, count: int) -> None:
    rows = [row(position, RECONCILED if position % 3 else nudged()) for position in range(1, count + 1)]
    whole, ends = outgoing("ledger", SHARD, 8, rows, {})
    cut = data.draw(st.integers(0, count))
    first, chains = outgoing("ledger", SHARD, 8, rows[:cut], {})
    second, chains = outgoing("ledger", SHARD, 8, rows[cut:], chains)
    assert (first + second, chains) == (whole, ends)
