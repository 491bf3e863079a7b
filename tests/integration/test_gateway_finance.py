"""Finance's part of the gateway, against a real database: handed in, answered by billing and the ledger, shown."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import psycopg
import pytest

from services.gateway.http.database import SQL
from shared.contracts.billing import BankStatementImported, BankStatementRefused, Refusal
from shared.contracts.event import Event
from shared.contracts.gateway import BankLine
from shared.contracts.ledger import ExplanationRefused
from tests.conftest import Database, ServiceDatabase
from tests.gateway_kit import account_body, bearer, invoice_body, payment_body
from tests.integration.gateway_box import Box, gateway_box
from tests.integration.gateway_month import allocated, cheque, exception, part, report
from tests.integration.test_gateway_projections import entry, opened
from tests.plans import plan_of

DAY = "2026-11-20"


@pytest.fixture(scope="module")
def database(service_database: ServiceDatabase) -> Database:
    return service_database("gateway", shards=1)


@pytest.fixture
async def box(database: Database) -> AsyncIterator[Box]:
    async with gateway_box(database) as running:
        yield running


async def _household(box: Box, key: str) -> tuple[str, str]:
    account = (await box.post("/v1/accounts", account_body(), key)).body["account_id"]
    return account, (await box.post("/v1/invoices", invoice_body(account), key)).body["invoice_id"]


def _receipt(account: str, reference: str, **more: Any) -> dict[str, Any]:
    return {
        "account_id": account, "amount": {"minor": 100, "currency": "USD"}, "bank_account": "lockbox",
        "bank_reference": reference, "received_on": DAY, **more,
    }  # fmt: skip


def _statement(*lines: dict[str, Any], day: str = DAY) -> dict[str, Any]:
    total = sum(line["amount_minor"] for line in lines)
    return {"bank_account": "lockbox", "day": day, "currency": "USD", "opening_minor": 50,
            "closing_minor": 50 + total, "lines": list(lines)}  # fmt: skip


def _imported(statement: str) -> BankStatementImported:
    return BankStatementImported(
        statement_id=statement, bank_account="lockbox", day=DAY, currency="USD", opening_minor=50, closing_minor=50,
        lines=(),
    )  # fmt: skip


async def test_a_cheque_of_the_lockbox_is_a_payment_of_its_household(box: Box) -> None:
    account, invoice = await _household(box, "cheque")
    body = _receipt(account, "CHQ-1", invoice_id=invoice)
    first = await box.post("/v1/receipts", body, "cheque")
    payment = first.body["payment_id"]
    assert (first.status, first.body["status"], first.body["method"]) == (202, "accepted", "check")
    assert (first.body["invoice_id"], first.header("location")) == (invoice, f"/v1/payments/{payment}")
    await box.tell("billing", opened(account), cheque(payment, account=account),
                   allocated(payment, part(100, invoice), account=account))  # fmt: skip
    posted = msgspec.structs.replace(entry("PR-05x", payment, "1010", "2110", 1), account_id=account)
    await box.tell("ledger", posted)
    again = await box.post("/v1/receipts", body, "cheque")
    assert (again.status, again.body["status"], again.header("idempotency-replayed")) == (201, "settled", "true")
    mine = await box.get(f"/v1/payments/{payment}", bearer("member", account))
    assert mine.body["allocations"][0]["amount_minor"] == 100
    changed = await box.post("/v1/receipts", _receipt(account, "CHQ-2", invoice_id=invoice), "cheque")
    assert (changed.status, changed.body["code"]) == (422, "idempotency_key_reused")


async def test_a_cheque_may_name_no_bill(box: Box) -> None:
    account, _ = await _household(box, "no-bill")
    reply = await box.post("/v1/receipts", _receipt(account, "CHQ-3"), "no-bill")
    assert (reply.status, reply.body["invoice_id"]) == (202, None)


async def test_a_statement_is_imported_and_its_returned_cheque_is_addressed(box: Box, database: Database) -> None:
    account, _ = await _household(box, "statement")
    payment = (await box.post("/v1/receipts", _receipt(account, "CHQ-4"), "statement")).body["payment_id"]
    back = {"line_ref": "B-1", "kind": "check_returned", "amount_minor": -100, "reference": "CHQ-4",
            "payment_id": payment}  # fmt: skip
    paid_out = {"line_ref": "B-2", "kind": "payout", "amount_minor": 700, "reference": "po_1"}
    body = _statement(back, paid_out)
    first = await box.post("/v1/bank-statements", body, "statement")
    statement = first.body["statement_id"]
    assert (first.status, first.body["status"], first.body["lines"]) == (202, "accepted", 2)
    with psycopg.connect(database.admin_dsn) as admin:
        row = admin.execute("SELECT body FROM request WHERE id = %s", (statement,)).fetchone()
    assert row is not None
    lines = [msgspec.convert(line, BankLine) for line in row[0]["lines"]]
    assert [(line.payment_id, line.account_id) for line in lines] == [(payment, account), (None, None)]
    waiting = asyncio.create_task(box.post("/v1/bank-statements", body, "statement", Prefer="wait=10"))
    await asyncio.sleep(0.1)
    await box.tell("billing", _imported(statement))
    final = await asyncio.wait_for(waiting, 5)
    assert (final.status, final.body["status"], final.body["reason"]) == (201, "imported", None)
    shown = await box.get(f"/v1/bank-statements/{statement}", bearer("auditor"))
    assert shown.body == final.body


async def test_a_statement_without_lines_may_be_refused_by_billing_only(box: Box) -> None:
    first = await box.post("/v1/bank-statements", _statement(), "late")
    statement = first.body["statement_id"]
    refusal = BankStatementRefused(
        statement_id=statement, bank_account="lockbox", reason=Refusal.STATEMENT_OUT_OF_ORDER
    )
    await box.tell("billing", refusal)
    shown = await box.get(f"/v1/bank-statements/{statement}")
    assert (shown.body["status"], shown.body["reason"]) == ("refused", "statement_out_of_order")


async def test_only_a_cheque_of_this_tenant_can_be_returned(box: Box) -> None:
    account, invoice = await _household(box, "card")
    payment = (await box.post("/v1/payments", payment_body(account, invoice), "card")).body["payment_id"]
    back = {"line_ref": "B-9", "kind": "check_returned", "amount_minor": -100, "reference": "x", "payment_id": payment}
    reply = await box.post("/v1/bank-statements", _statement(back), "card")
    assert (reply.status, reply.body["code"], reply.body["field"]) == (404, "payment_unknown", "/lines/0/payment_id")
    cheque_id = (await box.post("/v1/receipts", _receipt(account, "CHQ-5"), "card")).body["payment_id"]
    of_others = {**back, "payment_id": cheque_id}
    other = await box.post("/v1/bank-statements", _statement(of_others), "card", bearer(tenant="other"))
    assert (other.status, other.body["code"]) == (404, "payment_unknown")


async def test_a_day_shows_the_newest_report_of_each_account(box: Box) -> None:
    unknown = await box.get(f"/v1/reconciliation/days/{DAY}")
    assert (unknown.status, unknown.body["code"]) == (404, "day_unknown")
    await box.tell("ledger", report(book=95), report("1125", "card", bank_minor=None, processor_minor=90))
    await box.tell("ledger", report(book=100), report(day="2026-11-21"))
    shown = (await box.get(f"/v1/reconciliation/days/{DAY}", bearer("operator"))).body
    names = ("account", "book_minor", "bank_minor", "processor_minor", "difference_minor", "unexplained_minor")
    assert [tuple(one[name] for name in names) for one in shown["accounts"]] == [
        ("1010", 100, 90, None, 10, 7), ("1125", 100, None, 90, 10, 7),
    ]  # fmt: skip
    assert shown["accounts"][0]["open_exceptions"] == [{"days": "0-1", "count": 1, "minor": 10}]
    assert shown["position"] == "ledger.0.3"
    assert (await box.get(f"/v1/reconciliation/days/{DAY}", bearer(tenant="other"))).status == 404
    member = await box.get(f"/v1/reconciliation/days/{DAY}", bearer("member"))
    assert (member.status, member.body["code"]) == (403, "role_not_allowed")


async def test_exceptions_are_paged_the_oldest_first_and_filtered_before(box: Box) -> None:
    facts: list[Event] = [
        exception(f"{n:02d}", since=f"2026-11-{10 + n // 2:02d}", state="resolved" if n % 3 == 0 else "open",
                  account="1125" if n % 2 else "1010")
        for n in range(12)
    ]  # fmt: skip
    await box.tell("ledger", *facts)
    path = "/v1/reconciliation/exceptions"
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await box.get(f"{path}?limit=5{cursor}")).body
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [f"exc_0_{n:02d}" for n in range(12)]
    first = (await box.get(f"{path}?state=open&account=1125&limit=2")).body
    rest = (await box.get(f"{path}?state=open&account=1125&limit=2&cursor={first['next']}")).body
    assert [one["id"] for one in first["items"] + rest["items"]] == ["exc_0_01", "exc_0_05", "exc_0_07", "exc_0_11"]
    assert rest["next"] is None
    assert (await box.get(path, bearer(tenant="other"))).body["items"] == []


async def test_an_exception_is_explained_and_finance_and_auditors_read_the_note(box: Box) -> None:
    await box.tell("ledger", exception("a"))
    where = "/v1/reconciliation/exceptions"
    body = {"reason": "timing", "note": "shows up on Monday"}
    first = await box.post(f"{where}/exc_0_a/explanation", body, "explain")
    request = first.body["request_id"]
    assert (first.status, first.body["status"], first.body["subject"]) == (202, "accepted", "exc_0_a")
    assert (first.body["operation"], first.body["account_id"]) == ("reconciliation.explanation", None)
    ((_, person),) = [key for key, fields in box.gateway.people.noted.items() if "note" in fields]
    explained = exception("a", state="explained", reason="timing", explained_by=person, note_version=1,
                          request_id=request)  # fmt: skip
    await box.tell("ledger", explained)
    assert (await box.get(f"/v1/requests/{request}")).body["status"] == "done"
    for role, note in (("finance", "shows up on Monday"), ("auditor", "shows up on Monday"), ("operator", None)):
        (item,) = (await box.get(where, bearer(role))).body["items"]
        assert (item["state"], item["reason"], item["explained_by"], item["note"]) == (
            "explained", "timing", person, note,
        )  # fmt: skip
    assert item["references"] == ["L-a"]
    member = await box.get(f"/v1/requests/{request}", bearer("member"))
    assert (member.status, member.body["code"]) == (404, "request_unknown")


async def test_an_explanation_that_comes_too_late_is_refused_by_the_ledger(box: Box) -> None:
    await box.tell("ledger", exception("b", state="resolved"))
    first = await box.post("/v1/reconciliation/exceptions/exc_0_b/explanation", {"reason": "fraud"}, "too-late")
    assert first.status == 202
    request = first.body["request_id"]
    refusal = ExplanationRefused(request_id=request, exception_id="exc_0_b", reason="exception_resolved")
    await box.tell("ledger", refusal)
    shown = (await box.get(f"/v1/requests/{request}")).body
    assert (shown["status"], shown["reason"]) == ("refused", "exception_resolved")


PLANS = [
    ("exceptions", {}, "exception_view_by_age"),
    ("exceptions_in", {"state": "open"}, "exception_view_by_state"),
]


@pytest.mark.parametrize(("statement", "more", "index"), PLANS)
def test_exceptions_are_found_by_their_index(
    database: Database, statement: str, more: dict[str, Any], index: str
) -> None:
    parameters = {"tenant": "demo", "account": None, "after_day": "2026-01-05", "after_id": "x", "limit": 51, **more}
    with psycopg.connect(database.admin_dsn) as admin:
        admin.execute(
            "INSERT INTO exception_view SELECT 'demo', 'x' || n, 0, n, '1010', 'k', 'USD', 'late', 1,"
            " '2026-01-01'::date + n / 100, CASE WHEN n % 500 = 0 THEN 'open' ELSE 'resolved' END, NULL, '[]', NULL, 0"
            " FROM generate_series(1, 20000) n"
        )
        admin.execute("ANALYZE exception_view")
        plan = plan_of(admin, SQL[statement], parameters)
        admin.rollback()
    assert (plan.indexes, plan.read_whole, plan.sorts) == ({index}, set(), False)
