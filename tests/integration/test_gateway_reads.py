"""Questions against a real database: what is shown is the request joined with what billing and the ledger said."""

import asyncio
from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import msgspec
import psycopg
import pytest

from services.gateway.domain.payment import PaymentStatus, payment_status
from services.gateway.http.database import SQL
from shared.contracts.billing import InvoiceIssued, PaymentAllocated
from shared.contracts.event import Event, PremiumLine
from shared.eventlog.ports import Parked
from tests.conftest import Database, ServiceDatabase
from tests.gateway_kit import account_body, bearer, invoice_body, payment_body
from tests.integration.gateway_box import Box, gateway_box
from tests.integration.test_gateway_projections import entry, opened, planned, settled
from tests.plans import plan_of


@pytest.fixture(scope="module")
def database(service_database: ServiceDatabase) -> Database:
    return service_database("gateway", shards=1)


@pytest.fixture
async def box(database: Database) -> AsyncIterator[Box]:
    async with gateway_box(database) as running:
        yield running


async def _asked(box: Box, key: str, payments: int = 1) -> tuple[str, str, list[str]]:
    """Ask for an account, a bill and payments; return their ids."""
    client = box.gateway.client
    account = (await client.post("/v1/accounts", bearer(), account_body(), key)).body["account_id"]
    invoice = (await client.post("/v1/invoices", bearer(), invoice_body(account), key)).body["invoice_id"]
    ids = []
    for number in range(payments):
        body = payment_body(account, invoice, number + 1)
        ids.append((await client.post("/v1/payments", bearer(), body, f"{key}-{number}")).body["payment_id"])
    return account, invoice, ids


def _issued(account: str, invoice: str, total: int = 100) -> InvoiceIssued:
    line = PremiumLine(policy_id="P", coverage_month="2027-01", gross_minor=total)
    return InvoiceIssued(
        account_id=account, invoice_id=invoice, number="N-1", due_date="2027-01-01", currency="USD", lines=(line,),
        total_minor=total,
    )  # fmt: skip


def _settling(payment: str, account: str, invoice: str) -> list[Event]:
    registered, paid, allocated = settled(payment, account)
    assert isinstance(allocated, PaymentAllocated)
    parts = tuple(msgspec.structs.replace(part, invoice_id=invoice) for part in allocated.allocations)
    return [
        registered,
        msgspec.structs.replace(paid, invoice_id=invoice),
        msgspec.structs.replace(allocated, allocations=parts),
    ]


def _entry(account: str, payment: str, rule: str, debit: str, credit: str) -> Event:
    return msgspec.structs.replace(entry(rule, payment, debit, credit, 1), account_id=account)


async def test_a_payments_way_through_its_statuses(box: Box) -> None:
    account, invoice, (payment,) = await _asked(box, "way")
    assert (await box.get(f"/v1/payments/{payment}")).body["status"] == "accepted"
    refused = await box.get(f"/v1/payments/{payment}/receipt")
    assert (refused.status, refused.body["code"]) == (409, "payment_not_settled")
    await box.tell("billing", opened(account), _issued(account, invoice), planned(payment, account))
    assert (await box.get(f"/v1/payments/{payment}")).body["status"] == "pending"
    owed = (await box.get(f"/v1/accounts/{account}")).body
    assert (owed["status"], owed["due_minor"], owed["next_due_date"]) == ("open", 100, "2027-01-01")
    await box.tell("billing", *_settling(payment, account, invoice))
    before = (await box.get(f"/v1/payments/{payment}")).body
    assert (before["status"], before["settled_at"]) == ("pending", None)
    await box.tell("ledger", _entry(account, payment, "PR-05", "1125", "2110"))
    after = (await box.get(f"/v1/payments/{payment}")).body
    assert (after["status"], after["allocations"][0]["amount_minor"]) == ("settled", 100)
    whole = (await box.get(f"/v1/accounts/{account}", bearer("member", account))).body
    assert (whole["due_minor"], whole["next_due_date"], whole["credit_minor"]) == (0, None, 100)
    assert [one["payment_id"] for one in whole["last_payments"]] == [payment]
    bill = (await box.get(f"/v1/invoices/{invoice}")).body
    assert (bill["status"], bill["number"], bill["due_minor"]) == ("paid", "N-1", bill["due_minor"])
    receipt = await box.get(f"/v1/payments/{payment}/receipt")
    assert (receipt.status, receipt.body["invoice_number"], receipt.body["method"]) == (200, "N-1", "card")
    assert receipt.raw == (await box.get(f"/v1/payments/{payment}/receipt")).raw
    codes = [
        (one["code"], one["balance_minor"])
        for one in (await box.get(f"/v1/accounts/{account}/balances")).body["balances"]
    ]
    assert codes == [("1125", 100), ("2110", -100)]


