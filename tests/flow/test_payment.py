"""One card payment all the way: request, decision, processor, entries, balance, receipt."""

import asyncio

from tests.flow.conftest import Portal


async def test_a_payment_settles_is_posted_and_its_receipt_arrives_once_in_the_members_language(portal: Portal) -> None:
    account_id, email = await portal.household("es")
    invoice_id, due = await portal.bill(account_id)
    member = portal.client("member", account_id)
    accepted = await portal.pay(member, account_id, invoice_id, due)
    assert accepted.status in (201, 202)
    payment = await portal.final(member, accepted.body["payment_id"])
    assert payment["status"] == "settled"
    assert payment["amount"] == {"minor": 18_165, "currency": "USD"}
    assert [part["amount_minor"] for part in payment["allocations"]] == [18_165]
    (charge,) = portal.simulated("charges", payment["payment_id"])
    assert charge["amount"] == 18_165
    account = (await member.get(f"/v1/accounts/{account_id}?min_position={payment['position']}")).body
    assert (account["due_minor"], account["credit_minor"]) == (0, 0)
    mail = await portal.mail_to(email)
    assert mail["language"] == "es"
    receipt = await member.get(f"/v1/payments/{payment['payment_id']}/receipt")
    assert receipt.status == 200
    assert receipt.body["reference"] == payment["reference"]


async def test_a_declined_payment_charges_nothing_says_why_and_can_be_tried_again(portal: Portal) -> None:
    account_id, email = await portal.household()
    invoice_id, due = await portal.bill(account_id)
    member = portal.client("member", account_id)
    declined = await portal.pay(member, account_id, invoice_id, due, "pm_card_visa_chargeDeclinedInsufficientFunds")
    payment = await portal.final(member, declined.body["payment_id"])
    assert (payment["status"], payment["reason"]) == ("declined", "insufficient_funds")
    (intent,) = portal.simulated("intents", payment["payment_id"])
    assert intent["status"] == "canceled"
    await portal.mail_to(email)
    again = await portal.pay(member, account_id, invoice_id, due)
    assert (await portal.final(member, again.body["payment_id"]))["status"] == "settled"


async def test_a_hundred_posts_with_one_key_are_one_payment_one_charge_one_entry_group(portal: Portal) -> None:
    account_id, _ = await portal.household()
    invoice_id, due = await portal.bill(account_id)
    member = portal.client("member", account_id)
    replies = await asyncio.gather(
        *(portal.pay(member, account_id, invoice_id, due, key="one-key-" + account_id) for _ in range(100))
    )
    (payment_id,) = {reply.body["payment_id"] for reply in replies}
    assert sum(not reply.replayed for reply in replies) == 1
    assert (await portal.final(member, payment_id))["status"] == "settled"
    assert len(portal.simulated("charges", payment_id)) == 1
    history = (await member.get(f"/v1/accounts/{account_id}/history")).body["items"]
    rules = [entry["rule"] for entry in history if entry.get("payment_id") == payment_id]
    assert sorted(rules) == ["PR-04", "PR-05", "PR-06"]


async def test_a_hundred_keys_on_one_bill_are_one_charge_and_ninety_nine_holds(portal: Portal) -> None:
    account_id, _ = await portal.household()
    invoice_id, due = await portal.bill(account_id)
    member = portal.client("member", account_id)
    replies = await asyncio.gather(*(portal.pay(member, account_id, invoice_id, due) for _ in range(100)))
    ids = [reply.body["payment_id"] for reply in replies]
    ends = await asyncio.gather(*(portal.until(member, payment_id, "settled", "held") for payment_id in ids))
    statuses = [payment["status"] for payment in ends]
    assert (statuses.count("settled"), statuses.count("held")) == (1, 99)
    (settled,) = [payment["payment_id"] for payment in ends if payment["status"] == "settled"]
    assert {payment["twin_payment_id"] for payment in ends if payment["status"] == "held"} == {settled}
    charged = [charge for payment_id in ids for charge in portal.simulated("charges", payment_id)]
    assert len(charged) == 1
