"""The writer's rules, on the in-memory store: one commit for many, once for each root, nobody suffers for another."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from shared.clock import ManualClock, rfc3339
from shared.contracts.billing import AccountOpened, RequestRefused
from shared.contracts.envelope import Envelope, encode_event, open_fact, seal
from shared.contracts.event import Actor, Event
from shared.contracts.gateway import AccountRequested, WebhookReceived
from shared.decider import Command, Context, Handler, Registry, StreamKind
from shared.errors import ClockAhead, Conflict, Fenced, OnHold, Overloaded, OwnFault, UnknownCommit
from shared.eventlog.command import Submitted
from shared.eventlog.memory import MemoryStore
from shared.eventlog.merkle import extend, leaf_hash
from shared.eventlog.ports import Batch, EventRow, Fate, Order, Record, Stray
from shared.eventlog.writer import Writer
from shared.ids import digest_of, event_id, root_of_key

ZONE = ZoneInfo("America/New_York")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SYSTEM = Actor("system", "test")
SHARD = 0


class Count(msgspec.Struct, frozen=True):
    """How many accounts a stream has opened."""

    opened: int = 0


class Open(Command, frozen=True):
    TYPE = "test.open"
    account_id: str
    language: str = "en"


def opened(account_id: str, language: str = "en") -> AccountOpened:
    return AccountOpened(account_id=account_id, member_id="mem_1", language=language, contact=())


def decide_open(command: Open | AccountRequested, state: Count, context: Context) -> Sequence[Event]:
    if command.language == "xx":
        raise RuntimeError("a decider that breaks")
    return () if command.language == "no" else (opened(command.account_id, command.language),)


REGISTRY = Registry(
    service="billing",
    kinds=(StreamKind("acc", Count, lambda stream: Count(), lambda state, event: Count(state.opened + 1)),),
    handlers={
        Open: Handler(lambda command: command.account_id, decide_open),
        AccountRequested: Handler(lambda fact: fact.account_id, decide_open),
        WebhookReceived: Handler(lambda fact: fact.account_id, decide_open),
    },
)


def submitted(key: str, account_id: str = "acc_a", language: str = "en") -> Submitted:
    body = f"{account_id}{language}".encode()
    return Submitted(
        command=Open(account_id=account_id, language=language),
        tenant="demo",
        root=root_of_key("demo", "p", "open", account_id, key),
        digest=digest_of("open", body),
        actor=SYSTEM,
        correlation="c",
    )


class Upstream:
    """A gateway shard's log, as records of one chain."""

    def __init__(self) -> None:
        self._position = 0
        self._hash = b""
        self._offset = -1

    def record(self, account_id: str, language: str = "en", value: bytes | None = None, step: int = 1) -> Record:
        """Return the next record; `value` replaces its bytes, a larger `step` leaves out positions."""
        self._offset += 1
        position = self._position + step
        fact = AccountRequested(
            account_id=account_id, member_id="mem_1", language=language, contact=(), received_at=rfc3339(START)
        )
        data = value if value is not None else _sealed(fact, account_id, position)
        record = Record(
            topic="billing.commands.v1", partition=SHARD, offset=self._offset, key=account_id, value=data,
            source="gateway", source_shard=SHARD, position=position, previous=self._position,
            previous_hash=self._hash, type=fact.TYPE,
        )  # fmt: skip
        self._position, self._hash = position, leaf_hash(data)
        return record


def _sealed(fact: AccountRequested, stream: str, position: int) -> bytes:
    return seal(
        Envelope(
            tenant="demo", event_id=event_id(position.to_bytes(14, "big"), 0).hex(), type=fact.TYPE, stream=stream,
            version=position, recorded_at=rfc3339(START), effective_date="2026-02-28", actor=SYSTEM,
            correlation="c", causation=None, payload=encode_event(fact),
        )
    )  # fmt: skip


@asynccontextmanager
async def writing(
    store: MemoryStore, clock: ManualClock | None = None, registry: Registry = REGISTRY
) -> AsyncIterator[Writer]:
    writer = Writer(registry, SHARD, store, clock or ManualClock(START), ZONE)
    await writer.take_over()
    running = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        await writer.stop()
        await asyncio.wait([running])


async def stored(store: MemoryStore) -> list[EventRow]:
    return list(await store.read(SHARD, 0, 1000))


