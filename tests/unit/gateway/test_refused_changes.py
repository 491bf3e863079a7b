"""Bad input to what changes things: every way has its own stable code and names its field, and nothing is stored."""

import re
from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import msgspec
import pytest

from services.gateway.http.operations import OPERATIONS
from shared.auth.roles import Role, allows
from shared.eventlog.memory import MemoryStore
from shared.eventlog.ports import Mode
from shared.http.operation import Operation
from shared.ids import Root, account_id, shard_of, thing_id
from tests.gateway_kit import Gateway, NoReads, Reply, bearer, gateway, payment_body, settings

ROOT, OTHER = Root(b"r" * 14), Root(b"f" * 14)
ACCOUNT, FOREIGN = account_id(ROOT), account_id(OTHER)
ELSEWHERE = account_id(Root(b"e" * 14))
SHARD = shard_of("demo", ACCOUNT, 8)
KINDS = {"inv": "invoice", "pay": "payment", "case": "case", "rfd": "refund", "req": "request"}
MINE = {prefix: thing_id(prefix, SHARD, ROOT) for prefix in KINDS}
THEIRS = {prefix: thing_id(prefix, SHARD, OTHER) for prefix in KINDS}
NOBODYS = thing_id("req", SHARD, Root(b"n" * 14))
USD = {"minor": 5, "currency": "USD"}
REFUND: dict[str, Any] = {
    "account_id": ACCOUNT, "payment_id": MINE["pay"], "amount": USD, "reason": "overpaid",
}  # fmt: skip
TRANSFER: dict[str, Any] = {
    "account_id": ACCOUNT, "to_account_id": FOREIGN, "amount": USD, "reason": "same_family",
}  # fmt: skip
MERGE: dict[str, Any] = {"account_id": ACCOUNT, "to_account_id": FOREIGN}
APPROVAL: dict[str, Any] = {"digest": "a" * 64, "decision": "approve"}
MONTH = {"policy_id": "P", "coverage_month": "2027-01"}
VOID: dict[str, Any] = {"reason": "billed_in_error"}


class Box(msgspec.Struct):
    """A gateway over a log in memory."""

    gateway: Gateway
    store: MemoryStore

    def stored(self) -> int:
        return sum(len(shard.copies) for shard in self.store.shards.values())


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    reads = NoReads()
    reads.known = {
        ACCOUNT: ("demo", "account", ACCOUNT),
        FOREIGN: ("demo", "account", FOREIGN),
        ELSEWHERE: ("other-tenant", "account", ELSEWHERE),
        **{MINE[prefix]: ("demo", kind, ACCOUNT) for prefix, kind in KINDS.items()},
        **{THEIRS[prefix]: ("demo", kind, FOREIGN) for prefix, kind in KINDS.items()},
    }
    store = MemoryStore(8, mode=Mode.SHARED)
    async with gateway(store, reads, settings(member_rate_per_min=1_000_000)) as running:
        yield Box(running, store)


