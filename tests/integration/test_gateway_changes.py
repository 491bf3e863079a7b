"""Changes of what exists, against a real database: asked for, answered by billing, shown, also what billing made."""

import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any

import psycopg
import pytest

from services.gateway.domain.changes import (
    FINAL_MERGE,
    FINAL_REFUND,
    MergeStatus,
    RefundStatus,
    TransferStatus,
)
from services.gateway.domain.payment import FINAL, PaymentStatus
from services.gateway.http.database import SQL
from shared.contracts.billing import Refusal, TransferCompleted
from shared.contracts.event import Event
from tests.conftest import Database, ServiceDatabase
from tests.gateway_kit import Reply, account_body, bearer, invoice_body, payment_body
from tests.integration.gateway_box import Box, gateway_box
from tests.integration.gateway_month import (
    DIGEST,
    allocated,
    approved,
    asks,
    attempt,
    case_decided,
    case_opened,
    cheque,
    completed,
    given_up,
    held,
    issued,
    money,
    moved,
    paid,
    part,
    refund_opened,
    refused,
    released,
    sent,
    transfer_leg,
    transfer_sent,
    voided,
)
from tests.integration.test_gateway_projections import entry, opened

STAFF = bearer()


@pytest.fixture(scope="module")
def database(service_database: ServiceDatabase) -> Database:
    return service_database("gateway", shards=1)


@pytest.fixture
async def box(database: Database) -> AsyncIterator[Box]:
    async with gateway_box(database) as running:
        yield running


async def _household(box: Box, key: str, payments: int = 1) -> tuple[str, str, list[str]]:
    """Open an account, bill it and ask for payments, as far as the gateway goes; return their ids."""
    account = (await box.post("/v1/accounts", account_body(), key)).body["account_id"]
    invoice = (await box.post("/v1/invoices", invoice_body(account), key)).body["invoice_id"]
    ids = []
    for number in range(payments):
        body = payment_body(account, invoice, number + 1)
        ids.append((await box.post("/v1/payments", body, f"{key}-{number}")).body["payment_id"])
    await box.tell("billing", opened(account), issued(invoice, account))
    return account, invoice, ids


async def _payment(box: Box, payment: str) -> Any:
    return (await box.get(f"/v1/payments/{payment}")).body


async def _final(box: Box, where: str, body: dict[str, Any], outcome: list[Any], token: str = STAFF) -> Reply:
    """POST and wait; meanwhile billing says what `outcome` makes of the id of what was asked for."""
    asked = await box.post(where, body, "final", token)
    assert asked.status == 202, asked.body
    made = next(
        asked.body[name] for name in ("request_id", "refund_id", "transfer_id", "merge_id") if name in asked.body
    )
    waiting = asyncio.create_task(box.post(where, body, "final", token, Prefer="wait=10"))
    await box.tell("billing", *(one(made) for one in outcome))
    return await asyncio.wait_for(waiting, 5)


async def test_a_held_payment_ends_the_wait_and_is_charged_by_decision(box: Box) -> None:
    account, invoice, (first,) = await _household(box, "held")
    body = payment_body(account, invoice)
    waiting = asyncio.create_task(box.post("/v1/payments", body, "second", Prefer="wait=10"))
    second = await _next_payment(box, account, 2)
    await box.tell("billing", held(second, first, account))
    reply = await asyncio.wait_for(waiting, 5)
    assert (reply.status, reply.body["status"], reply.body["reason"]) == (202, "held", "same_payment_settled")
    assert (reply.body["twin_payment_id"], reply.body["held_until"]) == (first, "2026-11-27T06:00:00.000000Z")
    done = await _final(
        box, f"/v1/payments/{second}/decision", {"decision": "charge"},
        [lambda request: attempt(second, account, request)],
    )  # fmt: skip
    assert (done.status, done.body["status"], done.body["operation"]) == (201, "done", "payments.decision")
    assert (done.body["subject"], done.body["account_id"]) == (second, account)
    assert done.body == (await box.get(f"/v1/requests/{done.body['request_id']}")).body
    charged = await _payment(box, second)
    assert (charged["status"], charged["reason"], charged["twin_payment_id"]) == ("pending", None, first)