async def languages(store: MemoryStore) -> list[str]:
    return [open_fact(row.data).event.language for row in await stored(store)]  # type: ignore[attr-defined]


async def test_what_waits_together_is_committed_together_and_in_order() -> None:
    store = MemoryStore(shards=1)
    async with writing(store) as writer:
        answers = await asyncio.gather(*(writer.submit(submitted(f"k{i}", f"acc_{i % 3}")) for i in range(30)))
    assert [answer.position for answer in answers] == list(range(1, 31))
    rows = await stored(store)
    assert [row.position for row in rows] == list(range(1, 31))
    assert [row.version for row in rows if row.stream == "acc_1"] == list(range(1, 11))


async def test_a_repeated_command_gets_the_first_ones_event_and_adds_nothing() -> None:
    store = MemoryStore(shards=1)
    async with writing(store) as writer:
        first = await writer.submit(submitted("k"))
        again = await writer.submit(submitted("k"))
    assert again.replayed
    assert again.rows[0] == first.rows[0]
    assert len(await stored(store)) == 1


async def test_one_key_submitted_many_times_at_once_is_decided_once() -> None:
    store = MemoryStore(shards=1)
    async with writing(store) as writer:
        answers = await asyncio.gather(*(writer.submit(submitted("k")) for _ in range(100)))
    assert sum(not answer.replayed for answer in answers) == 1
    assert len(await stored(store)) == 1


async def test_one_key_with_another_body_is_a_conflict_that_names_the_first() -> None:
    store = MemoryStore(shards=1)
    async with writing(store) as writer:
        await writer.submit(submitted("k"))
        with pytest.raises(Conflict) as refused:
            await writer.submit(submitted("k", language="es"))
    assert refused.value.existing == "acc_a"


async def test_a_submitted_command_whose_decider_raises_is_not_stored_and_its_neighbours_go_on() -> None:
    store = MemoryStore(shards=1)
    async with writing(store) as writer:
        one, bad, two = await asyncio.gather(
            writer.submit(submitted("1")),
            writer.submit(submitted("2", language="xx")),
            writer.submit(submitted("3")),
            return_exceptions=True,
        )
    assert isinstance(bad, RuntimeError)
    assert not isinstance(one, BaseException)
    assert not isinstance(two, BaseException)
    assert len(await stored(store)) == 2


async def test_records_move_the_cursor_in_the_commit_of_their_effect_and_a_repeat_is_skipped() -> None:
    store, upstream = MemoryStore(shards=1), Upstream()
    records = [upstream.record("acc_a"), upstream.record("acc_b")]
    async with writing(store) as writer:
        await writer.submit_batch(records)
        await writer.submit_batch(records)
    assert len(await stored(store)) == 2
    (cursor,) = await store.cursors(SHARD)
    assert (cursor.position, cursor.hash) == (2, leaf_hash(records[1].value))


async def test_a_relayed_events_ids_come_from_its_place_and_its_effective_date_from_its_cause() -> None:
    store, upstream = MemoryStore(shards=1), Upstream()
    async with writing(store) as writer:
        await writer.submit_batch([upstream.record("acc_a")])
    (row,) = await stored(store)
    envelope = open_fact(row.data).envelope
    assert row.event_id.hex() == "01" + "01" + "00000000" + "0000000000000001" + "0000"
    assert (envelope.effective_date, envelope.event_id) == ("2026-02-28", row.event_id.hex())
    assert envelope.causation == event_id((1).to_bytes(14, "big"), 0).hex()


def opened_request(account_id: str) -> AccountRequested:
    return AccountRequested(
        account_id=account_id, member_id="mem_1", language="en", contact=(), received_at=rfc3339(START)
    )