BODIES: list[tuple[str, object, int, str, str | None]] = [
    ("/v1/payments", payment_body(ACCOUNT, MINE["inv"], policy_id="POL-9"), 422, "policy_unknown", "/policy_id"),
    ("/v1/payments", payment_body(ACCOUNT, MINE["inv"], policy_id=""), 422, "text_invalid", "/policy_id"),
    ("/v1/payments", payment_body(ACCOUNT, MINE["inv"], accept_credit=1), 422, "field_type_invalid", "/accept_credit"),
    (
        "/v1/payments", payment_body(ACCOUNT, MINE["inv"], return_url="http://example.org/"),
        422, "return_url_invalid", "/return_url",
    ),
    (
        "/v1/payments", payment_body(ACCOUNT, MINE["inv"], return_url="https://example.org/" + "a" * 2_048),
        422, "return_url_invalid", "/return_url",
    ),
    (f"/v1/payments/{MINE['pay']}/cancel", {"why": "x"}, 422, "field_unknown", "/why"),
    (f"/v1/payments/{MINE['pay']}/cancel", b"", 400, "body_not_json", None),
    (f"/v1/payments/{MINE['inv']}/cancel", {}, 404, "payment_unknown", None),
    (f"/v1/payments/{MINE['pay']}/decision", {"decision": "refund"}, 422, "value_unsupported", "/decision"),
    (f"/v1/payments/{MINE['pay']}/decision", {}, 422, "field_missing", "/decision"),
    (f"/v1/duplicate-cases/{MINE['case']}/decision", {"decision": "charge"}, 422, "value_unsupported", "/decision"),
    (f"/v1/duplicate-cases/{MINE['pay']}/decision", {"decision": "credit"}, 404, "case_unknown", None),
    ("/v1/refunds", {**REFUND, "amount": {**USD, "minor": 0}}, 422, "amount_not_positive", "/amount/minor"),
    ("/v1/refunds", {**REFUND, "amount": {**USD, "minor": 1.0}}, 422, "amount_not_integer", "/amount/minor"),
    ("/v1/refunds", {**REFUND, "reason": "duplicate"}, 422, "value_unsupported", "/reason"),
    ("/v1/refunds", {**REFUND, "release": "yes"}, 422, "field_type_invalid", "/release"),
    ("/v1/refunds", {**REFUND, "payment_id": THEIRS["pay"]}, 404, "payment_unknown", "/payment_id"),
    ("/v1/refunds", {**REFUND, "payment_id": MINE["inv"]}, 404, "payment_unknown", "/payment_id"),
    ("/v1/refunds", {**REFUND, "account_id": ELSEWHERE}, 404, "account_unknown", "/account_id"),
    (f"/v1/refunds/{MINE['rfd']}/approval", {**APPROVAL, "digest": "A" * 64}, 422, "text_invalid", "/digest"),
    (f"/v1/refunds/{MINE['rfd']}/approval", {**APPROVAL, "decision": "yes"}, 422, "value_unsupported", "/decision"),
    (f"/v1/refunds/{NOBODYS}/approval", APPROVAL, 404, "refund_unknown", None),
    ("/v1/transfers", {**TRANSFER, "reason": "merge"}, 422, "value_unsupported", "/reason"),
    ("/v1/transfers", {**TRANSFER, "amount": {**USD, "currency": "EUR"}}, 422, "currency_unsupported",
     "/amount/currency"),
    ("/v1/transfers", {**TRANSFER, "to_account_id": ELSEWHERE}, 404, "account_unknown", "/to_account_id"),
    ("/v1/transfers", {**TRANSFER, "account_id": ELSEWHERE}, 404, "account_unknown", "/account_id"),
    ("/v1/merges", {**MERGE, "to_account_id": ELSEWHERE}, 404, "account_unknown", "/to_account_id"),
    ("/v1/merges", {**MERGE, "reason": "x"}, 422, "field_unknown", "/reason"),
    (f"/v1/invoices/{MINE['inv']}/void", {"reason": "merge"}, 422, "value_unsupported", "/reason"),
    (f"/v1/invoices/{MINE['inv']}/void", {**VOID, "lines": []}, 422, "lines_empty", "/lines"),
    (f"/v1/invoices/{MINE['inv']}/void", {**VOID, "lines": [MONTH] * 201}, 422, "lines_too_many", "/lines"),
    (f"/v1/invoices/{MINE['inv']}/void", {**VOID, "lines": [MONTH, MONTH]}, 422, "line_repeated",
     "/lines/1/policy_id"),
    (
        f"/v1/invoices/{MINE['inv']}/void", {**VOID, "lines": [{**MONTH, "coverage_month": "1999-01"}]},
        422, "month_invalid", "/lines/0/coverage_month",
    ),
    (f"/v1/invoices/{NOBODYS}/void", VOID, 404, "invoice_unknown", None),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "code", "field"), BODIES)
async def test_a_change_that_is_wrong_is_refused_by_name(
    box: Box, path: str, body: object, status: int, code: str, field: str | None
) -> None:
    _refused(await box.gateway.client.post(path, bearer(), body), status, code, field)
    assert box.stored() == 0


CHANGES: list[tuple[str, dict[str, Any], str]] = [
    (f"/v1/payments/{THEIRS['pay']}/cancel", {}, "payment_unknown"),
    (f"/v1/payments/{THEIRS['pay']}/decision", {"decision": "charge"}, "payment_unknown"),
    (f"/v1/duplicate-cases/{THEIRS['case']}/decision", {"decision": "refund"}, "case_unknown"),
    ("/v1/refunds", {**REFUND, "account_id": FOREIGN, "payment_id": THEIRS["pay"]}, "account_unknown"),
]


@pytest.mark.parametrize(("path", "body", "code"), CHANGES)
async def test_a_member_changes_nothing_of_another_household(
    box: Box, path: str, body: dict[str, Any], code: str
) -> None:
    reply = await box.gateway.client.post(path, bearer("member", ACCOUNT), body)
    assert (reply.status, reply.body["code"]) == (404, code)
    assert box.stored() == 0