async def test_ledger_first_or_billing_first_show_the_same(box: Box) -> None:
    account, invoice, (payment,) = await _asked(box, "order")
    await box.tell("ledger", _entry(account, payment, "PR-05", "1125", "2110"))
    assert (await box.get(f"/v1/payments/{payment}")).body["status"] == "accepted"
    await box.tell("billing", opened(account), planned(payment, account), *_settling(payment, account, invoice))
    assert (await box.get(f"/v1/payments/{payment}")).body["status"] == "settled"


async def test_a_waiting_post_is_answered_when_the_outcome_is_known(box: Box) -> None:
    account, invoice, _ = await _asked(box, "waiting", 0)
    body = payment_body(account, invoice, 77)
    posting = asyncio.create_task(box.gateway.client.post("/v1/payments", bearer(), body, "waiting", Prefer="wait=10"))
    await asyncio.sleep(0.3)
    first = (await box.get(f"/v1/accounts/{account}/payments")).body["items"][0]["payment_id"]
    await box.tell("billing", opened(account), planned(first, account), *_settling(first, account, invoice))
    await box.tell("ledger", _entry(account, first, "PR-05", "1125", "2110"))
    reply = await asyncio.wait_for(posting, 3)
    assert (reply.status, reply.body["status"]) == (201, "settled")
    assert reply.header("preference-applied") == "wait=10"
    again = await box.gateway.client.post("/v1/payments", bearer(), body, "waiting")
    assert (again.status, again.header("idempotency-replayed")) == (201, "true")
    assert again.body == reply.body


async def test_a_wait_that_ends_without_outcome_is_202(box: Box) -> None:
    account, invoice, _ = await _asked(box, "in-vain", 0)
    reply = await box.gateway.client.post(
        "/v1/payments", bearer(), payment_body(account, invoice), "in-vain", Prefer="wait=1"
    )
    assert (reply.status, reply.body["status"]) == (202, "accepted")


