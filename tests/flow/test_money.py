"""What else becomes of money, through four services: refunds, transfers, merges, disputes, second charges, cheques."""

import asyncio
import itertools
import json
import urllib.request
from typing import Any

import pytest

from deploy.demo.client import Client, Reply
from deploy.local.stack_clock import advance
from tests.flow.conftest import Portal, payment

DUE = 18_165
_keys = itertools.count(1)


async def post(client: Client, path: str, body: dict[str, Any]) -> Reply:
    """Post with a key of its own until the thing has its end."""
    key = f"money-{next(_keys)}"
    async with asyncio.timeout(60):
        while (reply := await client.post(path, body, key, wait_s=5)).status == 202:
            if reply.body["status"] not in ("accepted", "approved", "sent", "under_way", "proposed", "pending"):
                break
    assert reply.status in (201, 202), reply
    return reply


async def until(client: Client, path: str, **wanted: Any) -> dict[str, Any]:
    """Return what is read at a path once it has these values."""
    async with asyncio.timeout(60):
        while True:
            body = (await client.get(path)).body
            if all(body.get(name) == value for name, value in wanted.items()):
                return body
            await asyncio.sleep(0.05)


def simulate(portal: Portal, path: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310
        f"{portal.stack.card_url}/_sim/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
        return found


async def paid(portal: Portal, **more: Any) -> tuple[str, str, str]:
    """Open a household, bill it, pay it, and return (account, invoice, payment)."""
    account_id, _ = await portal.household()
    invoice_id, due = await portal.bill(account_id)
    member = portal.client("member", account_id)
    body = payment(account_id, invoice_id, due) | more
    reply = await post(member, "/v1/payments", body)
    assert reply.body["status"] == "settled", reply
    return account_id, invoice_id, reply.body["payment_id"]


def amount(minor: int) -> dict[str, Any]:
    return {"minor": minor, "currency": "USD"}


async def test_credit_is_given_back_and_the_next_bill_takes_the_rest(portal: Portal) -> None:
    account_id, _, payment_id = await paid(portal, amount=amount(DUE + 10_000), accept_credit=True)
    body = {"account_id": account_id, "payment_id": payment_id, "amount": amount(4_000), "reason": "overpaid"}
    refund = await post(portal.clerk, "/v1/refunds", body)
    assert refund.body["status"] == "completed", refund
    await until(portal.clerk, f"/v1/payments/{payment_id}", refunded={"minor": 4_000})
    invoice_id, due = await portal.bill(account_id)
    await until(portal.clerk, f"/v1/invoices/{invoice_id}", paid_minor=6_000, due_minor=due - 6_000)
    await until(portal.clerk, f"/v1/accounts/{account_id}", credit_minor=0, due_minor=due - 6_000)


async def test_a_large_refund_needs_two_people_over_one_digest(portal: Portal) -> None:
    account_id, _, payment_id = await paid(portal, amount=amount(DUE + 60_000), accept_credit=True)
    body = {"account_id": account_id, "payment_id": payment_id, "amount": amount(50_001), "reason": "overpaid"}
    refund = (await post(portal.clerk, "/v1/refunds", body)).body
    assert (refund["status"], refund["approval"]["needed"]) == ("awaiting_approval", 2)
    where = f"/v1/refunds/{refund['refund_id']}/approval"
    approval = {"digest": refund["approval"]["digest"], "decision": "approve"}
    ana, ben = portal.client("finance", subject="ana"), portal.client("finance", subject="ben")
    assert (await post(ana, where, {**approval, "digest": "0" * 64})).body["reason"] == "digest_mismatch"
    assert (await post(ana, where, approval)).body["status"] == "done"
    assert (await post(ana, where, approval)).body["reason"] == "approver_repeated"
    assert (await post(ben, where, approval)).body["status"] == "done"
    await until(portal.clerk, f"/v1/refunds/{refund['refund_id']}", status="completed")


async def test_credit_goes_to_another_household_and_comes_back_from_one_that_moved(portal: Portal) -> None:
    account_id, _, _ = await paid(portal, amount=amount(DUE + 5_000), accept_credit=True)
    others = [(await portal.household())[0] for _ in range(2)]
    body = {"account_id": account_id, "to_account_id": others[0], "amount": amount(2_000), "reason": "same_family"}
    assert (await post(portal.clerk, "/v1/transfers", body)).body["status"] == "completed"
    await until(portal.clerk, f"/v1/accounts/{others[0]}", credit_minor=2_000)
    merge = await post(portal.clerk, "/v1/merges", {"account_id": others[0], "to_account_id": others[1]})
    assert merge.body["status"] == "completed", merge
    await until(portal.clerk, f"/v1/accounts/{others[1]}", credit_minor=2_000)
    returned = (await post(portal.clerk, "/v1/transfers", body)).body
    assert (returned["status"], returned["reason"]) == ("returned", "account_moved")
    await until(portal.clerk, f"/v1/accounts/{account_id}", credit_minor=3_000)


async def test_a_merge_moves_what_is_not_paid(portal: Portal) -> None:
    account_id, _ = await portal.household()
    _, due = await portal.bill(account_id)
    other_id, _ = await portal.household()
    assert (await post(portal.clerk, "/v1/merges", {"account_id": account_id, "to_account_id": other_id})).body[
        "status"
    ] == "completed"
    await until(portal.clerk, f"/v1/accounts/{account_id}", status="moved", due_minor=0)
    await until(portal.clerk, f"/v1/accounts/{other_id}", due_minor=due)


@pytest.mark.parametrize(("outcome", "due_minor"), [("won", 0), ("lost", DUE)])
async def test_a_chargeback_is_followed_to_its_end(portal: Portal, outcome: str, due_minor: int) -> None:
    account_id, _, payment_id = await paid(portal)
    (charge,) = portal.simulated("charges", payment_id)
    dispute = simulate(portal, "disputes", {"charge": charge["id"]})
    await until(portal.clerk, f"/v1/payments/{payment_id}", disputed=True)
    simulate(portal, f"disputes/{dispute['id']}", {"outcome": outcome})
    await until(portal.clerk, f"/v1/payments/{payment_id}", disputed=False)
    await until(portal.clerk, f"/v1/accounts/{account_id}", due_minor=due_minor, credit_minor=0)


async def test_a_second_charge_becomes_a_case_that_the_member_decides(portal: Portal) -> None:
    account_id, _ = await portal.household()
    invoice_id, due = await portal.bill(account_id)
    portal.fault("confirm", "charge_twice", account_id)
    member = portal.client("member", account_id)
    settled = (await post(member, "/v1/payments", payment(account_id, invoice_id, due))).body
    assert settled["status"] == "settled"
    advance(portal.stack.state, 6 * 60)  # the processor's list of events is read every five minutes
    async with asyncio.timeout(60):
        while not (cases := (await member.get(f"/v1/duplicate-cases?account_id={account_id}")).body["items"]):
            await asyncio.sleep(0.1)
    (case,) = cases
    assert (case["rule"], case["amount"]["minor"], case["status"]) == ("charged_twice", due, "open")
    where = f"/v1/duplicate-cases/{case['case_id']}"
    assert (await post(member, where + "/decision", {"decision": "refund"})).body["status"] == "done"
    decided = await until(member, where, status="decided", outcome="refund")
    await until(member, f"/v1/refunds/{decided['refund_id']}", status="completed")
    again = (await post(member, where + "/decision", {"decision": "credit"})).body
    assert (again["status"], again["reason"]) == ("refused", "case_decided")


async def test_a_void_frees_what_had_paid_the_bill(portal: Portal) -> None:
    account_id, invoice_id, _ = await paid(portal)
    void = await post(portal.clerk, f"/v1/invoices/{invoice_id}/void", {"reason": "billed_in_error"})
    assert void.body["status"] == "done", void
    await until(portal.clerk, f"/v1/invoices/{invoice_id}", status="void")
    await until(portal.clerk, f"/v1/accounts/{account_id}", credit_minor=DUE, due_minor=0)


async def test_a_held_payment_is_charged_or_cancelled_by_its_member(portal: Portal) -> None:
    account_id, invoice_id, _ = await paid(portal)
    member = portal.client("member", account_id)
    held = [(await post(member, "/v1/payments", payment(account_id, invoice_id, DUE))).body for _ in range(2)]
    assert [one["status"] for one in held] == ["held", "held"]
    ids = [one["payment_id"] for one in held]
    assert (await post(member, f"/v1/payments/{ids[0]}/decision", {"decision": "charge"})).body["status"] == "done"
    assert (await post(member, f"/v1/payments/{ids[1]}/decision", {"decision": "cancel"})).body["status"] == "done"
    await portal.until(member, ids[0], "settled")
    await portal.until(member, ids[1], "cancelled")
    await until(member, f"/v1/accounts/{account_id}", credit_minor=DUE)


async def test_a_member_who_is_asked_by_their_bank_goes_there_and_comes_back(portal: Portal) -> None:
    account_id, _ = await portal.household()
    invoice_id, due = await portal.bill(account_id)
    member = portal.client("member", account_id)
    body = payment(account_id, invoice_id, due, "pm_card_threeDSecure2Required")
    asked = (await post(member, "/v1/payments", body | {"return_url": "https://portal.example.org/paid"})).body
    assert asked["status"] == "action_required"
    assert asked["next_action"]["url"].startswith(portal.stack.card_url)
    intent = asked["next_action"]["url"].rpartition("/")[2]
    simulate(portal, f"authenticate/{intent}", {"outcome": "complete"})
    ended = await portal.until(member, asked["payment_id"], "settled")
    assert ended["next_action"] is None