POISON = _sealed(opened_request("acc_a"), "acc_a", 1)


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (b"not json", "not_json"),
        (b"{}", "wrong_schema"),
        (b'"text"', "wrong_schema"),
        (b"\xff\xfe", "not_json"),
        (b"{" + b" " * 70_000 + b"}", "too_large"),
        (b'{"payload":' + b"[" * 20_000 + b"]" * 20_000 + b"}", "not_json"),
        (POISON.replace(b"mem_1", b"mem_\xff"), "not_json"),
        (POISON.replace(b'"en"', b"[" * 20_000 + b"]" * 20_000), "not_json"),
        (POISON.replace(b'"account_id":"acc_a"', b'"account_id":"zzz_a"'), "foreign_stream"),
        (POISON.replace(b'"account_id":"acc_a"', b'"account_id":"acc_\\u0000"'), "foreign_stream"),
    ],
)
async def test_poison_is_parked_later_records_of_its_key_wait_and_other_keys_go_on(value: bytes, cause: str) -> None:
    store, upstream = MemoryStore(shards=1), Upstream()
    records = [upstream.record("acc_a", value=value), upstream.record("acc_b", "es"), upstream.record("acc_a", "fr")]
    async with writing(store) as writer:
        await writer.submit_batch(records)
        with pytest.raises(OnHold):
            await writer.submit(submitted("k", "acc_a"))
        await writer.submit(submitted("k", "acc_c", "de"))
    assert await languages(store) == ["es", "de"]
    assert [(one.position, one.cause) for one in await store.holds(SHARD)] == [(1, cause), (3, "behind_parked")]


async def test_an_unknown_type_is_parked_and_never_guessed() -> None:
    store, upstream = MemoryStore(shards=1), Upstream()
    known = _sealed(opened_request("acc_a"), "acc_a", 1)
    async with writing(store) as writer:
        await writer.submit_batch(
            [upstream.record("acc_a", value=known.replace(b"account-requested.v1", b"account-asked.v9"))]
        )
    assert [one.cause for one in await store.holds(SHARD)] == ["unknown_type"]


async def test_a_record_whose_decider_raises_holds_its_key_and_a_release_decides_it_with_its_own_root() -> None:
    store, upstream = MemoryStore(shards=1), Upstream()
    records = [upstream.record("acc_a", "xx"), upstream.record("acc_a", "fr"), upstream.record("acc_b", "es")]
    async with writing(store) as writer:
        await writer.submit_batch(records)
        assert await languages(store) == ["es"]
        await writer.obey([Order(1, "billing.commands.v1", SHARD, 1, "released")])
        assert len(await store.holds(SHARD)) == 2, "it raises still, so nothing is let go"
        await writer.obey([Order(2, "billing.commands.v1", SHARD, 1, "dropped")])
        assert await store.holds(SHARD) == []
        await writer.submit_batch([upstream.record("acc_a", "de")])
    assert await languages(store) == ["es", "fr", "de"]
    rows = await stored(store)
    assert rows[1].event_id.hex().endswith("00000000000000020000"), "the record's own root"


async def test_a_record_with_a_cause_of_its_own_holds_what_came_after_it_when_the_one_before_is_let_go() -> None:
    store, upstream = MemoryStore(shards=1), Upstream()
    records = [upstream.record("acc_a", "xx"), upstream.record("acc_a", "fr"), upstream.record("acc_a", value=b"?")]
    async with writing(store) as writer:
        await writer.submit_batch([*records, upstream.record("acc_a", "de")])
        await writer.obey([Order(1, "billing.commands.v1", SHARD, 1, "dropped")])
        assert await languages(store) == ["fr"]
        assert [one.position for one in await store.holds(SHARD)] == [3, 4]
        await writer.obey([Order(2, "billing.commands.v1", SHARD, 3, "dropped")])
    assert await languages(store) == ["fr", "de"]


async def test_orders_given_twice_at_once_are_done_once() -> None:
    store, upstream = MemoryStore(shards=1), Upstream()
    async with writing(store) as writer:
        await writer.submit_batch([upstream.record("acc_a", "xx"), upstream.record("acc_a", "fr")])
        twice = [Order(number, "billing.commands.v1", SHARD, 1, "dropped") for number in (1, 2)]
        await writer.obey([*twice, Order(3, "billing.commands.v1", SHARD, 2, "released")])
        await writer.submit(submitted("k", "acc_a"))
    assert await languages(store) == ["fr", "en"]


async def test_what_comes_with_the_order_that_frees_its_key_is_decided_after_what_waited() -> None:
    store, upstream = MemoryStore(shards=1), Upstream()
    async with writing(store) as writer:
        await writer.submit_batch([upstream.record("acc_a", "xx"), upstream.record("acc_a", "fr")])
        await asyncio.gather(
            writer.submit_batch([upstream.record("acc_a", "de")]),
            writer.obey([Order(1, "billing.commands.v1", SHARD, 1, "dropped")]),
            writer.submit(submitted("k", "acc_a")),
        )
    assert await languages(store) == ["fr", "de", "en"]
    assert await store.holds(SHARD) == []


