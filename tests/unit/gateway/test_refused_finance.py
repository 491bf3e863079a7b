"""Bad input of finance: every way has its own stable code and names its field, and nothing is stored."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.gateway.domain.reconciliation import stream_of
from services.gateway.domain.statements import statement_status
from services.gateway.http.bodies.finance import BankStatementBody, check_statement
from services.gateway.http.bodies.household import MOST_LINES
from services.gateway.http.bodies.parsing import parse
from services.gateway.http.database import Row
from services.gateway.http.operations import OPERATIONS
from shared.auth.roles import Role, allows
from shared.clock import ManualClock
from shared.contracts.billing import BankStatementImported
from shared.contracts.envelope import MAX_DATA_BYTES
from shared.contracts.gateway import BankStatementReceived
from shared.contracts.ledger import StatementTaken
from shared.eventlog.memory import MemoryStore
from shared.eventlog.ports import Mode
from shared.ids import Root, account_id, shard_of, thing_id
from tests.gateway_kit import Gateway, NoReads, bearer, gateway, settings

ACCOUNT, FOREIGN = (str(account_id(Root(raw * 14))) for raw in (b"r", b"f"))
ELSEWHERE = str(account_id(Root(b"e" * 14)))
SHARD = shard_of("demo", ACCOUNT, 8)
INVOICE, THEIRS = (thing_id("inv", SHARD, Root(raw * 14)) for raw in (b"r", b"f"))
CHEQUE, CARD = (thing_id("pay", SHARD, Root(raw * 14)) for raw in (b"q", b"c"))
EXCEPTION = "exc_3_" + "0" * 23
NOW = datetime(2026, 12, 1, 3, tzinfo=UTC)  # still 30 November where the exchange is
ZONE = "America/New_York"
RECEIPT: dict[str, Any] = {
    "account_id": ACCOUNT, "invoice_id": INVOICE, "amount": {"minor": 5, "currency": "USD"},
    "bank_account": "lockbox-1", "bank_reference": "CHQ-77", "received_on": "2026-11-30",
}  # fmt: skip
LINE: dict[str, Any] = {"line_ref": "L1", "kind": "payout", "amount_minor": 700, "reference": "po_1"}
RETURNED = {**LINE, "kind": "check_returned", "amount_minor": -700, "payment_id": CHEQUE}
STATEMENT: dict[str, Any] = {
    "bank_account": "lockbox-1", "day": "2026-11-30", "currency": "USD", "opening_minor": 0, "closing_minor": 700,
    "lines": [LINE],
}  # fmt: skip
EXPLANATION: dict[str, Any] = {"reason": "timing", "note": "comes on Monday"}
MAX = 2**63 - 1


class Known(NoReads):
    """One household with a bill and a cheque, and one exception."""

    def __init__(self) -> None:
        super().__init__()
        self.known = {
            ACCOUNT: ("demo", "account", ACCOUNT),
            FOREIGN: ("demo", "account", FOREIGN),
            ELSEWHERE: ("other-tenant", "account", ELSEWHERE),
            INVOICE: ("demo", "invoice", ACCOUNT),
            THEIRS: ("demo", "invoice", FOREIGN),
            CARD: ("demo", "payment", ACCOUNT),
        }

    async def run(self, statement: str, parameters: Mapping[str, Any]) -> list[Row]:
        if statement == "cheques" and CHEQUE in parameters["ids"] and parameters["tenant"] == "demo":
            return [(CHEQUE, ACCOUNT)]
        if statement == "exception" and (parameters["tenant"], parameters["id"]) == ("demo", EXCEPTION):
            return [("1010", "lockbox-1")]
        return await super().run(statement, parameters)


class Box(msgspec.Struct):
    """A gateway over a log in memory."""

    gateway: Gateway
    store: MemoryStore

    def stored(self) -> int:
        return sum(len(shard.copies) for shard in self.store.shards.values())


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    store = MemoryStore(8, mode=Mode.SHARED)
    async with gateway(store, Known(), settings(zone=ZONE), ManualClock(NOW)) as running:
        yield Box(running, store)


def statement(*lines: dict[str, Any], closing: int | None = None, **changed: Any) -> dict[str, Any]:
    total = sum(line["amount_minor"] for line in lines)
    return {**STATEMENT, "lines": list(lines), "closing_minor": total if closing is None else closing, **changed}


R, S = "/v1/receipts", "/v1/bank-statements"
E = f"/v1/reconciliation/exceptions/{EXCEPTION}/explanation"
BODIES: list[tuple[str, object, int, str, str | None]] = [
    (R, {**RECEIPT, "received_on": "2026-12-01"}, 422, "day_in_future", "/received_on"),
    (R, {**RECEIPT, "received_on": "2026-11-31"}, 422, "date_invalid", "/received_on"),
    (R, {**RECEIPT, "received_on": "30.11.2026"}, 422, "date_invalid", "/received_on"),
    (R, {**RECEIPT, "amount": {"minor": 0, "currency": "USD"}}, 422, "amount_not_positive", "/amount/minor"),
    (R, {**RECEIPT, "amount": {"minor": 5.0, "currency": "USD"}}, 422, "amount_not_integer", "/amount/minor"),
    (R, {**RECEIPT, "bank_account": "Lockbox"}, 422, "text_invalid", "/bank_account"),
    (R, {**RECEIPT, "bank_account": "a" * 33}, 422, "text_invalid", "/bank_account"),
    (R, {**RECEIPT, "bank_account": "-a"}, 422, "text_invalid", "/bank_account"),
    (R, {**RECEIPT, "bank_reference": ""}, 422, "text_invalid", "/bank_reference"),
    (R, {**RECEIPT, "account_id": ELSEWHERE}, 404, "account_unknown", "/account_id"),
    (R, {**RECEIPT, "invoice_id": THEIRS}, 404, "invoice_unknown", "/invoice_id"),
    (R, {**RECEIPT, "method": "check"}, 422, "field_unknown", "/method"),
    (S, statement(LINE, closing=701), 422, "statement_unbalanced", "/closing_minor"),
    (S, statement(LINE, opening_minor=1), 422, "statement_unbalanced", "/closing_minor"),
    (S, statement(LINE, day="2026-12-01"), 422, "day_in_future", "/day"),
    (S, statement(LINE, day="2026-02-30"), 422, "date_invalid", "/day"),
    (S, statement(LINE, bank_account="a_b"), 422, "text_invalid", "/bank_account"),
    (S, statement(LINE, currency="EUR"), 422, "currency_unsupported", "/currency"),
    (S, statement(LINE, opening_minor="0"), 422, "amount_not_integer", "/opening_minor"),
    (S, statement(LINE, opening_minor=MAX + 1), 422, "amount_too_large", "/opening_minor"),
    (S, statement(LINE, opening_minor=-MAX - 1), 422, "amount_too_large", "/opening_minor"),
    (S, statement({**LINE, "amount_minor": 0}), 422, "amount_zero", "/lines/0/amount_minor"),
    (S, statement({**LINE, "amount_minor": 7.5}, closing=7), 422, "amount_not_integer", "/lines/0/amount_minor"),
    (S, statement({**LINE, "kind": "interest"}), 422, "value_unsupported", "/lines/0/kind"),
    (S, statement({**LINE, "line_ref": ""}), 422, "text_invalid", "/lines/0/line_ref"),
    (S, statement({**LINE, "reference": "a b"}), 422, "text_invalid", "/lines/0/reference"),
    (S, statement({**LINE, "account_id": ACCOUNT}), 422, "field_unknown", "/lines/0/account_id"),
    (S, statement(LINE, LINE), 422, "line_repeated", "/lines/1/line_ref"),
    (S, statement(*[{**LINE, "line_ref": str(n)} for n in range(201)]), 422, "lines_too_many", "/lines"),
    (S, statement({**LINE, "payment_id": CHEQUE}), 422, "payment_not_expected", "/lines/0/payment_id"),
    (S, statement({**RETURNED, "payment_id": None}), 422, "field_missing", "/lines/0/payment_id"),
    (S, statement({**RETURNED, "amount_minor": 700}), 422, "amount_not_negative", "/lines/0/amount_minor"),
    (S, statement(LINE, {**RETURNED, "line_ref": "L2", "payment_id": CARD}), 404, "payment_unknown",
     "/lines/1/payment_id"),
    (S, statement({**RETURNED, "payment_id": INVOICE}), 404, "payment_unknown", "/lines/0/payment_id"),
    (E, {**EXPLANATION, "reason": "because"}, 422, "value_unsupported", "/reason"),
    (E, {**EXPLANATION, "note": ""}, 422, "text_invalid", "/note"),
    (E, {**EXPLANATION, "note": "x" * 2_001}, 422, "text_invalid", "/note"),
    (E, {**EXPLANATION, "note": "a\x00b"}, 422, "text_invalid", "/note"),
    (E, {**EXPLANATION, "note": 5}, 422, "field_type_invalid", "/note"),
    (E, {"note": "x"}, 422, "field_missing", "/reason"),
    (E.replace("exc_3", "exc_4"), EXPLANATION, 404, "exception_unknown", None),
    (E.replace("exc_3", "x" * 99), EXPLANATION, 404, "exception_unknown", None),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "code", "field"), BODIES)
async def test_what_finance_hands_in_wrongly_is_refused_by_name(
    box: Box, path: str, body: object, status: int, code: str, field: str | None
) -> None:
    reply = await box.gateway.client.post(path, bearer(), body)
    assert (reply.status, reply.body["code"], reply.body.get("field")) == (status, code, field), reply.body
    assert box.stored() == 0
    assert box.gateway.people.noted == {}


READS: list[tuple[str, int, str, str | None]] = [
    ("/v1/bank-statements/x", 404, "statement_unknown", None),
    (f"/v1/bank-statements/{CARD}", 404, "statement_unknown", None),
    ("/v1/reconciliation/days/2026-11-30", 404, "day_unknown", None),
    ("/v1/reconciliation/days/today", 404, "day_unknown", None),
    ("/v1/reconciliation/exceptions?state=new", 400, "parameter_invalid", "state"),
    ("/v1/reconciliation/exceptions?account=2110", 400, "parameter_invalid", "account"),
    ("/v1/reconciliation/exceptions?cursor=x", 400, "cursor_invalid", "cursor"),
    ("/v1/reconciliation/exceptions?limit=0", 400, "parameter_invalid", "limit"),
    ("/v1/reconciliation", 404, "route_unknown", None),
    ("/v1/reconciliation/days/", 404, "route_unknown", None),
    ("/v1/reconciliation/*/2026-11-30", 404, "route_unknown", None),
    (f"/v1/reconciliation/exceptions/{EXCEPTION}", 404, "route_unknown", None),
]


@pytest.mark.parametrize(("path", "status", "code", "field"), READS)
async def test_what_finance_asks_wrongly_is_refused_by_name(
    box: Box, path: str, status: int, code: str, field: str | None
) -> None:
    reply = await box.gateway.client.get(path, bearer())
    assert (reply.status, reply.body["code"], reply.body.get("field")) == (status, code, field)


KEEPERS, READERS = {Role.FINANCE, Role.OPERATOR}, {Role.FINANCE, Role.AUDITOR, Role.OPERATOR}
CALLERS: dict[str, set[Role]] = {
    "createReceipt": KEEPERS,
    "createBankStatement": KEEPERS,
    "explainReconciliationException": KEEPERS,
    "getBankStatement": READERS,
    "getReconciliationDay": READERS,
    "listReconciliationExceptions": READERS,
    "followEvents": set(Role),
}


@pytest.mark.parametrize(("name", "roles"), CALLERS.items())
def test_who_may_do_finances_work(name: str, roles: set[Role]) -> None:
    (permission,) = [operation.permission for operation in OPERATIONS if operation.id == name]
    assert permission is not None
    assert {role for role in Role if allows(role, permission)} == roles


async def test_a_note_goes_to_people_and_never_into_the_log(box: Box) -> None:
    await box.gateway.client.post(E, bearer(), EXPLANATION)
    (_, person), fields = box.gateway.people.noted.popitem()
    assert fields == {"note": "comes on Monday"}
    (row,) = box.store.shards[shard_of("demo", "bnk_lockbox-1", 8)].copies
    event = msgspec.json.decode(row.data)
    assert (event["payload"]["note_version"], event["actor"]["id"]) == (1, person)
    assert b"Monday" not in row.data


@pytest.mark.parametrize(("account", "stream"), [("1010", "bnk_x"), ("1125", "prc_x"), ("1126", "prc_x")])
def test_an_exception_is_in_the_stream_of_its_account(account: Any, stream: str) -> None:
    assert stream_of(account, "x") == stream


def test_a_statement_that_was_imported_was_not_refused() -> None:
    rows = ((False, False), (True, False), (False, True), (True, True))
    assert [statement_status(*row).value for row in rows] == ["accepted", "imported", "refused", "imported"]


@pytest.mark.parametrize("event", [BankStatementReceived, BankStatementImported, StatementTaken])
def test_the_longest_statement_fits_into_every_event_that_carries_it(event: Any) -> None:
    lines = [
        {
            **RETURNED, "line_ref": f"{number:064d}", "reference": "r" * 64, "amount_minor": -4 * 10**16,
            "payment_id": thing_id("pay", 100_000, Root(b"q" * 14)),
        }
        for number in range(MOST_LINES)
    ]  # fmt: skip
    body = parse(BankStatementBody, msgspec.json.encode(statement(*lines)))
    taken = tuple(msgspec.structs.replace(line, account_id=ACCOUNT) for line in check_statement(body, NOW.date()))
    common = {"statement_id": "s" * 40, "bank_account": "b" * 32, "day": "2026-11-30", "currency": "USD",
              "opening_minor": -MAX, "closing_minor": -MAX, "lines": taken}  # fmt: skip
    made = event(**common, **({"received_at": "2026-11-30T00:00:00.000000Z"} if event is BankStatementReceived else {}))
    assert len(msgspec.json.encode(made)) < MAX_DATA_BYTES - 1_000