async def test_pages_hold_everything_once_and_filters_hold(box: Box) -> None:
    account, invoice, payments = await _asked(box, "pages", 7)
    await box.tell("billing", opened(account), planned(payments[3], account))
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await box.get(f"/v1/accounts/{account}/payments?limit=3{cursor}")).body
        seen += [one["payment_id"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == payments[::-1]
    pending = (await box.get(f"/v1/accounts/{account}/payments?status=pending")).body["items"]
    assert [one["payment_id"] for one in pending] == [payments[3]]
    assert (await box.get(f"/v1/accounts/{account}/payments?to=2020-01-01")).body["items"] == []
    assert len((await box.get(f"/v1/accounts/{account}/payments?from=2020-01-01")).body["items"]) == 7
    assert [one["invoice_id"] for one in (await box.get(f"/v1/accounts/{account}/invoices")).body["items"]] == [invoice]
    history = (await box.get(f"/v1/accounts/{account}/history?limit=1")).body
    rest = (await box.get(f"/v1/accounts/{account}/history?cursor={history['next']}")).body
    assert [one["type"] for one in history["items"] + rest["items"]] == [
        "billing.attempt-planned.v1",
        "billing.account-opened.v1",
    ]


async def test_a_member_sees_only_the_accounts_of_its_token(box: Box) -> None:
    account, invoice, (payment,) = await _asked(box, "mine")
    other = (await _asked(box, "theirs", 0))[0]
    member = bearer("member", other)
    for path in (f"accounts/{account}", f"accounts/{account}/payments", f"invoices/{invoice}", f"payments/{payment}"):
        reply = await box.get(f"/v1/{path}", member)
        unknown = await box.get(f"/v1/{path[:-1]}0", bearer())
        assert (reply.status, reply.body["code"].split("_")[1]) == (404, "unknown")
        assert unknown.status == 404 or path.endswith("payments")
    assert (await box.get(f"/v1/payments/{payment}", bearer(tenant="elsewhere"))).status == 404
    paid = await box.gateway.client.post("/v1/payments", member, payment_body(account, invoice), "x")
    assert (paid.status, paid.body["code"]) == (404, "account_unknown")


async def test_a_story_that_is_not_whole_is_refused(box: Box) -> None:
    account, _, _ = await _asked(box, "whole", 0)
    for path in ("history", "balances"):
        reply = await box.get(f"/v1/accounts/{account}/{path}")
        assert (reply.status, reply.body["code"]) == (503, "history_not_ready")
    await box.tell("billing", opened(account))
    assert (await box.get(f"/v1/accounts/{account}/history")).status == 200
    poison = Parked("billing.events.v1", -1, 99, account, "not_json", b"x")
    with psycopg.connect(box.database.dsn) as connection:
        connection.execute(
            "INSERT INTO parked (shard, topic, source_shard, position, key, cause, data, type)"
            " VALUES (0, %s, %s, %s, %s, %s, %s, '')",
            (poison.topic, poison.source_shard, poison.position, poison.key, poison.cause, poison.data),
        )
    reply = await box.get(f"/v1/accounts/{account}/history")
    assert (reply.status, reply.body["code"]) == (503, "account_on_hold")


async def test_a_read_waits_for_the_position_that_it_names(box: Box) -> None:
    account, _, (payment,) = await _asked(box, "position")
    position = (await box.get(f"/v1/payments/{payment}")).body["position"]
    assert (await box.get(f"/v1/accounts/{account}?min_position={position}")).status == 200
    await box.tell("billing", opened(account))
    number = len(box.sent["billing"]) + 1
    reading = asyncio.create_task(box.get(f"/v1/accounts/{account}?min_position=billing.0.{number}"))
    await asyncio.sleep(0.1)
    await box.tell("billing", planned(payment, account))
    reply = await reading
    assert reply.status == 200
    assert f"billing.0.{number}" in reply.body["position"].split(",")
    late = await box.get(f"/v1/accounts/{account}?min_position=billing.0.{number + 1}")
    assert (late.status, late.header("retry-after")) == (503, "1")


def test_the_filters_status_is_the_domains(database: Database) -> None:
    case = SQL["payments_of"].decode().split("= CASE", 1)[1].split("END)", 1)[0]
    given = "END FROM (SELECT %s::text AS billing_status, %s::bigint AS ledger_position) p"
    billing: list[PaymentStatus | None] = [None, *PaymentStatus]
    with psycopg.connect(database.dsn) as connection:
        for word, position in product(billing, (None, 5)):
            row = connection.execute(("SELECT CASE" + case + given).encode(), (word, position)).fetchone()
            assert row == (payment_status(word, position is not None).value,)


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("payments_of", "request_by_account"),
        ("invoices_of", "request_by_account"),
        ("invoices_of", "invoice_view_by_account"),
        ("history", "history_view_by_account"),
        ("cases", "case_view_by_tenant"),
        ("cases_of", "case_view_by_account"),
    ],
)
def test_lists_are_read_by_their_index_on_a_large_table(database: Database, statement: str, index: str) -> None:
    parameters: dict[str, Any] = {
        "account_id": "acc_7", "before_at": "2026-01-01T00:00:00Z", "before_id": "x", "before_source": "x",
        "before_position": 1, "from": None, "until": None, "status": None, "limit": 51,
        "tenant": "demo", "accounts": ["acc_7"],
    }  # fmt: skip
    with psycopg.connect(database.admin_dsn) as connection:
        connection.execute(
            "INSERT INTO request SELECT 'id_' || n, 'demo', 'payment', 'acc_' || n % 500, 0, n, ''::bytea, ''::bytea,"
            " '{}', now() - n * interval '1 s', NULL FROM generate_series(1, 50000) n"
        )
        connection.execute(
            "INSERT INTO history_view SELECT 'ledger', 0, n, 'acc_' || n % 500, 't', now() - n * interval '1 s',"
            " current_date FROM generate_series(1000, 51000) n"
        )
        connection.execute(
            "INSERT INTO invoice_view (invoice_id, account_id, issued_at) SELECT 'inv_' || n, 'acc_' || n % 500,"
            " now() - n * interval '1 s' FROM generate_series(1, 50000) n"
        )
        connection.execute(
            "INSERT INTO case_view (case_id, tenant, account_id, shard, position, payment_id, reference, amount_minor,"
            " currency, opened_at) SELECT 'case_' || n, 'demo', 'acc_' || n % 500, 0, n, 'p', 'r', 1, 'USD',"
            " now() - n * interval '1 s' FROM generate_series(1, 50000) n"
        )
        connection.execute("ANALYZE request, history_view, invoice_view, case_view")
        plan = plan_of(connection, SQL[statement], parameters)
        connection.rollback()
    assert index in plan.indexes
    assert not plan.read_whole & {"request", "history_view", "invoice_view", "case_view"}