async def test_a_stray_record_is_parked_once_and_can_only_be_dropped() -> None:
    store = MemoryStore(shards=1)
    stray = Stray(topic="billing.commands.v1", partition=SHARD, offset=7, key="acc_a", value=b"?", cause="no_place")
    async with writing(store) as writer:
        await writer.submit_batch([stray])
        await writer.submit_batch([stray])
        await writer.obey([Order(1, "billing.commands.v1", -1, 7, "released")])
        assert [one.position for one in await store.holds(SHARD)] == [7]
        await writer.obey([Order(2, "billing.commands.v1", -1, 7, "dropped")])
        assert await store.holds(SHARD) == []
        await writer.submit(submitted("k"))
    assert await languages(store) == ["en"]


async def test_after_a_gap_the_true_next_record_is_still_applied() -> None:
    store, upstream = MemoryStore(shards=1), Upstream()
    first, second, third = (upstream.record("acc_a", language) for language in ("en", "es", "fr"))
    async with writing(store) as writer:
        await writer.submit_batch([first, third])
        assert await languages(store) == ["en"]
        await writer.submit_batch([second, third])
    assert await languages(store) == ["en", "es", "fr"]


async def test_a_position_with_other_bytes_is_a_fork_and_the_chain_stands_still() -> None:
    store, upstream, other = MemoryStore(shards=1), Upstream(), Upstream()
    async with writing(store) as writer:
        await writer.submit_batch([upstream.record("acc_a")])
        await writer.submit_batch([other.record("acc_z", "fr"), upstream.record("acc_a", "es")])
        assert [(chain, trouble.verdict.value) for chain, trouble in writer.book.alarms(0.0)] == [
            (("billing.commands.v1", SHARD), "fork")
        ]
    assert await languages(store) == ["en"]


async def test_a_command_without_change_stores_nothing() -> None:
    store = MemoryStore(shards=1)
    async with writing(store) as writer:
        answer = await writer.submit(submitted("k", language="no"))
    assert answer.rows == ()
    assert await stored(store) == []


async def test_recorded_time_never_falls_when_the_databases_clock_does_and_the_head_is_that_of_the_rows() -> None:
    ahead = ManualClock(START + timedelta(hours=1))
    store = MemoryStore(shards=1, clock=ahead)
    async with writing(store, ahead) as writer:
        await writer.submit(submitted("1"))
    behind = ManualClock(START)
    store.clock = behind
    async with writing(store, behind) as writer:
        await writer.submit(submitted("2"))
    rows = await stored(store)
    assert [open_fact(row.data).envelope.recorded_at for row in rows] == [rfc3339(ahead.now())] * 2
    held = await store.take_over(SHARD)
    assert held.head == extend(b"", 0, [leaf_hash(row.data) for row in rows])


async def test_a_clock_that_runs_ahead_of_the_databases_stops_the_shard() -> None:
    clock = ManualClock(START)
    store = MemoryStore(shards=1, clock=ManualClock(START))
    async with writing(store, clock) as writer:
        await writer.submit(submitted("1"))
        clock.advance(timedelta(seconds=2))
        with pytest.raises(ClockAhead):
            await writer.submit(submitted("2"))


async def test_a_commit_that_takes_long_is_no_clock_that_runs_ahead() -> None:
    clock = ManualClock(START)

    class Slow(MemoryStore):
        async def append(self, batch: Batch) -> datetime:
            database_now = await super().append(batch)
            clock.advance(timedelta(seconds=3))
            return database_now

    store = Slow(shards=1, clock=clock)
    async with writing(store, clock) as writer:
        await writer.submit(submitted("1"))
        await writer.submit(submitted("2"))
    assert len(await stored(store)) == 2


async def test_a_question_without_answer_that_raised_the_epoch_ends_the_worker_and_not_only_the_shard() -> None:
    class Deaf(MemoryStore):
        async def fate_of(self, batch: Batch) -> Fate:
            await super().fate_of(batch)
            raise UnknownCommit("the answer of the question was lost too")

    store = Deaf(shards=1)
    async with writing(store) as writer:
        store.lose_commit(stored=True)
        with pytest.raises(OwnFault) as raised:
            await writer.submit(submitted("1"))
    assert not isinstance(raised.value, Fenced), "a fenced shard waits to be assigned again; nobody would assign it"


