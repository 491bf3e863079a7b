"""A worker of an older version meets what a newer one wrote: it refuses that household, never guesses, and goes on."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from services.billing.effects.kinds import effects_over
from services.billing.effects.works import OpenRefund
from shared.clock import ManualClock, SystemClock, rfc3339
from shared.contracts.billing import AccountOpened
from shared.contracts.gateway import AccountRequested
from shared.errors import OnHold, WorldFault
from shared.eventlog.memory import MemoryPublisher, MemoryStore
from shared.eventlog.outgoing import outgoing
from shared.eventlog.ports import EventRow, Record
from shared.eventlog.readable import Readable
from shared.eventlog.relay import Relay
from shared.eventlog.writer import Writer
from tests.older import older_version
from tests.unit.billing.effect_story import ORIGIN, answering
from tests.unit.billing.effect_story import Writer as Submitter
from tests.unit.shared.test_writer import SHARD, START, ZONE, Upstream, languages, stored, submitted, writing


async def read_again(writer: Writer) -> None:
    """Do what a shard's owner does first."""
    await writer.obey(writer.holds.to_read_again())


async def given_a_household_that_a_newer_version_wrote(store: MemoryStore) -> None:
    async with writing(store) as newer:
        await newer.submit(submitted("1", "acc_a"))


async def test_a_submitted_command_of_a_household_with_an_unknown_event_is_refused_and_others_go_on() -> None:
    store = MemoryStore(shards=1)
    await given_a_household_that_a_newer_version_wrote(store)
    with older_version(AccountOpened):
        async with writing(store) as older:
            for key in "23":
                with pytest.raises(OnHold):
                    await older.submit(submitted(key, "acc_a"))
            answers = await asyncio.gather(older.submit(submitted("1", "acc_a")), older.submit(submitted("4", "acc_b")))
    assert [answer.replayed for answer in answers] == [True, False], "what is stored is still answered"
    async with writing(store) as newer:
        await newer.submit(submitted("2", "acc_a"))
    assert [(row.stream, row.version) for row in await stored(store)] == [("acc_a", 1), ("acc_b", 1), ("acc_a", 2)]


async def test_records_for_an_unknown_event_are_parked_by_that_cause_and_decided_by_the_next_version() -> None:
    store, upstream = MemoryStore(shards=1), Upstream()
    await given_a_household_that_a_newer_version_wrote(store)
    records = [upstream.record("acc_a", "es"), upstream.record("acc_b", "fr"), upstream.record("acc_a", "de")]
    with older_version(AccountOpened):
        async with writing(store) as older:
            await older.submit_batch(records)
            await read_again(older)
        assert [(one.position, one.cause) for one in await store.holds(SHARD)] == [
            (1, "unknown_type"),
            (3, "behind_parked"),
        ]
    async with writing(store) as newer:
        await read_again(newer)
    assert await languages(store) == ["en", "fr", "es", "de"]
    assert await store.holds(SHARD) == []


async def test_a_record_of_an_unknown_type_holds_its_key_and_is_decided_once_by_a_version_that_knows_it() -> None:
    store, upstream = MemoryStore(shards=1), Upstream()
    first: list[Record] = [upstream.record("acc_a", "es"), upstream.record("acc_b", "fr")]
    with older_version(AccountRequested):
        async with writing(store) as older:
            await older.submit_batch(first)
            with pytest.raises(OnHold):
                await older.submit(submitted("1", "acc_a"))
            await older.submit(submitted("1", "acc_c", "it"))
    assert [(one.key, one.cause) for one in await store.holds(SHARD)] == [
        ("acc_a", "unknown_type"),
        ("acc_b", "unknown_type"),
    ]
    for _ in range(2):
        async with writing(store) as newer:
            await asyncio.gather(newer.submit_batch([*first, upstream.record("acc_a", "de")]), read_again(newer))
            await newer.submit_batch(first)
    assert (await languages(store))[:4] == ["it", "es", "fr", "de"]
    assert await store.holds(SHARD) == []


async def test_of_one_keys_records_that_which_still_cannot_be_read_holds_what_came_after_it() -> None:
    store, upstream = MemoryStore(shards=1), Upstream()
    records = [
        upstream.record("acc_a", "es"),
        upstream.record("acc_a", value=b"{}"),
        upstream.record("acc_a", "fr"),
        upstream.record("acc_a", "de"),
    ]
    with older_version(AccountRequested):
        async with writing(store) as older:
            await older.submit_batch(records)
    async with writing(store) as newer:
        await read_again(newer)
    assert await languages(store) == ["es"]
    assert [one.position for one in await store.holds(SHARD)] == [2, 3, 4]


async def test_effects_do_not_touch_a_household_that_a_newer_version_wrote() -> None:
    store = MemoryStore(shards=1)
    await given_a_household_that_a_newer_version_wrote(store)
    rail = answering()
    refund = OpenRefund(
        origin=ORIGIN, account_id="acc_a", payment_id="pay_0_a", refund_id="rfd_0_a", amount_minor=100, currency="USD",
        processor_ref="pi_1", charge_ref="ch_1", sendable_at=rfc3339(START),
    )  # fmt: skip
    with older_version(AccountOpened):
        effects = effects_over(rail, Submitter().outbox, ManualClock(START), ZONE, "USD", Readable(store, SHARD))
        for work in (refund, msgspec.structs.replace(refund, is_sent=True)):
            with pytest.raises(OnHold):
                await effects.run(work, 0, lambda processor: None)
    assert rail.asked == []
    await Readable(store, SHARD).check("acc_a")


async def test_a_relay_stands_still_before_an_event_whose_topics_only_a_newer_version_knows() -> None:
    store, publisher = MemoryStore(shards=1), MemoryPublisher()
    async with writing(store) as writer:
        for number in range(5):
            await writer.submit(submitted(str(number), f"acc_{number}"))

    async def relayed(seconds: float) -> Sequence[int]:
        relay = Relay("billing", SHARD, store, store, publisher, SystemClock(), shards=1)
        task = asyncio.create_task(relay.run())
        await asyncio.sleep(seconds)
        await relay.stop()
        await task
        return [int(dict(one.headers)["position"]) for one in publisher.messages]

    with older_version(AccountOpened):
        assert await relayed(0.1) == []
    assert await relayed(0.1) == [1, 2, 3, 4, 5]


def test_no_message_is_made_of_an_event_whose_topics_only_a_newer_version_knows() -> None:
    later = EventRow(SHARD, 1, "acc_a", 1, b"\0" * 16, "billing.made-later.v1", Upstream().record("acc_a").value)
    with pytest.raises(WorldFault, match="newer version"):
        outgoing("billing", SHARD, 1, [later], {})


async def test_what_stands_before_an_unknown_event_is_relayed_and_its_place_kept() -> None:
    store, publisher, clock = MemoryStore(shards=1), MemoryPublisher(), ManualClock(START)
    async with writing(store, clock) as writer:
        await writer.submit(submitted("1"))
    later = EventRow(SHARD, 2, "acc_a", 2, b"\0" * 16, "billing.made-later.v1", Upstream().record("acc_a").value)
    store.shards[SHARD].copies.append(later)
    relay = Relay("billing", SHARD, store, store, publisher, SystemClock(), shards=1)
    relay.wake(2)
    task = asyncio.create_task(relay.run())
    await asyncio.sleep(0.2)
    assert len(publisher.messages) == 1
    assert relay.lag == 1
    assert (await store.relay_place(SHARD))[0] == 1
    await relay.stop()
    await task