async def test_a_cancellation_that_comes_too_late_is_refused_by_name(box: Box) -> None:
    account, _, (payment,) = await _household(box, "late")
    where = f"/v1/payments/{payment}/cancel"
    reply = await _final(box, where, {}, [lambda request: refused(request, Refusal.PAYMENT_FINAL, account)])
    assert (reply.status, reply.body["status"], reply.body["reason"]) == (201, "refused", "payment_final")
    again = await box.post(where, {}, "other")
    done = await box.post(where, {}, "final")
    assert (again.status, again.body["status"]) == (202, "accepted")
    assert (done.status, done.header("idempotency-replayed"), done.body) == (201, "true", reply.body)


async def test_a_cancelled_payment_says_who_wanted_it(box: Box) -> None:
    account, _, (payment,) = await _household(box, "cancelled")
    await _final(box, f"/v1/payments/{payment}/cancel", {},
                 [lambda request: given_up(payment, account=account, request=request)],
                 bearer("member", account))  # fmt: skip
    gone = await _payment(box, payment)
    assert (gone["status"], gone["reason"]) == ("cancelled", "cancelled_by_member")


async def test_a_payment_that_asks_its_member_ends_the_wait_and_says_where(box: Box) -> None:
    account, invoice, _ = await _household(box, "asks", 0)
    body = payment_body(account, invoice, policy_id="POL-1", accept_credit=True, return_url="http://localhost/back")
    waiting = asyncio.create_task(box.post("/v1/payments", body, "asks", Prefer="wait=10"))
    payment = await _next_payment(box, account, 1)
    await box.tell("billing", attempt(payment, account), asks(payment, account))
    reply = await asyncio.wait_for(waiting, 5)
    assert (reply.status, reply.body["status"], reply.body["policy_id"]) == (202, "action_required", "POL-1")
    assert reply.body["next_action"] == {
        "url": "https://bank.example/ask", "expires_at": "2026-11-27T06:00:00.000000Z",
    }  # fmt: skip
    await box.tell("billing", paid(payment, account=account))
    assert (await _payment(box, payment))["next_action"] is None


async def test_a_refund_of_a_paid_bill_goes_its_whole_way(box: Box) -> None:
    account, invoice, (payment,) = await _household(box, "refund")
    await box.tell("billing", attempt(payment, account), paid(payment, account=account),
                   allocated(payment, part(100, invoice), account=account))  # fmt: skip
    asked = {
        "account_id": account, "payment_id": payment, "amount": {"minor": 100, "currency": "USD"},
        "reason": "requested_by_member", "release": True,
    }  # fmt: skip
    reply = await _final(
        box, "/v1/refunds", asked,
        [lambda _: released(payment, part(100, invoice), unapplied=100, account=account),
         lambda refund: refund_opened(refund, payment, needed=2, account=account)],
        bearer("member", account),
    )  # fmt: skip
    assert (reply.status, reply.body["status"], reply.body["purpose"]) == (
        202, "awaiting_approval", "requested_by_member",
    )  # fmt: skip
    assert reply.body["approval"] == {
        "needed": 2, "given": 0, "digest": DIGEST, "approve_by": "2026-11-27T06:00:00.000000Z",
    }  # fmt: skip
    refund = reply.body["refund_id"]
    where, yes = f"/v1/refunds/{refund}/approval", {"digest": DIGEST, "decision": "approve"}
    first = await _final(
        box, where, yes, [lambda request: approved(refund, payment, last=False, request=request, account=account)]
    )
    assert (first.status, first.body["status"], first.body["subject"]) == (201, "done", refund)
    half = (await box.get(f"/v1/refunds/{refund}")).body
    assert (half["status"], half["approval"]["given"]) == ("awaiting_approval", 1)
    assert (await box.get(f"/v1/invoices/{invoice}")).body["due_minor"] == 100
    await box.tell("billing", approved(refund, payment, last=True, request="req_0_x", account=account),
                   sent(refund, payment, account=account), completed(refund, payment, account=account))  # fmt: skip
    gone = (await box.get(f"/v1/refunds/{refund}", bearer("member", account))).body
    assert (gone["status"], gone["approval"]["given"], gone["reason"]) == ("completed", 2, None)
    after = await _payment(box, payment)
    assert (after["refunded"], after["allocations"], after["unapplied_minor"]) == ({"minor": 100}, [], 0)
    again = await box.post("/v1/refunds", asked, "final", bearer("member", account))
    assert (again.status, again.body) == (201, gone)


