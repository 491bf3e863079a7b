"""The processor's days, its event list and its leftovers: what the schedule turns the clock into."""

import math
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.billing.effects.days import bounds_of, day_of
from services.billing.effects.outbox import Outbox
from services.billing.schedule import Net, ReportCalendar, Sweep
from shared.clock import parse_rfc3339
from shared.contracts.billing import (
    AttemptNudged,
    ChargeFound,
    PaymentSettled,
    RefundSent,
    ReportDue,
    ReportImported,
    ReportPartImported,
)
from shared.contracts.event import Actor
from tests.integration.billing_shard import AMOUNT_MINOR, TENANT, ZONE, BillingShard, billing_shard
from tests.integration.card_simulator import running
from tests.integration.card_story import dispute, refund, settled

DAY_S = 86_400


@pytest_asyncio.fixture(loop_scope="session")
async def shard(tmp_path: Path) -> AsyncIterator[BillingShard]:
    async with running(tmp_path) as simulator, billing_shard(simulator, "s") as one:
        yield one


def calendar(shard: BillingShard) -> ReportCalendar:
    outbox = Outbox(shard.worker.writer, Actor("system", "billing.schedule"))
    return ReportCalendar(outbox, shard.store, TENANT, "card", 0, ZONE)


def net(shard: BillingShard) -> Net:
    outbox = Outbox(shard.worker.writer, Actor("system", "billing.schedule"))
    return Net(shard.worker.rail, outbox, TENANT, 0, 1, shard.worker.runner.has_ended)


def advance_past_midnight(shard: BillingShard) -> None:
    """Move the stack clock to eleven minutes after the end of the tenant's day."""
    now = shard.clock.now()
    _, end = bounds_of(day_of(now, ZONE).isoformat(), ZONE)
    shard.simulator.advance(math.ceil((end + timedelta(minutes=11) - now).total_seconds()))


def nets(parts: Iterable[ReportPartImported]) -> int:
    return sum(line.net_minor for part in parts for line in part.lines)


async def test_a_day_is_imported_in_parts_that_sum_to_its_closing(shard: BillingShard) -> None:
    payments = [await shard.pay(f"p{i}") for i in range(103)]
    await shard.idle(20)
    days = calendar(shard)
    await days.tick(shard.clock.now())
    assert shard.of(ReportDue) == []
    advance_past_midnight(shard)
    await days.tick(shard.clock.now())
    await days.tick(shard.clock.now())
    await calendar(shard).tick(shard.clock.now())
    await shard.idle()
    (header,) = shard.of(ReportImported)
    parts = shard.of(ReportPartImported)
    assert [(part.part, part.parts, len(part.lines)) for part in parts] == [(1, 2, 100), (2, 2, 3)]
    assert (header.opening_minor, header.closing_minor, header.lines) == (0, 103 * AMOUNT_MINOR, 103)
    assert nets(parts) == header.closing_minor
    refs = {event.processor_ref for event in shard.of(PaymentSettled)}
    assert {line.intent_ref for part in parts for line in part.lines} == refs
    assert len(payments) == len(refs)


async def test_missed_days_are_caught_up_in_order_and_a_repeat_adds_nothing(shard: BillingShard) -> None:
    await shard.pay("a")
    await shard.idle()
    advance_past_midnight(shard)
    await shard.pay("b")
    await shard.idle()
    shard.simulator.advance(3 * DAY_S)
    await calendar(shard).tick(shard.clock.now())
    await shard.idle()
    await calendar(shard).tick(shard.clock.now())
    await shard.idle()
    headers = shard.of(ReportImported)
    assert [header.day for header in headers] == sorted({header.day for header in headers})
    books = [(header.opening_minor, header.closing_minor) for header in headers]
    one, two = AMOUNT_MINOR, 2 * AMOUNT_MINOR
    assert books == [(0, one), (one, two), (two, two), (two, two)]
    for paid in shard.of(PaymentSettled):
        begin, end = bounds_of(paid.settled_on, ZONE)
        assert begin <= parse_rfc3339(paid.settled_at) < end


