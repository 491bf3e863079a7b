"""Refunds, disputes, second charges, cancels and holds against the card simulator: each takes effect once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shared.clock import rfc3339
from shared.contracts.billing import (
    AttemptPlanned,
    ChargebackDebited,
    ChargebackDropped,
    ChargebackLost,
    ChargebackOpened,
    ChargebackWon,
    ChargeFound,
    DuplicateCaseOpened,
    ObjectIgnored,
    PaymentCancelled,
    PaymentHeld,
    PaymentSettled,
    RefundBounced,
    RefundCancelled,
    RefundCompleted,
    RefundOpened,
    RefundSent,
)
from shared.contracts.event import Event, Method
from shared.contracts.gateway import PaymentRequested, RefundRequested
from shared.faults import Point, arm, disarm_all
from tests.integration.billing_shard import AMOUNT_MINOR, BillingShard, billing_shard
from tests.integration.card_simulator import Simulator, eventually, running
from tests.integration.card_story import cancel, dispute, follow, kinds, refund, refunds_at_processor, settled, told

HOUR_S, DAY_S = 3_600, 86_400


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def simulator(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    async with running(tmp_path_factory.mktemp("card")) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def shard(simulator: Simulator, tmp_path: Path) -> AsyncIterator[BillingShard]:
    async with billing_shard(simulator, tmp_path.name.replace("_", "")) as one:
        yield one
    disarm_all()


async def test_a_refund_leaves_once_and_completes(shard: BillingShard) -> None:
    payment = await settled(shard)
    refund_id = await refund(shard, payment, 2_500)
    await shard.idle()
    (at_processor,) = await refunds_at_processor(shard, payment)
    assert (at_processor.refund_id, at_processor.status) == (refund_id, "succeeded")
    assert kinds(shard, RefundSent, RefundCompleted) == ["RefundSent", "RefundCompleted"]


@pytest.mark.parametrize("fault", ["answer_lost", "request_lost", "error_500", "error_500_after", "error_409"])
@pytest.mark.parametrize("call", ["refund", "refund_list"])
async def test_a_refund_whose_answer_is_lost_leaves_once(shard: BillingShard, call: str, fault: str) -> None:
    payment = await settled(shard)
    await shard.simulator.fault(call, fault, times=2)
    await refund(shard, payment)
    await shard.idle(20)
    assert len(await refunds_at_processor(shard, payment)) == 1
    assert kinds(shard, RefundSent, RefundCompleted) == ["RefundSent", "RefundCompleted"]


@pytest.mark.parametrize("point", [Point.EFFECT_BEFORE_REFUND, Point.EFFECT_AFTER_REFUND, Point.EFFECT_BEFORE_OUTCOME])
@pytest.mark.parametrize("dies", [False, True])
async def test_a_refund_cut_short_leaves_once(shard: BillingShard, point: Point, dies: bool) -> None:
    payment = await settled(shard)
    arm(point)
    await refund(shard, payment)
    if dies:
        await shard.restart()
    await shard.idle(20)
    assert len(await refunds_at_processor(shard, payment)) == 1
    assert kinds(shard, RefundSent, RefundCompleted) == ["RefundSent", "RefundCompleted"]


async def test_a_pending_refund_is_asked_for_until_it_is_there(shard: BillingShard) -> None:
    payment = await settled(shard, "pm_card_pendingRefund")
    await refund(shard, payment)
    await eventually(lambda: bool(shard.of(RefundSent)), 8)
    assert shard.of(RefundCompleted) == []
    shard.simulator.advance(60)
    await eventually(lambda: bool(shard.of(RefundCompleted)), 8)


async def test_a_refund_that_comes_back_after_it_succeeded_is_credit_again(shard: BillingShard) -> None:
    payment = await settled(shard, "pm_card_refundFail")
    await refund(shard, payment)
    await shard.idle()
    (sent,) = shard.of(RefundSent)
    shard.simulator.advance(60)

    async def undone() -> bool:
        (one,) = await refunds_at_processor(shard, payment)
        return bool(one.status == "failed")

    await eventually(undone)
    await told(shard, "refund.failed", sent.refund_ref, account_id=sent.account_id)
    (bounced,) = shard.of(RefundBounced)
    assert (bounced.refund_id, bounced.amount_minor) == (sent.refund_id, AMOUNT_MINOR)
    await told(shard, "refund.updated", sent.refund_ref, account_id=sent.account_id)
    assert len(shard.of(RefundBounced)) == 1


async def test_a_refund_that_the_processor_refuses_is_credit_again(shard: BillingShard) -> None:
    payment = await settled(shard)
    await dispute(shard, payment)
    await refund(shard, payment)
    await shard.idle()
    (cancelled,) = shard.of(RefundCancelled)
    assert cancelled.reason == "refused_by_processor"
    assert await refunds_at_processor(shard, payment) == []


async def test_a_refund_that_nobody_approves_ends_after_a_week(shard: BillingShard) -> None:
    payment = await shard.pay("a")
    await shard.idle()
    (opened,) = [one for one in shard.of(PaymentSettled) if one.payment_id == payment]
    large = PaymentRequested(
        payment_id=payment + "b", reference="R", account_id=opened.account_id, invoice_id=opened.invoice_id,
        amount_minor=90_000, currency="USD", method=Method("card", "pm_card_visa"),
        received_at=rfc3339(shard.clock.now()), accept_credit=True,
    )  # fmt: skip
    await shard.ask(large)
    await shard.idle()
    await shard.ask(
        RefundRequested(
            refund_id="rfd_0_large" + payment, account_id=opened.account_id, payment_id=large.payment_id,
            amount_minor=90_000, currency="USD", reason="overpaid", release=False,
            received_at=rfc3339(shard.clock.now()),
        )
    )  # fmt: skip
    (waiting,) = shard.of(RefundOpened)
    assert waiting.approvals_needed == 2
    shard.simulator.advance(7 * DAY_S + 1)
    await eventually(lambda: bool(shard.of(RefundCancelled)), 8)
    assert shard.of(RefundCancelled)[0].reason == "approval_expired"
    assert shard.of(RefundSent) == []


@pytest.mark.parametrize(("outcome", "end"), [("won", ChargebackWon), ("lost", ChargebackLost)])
async def test_a_dispute_is_followed_to_its_household_and_its_end(
    shard: BillingShard, outcome: str, end: type[Event]
) -> None:
    payment = await settled(shard)
    dispute_id = await dispute(shard, payment)
    await follow(shard, dispute_id)
    await follow(shard, dispute_id, "charge.dispute.funds_withdrawn")
    assert kinds(shard, ChargebackOpened, ChargebackDebited) == ["ChargebackOpened", "ChargebackDebited"]
    await shard.simulator.control("POST", f"disputes/{dispute_id}", {"outcome": outcome})
    await follow(shard, dispute_id, "charge.dispute.closed")
    (ended,) = shard.of(end)
    assert ended.amount_minor == AMOUNT_MINOR  # type: ignore[attr-defined]


async def test_an_inquiry_moves_no_money(shard: BillingShard) -> None:
    payment = await settled(shard)
    dispute_id = await dispute(shard, payment, inquiry=True)
    await follow(shard, dispute_id)
    await shard.simulator.control("POST", f"disputes/{dispute_id}", {"outcome": "won"})
    await follow(shard, dispute_id, "charge.dispute.closed")
    assert kinds(shard, ChargebackOpened, ChargebackDebited, ChargebackDropped) == [
        "ChargebackOpened",
        "ChargebackDropped",
    ]


async def test_a_dispute_that_nobody_knows_is_ignored(shard: BillingShard) -> None:
    await told(shard, "charge.dispute.created", "du_none")
    (ignored,) = shard.of(ObjectIgnored)
    assert ignored.object_id == "du_none"


async def test_a_second_charge_of_one_intent_is_found_and_a_case(shard: BillingShard) -> None:
    await shard.simulator.fault("confirm", "charge_twice")
    payment = await shard.pay("a")
    await shard.idle()
    (planned,) = shard.of(AttemptPlanned)
    for charge in await shard.charges(payment):
        await told(
            shard, "charge.succeeded", charge["id"], account_id=planned.account_id, attempt_id=planned.attempt_id
        )
    (found,) = shard.of(ChargeFound)
    (case,) = shard.of(DuplicateCaseOpened)
    assert (case.case_id, case.rule, case.twin_payment_id) == (found.case_id, "charged_twice", payment)
    assert {found.charge_ref, shard.of(PaymentSettled)[0].charge_ref} == {
        charge["id"] for charge in await shard.charges(payment)
    }


async def test_a_member_cancels_what_waits_for_them(shard: BillingShard) -> None:
    payment = await shard.pay("a", "pm_card_threeDSecure2Required")
    await shard.until(payment, "payment-action-required")
    await cancel(shard, payment)
    (ended,) = shard.of(PaymentCancelled)
    assert ended.reason == "cancelled_by_member"
    assert [intent["status"] for intent in await shard.intents(payment)] == ["canceled"]


async def test_a_cancel_that_finds_the_charge_made_settles(shard: BillingShard) -> None:
    await shard.simulator.fault("confirm", "answer_lost")
    payment = await shard.pay("a")
    await shard.until(payment, "payment-unknown")
    await cancel(shard, payment)
    assert shard.kinds(payment)[-2:] == ["payment-settled", "payment-allocated"]


async def test_a_held_payment_ends_after_72_hours(shard: BillingShard) -> None:
    payment = await shard.pay("a", "pm_card_threeDSecure2Required")
    await shard.until(payment, "payment-action-required")
    (planned,) = shard.of(AttemptPlanned)
    second = PaymentRequested(
        payment_id=payment + "2", reference="R", account_id=planned.account_id, invoice_id=planned.invoice_id,
        amount_minor=AMOUNT_MINOR, currency="USD", method=Method("card", "pm_card_visa"),
        received_at=rfc3339(shard.clock.now()),
    )  # fmt: skip
    await shard.ask(second)
    (held,) = shard.of(PaymentHeld)
    shard.simulator.advance(71 * HOUR_S)
    await shard.idle()
    assert second.payment_id not in [one.payment_id for one in shard.of(PaymentCancelled)]
    shard.simulator.advance(HOUR_S + 1)
    await eventually(lambda: second.payment_id in [one.payment_id for one in shard.of(PaymentCancelled)], 8)
    (ended,) = [one for one in shard.of(PaymentCancelled) if one.payment_id == second.payment_id]
    assert (ended.reason, held.twin_payment_id) == ("hold_expired", payment)
    assert await shard.charges(second.payment_id) == []
