"""What is under way and shall not be any more ends once: a refund at a chargeback, a payment at its member's wish."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from services.billing.rails.port import RailDown, RefundState
from shared.contracts.billing import (
    AttemptCancelRequested,
    DisputeTraced,
    PaymentCancelled,
    PaymentSettled,
    RefundCancelled,
    RefundCompleted,
    RefundSent,
    RefundStopRequested,
)
from tests.integration.billing_shard import BillingShard, billing_shard
from tests.integration.card_simulator import Simulator, eventually, running
from tests.integration.card_story import cancel, deliver, dispute, kinds, refund, refunds_at_processor, say, settled

MANY = 1_000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def simulator(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    async with running(tmp_path_factory.mktemp("card")) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def shard(simulator: Simulator, tmp_path: Path) -> AsyncIterator[BillingShard]:
    async with billing_shard(simulator, tmp_path.name.replace("_", "")) as one:
        yield one


async def clear(shard: BillingShard) -> None:
    await shard.simulator.control("DELETE", "faults")


async def stop(shard: BillingShard, payment: str) -> None:
    """Have the bank take the money back while the refund has no answer."""
    await say(shard, "charge.dispute.created", await dispute(shard, payment))
    await eventually(lambda: bool(shard.of(DisputeTraced)))
    await deliver(shard)
    assert len(shard.of(RefundStopRequested)) == 1
    await clear(shard)
    await shard.idle(20)


async def test_a_refund_that_has_not_left_does_not_leave_after_a_chargeback(shard: BillingShard) -> None:
    payment = await settled(shard)
    await shard.simulator.fault("refund_list", "error_500", times=MANY)
    await refund(shard, payment)
    await stop(shard, payment)
    (cancelled,) = shard.of(RefundCancelled)
    assert cancelled.reason == "chargeback"
    assert await refunds_at_processor(shard, payment) == []
    assert shard.of(RefundSent) == []


async def test_a_refund_that_had_left_unseen_is_found_after_a_chargeback(
    shard: BillingShard, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await settled(shard)
    look, looks = shard.worker.rail.refunds_of, iter([True])

    async def blind_after_the_first(intent_ref: str) -> Sequence[RefundState]:
        if next(looks, False) or shard.of(RefundStopRequested):
            return await look(intent_ref)
        raise RailDown("refund_list")

    monkeypatch.setattr(shard.worker.rail, "refunds_of", blind_after_the_first)
    await shard.simulator.fault("refund", "answer_lost")
    await refund(shard, payment)
    (paid,) = shard.of(PaymentSettled)
    await eventually(lambda: _has_refund(shard, paid.processor_ref))
    await stop(shard, payment)
    assert kinds(shard, RefundSent, RefundCompleted, RefundCancelled) == ["RefundSent", "RefundCompleted"]
    assert len(await look(paid.processor_ref)) == 1


async def _has_refund(shard: BillingShard, intent_ref: str) -> bool:
    listed = await shard.simulator.stripe.v1.refunds.list_async({"payment_intent": intent_ref})
    return bool(listed.data)


@pytest.mark.parametrize("fault", ["request_lost", "answer_lost", "error_500", "error_500_after"])
async def test_a_payment_that_is_cancelled_before_it_has_a_name_is_never_charged(
    shard: BillingShard, fault: str
) -> None:
    await shard.simulator.fault("create", fault, times=MANY)
    payment = await shard.pay("a")
    await shard.until(payment, "attempt-planned")
    await cancel(shard, payment)
    (ended,) = shard.of(PaymentCancelled)
    assert (ended.reason, ended.registered) == ("cancelled_by_member", False)
    await clear(shard)
    assert [intent["confirmed"] for intent in await shard.intents(payment) if intent["confirmed"]] == []
    assert await shard.charges(payment) == []


@pytest.mark.parametrize("fault", ["request_lost", "answer_lost", "error_500"])
async def test_a_cancel_whose_answer_is_lost_is_asked_about_until_it_is_known(shard: BillingShard, fault: str) -> None:
    await shard.simulator.fault("cancel", fault)
    payment = await shard.pay("a", "pm_card_authenticationRequired")
    await shard.until(payment, "payment-action-required")
    asked = asyncio.ensure_future(cancel(shard, payment))
    await shard.until(payment, "payment-unknown")
    shard.simulator.advance(5)
    await asked
    (ended,) = shard.of(PaymentCancelled)
    assert ended.reason == "cancelled_by_member"
    assert [intent["status"] for intent in await shard.intents(payment)] == ["canceled"]


async def test_what_the_processor_is_at_cannot_be_cancelled_and_settles(shard: BillingShard) -> None:
    await shard.simulator.fault("confirm", "processing:3")
    payment = await shard.pay("a")
    await eventually(lambda: _is_processing(shard, payment))
    asked = asyncio.ensure_future(cancel(shard, payment))
    await eventually(lambda: bool(shard.of(AttemptCancelRequested)))
    shard.simulator.advance(6)
    await asyncio.sleep(1.2)
    shard.simulator.advance(30)
    await asked
    assert shard.kinds(payment)[-2:] == ["payment-settled", "payment-allocated"]


async def _is_processing(shard: BillingShard, payment: str) -> bool:
    return [intent["status"] for intent in await shard.intents(payment)] == ["processing"]
