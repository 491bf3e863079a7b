"""A held shard is started whole or not at all, and stopped whole whatever its parts do."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.clock import SystemClock
from shared.decider import Registry
from shared.eventlog.cursors import GAP_ALARM_S, Trouble, Verdict
from shared.eventlog.held_shard import HeldShard, ShardContext, ShardPart, Surroundings
from shared.eventlog.memory import MemoryPublisher, MemoryStore
from shared.eventlog.ports import EventRow, Order, Parked, Shelved
from shared.postgres.placement import Placement
from shared.telemetry import metrics

SHARD = 0


class NoOrders:
    """Nobody orders anything; `old` are records that wait for a person."""

    def __init__(self, old: Sequence[Shelved] = ()) -> None:
        self.old = list(old)

    async def waiting(self, shard: int) -> list[Order]:
        return []

    async def shelved(self, shard: int) -> list[Shelved]:
        return self.old


class Part:
    """A part that starts and stops as the test says."""

    def __init__(self, start_s: float = 0.0, stop_raises: bool = False, stop_s: float = 0.0) -> None:
        self.stopped = 0
        self._stop_s = stop_s
        self._start_s = start_s
        self._stop_raises = stop_raises

    async def start(self) -> None:
        await asyncio.sleep(self._start_s)

    def committed(self, rows: Sequence[EventRow]) -> None: ...

    async def stop(self) -> None:
        self.stopped += 1
        await asyncio.sleep(self._stop_s)
        if self._stop_raises:
            raise RuntimeError("a part that cannot be stopped")


def held_with(
    parts: Sequence[Part], rewound: list[tuple[str, int]] | None = None, old: Sequence[Shelved] = ()
) -> HeldShard:
    def make_parts(context: ShardContext) -> Sequence[ShardPart]:
        return parts

    store: Any = MemoryStore(shards=1)
    orders: Any = NoOrders(old)
    return HeldShard(
        Surroundings(
            registry=Registry(service="billing", kinds=(), handlers={}),
            placement=Placement.on_one("", 1),
            store=store,
            publisher=MemoryPublisher(),
            orders={"": orders},
            clock=SystemClock(),
            zone=ZoneInfo("UTC"),
            make_parts=make_parts,
            rewind=lambda topic, shard: (rewound if rewound is not None else []).append((topic, shard)),
        ),
        SHARD,
    )


def on_lost(shard: int, error: BaseException) -> None:
    raise AssertionError(f"shard {shard} was lost") from error


def others() -> set["asyncio.Task[Any]"]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def test_a_start_that_is_cancelled_leaves_nothing_running() -> None:
    quick, slow = Part(), Part(start_s=60)
    before = others()
    starting = asyncio.create_task(held_with([quick, slow]).start(on_lost))
    await asyncio.sleep(0.02)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert others() == before
    assert (quick.stopped, slow.stopped) == (1, 1)


async def test_a_stop_that_is_cancelled_leaves_nothing_running() -> None:
    before = others()
    held = held_with([Part(stop_s=60)])
    await held.start(on_lost)
    stopping = asyncio.create_task(held.stop())
    await asyncio.sleep(0.02)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    await asyncio.sleep(0.02)
    assert others() == before


async def test_a_gap_that_stays_has_its_partition_read_again_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.eventlog.held_shard.LOOK_EVERY_S", 0.01)
    rewound: list[tuple[str, int]] = []
    held = held_with([], rewound)
    await held.start(on_lost)
    long_ago = SystemClock().monotonic() - GAP_ALARM_S
    held.writer.book.troubles["billing.commands.v1", SHARD] = Trouble(Verdict.GAP, long_ago, position=9, previous=8)
    held.writer.book.troubles["ledger.events.v1", SHARD] = Trouble(Verdict.FORK, long_ago, position=9, previous=8)
    await asyncio.sleep(0.1)
    await held.stop()
    assert rewound == [("billing.commands.v1", SHARD)]


async def test_a_record_that_is_parked_for_long_raises_the_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.eventlog.held_shard.LOOK_EVERY_S", 0.01)
    parked = Parked("billing.commands.v1", SHARD, 1, "acc_a", "unknown_type", b"x")
    held = held_with([], old=[Shelved(parked.place, parked.key, parked.cause, timedelta(minutes=16))])
    await held.start(on_lost)
    held.writer.holds.add([parked])
    await asyncio.sleep(0.1)
    await held.stop()
    assert metrics.PARKED_LONG.labels("billing", str(SHARD), "15m")._value.get() == 1
    assert metrics.PARKED_LONG.labels("billing", str(SHARD), "24h")._value.get() == 0


async def test_a_part_that_cannot_be_stopped_keeps_nothing_else_going() -> None:
    first, broken = Part(), Part(stop_raises=True)
    before = others()
    held = held_with([first, broken])
    await held.start(on_lost)
    await held.stop()
    assert others() == before
    assert first.stopped == 1