async def test_a_snapshot_whose_commit_is_unknown_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.eventlog.desk.SNAPSHOT_EVERY", 1)

    class Forgetful(MemoryStore):
        async def save_snapshots(self, shard: int, snapshots: Sequence[tuple[str, int, bytes, bytes]]) -> None:
            raise UnknownCommit("the answer was lost")

    store = Forgetful(shards=1)
    async with writing(store) as writer:
        await writer.submit(submitted("1"))
        await writer.submit(submitted("2"))
    assert len(await stored(store)) == 2


@pytest.mark.parametrize("was_stored", [True, False])
async def test_a_commit_without_answer_is_asked_after_and_happens_once(was_stored: bool) -> None:
    store = MemoryStore(shards=1)
    async with writing(store) as writer:
        await writer.submit(submitted("1"))
        store.lose_commit(stored=was_stored)
        answers = await asyncio.gather(*(writer.submit(submitted(key)) for key in "234"))
        await writer.submit(submitted("5"))
    assert [answer.position for answer in answers] == [2, 3, 4]
    assert [row.position for row in await stored(store)] == [1, 2, 3, 4, 5]


async def test_a_dropped_stray_record_that_is_read_again_stays_dropped() -> None:
    store = MemoryStore(shards=1)
    stray = Stray(topic="billing.commands.v1", partition=SHARD, offset=7, key="acc_a", value=b"?", cause="no_place")
    async with writing(store) as writer:
        await writer.submit_batch([stray])
        await writer.obey([Order(1, "billing.commands.v1", -1, 7, "dropped")])
    async with writing(store) as writer:
        await writer.submit_batch([stray])
        assert not writer.holds.held("acc_a")
    assert await store.holds(SHARD) == []


async def test_what_waits_when_a_writer_is_stopped_is_still_committed() -> None:
    store = MemoryStore(shards=1)
    async with writing(store) as writer:
        waiting = [asyncio.create_task(writer.submit(submitted(str(i)))) for i in range(10)]
        await asyncio.sleep(0)
    assert len(await asyncio.gather(*waiting)) == 10
    assert len(await stored(store)) == 10


async def test_a_writer_whose_shard_was_taken_appends_nothing() -> None:
    store = MemoryStore(shards=1)
    async with writing(store) as old:
        await old.submit(submitted("1"))
        async with writing(store) as new:
            await new.submit(submitted("2"))
            with pytest.raises(Fenced):
                await old.submit(submitted("3"))
            await new.submit(submitted("4"))
    assert len(await stored(store)) == 3


async def test_callers_are_told_that_a_queue_is_full_and_records_which_wait_in_their_lane_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.eventlog.writer.MAX_WAITING", 5)
    store, upstream = MemoryStore(shards=1), Upstream()
    async with writing(store) as writer:
        await writer.submit(submitted("first"))
        store.down = True
        waiting = [asyncio.create_task(writer.submit(submitted(f"k{number}"))) for number in range(12)]
        delivered = asyncio.create_task(writer.submit_batch([upstream.record("acc_b")]))
        await asyncio.sleep(0.01)
        refused = [task for task in waiting if task.done()]
        assert len(refused) >= 12 - 2 * 5
        assert all(isinstance(task.exception(), Overloaded) for task in refused)
        assert not delivered.done()
        store.down = False
        await asyncio.gather(delivered, *waiting, return_exceptions=True)
        assert writer.waiting == 0
        answer = await writer.submit(submitted("k11"))
        assert not answer.replayed, "what was refused was not kept"
    assert len(await stored(store)) == 1 + (12 - len(refused)) + 1 + 1


async def test_states_are_loaded_after_a_restart() -> None:
    store: Any = MemoryStore(shards=1)
    async with writing(store) as writer:
        for key in "123":
            await writer.submit(submitted(key))
    async with writing(store) as writer:
        answer = await writer.submit(submitted("4"))
    assert answer.rows[0].version == 4
    assert RequestRefused.TYPE not in {row.type for row in await stored(store)}