async def test_a_refused_refund_is_final(box: Box) -> None:
    account, _, (payment,) = await _household(box, "refused")
    asked = {
        "account_id": account, "payment_id": payment, "amount": {"minor": 1, "currency": "USD"}, "reason": "overpaid",
    }  # fmt: skip
    reply = await _final(box, "/v1/refunds", asked,
                         [lambda refund: refused(refund, Refusal.PAYMENT_NOT_SETTLED, account)])  # fmt: skip
    assert (reply.status, reply.body["status"], reply.body["reason"]) == (201, "refused", "payment_not_settled")
    assert (reply.body["payment_id"], reply.body["amount"]["minor"], reply.body["approval"]) == (payment, 1, None)


async def test_cases_and_their_refunds_are_found_though_nobody_asked_for_them(box: Box) -> None:
    account, _, (payment,) = await _household(box, "case")
    case, refund = "case_0_" + "0" * 23, "rfd_0_" + "0" * 23
    await box.tell("billing", paid(payment, account=account), case_opened(case, payment, case, account))
    member = bearer("member", account)
    shown = (await box.get(f"/v1/duplicate-cases/{case}", member)).body
    assert (shown["status"], shown["rule"], shown["outcome"], shown["decided_at"]) == (
        "open", "charged_twice", None, None,
    )  # fmt: skip
    reply = await _final(
        box, f"/v1/duplicate-cases/{case}/decision", {"decision": "refund"},
        [lambda request: case_decided(case, payment, account, refund, request),
         lambda _: refund_opened(refund, payment, account=account, case=case)], member,
    )  # fmt: skip
    assert (reply.status, reply.body["status"], reply.body["subject"]) == (201, "done", case)
    decided = (await box.get(f"/v1/duplicate-cases/{case}")).body
    assert (decided["status"], decided["outcome"], decided["refund_id"]) == ("decided", "refund", refund)
    back = (await box.get(f"/v1/refunds/{refund}", member)).body
    assert (back["purpose"], back["case_id"], back["payment_id"]) == ("duplicate", case, payment)
    assert back["position"].startswith("billing.0.")
    other = bearer("member", (await _household(box, "nosy", 0))[0])
    for path in (f"duplicate-cases/{case}", f"refunds/{refund}"):
        for token in (other, bearer(tenant="elsewhere")):
            assert (await box.get(f"/v1/{path}", token)).status == 404
    blocked = await box.post(f"/v1/duplicate-cases/{case}/decision", {"decision": "credit"}, "nosy", other)
    assert (blocked.status, blocked.body["code"]) == (404, "case_unknown")


async def test_cases_are_paged_and_each_sees_its_own(box: Box) -> None:
    mine, _, (payment,) = await _household(box, "mine")
    theirs, _, (other,) = await _household(box, "theirs")
    cases = [f"case_0_{number:023d}" for number in range(1, 6)]
    await box.tell("billing", *(case_opened(case, payment, case, mine) for case in cases[:4]),
                   case_decided(cases[0], payment, mine), case_opened(cases[4], other, cases[4], theirs))  # fmt: skip
    member = bearer("member", mine)

    async def seen(query: str, token: str) -> list[str]:
        found: list[str] = []
        cursor = ""
        while True:
            page = (await box.get(f"/v1/duplicate-cases?limit=2{query}{cursor}", token)).body
            found += [one["case_id"] for one in page["items"]]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    assert await seen("", member) == cases[3::-1]
    assert await seen("", STAFF) == cases[::-1]
    assert await seen("&status=open", STAFF) == cases[:0:-1]
    assert await seen("&status=decided", member) == [cases[0]]
    assert await seen(f"&account_id={theirs}", STAFF) == [cases[4]]
    assert await seen("", bearer(tenant="elsewhere")) == []
    foreign = await box.get(f"/v1/duplicate-cases?account_id={theirs}", member)
    assert (foreign.status, foreign.body["code"]) == (404, "account_unknown")


