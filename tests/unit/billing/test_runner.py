"""The effect runner stops when it is told to, and reads what is to be read, whoever had begun it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from services.billing.effects import runner as runner_module
from services.billing.effects.index import MemoryIndex
from services.billing.effects.runner import EffectRunner
from services.billing.effects.times import Again, Ended, Next
from services.billing.effects.works import Work
from shared.clock import ManualClock
from shared.contracts.billing import AttemptNudged, RefundCompleted, RefundNudged
from shared.telemetry.metrics import LIMITS_EXCEEDED
from tests.unit.billing.effect_story import NOW, REFUND, Log, row

_refund: Any = {"account_id": "acc_a", "refund_id": "rfd_0_a", "payment_id": "pay_0_a"}
COMPLETED = RefundCompleted(**_refund, reference="R", amount_minor=100, currency="USD")
REFUND_NUDGED = RefundNudged(**_refund, object_id="re_1")
CHARGE_NUDGED = AttemptNudged(account_id="acc_a", payment_id="pay_0_a", attempt_id="att_0_a", object_id="ch_2")


class Effects:
    """Notes what runs, and answers while the gate is open."""

    def __init__(self, after: Next) -> None:
        self.after = after
        self.ran: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def run(self, work: Work, *_: Any) -> Next:
        self.ran.append(work.work_id)
        await self.gate.wait()
        return self.after


def runner_over(log: Log, effects: Any, index: MemoryIndex | None = None) -> EffectRunner:
    return EffectRunner(0, log, index or MemoryIndex(), effects, ManualClock(NOW))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.001)


def kept(index: MemoryIndex) -> tuple[int, dict[str, Work]]:
    return index._kept.get(0, (0, {}))


async def started(log: Log, effects: Effects, index: MemoryIndex | None = None) -> EffectRunner:
    """Return a runner that has run something."""
    runner = runner_over(log, effects, index)
    await runner.start()
    await until(lambda: bool(effects.ran))
    return runner


async def test_rows_that_nobody_takes_are_not_kept_without_bound_and_are_read_from_the_log_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner_module, "MOST_ROWS", 10)
    log, effects = Log(), Effects(Again(NOW + timedelta(minutes=1)))
    runner = runner_over(log, effects)
    refunds = [msgspec.structs.replace(REFUND, refund_id=f"rfd_0_{number}") for number in range(25)]
    for position, refund in enumerate(refunds, 1):
        log.rows.append(row(refund, position))
        runner.committed(log.rows[-1:])
        assert len(runner._rows) <= 10
    await runner.start()
    await until(lambda: len(effects.ran) == len(refunds))
    await runner.stop()
    assert sorted(effects.ran) == sorted(refund.refund_id for refund in refunds)


@pytest.mark.parametrize("steps", range(5))
async def test_a_runner_that_is_woken_and_stopped_at_once_stops(steps: int) -> None:
    runner = await started(Log(REFUND), Effects(Again(NOW + timedelta(minutes=1))))
    runner.committed([])
    for _ in range(steps):
        await asyncio.sleep(0)
    done, _ = await asyncio.wait([asyncio.ensure_future(runner.stop())], timeout=1)
    assert done


@pytest.mark.parametrize(("nudge", "work_id"), [(REFUND_NUDGED, "again:rfd_0_a"), (CHARGE_NUDGED, "strange:ch_2")])
async def test_what_is_to_be_read_is_read_by_the_next_owner_where_one_could_not(nudge: Any, work_id: str) -> None:
    log, index = Log(REFUND, COMPLETED, nudge), MemoryIndex()
    fails, reads = Effects(Again(NOW + timedelta(hours=1))), Effects(Ended())
    await (await started(log, fails, index)).stop()
    second = await started(log, reads, index)
    await until(second.is_idle)
    assert (fails.ran, reads.ran) == ([work_id], [work_id])
    await second.stop()


async def test_what_was_read_is_read_again_when_it_is_spoken_of_again() -> None:
    effects = Effects(Ended())
    runner = await started(Log(CHARGE_NUDGED), effects)
    runner.committed([row(CHARGE_NUDGED, 2)])
    await until(lambda: len(effects.ran) == 2)
    assert effects.ran == ["strange:ch_2"] * 2
    await runner.stop()


async def test_what_is_spoken_of_while_it_is_read_is_read_once_more() -> None:
    effects = Effects(Ended())
    effects.gate.clear()
    runner = await started(Log(CHARGE_NUDGED), effects)
    runner.committed([row(CHARGE_NUDGED, 2)])
    await until(lambda: not runner._rows)
    effects.gate.set()
    await until(runner.is_idle)
    assert effects.ran == ["strange:ch_2"] * 2
    await runner.stop()


async def test_what_was_read_after_it_was_kept_is_forgotten_with_the_next_position(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner_module, "KEEP_EVERY_S", 0.005)
    index, effects = MemoryIndex(), Effects(Ended())
    effects.gate.clear()
    runner = await started(Log(CHARGE_NUDGED), effects, index)
    await until(lambda: "strange:ch_2" in kept(index)[1])
    effects.gate.set()
    await until(runner.is_idle)
    runner.committed([row(COMPLETED, 2)])
    await until(lambda: kept(index) == (2, {}))
    await runner.stop()


async def test_what_exceeds_its_limit_is_counted_until_it_ends_or_another_has_the_shard() -> None:
    def counted() -> float:
        value: float = LIMITS_EXCEEDED.labels("refund")._value.get()
        return value

    late = Again(NOW + timedelta(hours=1), exceeded="refund")
    runner = await started(Log(REFUND), Effects(late))
    await until(lambda: counted() == 1)
    runner.committed([row(COMPLETED, 2)])
    await until(lambda: counted() == 0)
    await runner.stop()
    other = await started(Log(REFUND), Effects(late))
    await until(lambda: counted() == 1)
    await other.stop()
    assert counted() == 0
