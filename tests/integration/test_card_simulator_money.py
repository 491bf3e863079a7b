"""The card simulator pays out, takes back and gives back: as the official SDK and a receiver of webhooks see it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import stripe

from tests.integration.card_simulator import Receiver, Simulator, eventually, receiving, running

DAY_S = 86_400


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as taking:
        yield taking


@pytest.fixture
async def sim(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Simulator]:
    async with running(tmp_path, receiver.url, "--fee-fixed", "50") as simulator:
        await simulator.control("POST", "settings", {"enabled_events": ["payout.*", "charge.dispute.*", "refund.*"]})
        yield simulator


@pytest.fixture
def payment() -> str:
    return f"pay_7_{uuid4().hex}"


async def available(sim: Simulator) -> int:
    return sum(part.amount for part in (await sim.stripe.v1.balance.retrieve_async()).available)


async def payouts(sim: Simulator) -> list[stripe.Payout]:
    return (await sim.stripe.v1.payouts.list_async()).data


async def paid(sim: Simulator, payment: str, card: str = "pm_card_visa") -> str:
    """Pay 12.50, of which 12.00 is ours, and return the charge."""
    intent = await sim.create(payment, card, confirm=True)
    assert isinstance(intent.latest_charge, str)
    return intent.latest_charge


async def told(receiver: Receiver, *kinds: str) -> None:
    """Wait until webhooks of just these kinds have come, in any order."""
    await eventually(lambda: sorted(receiver.kinds()) == sorted(kinds))


async def to_next_day(sim: Simulator) -> None:
    """Move the stack clock to a second after the next midnight (UTC)."""
    made = await sim.create("pay_clock")
    sim.advance(DAY_S - made.created % DAY_S + 1)


async def test_what_is_available_is_paid_out_on_request(sim: Simulator, receiver: Receiver, payment: str) -> None:
    await paid(sim, payment)
    refused = await sim.control("POST", "payouts", {}, 400)
    assert refused["error"]["code"] == "balance_insufficient"
    sim.advance(3 * DAY_S)
    part = await sim.control("POST", "payouts", {"amount": 300})
    rest = await sim.control("POST", "payouts", {})
    assert (part["amount"], rest["amount"], await available(sim)) == (300, 900, 0)
    assert [each.id for each in await payouts(sim)] == [rest["id"], part["id"]]
    shown = await sim.stripe.v1.payouts.retrieve_async(rest["id"], {"expand": ["balance_transaction"]})
    line = shown.balance_transaction
    assert isinstance(line, stripe.BalanceTransaction)
    assert (line.type, line.source, line.net, shown.automatic) == ("payout", rest["id"], -900, False)
    lines: Any = await sim.stripe.v1.balance_transactions.list_async({"type": "payout", "expand": ["data.source"]})
    assert [each.source.id for each in lines.data] == [rest["id"], part["id"]]
    sim.advance(10)
    await told(receiver, "payout.created", "payout.created", "payout.paid", "payout.paid")
    assert {each.status for each in await payouts(sim)} == {"paid"}


async def test_a_payout_that_fails_on_request_is_in_the_balance_again(
    sim: Simulator, receiver: Receiver, payment: str
) -> None:
    await sim.control("POST", "settings", {"available_after_days": 0})
    await paid(sim, payment)
    payout = await sim.control("POST", "payouts", {})
    failed = await sim.control("POST", f"payouts/{payout['id']}", {"outcome": "failed"})
    assert (failed["status"], await available(sim)) == ("failed", 1200)
    lines = (await sim.stripe.v1.balance_transactions.list_async({"source": payout["id"]})).data
    assert [(line.type, line.net) for line in lines] == [("payout_failure", 1200), ("payout", -1200)]
    await told(receiver, "payout.created", "payout.failed")
    await sim.control("POST", f"payouts/{payout['id']}", {"outcome": "failed"}, 400)
    assert (await sim.control("POST", "payouts/po_none", {"outcome": "paid"}, 404))["error"].startswith(
        "no such payout"
    )


async def test_each_day_pays_out_once_what_is_available(sim: Simulator, payment: str) -> None:
    await sim.control("POST", "settings", {"available_after_days": 1})
    await paid(sim, payment)
    await sim.control("POST", "settings", {"payout_every_day": True})
    await to_next_day(sim)
    await eventually(lambda: _has(sim, 1))
    await paid(sim, payment)
    await sim.control("POST", "settings", {"available_after_days": 0})
    await paid(sim, payment)
    for every_day in (False, True):
        await sim.control("POST", "settings", {"payout_every_day": every_day})
    await sim.stop()
    await sim.start()
    assert (await available(sim), len(await payouts(sim))) == (1200, 1)
    await to_next_day(sim)
    await eventually(lambda: _has(sim, 2))
    assert [(each.amount, each.automatic) for each in await payouts(sim)] == [(2400, True), (1200, True)]
    days = [datetime.fromtimestamp(each.created, UTC).date() for each in await payouts(sim)]
    assert len(set(days)) == 2


async def test_no_day_pays_out_once_that_is_turned_off(sim: Simulator, payment: str) -> None:
    """The refund ends later than the day begins, so what was to happen then has happened."""
    await sim.control("POST", "settings", {"available_after_days": 0, "refund_delay_s": DAY_S})
    await paid(sim, payment)
    for every_day in (True, False):
        await sim.control("POST", "settings", {"payout_every_day": every_day})
    charge = await paid(sim, payment, "pm_card_pendingRefund")
    refund = await sim.stripe.v1.refunds.create_async({"charge": charge, "amount": 50})
    before = [each.id for each in await payouts(sim)]
    sim.advance(2 * DAY_S)

    async def ended() -> bool:
        return (await sim.stripe.v1.refunds.retrieve_async(refund.id)).status == "succeeded"

    await eventually(ended)
    assert [each.id for each in await payouts(sim)] == before


async def _has(sim: Simulator, count: int) -> bool:
    return len(await payouts(sim)) == count


async def test_days_of_payouts_have_a_zone_that_exists(sim: Simulator) -> None:
    refused = await sim.control("POST", "settings", {"payout_zone": "Mars/Olympus"}, 400)
    assert refused["error"].startswith("no such zone")
    assert (await sim.control("POST", "settings", {"payout_zone": "America/New_York"}))["payout_zone"]


async def test_an_inquiry_becomes_a_chargeback_on_request(sim: Simulator, receiver: Receiver, payment: str) -> None:
    charge = await paid(sim, payment)
    asked = await sim.control("POST", "disputes", {"charge": charge, "inquiry": True})
    taken = await sim.control("POST", f"disputes/{asked['id']}", {"outcome": "chargeback"})
    assert (taken["id"], taken["status"]) == (asked["id"], "needs_response")
    dispute = await sim.stripe.v1.disputes.retrieve_async(asked["id"], {"expand": ["payment_intent"]})
    assert isinstance(dispute.payment_intent, stripe.PaymentIntent)
    assert dispute.payment_intent.metadata["payment_id"] == payment
    assert [line.amount for line in dispute.balance_transactions] == [-1250]
    assert dispute.evidence_details.due_by == asked["evidence_details"]["due_by"]
    await sim.control("POST", f"disputes/{asked['id']}", {"outcome": "lost"})
    await told(receiver, *(f"charge.dispute.{kind}" for kind in ("created", "updated", "funds_withdrawn", "closed")))


async def test_evidence_escalates_an_inquiry_or_is_reviewed(sim: Simulator, payment: str) -> None:
    disputes = sim.stripe.v1.disputes
    asked = await sim.control("POST", "disputes", {"charge": await paid(sim, payment), "inquiry": True})
    for text, status in (
        ("a letter", "warning_under_review"),
        ("escalate_inquiry_evidence", "needs_response"),
        ("another letter", "under_review"),
        ("losing_evidence", "lost"),
    ):
        answered = await disputes.update_async(asked["id"], {"evidence": {"uncategorized_text": text}})
        assert answered.status == status


async def test_a_charge_is_refundable_during_an_inquiry_and_after_a_chargeback_was_won(
    sim: Simulator, payment: str
) -> None:
    refunds = sim.stripe.v1.refunds
    charge = await paid(sim, payment)
    asked = await sim.control("POST", "disputes", {"charge": charge, "inquiry": True})
    await refunds.create_async({"charge": charge, "amount": 50})
    await sim.control("POST", f"disputes/{asked['id']}", {"outcome": "chargeback"})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await refunds.create_async({"charge": charge, "amount": 50})
    assert caught.value.code == "charge_disputed"
    await sim.control("POST", f"disputes/{asked['id']}", {"outcome": "won"})
    assert (await refunds.create_async({"charge": charge, "amount": 50})).status == "succeeded"


async def test_any_refund_can_be_sent_back_on_request(sim: Simulator, receiver: Receiver, payment: str) -> None:
    charge = await paid(sim, payment)
    made = await sim.stripe.v1.refunds.create_async({"charge": charge, "metadata": {"refund_id": "rfd_1"}})
    failed = await sim.control("POST", f"refunds/{made.id}", {"outcome": "failed"})
    assert (failed["status"], failed["metadata"], failed["charge"]) == ("failed", {"refund_id": "rfd_1"}, charge)
    shown = await sim.stripe.v1.charges.retrieve_async(charge, {"expand": ["payment_intent"]})
    assert (shown.amount_refunded, shown.metadata["payment_id"]) == (0, payment)
    await told(receiver, "refund.created", "refund.failed", "refund.updated")
    refused = await sim.control("POST", f"refunds/{made.id}", {"outcome": "lost"}, 400)
    assert refused["error"] == "unknown outcome 'lost'; outcomes are succeeded, failed"
