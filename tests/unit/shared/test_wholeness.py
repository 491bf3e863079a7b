"""A partition that begins otherwise than before was wiped: it is filled again, once, from what it would still hold."""

from datetime import timedelta

import msgspec
import pytest

from shared.clock import ManualClock, rfc3339
from shared.contracts.gateway import WebhookReceived
from shared.contracts.topics import BILLING_COMMANDS, DAY_MS, FOR_EVER, Topic
from shared.eventlog.memory import MemoryStore
from shared.eventlog.places import First
from shared.eventlog.ports import EventRow
from shared.eventlog.relay import Relay
from shared.eventlog.wholeness import Wholeness, was_wiped
from tests.unit.shared.test_refills import TOPIC, log_of, serve
from tests.unit.shared.test_refills import Topic as Partition
from tests.unit.shared.test_relay import NOW, SHARD, nudged, row

PART = (TOPIC, SHARD)
EMPTY = First(0, None)


def topic(retention_ms: int) -> Topic:
    return Topic(name="t", producer="billing", consumers=(), kind="events", retention_ms=retention_ms)


@pytest.mark.parametrize(
    ("known", "found", "for_ever", "for_a_while"),
    [
        (None, First(0, 5), False, False),
        (None, EMPTY, True, True),
        (None, First(9, None), False, False),
        (First(0, 5), First(0, 5), False, False),
        (First(0, 5), EMPTY, True, True),
        (First(0, 5), First(0, 6), True, True),
        (First(0, 5), First(4, 8), True, False),
        (First(4, 8), First(4, None), True, True),
        (First(4, 8), First(9, None), True, False),
        (First(4, 8), First(0, 9), True, True),
        (EMPTY, EMPTY, False, False),
    ],
)
def test_a_topic_kept_for_ever_keeps_its_beginning_and_one_kept_for_a_while_never_gets_an_earlier_one(
    known: First | None, found: First, for_ever: bool, for_a_while: bool
) -> None:
    assert was_wiped(topic(FOR_EVER), known, found) is for_ever
    assert was_wiped(topic(DAY_MS), known, found) is for_a_while


WEBHOOK = WebhookReceived(
    provider="card", provider_event_id="e", kind="k", object_id="o", body_sha256="h", received_at="r"
)


def at_day(one: EventRow, days_ago: int) -> EventRow:
    """Return the row as recorded so many days ago."""
    envelope = msgspec.json.decode(one.data) | {"recorded_at": rfc3339(NOW - timedelta(days=days_ago))}
    return msgspec.structs.replace(one, data=msgspec.json.encode(envelope))


class Shard:
    """A relay that has published everything, and what looks after its topics."""

    def __init__(self, store: MemoryStore, service: str = "billing") -> None:
        self.store, self.clock, self.topic = store, ManualClock(NOW), Partition()
        self.relay = Relay(service, SHARD, store, store, self.topic, self.clock, shards=8)
        self.whole = Wholeness(self.relay, store, store, self.clock)


async def shard_of_ten() -> Shard:
    made = Shard(await log_of([row(position, nudged()) for position in range(1, 11)]))
    await made.store.save_relay_place(SHARD, 10, {PART: (10, b"h" * 32)})
    await made.relay._read_place()
    return made


async def test_what_is_found_at_first_is_taken_as_whole_and_kept() -> None:
    shard = await shard_of_ten()
    await shard.whole.look({PART: First(0, 5)})
    assert shard.relay.refills.due_in_s() is None
    assert await shard.store.firsts(SHARD) == {PART: First(0, 5)}


async def test_a_wiped_partition_is_filled_from_the_first_record_and_then_known_as_whole() -> None:
    shard = await shard_of_ten()
    await shard.whole.look({PART: First(0, 5)})
    await shard.whole.look({PART: EMPTY})
    await shard.whole.look({PART: EMPTY})
    assert shard.whole.filling
    await serve(shard.relay.refills, shard.clock, end=10)
    assert [int(dict(one.headers)["position"]) for one in shard.topic.sent] == list(range(1, 11))
    await shard.whole.look({PART: First(0, 77)})
    assert not shard.whole.filling
    assert await shard.store.firsts(SHARD) == {PART: First(0, 77)}
    assert shard.relay.refills.due_in_s() is None


async def test_a_partition_that_was_wiped_again_while_it_was_filled_is_filled_again() -> None:
    shard = await shard_of_ten()
    await shard.whole.look({PART: First(0, 5)})
    await shard.whole.look({PART: First(0, 6)})
    await serve(shard.relay.refills, shard.clock, end=10)
    shard.clock.advance(timedelta(seconds=10))
    await shard.whole.look({PART: First(0, 7)})
    assert shard.relay.refills.wants(PART)
    assert await shard.store.firsts(SHARD) == {PART: First(0, 5)}


async def test_a_partition_whose_filling_was_given_up_is_filled_again() -> None:
    shard = await shard_of_ten()
    shard.topic.away = 10
    await shard.whole.look({PART: EMPTY})
    await serve(shard.relay.refills, shard.clock, end=10)
    await shard.whole.look({PART: EMPTY})
    assert shard.relay.refills.wants(PART)


async def test_a_topic_that_is_kept_for_a_while_is_filled_with_what_it_would_still_keep() -> None:
    part = (BILLING_COMMANDS, SHARD)
    rows = [at_day(row(position, WEBHOOK), days_ago=100 - position) for position in range(1, 101)]
    shard = Shard(await log_of(rows), service="gateway")
    await shard.store.save_relay_place(SHARD, 100, {part: (100, b"h" * 32)})
    await shard.relay._read_place()
    await shard.whole.look({part: EMPTY})
    await serve(shard.relay.refills, shard.clock, end=100)
    assert [int(dict(one.headers)["position"]) for one in shard.topic.sent] == list(range(10, 101))


async def test_what_is_known_outlives_the_process() -> None:
    shard = await shard_of_ten()
    await shard.whole.look({PART: First(0, 5)})
    later = Wholeness(shard.relay, shard.store, shard.store, shard.clock)
    await later.look({PART: First(0, 6)})
    assert shard.relay.refills.wants(PART)