async def test_credit_goes_to_another_household(box: Box) -> None:
    account, _, (payment,) = await _household(box, "sender")
    to = (await _household(box, "receiver", 0))[0]
    await box.tell("billing", paid(payment, account=account))
    asked = {
        "account_id": account, "to_account_id": to, "amount": {"minor": 30, "currency": "USD"},
        "reason": "same_family",
    }  # fmt: skip
    first = await box.post("/v1/transfers", asked, "t")
    transfer = first.body["transfer_id"]
    assert (first.status, first.body["status"], first.header("location")) == (
        202, "accepted", f"/v1/transfers/{transfer}",
    )  # fmt: skip
    await box.tell("billing", transfer_sent(transfer, (payment, 30), account=account))
    assert (await box.get(f"/v1/transfers/{transfer}")).body["status"] == "under_way"
    assert (await _payment(box, payment))["unapplied_minor"] == 70
    await box.tell("billing", TransferCompleted(**money(30, account), transfer_id=transfer))
    await box.tell("ledger", transfer_leg(transfer, "D", 30, to))
    assert (await box.get(f"/v1/transfers/{transfer}")).body["status"] == "under_way"
    waiting = asyncio.create_task(box.post("/v1/transfers", asked, "t", Prefer="wait=5"))
    await asyncio.sleep(0.05)
    await box.tell("ledger", transfer_leg(transfer, "C", 30, account))
    replayed = await waiting
    assert (replayed.status, replayed.body["status"]) == (201, "completed")
    own = "trf_0_" + "0" * 23
    await box.tell("billing", transfer_sent(own, (payment, 70), account=account, reason="merge"))
    shown = (await box.get(f"/v1/transfers/{own}")).body
    assert (shown["purpose"], shown["amount"]["minor"], shown["reason"]) == ("merge", 70, None)


async def test_a_household_becomes_part_of_another(box: Box) -> None:
    account, _, _ = await _household(box, "goes", 0)
    to = (await _household(box, "stays", 0))[0]
    reply = await _final(box, "/v1/merges", {"account_id": account, "to_account_id": to},
                         [lambda merge: moved(merge, account)])  # fmt: skip
    assert (reply.status, reply.body["status"], reply.body["to_account_id"]) == (201, "completed", to)
    assert (await box.get(f"/v1/merges/{reply.body['merge_id']}")).body == reply.body
    gone = (await box.get(f"/v1/accounts/{account}")).body
    assert (gone["status"], gone["moved_to"]) == ("moved", "acc_other")


async def test_a_bill_that_billing_made_is_shown_listed_and_paid(box: Box) -> None:
    account, asked_for, _ = await _household(box, "made", 0)
    made = "inv_0_" + "0" * 23
    await box.tell("billing", issued(made, account))
    shown = (await box.get(f"/v1/invoices/{made}", bearer("member", account))).body
    assert (shown["status"], shown["due_minor"], shown["lines"][0]["policy_id"]) == ("open", 100, "P")
    listed = (await box.get(f"/v1/accounts/{account}/invoices")).body["items"]
    assert {one["invoice_id"] for one in listed} == {asked_for, made}
    for invoice in (asked_for, made):
        assert len(await box.gateway.reads.run("invoices", {"id": invoice})) == 1
    pages = [(await box.get(f"/v1/accounts/{account}/invoices?limit=1")).body]
    pages.append((await box.get(f"/v1/accounts/{account}/invoices?limit=1&cursor={pages[0]['next']}")).body)
    assert [page["items"][0] for page in pages] == listed
    assert pages[1]["next"] is None
    good = await box.post("/v1/payments", payment_body(account, made, 100, policy_id="P"), "made")
    wrong = await box.post("/v1/payments", payment_body(account, made, 100, policy_id="Q"), "wrong")
    assert (good.status, good.body["invoice_id"]) == (202, made)
    assert (wrong.status, wrong.body["code"], wrong.body["field"]) == (422, "policy_unknown", "/policy_id")
    assert (await box.get(f"/v1/invoices/{made}", bearer(tenant="elsewhere"))).status == 404


async def test_a_bill_is_taken_back_in_part_and_then_whole(box: Box) -> None:
    account, invoice, _ = await _household(box, "void", 0)
    lines = [{"policy_id": "P", "coverage_month": "2027-01"}]
    reply = await _final(
        box, f"/v1/invoices/{invoice}/void", {"reason": "coverage_ended", "lines": lines},
        [lambda request: voided(invoice, 40, whole=False, account=account, request=request)],
    )  # fmt: skip
    assert (reply.status, reply.body["status"], reply.body["operation"]) == (201, "done", "invoices.void")
    half = (await box.get(f"/v1/invoices/{invoice}")).body
    assert (half["status"], half["total_minor"], half["voided_minor"], half["due_minor"]) == ("open", 60, 40, 60)
    assert (await box.get(f"/v1/accounts/{account}")).body["due_minor"] == 60
    await box.tell("billing", voided(invoice, 60, whole=True, account=account))
    whole = (await box.get(f"/v1/invoices/{invoice}")).body
    assert (whole["status"], whole["total_minor"], whole["due_minor"]) == ("void", 0, 0)
    owed = (await box.get(f"/v1/accounts/{account}")).body
    assert (owed["due_minor"], owed["next_due_date"]) == (0, None)


