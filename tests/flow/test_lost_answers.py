"""An error is not a no: whatever answer is lost, a payment is charged at most once and ends rightly."""

import pytest

from tests.flow.conftest import Portal, payment


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("create", "request_lost"),
        ("create", "answer_lost"),
        ("confirm", "request_lost"),
        ("confirm", "answer_lost"),
        ("confirm", "error_500"),
        ("confirm", "error_500_after"),
    ],
)
async def test_a_lost_answer_charges_once_and_ends_settled(portal: Portal, call: str, fault: str) -> None:
    account_id, _ = await portal.household()
    invoice_id, due = await portal.bill(account_id)
    member = portal.client("member", account_id)
    portal.fault(call, fault, account_id)
    reply = await portal.pay(member, account_id, invoice_id, due)
    paid = await portal.final(member, reply.body["payment_id"])
    assert paid["status"] == "settled"
    assert len(portal.simulated("charges", paid["payment_id"])) == 1
    confirmed = [intent for intent in portal.simulated("intents", paid["payment_id"]) if intent["confirmed"]]
    assert len(confirmed) == 1


async def test_a_decline_whose_answer_was_lost_ends_declined_with_its_intent_cancelled(portal: Portal) -> None:
    account_id, _ = await portal.household()
    invoice_id, due = await portal.bill(account_id)
    member = portal.client("member", account_id)
    portal.fault("confirm", "answer_lost", account_id)
    body = payment(account_id, invoice_id, due, "pm_card_visa_chargeDeclinedInsufficientFunds")
    reply = await member.post("/v1/payments", body, f"lost-decline-{account_id}")
    ended = await portal.final(member, reply.body["payment_id"])
    assert (ended["status"], ended["reason"]) == ("declined", "insufficient_funds")
    assert [intent["status"] for intent in portal.simulated("intents", ended["payment_id"])] == ["canceled"]
    charges = portal.simulated("charges", ended["payment_id"])
    assert [charge for charge in charges if charge["status"] == "succeeded"] == []


async def test_lost_doubled_and_late_webhooks_change_nothing(portal: Portal) -> None:
    for fault in ("lost", "twice", "out_of_order"):
        account_id, email = await portal.household()
        invoice_id, due = await portal.bill(account_id)
        member = portal.client("member", account_id)
        portal.fault("webhook", fault)
        reply = await portal.pay(member, account_id, invoice_id, due)
        paid = await portal.final(member, reply.body["payment_id"])
        assert paid["status"] == "settled"
        assert len(portal.simulated("charges", paid["payment_id"])) == 1
        await portal.mail_to(email)
