"""A card payment is charged at most once and always comes to its end, wherever an answer is lost."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from shared.contracts.billing import (
    ChargeFound,
    PaymentActionRequired,
    PaymentCancelled,
    PaymentDeclined,
    PaymentSettled,
)
from shared.contracts.gateway import WebhookReceived
from shared.errors import Overloaded
from shared.faults import Point, arm, disarm_all
from tests.integration.billing_shard import AMOUNT_MINOR, BillingShard, billing_shard
from tests.integration.card_simulator import Simulator, eventually, running

SETTLED = ["attempt-planned", "attempt-registered", "payment-settled", "payment-allocated"]
UNKNOWN_FIRST = ["attempt-planned", "attempt-registered", "payment-unknown", "payment-settled", "payment-allocated"]
DECLINED_CARD = "pm_card_visa_chargeDeclinedInsufficientFunds"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def simulator(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    async with running(tmp_path_factory.mktemp("card")) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def shard(simulator: Simulator, tmp_path: Path) -> AsyncIterator[BillingShard]:
    async with billing_shard(simulator, tmp_path.name.replace("_", "")) as one:
        yield one
    disarm_all()


async def charged_once(shard: BillingShard, payment_id: str) -> None:
    """Hold that one intent was confirmed, one charge took the money, and billing says so."""
    intents, charges = await shard.intents(payment_id), await shard.charges(payment_id)
    assert sum(intent["confirmed"] > 0 for intent in intents) == 1
    assert [charge["amount"] for charge in charges] == [AMOUNT_MINOR]
    (settled,) = [event for event in shard.events(payment_id) if isinstance(event, PaymentSettled)]
    assert (settled.processor_ref, settled.charge_ref) == (charges[0]["intent"], charges[0]["id"])


async def test_a_payment_is_registered_then_charged_then_allocated(shard: BillingShard) -> None:
    payment = await shard.pay("a")
    await shard.idle()
    assert shard.kinds(payment) == SETTLED
    await charged_once(shard, payment)


@pytest.mark.parametrize(
    "fault", ["request_lost", "answer_lost", "error_500", "error_500_after", "error_409", "error_429"]
)
async def test_a_lost_create_is_made_again_and_settles(shard: BillingShard, fault: str) -> None:
    await shard.simulator.fault("create", fault)
    payment = await shard.pay("a")
    await shard.idle()
    assert shard.kinds(payment) == SETTLED
    await charged_once(shard, payment)


@pytest.mark.parametrize("fault", ["request_lost", "answer_lost", "error_500", "error_500_after"])
async def test_a_lost_confirm_is_unknown_then_asked_for_and_settles(shard: BillingShard, fault: str) -> None:
    await shard.simulator.fault("confirm", fault)
    payment = await shard.pay("a")
    await shard.until(payment, "payment-unknown")
    shard.simulator.advance(5)
    await shard.idle()
    assert shard.kinds(payment) == UNKNOWN_FIRST
    await charged_once(shard, payment)


async def test_an_unknown_payment_is_asked_for_at_its_times_and_says_unknown_once(shard: BillingShard) -> None:
    await shard.simulator.fault("confirm", "answer_lost")
    await shard.simulator.fault("retrieve", "error_500", times=3)
    payment = await shard.pay("a")
    await shard.until(payment, "payment-unknown")
    for left, seconds in ((2, 5), (1, 25), (0, 90)):
        shard.simulator.advance(seconds)
        await eventually(lambda left=left: _left(shard, left))
        assert shard.kinds(payment)[-1] == "payment-unknown"
    shard.simulator.advance(480)
    await shard.idle()
    assert shard.kinds(payment) == UNKNOWN_FIRST
    await charged_once(shard, payment)


async def _left(shard: BillingShard, times: int) -> bool:
    pending = (await shard.simulator.control("GET", "faults"))["data"]
    return sum(int(fault["left"]) for fault in pending) == times


@pytest.mark.parametrize(
    "point",
    [
        Point.EFFECT_BEFORE_CREATE,
        Point.EFFECT_AFTER_CREATE,
        Point.EFFECT_BEFORE_CONFIRM,
        Point.EFFECT_AFTER_CONFIRM,
        Point.EFFECT_BEFORE_OUTCOME,
    ],
)
@pytest.mark.parametrize("how", ["goes on", "dies"])
async def test_a_fault_at_any_point_settles_with_one_charge(shard: BillingShard, point: Point, how: str) -> None:
    arm(point)
    payment = await shard.pay("a")
    if how == "dies":
        await shard.until(payment, "attempt-planned")
        await asyncio.sleep(0.05)
        await shard.restart()
    await shard.idle()
    assert shard.kinds(payment) == SETTLED
    await charged_once(shard, payment)


async def test_a_worker_that_dies_at_any_moment_charges_once(shard: BillingShard) -> None:
    payments = []
    for round_ in range(8):
        payments += [await shard.pay(f"r{round_}x{i}") for i in range(4)]
        await asyncio.sleep(0.012 * round_)
        await shard.restart()
    await shard.idle(20)
    for payment in payments:
        await charged_once(shard, payment)


async def test_two_runners_of_one_log_charge_once(shard: BillingShard) -> None:
    second = shard.new_worker()
    second.runner = type(second.runner)(0, shard.store, shard.index, shard.worker.runner._effects, shard.clock)
    await second.runner.start()
    payments = []
    for i in range(12):
        payments.append(await shard.pay(f"p{i}"))
        second.runner.committed(shard.rows())
    await shard.idle()
    await second.runner.stop()
    await second.rail.close()
    for payment in payments:
        assert shard.kinds(payment) == SETTLED
        await charged_once(shard, payment)


async def test_a_decline_is_written_after_its_intent_was_cancelled(shard: BillingShard) -> None:
    payment = await shard.pay("a", DECLINED_CARD)
    await shard.idle()
    await declined(shard, payment)


async def declined(shard: BillingShard, payment_id: str, reason: str = "insufficient_funds") -> None:
    (event,) = [event for event in shard.events(payment_id) if isinstance(event, PaymentDeclined)]
    assert (event.reason, event.registered) == (reason, True)
    assert [intent["status"] for intent in await shard.intents(payment_id)] == ["canceled"]
    assert await shard.charges(payment_id) == []


@pytest.mark.parametrize("fault", ["answer_lost", "request_lost"])
@pytest.mark.parametrize("call", ["confirm", "cancel"])
async def test_a_decline_with_a_lost_answer_ends_declined_and_cancelled(
    shard: BillingShard, call: str, fault: str
) -> None:
    await shard.simulator.fault(call, fault)
    payment = await shard.pay("a", DECLINED_CARD)
    await shard.until(payment, "payment-unknown")
    shard.simulator.advance(5)
    await shard.idle()
    await declined(shard, payment)


async def test_a_confirm_held_back_until_after_the_decline_charges_nothing(shard: BillingShard) -> None:
    await shard.simulator.fault("confirm", "hold:60")
    await shard.simulator.fault("confirm", "declined:lost_card")
    payment = await shard.pay("a")
    await shard.until(payment, "payment-unknown")
    shard.simulator.advance(5)
    await shard.idle()
    await declined(shard, payment, "lost_card")
    shard.simulator.advance(120)
    await asyncio.sleep(1.5)
    await declined(shard, payment, "lost_card")


async def test_a_confirm_held_back_until_after_the_charge_charges_once(shard: BillingShard) -> None:
    await shard.simulator.fault("confirm", "hold:60")
    payment = await shard.pay("a")
    await shard.until(payment, "payment-unknown")
    shard.simulator.advance(5)
    await shard.idle()
    shard.simulator.advance(120)
    await asyncio.sleep(1.5)
    await charged_once(shard, payment)


async def test_ten_minutes_without_an_end_cancel(shard: BillingShard) -> None:
    await shard.simulator.fault("confirm", "request_lost", times=1_000)
    payment = await shard.pay("a")
    await shard.until(payment, "payment-unknown")
    shard.simulator.advance(600)
    await shard.idle()
    (cancelled,) = shard.of(PaymentCancelled)
    assert (cancelled.reason, cancelled.registered) == ("processor_timeout", True)
    assert [intent["status"] for intent in await shard.intents(payment)] == ["canceled"]


async def test_a_cancel_that_finds_it_charged_settles(shard: BillingShard) -> None:
    await shard.simulator.fault("confirm", "answer_lost")
    payment = await shard.pay("a")
    await shard.until(payment, "payment-unknown")
    shard.simulator.advance(1_000)
    await shard.idle()
    assert shard.kinds(payment) == UNKNOWN_FIRST


async def test_a_processor_that_never_answers_a_create_ends_it_after_ten_minutes(shard: BillingShard) -> None:
    await shard.simulator.stop()
    payment = await shard.pay("a")
    await asyncio.sleep(0.5)
    assert shard.kinds(payment) == ["attempt-planned"]
    shard.simulator.advance(601)
    await shard.idle()
    (cancelled,) = shard.of(PaymentCancelled)
    assert (cancelled.reason, cancelled.registered) == ("processor_timeout", False)


async def test_a_processor_killed_and_started_again_settles(shard: BillingShard) -> None:
    payments = [await shard.pay(f"p{i}") for i in range(10)]
    await shard.simulator.stop(signal.SIGKILL)
    payments += [await shard.pay(f"q{i}") for i in range(10)]
    await shard.simulator.start()
    await asyncio.sleep(0.3)
    shard.simulator.advance(5)
    await shard.idle(15)
    for payment in payments:
        await charged_once(shard, payment)


async def test_a_strange_token_is_declined_without_a_name(shard: BillingShard) -> None:
    payment = await shard.pay("a", "pm_nobody")
    await shard.idle()
    assert shard.kinds(payment) == ["attempt-planned", "payment-declined"]
    (event,) = shard.of(PaymentDeclined)
    assert (event.reason, event.registered) == ("invalid_payment_method", False)


async def authenticate(shard: BillingShard, payment_id: str, outcome: str) -> str:
    await shard.until(payment_id, "payment-action-required")
    (intent,) = await shard.intents(payment_id)
    ref: str = intent["id"]
    await shard.simulator.control("POST", f"authenticate/{ref}", {"outcome": outcome})
    return ref


def webhook(shard: BillingShard, payment_id: str, object_id: str) -> WebhookReceived:
    (planned, *_) = shard.events(payment_id)
    ids: Any = {"account_id": planned.account_id, "attempt_id": planned.attempt_id}  # type: ignore[attr-defined]
    return WebhookReceived(
        **ids, provider="card", provider_event_id="evt_1", kind="payment_intent.succeeded", object_id=object_id,
        body_sha256="", received_at="2026-03-01T00:00:00.000000Z",
    )  # fmt: skip


async def test_an_authenticated_payment_settles_at_once_by_a_nudge(shard: BillingShard) -> None:
    payment = await shard.pay("a", "pm_card_authenticationRequired")
    ref = await authenticate(shard, payment, "complete")
    (action,) = shard.of(PaymentActionRequired)
    assert ref in action.url
    await shard.ask(webhook(shard, payment, ref))
    await shard.idle()
    assert shard.kinds(payment)[-2:] == ["payment-settled", "payment-allocated"]


async def test_an_authenticated_payment_settles_without_a_webhook_too(shard: BillingShard) -> None:
    payment = await shard.pay("a", "pm_card_authenticationRequired")
    await authenticate(shard, payment, "complete")
    shard.simulator.advance(30)
    await shard.idle()
    await charged_once(shard, payment)


async def test_a_failed_authentication_is_a_decline(shard: BillingShard) -> None:
    payment = await shard.pay("a", "pm_card_authenticationRequired")
    ref = await authenticate(shard, payment, "fail")
    await shard.ask(webhook(shard, payment, ref))
    await shard.idle()
    await declined(shard, payment, "authentication_failed")


async def test_an_action_that_nobody_takes_is_cancelled_at_its_expiry(shard: BillingShard) -> None:
    payment = await shard.pay("a", "pm_card_authenticationRequired")
    await shard.until(payment, "payment-action-required")
    shard.simulator.advance(29 * 60)
    await asyncio.sleep(1)
    assert shard.kinds(payment)[-1] == "payment-action-required"
    shard.simulator.advance(61)
    await shard.idle()
    (cancelled,) = shard.of(PaymentCancelled)
    assert cancelled.reason == "action_expired"
    assert [intent["status"] for intent in await shard.intents(payment)] == ["canceled"]


async def test_a_payment_that_the_processor_takes_time_over_settles(shard: BillingShard) -> None:
    await shard.simulator.fault("confirm", "processing:3")
    payment = await shard.pay("a")
    await eventually(lambda: _is_processing(shard, payment))
    shard.simulator.advance(6)
    await asyncio.sleep(1.2)
    shard.simulator.advance(30)
    await shard.idle()
    assert shard.kinds(payment) == SETTLED


async def _is_processing(shard: BillingShard, payment_id: str) -> bool:
    return [intent["status"] for intent in await shard.intents(payment_id)] == ["processing"]


async def test_a_charge_under_another_name_is_a_case_once(shard: BillingShard) -> None:
    payment = await shard.pay("a")
    await shard.idle()
    (planned, *_) = shard.events(payment)
    metadata = {"payment_id": payment, "attempt_id": planned.attempt_id, "tenant": "demo"}  # type: ignore[attr-defined]
    strange = await shard.simulator.create(payment, metadata=metadata, confirm=True)
    for _ in range(2):
        await shard.ask(webhook(shard, payment, strange.id))
        await shard.idle()
    (found,) = shard.of(ChargeFound)
    assert (found.processor_ref, found.amount_minor) == (strange.id, 1250)


async def test_an_unconfirmed_intent_under_another_name_is_cancelled(shard: BillingShard) -> None:
    payment = await shard.pay("a")
    await shard.idle()
    strange = await shard.simulator.create(payment)
    await shard.ask(webhook(shard, payment, strange.id))
    await shard.idle()
    assert sorted(intent["status"] for intent in await shard.intents(payment)) == ["canceled", "succeeded"]
    assert shard.of(ChargeFound) == []


async def test_a_full_writer_loses_no_outcome(shard: BillingShard, monkeypatch: pytest.MonkeyPatch) -> None:
    submit, full = shard.worker.writer.submit, iter([True] * 4)

    async def often_full(submitted: Any) -> Any:
        if type(submitted.command).__module__.startswith("services.billing") and next(full, False):
            raise Overloaded("full")
        return await submit(submitted)

    monkeypatch.setattr(shard.worker.writer, "submit", often_full)
    payment = await shard.pay("a")
    await shard.idle()
    assert shard.kinds(payment) == SETTLED
    await charged_once(shard, payment)


async def test_two_hundred_payments_settle_side_by_side(shard: BillingShard) -> None:
    payments = await asyncio.gather(*(shard.pay(f"p{i}") for i in range(200)))
    await shard.idle(30)
    assert len(shard.of(PaymentSettled)) == 200
    charges = (await shard.simulator.control("GET", "charges"))["data"]
    paid = [charge["metadata"]["payment_id"] for charge in charges]
    assert sorted(payment for payment in paid if payment in payments) == sorted(payments)