async def test_a_receipt_names_what_was_paid_first(box: Box) -> None:
    account, invoice, (payment,) = await _household(box, "receipt")
    await box.tell("billing", attempt(payment, account), paid(payment, account=account),
                   allocated(payment, part(60, invoice), unapplied=40, account=account))  # fmt: skip
    booked: Event = entry("PR-05", payment, "1125", "2110", 1)
    await box.tell("ledger", booked)
    receipt = await box.get(f"/v1/payments/{payment}/receipt")
    await box.tell("billing", allocated(payment, part(40, "inv_0_next"), account=account))
    now = await _payment(box, payment)
    assert [one["amount_minor"] for one in now["allocations"]] == [60, 40] or now["allocations"][0][
        "amount_minor"
    ] == 40
    assert now["unapplied_minor"] == 0
    assert (await box.get(f"/v1/payments/{payment}/receipt")).raw == receipt.raw
    assert [one["amount_minor"] for one in receipt.body["allocations"]] == [60]


async def test_a_posted_cheque_settles_by_the_banks_day(box: Box) -> None:
    account, _, (payment,) = await _household(box, "cheque")
    await box.tell("billing", cheque(payment, account=account))
    assert (await _payment(box, payment))["status"] == "pending"
    await box.tell("ledger", entry("PR-05x", payment, "1130", "2110", 1))
    receipt = (await box.get(f"/v1/payments/{payment}/receipt")).body
    assert (receipt["settled_on"], (await _payment(box, payment))["status"]) == ("2026-11-20", "settled")


async def _next_payment(box: Box, account: str, number: int) -> str:
    """Return the newest payment once the account has this many."""
    while True:
        items = (await box.get(f"/v1/accounts/{account}/payments")).body["items"]
        if len(items) == number:
            return str(items[0]["payment_id"])
        await asyncio.sleep(0.02)


EVERY = " FROM unnest(%s::text[]) word"
WAITS: list[tuple[str, type[StrEnum], set[StrEnum]]] = [
    (
        "INSERT INTO payment_view (payment_id, billing_status, ledger_position) SELECT 'x_' || word, word, 1" + EVERY,
        PaymentStatus,
        {*FINAL, PaymentStatus.HELD, PaymentStatus.ACTION_REQUIRED},
    ),
    (
        "INSERT INTO refund_view (refund_id, tenant, account_id, shard, position, status)"
        " SELECT 'x_' || word, '', '', 0, 1, word" + EVERY,
        RefundStatus,
        {*FINAL_REFUND, RefundStatus.AWAITING_APPROVAL},
    ),
    (
        "INSERT INTO transfer_view (transfer_id, tenant, account_id, shard, position, status)"
        " SELECT 'x_' || word, '', '', 0, 1, word" + EVERY,
        TransferStatus,
        {TransferStatus.REFUSED, TransferStatus.COMPLETED},
    ),
    ("INSERT INTO merge_view (merge_id, status) SELECT 'x_' || word, word" + EVERY, MergeStatus, {*FINAL_MERGE}),
]


@pytest.mark.parametrize(("rows", "statuses", "wanted"), WAITS)
def test_a_wait_ends_where_a_status_is_final_or_a_person_must_act(
    database: Database, rows: str, statuses: type[StrEnum], wanted: set[StrEnum]
) -> None:
    words = [status.value for status in statuses]
    half_posted = "INSERT INTO transfer_posted_view VALUES ('x_completed', 1, 1), ('x_returned', 0, 1)"
    with psycopg.connect(database.admin_dsn) as connection:
        connection.execute(half_posted)
        connection.execute(rows.encode(), (words,))
        found = connection.execute(SQL["finals"], {"ids": ["x_" + word for word in words]}).fetchall()
        connection.rollback()
    assert {row[0] for row in found} == {"x_" + status.value for status in wanted}