@pytest.mark.parametrize("prefix", ["case", "rfd", "req"])
async def test_a_foreign_id_looks_like_an_unknown_one(box: Box, prefix: str) -> None:
    folder = {"case": "duplicate-cases", "rfd": "refunds", "req": "requests"}[prefix]
    member, unknown = bearer("member", ACCOUNT), thing_id(prefix, SHARD, Root(b"n" * 14))
    foreign = await box.gateway.client.get(f"/v1/{folder}/{THEIRS[prefix]}", member)
    missing = await box.gateway.client.get(f"/v1/{folder}/{unknown}", member)
    for reply in (foreign, missing):
        _refused(reply, 404, f"{KINDS[prefix]}_unknown", None)
    assert {**foreign.body, "trace": ""} == {**missing.body, "trace": ""}


async def test_cases_are_listed_by_a_known_account_and_status_only(box: Box) -> None:
    for query, status, code, field in (
        ("status=decided_by_me", 400, "parameter_invalid", "status"),
        (f"account_id={ELSEWHERE}", 404, "account_unknown", "account_id"),
        ("account_id=x", 404, "account_unknown", "account_id"),
        ("cursor=x", 400, "cursor_invalid", "cursor"),
    ):
        _refused(await box.gateway.client.get(f"/v1/duplicate-cases?{query}", bearer()), status, code, field)


async def test_two_keys_are_none(box: Box) -> None:
    raw = msgspec.json.encode({})
    headers = {
        "Authorization": f"Bearer {bearer()}", "Content-Type": "application/json", "Idempotency-Key": "a",
        "idempotency-key": "a",
    }  # fmt: skip
    reply = await box.gateway.client.send("POST", f"/v1/payments/{MINE['pay']}/cancel", raw, headers)
    _refused(reply, 400, "idempotency_key_repeated", "Idempotency-Key")
    assert box.stored() == 0


async def test_a_key_that_stood_for_another_thing_of_the_household_is_refused(box: Box) -> None:
    second = thing_id("pay", SHARD, Root(b"s" * 14))
    reads = box.gateway.reads
    assert isinstance(reads, NoReads)
    reads.known[second] = ("demo", "payment", ACCOUNT)
    for payment, stored in ((MINE["pay"], 1), (MINE["pay"], 1)):
        await box.gateway.client.post(f"/v1/payments/{payment}/cancel", bearer(), {}, "same")
        assert box.stored() == stored
    reply = await box.gateway.client.post(f"/v1/payments/{second}/cancel", bearer(), {}, "same")
    _refused(reply, 422, "idempotency_key_reused", "Idempotency-Key")
    assert box.stored() == 1


EVERYBODY = set(Role)
PAYERS = EVERYBODY - {Role.AUDITOR}
BOOKKEEPERS = {Role.FINANCE, Role.OPERATOR}
CALLERS: dict[str, set[Role]] = {
    "cancelPayment": PAYERS,
    "decidePayment": PAYERS,
    "decideDuplicateCase": PAYERS,
    "createRefund": {Role.MEMBER, Role.SUPPORT, Role.FINANCE},
    "approveRefund": {Role.FINANCE},
    "voidInvoice": BOOKKEEPERS,
    "createTransfer": BOOKKEEPERS,
    "createMerge": BOOKKEEPERS,
    "listDuplicateCases": EVERYBODY,
    "getDuplicateCase": EVERYBODY,
    "getRefund": EVERYBODY,
    "getTransfer": EVERYBODY,
    "getMerge": EVERYBODY,
    "getRequest": EVERYBODY,
}


@pytest.mark.parametrize(("name", "roles"), CALLERS.items())
def test_who_may_change_what(name: str, roles: set[Role]) -> None:
    (permission,) = [operation.permission for operation in OPERATIONS if operation.id == name]
    assert permission is not None
    assert {role for role in Role if allows(role, permission)} == roles


GUARDED = [operation for operation in OPERATIONS if operation.permission is not None]


@pytest.mark.parametrize(
    ("operation", "role"), [pytest.param(*row, id=f"{row[0].id}-{row[1]}") for row in product(GUARDED, Role)]
)
async def test_an_operation_is_refused_to_the_roles_that_lack_its_permission(
    box: Box, operation: Operation, role: Role
) -> None:
    path = re.sub(r"\{\w+\}", "x", operation.path)
    token = bearer(role.value, ACCOUNT)
    client = box.gateway.client
    reply = await (client.get(path, token) if operation.method == "GET" else client.post(path, token, b"{"))
    assert operation.permission is not None
    assert (reply.status == 403) is not allows(role, operation.permission)


def _refused(reply: Reply, status: int, code: str, field: str | None) -> None:
    assert (reply.status, reply.body["code"], reply.body.get("field")) == (status, code, field), reply.body
    assert reply.header("content-type") == "application/problem+json"