async def test_a_report_cut_short_by_a_crash_is_finished_by_the_next_owner(shard: BillingShard) -> None:
    await shard.pay("a")
    await shard.idle()
    await shard.simulator.fault("balance_transaction_list", "error_500", times=1)
    advance_past_midnight(shard)
    await calendar(shard).tick(shard.clock.now())
    await shard.restart()
    await shard.idle()
    (header,) = shard.of(ReportImported)
    assert header.closing_minor == AMOUNT_MINOR


async def test_lines_of_refunds_disputes_and_payouts_name_what_they_are_of(shard: BillingShard) -> None:
    await shard.simulator.control("POST", "settings", {"available_after_days": 0, "dispute_fee_minor": 1_500})
    payment = await settled(shard)
    await refund(shard, payment, 2_500)
    await shard.idle()
    dispute_id = await dispute(shard, payment)
    await shard.simulator.control("POST", f"disputes/{dispute_id}", {"outcome": "won"})
    paid_out = await shard.simulator.control("POST", "payouts", {"amount": 5_000})
    advance_past_midnight(shard)
    await calendar(shard).tick(shard.clock.now())
    await shard.idle()
    (intent,), (charge,) = await shard.intents(payment), await shard.charges(payment)
    (sent,) = shard.of(RefundSent)
    lines = [line for part in shard.of(ReportPartImported) for line in part.lines]
    assert sorted(
        (line.kind, line.source_ref, line.intent_ref, line.amount_minor, line.fee_minor) for line in lines
    ) == [
        ("adjustment", dispute_id, intent["id"], -AMOUNT_MINOR, 1_500),
        ("adjustment", dispute_id, intent["id"], AMOUNT_MINOR, 0),
        ("charge", charge["id"], intent["id"], AMOUNT_MINOR, 0),
        ("payout", paid_out["id"], "", -5_000, 0),
        ("refund", sent.refund_ref, intent["id"], -2_500, 0),
    ]


async def test_the_net_nudges_what_a_lost_webhook_would_have(shard: BillingShard) -> None:
    await shard.simulator.fault("confirm", "answer_lost")
    payment = await shard.pay("a")
    await shard.until(payment, "payment-unknown")
    reading = net(shard)
    await reading.tick(shard.clock.now())
    await reading.tick(shard.clock.now() + timedelta(minutes=4))
    await shard.idle()
    assert {nudged.object_id[:3] for nudged in shard.of(AttemptNudged)} == {"ch_", "pi_"}
    assert shard.kinds(payment)[-2:] == ["payment-settled", "payment-allocated"]


async def test_the_net_finds_a_charge_under_another_name(shard: BillingShard) -> None:
    payment = await shard.pay("a")
    await shard.idle()
    (planned, *_) = shard.events(payment)
    ids: Any = {"account_id": planned.account_id, "attempt_id": planned.attempt_id}  # type: ignore[attr-defined]
    strange = await shard.simulator.create(payment, metadata={"tenant": TENANT, **ids}, confirm=True)
    for _ in range(2):
        await net(shard).tick(shard.clock.now())
        await shard.idle()
    assert [found.processor_ref for found in shard.of(ChargeFound)] == [strange.id]


@pytest.mark.parametrize(("age_s", "status"), [(DAY_S + 60, "canceled"), (3_600, "requires_confirmation")])
async def test_the_sweep_cancels_what_nobody_confirmed_for_a_day(shard: BillingShard, age_s: int, status: str) -> None:
    await shard.simulator.create("pay_left", metadata={"tenant": TENANT, "payment_id": "pay_left"})
    await shard.simulator.create("pay_other", metadata={"tenant": "other", "payment_id": "pay_other"})
    shard.simulator.advance(age_s)
    await Sweep(shard.worker.rail, TENANT).tick(shard.clock.now())
    assert [intent["status"] for intent in await shard.intents("pay_left")] == [status]
    assert [intent["status"] for intent in await shard.intents("pay_other")] == ["requires_confirmation"]
