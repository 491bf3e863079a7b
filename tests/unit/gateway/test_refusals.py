"""Bad input: every way has its own stable code and names its field, and nothing is stored."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from shared.eventlog.memory import MemoryStore
from shared.eventlog.ports import Mode
from shared.ids import Root, account_id, shard_of, thing_id
from tests.gateway_kit import (
    LINE,
    Gateway,
    NoReads,
    Reply,
    account_body,
    bearer,
    gateway,
    invoice_body,
    payment_body,
    settings,
)

ROOT = Root(b"r" * 14)
ACCOUNT = account_id(ROOT)
FOREIGN = account_id(Root(b"f" * 14))
INVOICE = thing_id("inv", shard_of("demo", ACCOUNT, 8), ROOT)
FOREIGN_INVOICE = thing_id("inv", 3, Root(b"f" * 14))
UNKNOWN_INVOICE = thing_id("inv", 3, Root(b"u" * 14))
GOOD = payment_body(ACCOUNT, INVOICE)
MAX = 2**63 - 1


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
        INVOICE: ("demo", "invoice", ACCOUNT),
        FOREIGN: ("other-tenant", "account", FOREIGN),
        FOREIGN_INVOICE: ("demo", "invoice", FOREIGN),
    }
    store = MemoryStore(8, mode=Mode.SHARED)
    async with gateway(store, reads, settings(member_rate_per_min=1_000_000)) as running:
        yield Box(running, store)


def amount(raw: str) -> bytes:
    """Return a payment's body with these very bytes as its amount."""
    return msgspec.json.encode(GOOD).replace(b"18165", raw.encode())


PAYMENTS: list[tuple[object, int, str, str | None]] = [
    (amount("1.0"), 422, "amount_not_integer", "/amount/minor"),
    (amount("1e3"), 422, "amount_not_integer", "/amount/minor"),
    (amount('"100"'), 422, "amount_not_integer", "/amount/minor"),
    (amount("true"), 422, "amount_not_integer", "/amount/minor"),
    (amount("null"), 422, "amount_not_integer", "/amount/minor"),
    (amount("-1"), 422, "amount_not_positive", "/amount/minor"),
    (amount("0"), 422, "amount_not_positive", "/amount/minor"),
    (amount(str(MAX + 1)), 422, "amount_too_large", "/amount/minor"),
    (amount("1" + "0" * 40), 422, "amount_too_large", "/amount/minor"),
    (amount("NaN"), 422, "amount_not_integer", "/amount/minor"),
    ({**GOOD, "amount": {"minor": 1, "currency": "EUR"}}, 422, "currency_unsupported", "/amount/currency"),
    ({**GOOD, "amount": {"minor": 1, "currency": "usd"}}, 422, "currency_unsupported", "/amount/currency"),
    ({**GOOD, "amount": 5}, 422, "field_type_invalid", "/amount"),
    ({**GOOD, "extra": 1}, 422, "field_unknown", "/extra"),
    ({**GOOD, "a/b~c": 1}, 422, "field_unknown", "/a~1b~0c"),
    ({**GOOD, "amount": {"minor": 1, "currency": "USD", "x": 1}}, 422, "field_unknown", "/amount/x"),
    ({name: value for name, value in GOOD.items() if name != "method"}, 422, "field_missing", "/method"),
    ({**GOOD, "account_id": 5}, 422, "field_type_invalid", "/account_id"),
    ({**GOOD, "account_id": ""}, 422, "text_invalid", "/account_id"),
    ({**GOOD, "method": {"type": "cash", "token": "t"}}, 422, "value_unsupported", "/method/type"),
    ({**GOOD, "method": {"type": "card", "token": "4242 4242"}}, 422, "text_invalid", "/method/token"),
    ({**GOOD, "account_id": "acc_nobody"}, 404, "account_unknown", "/account_id"),
    ({**GOOD, "account_id": FOREIGN}, 404, "account_unknown", "/account_id"),
    ({**GOOD, "invoice_id": UNKNOWN_INVOICE}, 404, "invoice_unknown", "/invoice_id"),
    ({**GOOD, "invoice_id": FOREIGN_INVOICE}, 404, "invoice_unknown", "/invoice_id"),
    ({**GOOD, "invoice_id": ACCOUNT}, 404, "invoice_unknown", "/invoice_id"),
    ({**GOOD, "invoice_id": "inv_3_\x00"}, 404, "invoice_unknown", "/invoice_id"),
    (b"", 400, "body_not_json", None),
    (b"{", 400, "body_not_json", None),
    (b"\xff\xfe", 400, "body_not_json", None),
    (b"[" * 5_000, 400, "body_not_json", None),
    (b"[]", 422, "field_type_invalid", ""),
    (b'"text"', 422, "field_type_invalid", ""),
    (b" " * 70_000, 413, "body_too_large", None),
]


@pytest.mark.parametrize(("body", "status", "code", "field"), PAYMENTS)
async def test_a_payment_that_is_wrong_is_refused_by_name(
    box: Box, body: object, status: int, code: str, field: str | None
) -> None:
    reply = await box.gateway.client.post("/v1/payments", bearer(), body)
    _refused(reply, status, code, field)
    assert box.stored() == 0


INVOICES: list[tuple[dict[str, Any], int, str, str]] = [
    ({"lines": []}, 422, "lines_empty", "/lines"),
    ({"lines": [LINE] * 201}, 422, "lines_too_many", "/lines"),
    ({"lines": [LINE, LINE]}, 422, "line_repeated", "/lines/1/policy_id"),
    ({"lines": [{**LINE, "gross_minor": 1.5}]}, 422, "amount_not_integer", "/lines/0/gross_minor"),
    ({"lines": [{**LINE, "aptc_minor": -1}]}, 422, "amount_negative", "/lines/0/aptc_minor"),
    ({"lines": [{**LINE, "aptc_minor": 80_832}]}, 422, "subsidies_exceed_gross", "/lines/0/gross_minor"),
    ({"lines": [{**LINE, "coverage_month": "2027-13"}]}, 422, "month_invalid", "/lines/0/coverage_month"),
    ({"lines": [{**LINE, "coverage_month": "1999-01"}]}, 422, "month_invalid", "/lines/0/coverage_month"),
    ({"lines": [{**LINE, "policy_id": ""}]}, 422, "text_invalid", "/lines/0/policy_id"),
    (
        {"lines": [{**LINE, "gross_minor": MAX}, {**LINE, "policy_id": "P2"}]},
        422, "amount_too_large", "/lines/1/gross_minor",
    ),
    ({"due_date": "2027-02-30"}, 422, "date_invalid", "/due_date"),
    ({"due_date": "01/02/2027"}, 422, "date_invalid", "/due_date"),
    ({"currency": "EUR"}, 422, "currency_unsupported", "/currency"),
    ({"account_id": FOREIGN}, 404, "account_unknown", "/account_id"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "status", "code", "field"), INVOICES)
async def test_an_invoice_that_is_wrong_is_refused_by_name(
    box: Box, change: dict[str, Any], status: int, code: str, field: str
) -> None:
    reply = await box.gateway.client.post("/v1/invoices", bearer(), {**invoice_body(ACCOUNT), **change})
    _refused(reply, status, code, field)
    assert box.stored() == 0


ACCOUNTS: list[tuple[dict[str, Any], str, str]] = [
    ({"email": "nobody"}, "email_invalid", "/email"),
    ({"email": "a b@example.org"}, "email_invalid", "/email"),
    ({"email": "a@example.org\r\nBcc: x"}, "email_invalid", "/email"),
    ({"email": "a" * 250 + "@example.org"}, "email_invalid", "/email"),
    ({"language": "fr"}, "language_unsupported", "/language"),
    ({"name": ""}, "text_invalid", "/name"),
    ({"name": "x" * 201}, "text_invalid", "/name"),
    ({"name": "a\nb"}, "text_invalid", "/name"),
    ({"ssn": "1"}, "field_unknown", "/ssn"),
]


@pytest.mark.parametrize(("change", "code", "field"), ACCOUNTS)
async def test_an_account_that_is_wrong_is_refused_by_name_and_stores_no_person(
    box: Box, change: dict[str, Any], code: str, field: str
) -> None:
    reply = await box.gateway.client.post("/v1/accounts", bearer(), account_body(**change))
    _refused(reply, 422, code, field)
    assert box.gateway.people.noted == {}


KEYS: list[tuple[str | None, str]] = [
    (None, "idempotency_key_missing"),
    ("", "idempotency_key_invalid"),
    ('""', "idempotency_key_invalid"),
    ("a\tb", "idempotency_key_invalid"),
    ("a\xe9b", "idempotency_key_invalid"),
    ("k" * 256, "idempotency_key_too_long"),
]


@pytest.mark.parametrize(("key", "code"), KEYS)
async def test_every_post_needs_a_key_of_printable_ascii(box: Box, key: str | None, code: str) -> None:
    for path in ("/v1/payments", "/v1/invoices", "/v1/accounts"):
        raw = msgspec.json.encode(GOOD)
        headers = {"Authorization": f"Bearer {bearer()}", "Content-Type": "application/json"}
        scope_key = {} if key is None else {"Idempotency-Key": key}
        _refused(await _latin(box, path, raw, {**headers, **scope_key}), 400, code, "Idempotency-Key")


async def _latin(box: Box, path: str, raw: bytes, headers: dict[str, str]) -> Reply:
    return await box.gateway.client.send("POST", path, raw, headers)


async def test_the_longest_key_and_a_quoted_one_are_good(box: Box) -> None:
    client = box.gateway.client
    longest = await client.post("/v1/payments", bearer(), GOOD, "k" * 255)
    bare = await client.post("/v1/payments", bearer(), GOOD, "abc")
    quoted = await client.post("/v1/payments", bearer(), GOOD, '"abc"')
    assert longest.status == bare.status == quoted.status == 202
    assert bare.body["payment_id"] == quoted.body["payment_id"]


@pytest.mark.parametrize("kind", ["text/plain", "", "application/json; charset=latin-1", "application/jsonx"])
async def test_a_body_must_be_called_json(box: Box, kind: str) -> None:
    reply = await box.gateway.client.post("/v1/payments", bearer(), GOOD, Content_Type=kind)
    _refused(reply, 415, "content_type_unsupported", "Content-Type")


async def test_json_may_name_its_charset(box: Box) -> None:
    kind = {"Content_Type": "application/json; charset=UTF-8"}
    assert (await box.gateway.client.post("/v1/payments", bearer(), GOOD, **kind)).status == 202


@pytest.mark.parametrize("value", ["wait=x", "wait=-1", "wait=1.5", "wait="])
async def test_a_preference_that_is_no_number_is_refused_and_nothing_is_stored(box: Box, value: str) -> None:
    bodies = {"/v1/payments": GOOD, "/v1/invoices": invoice_body(ACCOUNT), "/v1/accounts": account_body()}
    for path, body in bodies.items():
        _refused(await box.gateway.client.post(path, bearer(), body, Prefer=value), 400, "prefer_invalid", "Prefer")
    assert box.stored() == 0


QUERIES: list[tuple[str, int, str, str]] = [
    ("payments?colour=red", 400, "parameter_unknown", "colour"),
    ("payments?limit=0", 400, "parameter_invalid", "limit"),
    ("payments?limit=101", 400, "parameter_invalid", "limit"),
    ("payments?limit=5&limit=6", 400, "parameter_invalid", "limit"),
    ("payments?status=paid", 400, "parameter_invalid", "status"),
    ("payments?from=2027-02-30", 400, "parameter_invalid", "from"),
    ("payments?cursor=x", 400, "cursor_invalid", "cursor"),
    ("history?cursor=WyIyMDI3LTAxLTAxIiwieCJd", 400, "cursor_invalid", "cursor"),
    ("invoices?cursor=%00", 400, "parameter_invalid", "cursor"),
    ("payments?min_position=gateway.1", 400, "position_invalid", "min_position"),
    ("payments?min_position=bank.1.1", 400, "position_invalid", "min_position"),
    ("payments?min_position=gateway.0.11", 409, "position_ahead", "min_position"),
    ("payments?min_position=gateway.99.1", 409, "position_ahead", "min_position"),
    ("payments?min_position=billing.0.1", 503, "position_not_reached", "min_position"),
]


@pytest.mark.parametrize(("query", "status", "code", "field"), QUERIES)
async def test_a_question_that_is_wrong_is_refused_by_name(
    box: Box, query: str, status: int, code: str, field: str
) -> None:
    _refused(await box.gateway.client.get(f"/v1/accounts/{ACCOUNT}/{query}", bearer()), status, code, field)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/accounts/" + FOREIGN, "account_unknown"),
        ("/v1/accounts/x", "account_unknown"),
        ("/v1/payments/" + thing_id("pay", 3, ROOT), "payment_unknown"),
        ("/v1/payments/" + INVOICE, "payment_unknown"),
        ("/v1/invoices/" + UNKNOWN_INVOICE, "invoice_unknown"),
        ("/v1/nothing", "route_unknown"),
        ("/v1/accounts/*/balances/more", "route_unknown"),
        ("/v1/accounts/", "route_unknown"),
        ("/", "route_unknown"),
    ],
)
async def test_what_is_not_there_is_not_found(box: Box, path: str, code: str) -> None:
    _refused(await box.gateway.client.get(path, bearer()), 404, code, None)


async def test_a_method_that_an_address_lacks_is_named(box: Box) -> None:
    reply = await box.gateway.client.send("DELETE", "/v1/payments")
    _refused(reply, 405, "method_not_allowed", None)
    assert reply.header("allow") == "OPTIONS, POST"


async def test_all_that_is_wrong_with_a_body_is_listed(box: Box) -> None:
    reply = await box.gateway.client.post("/v1/payments", bearer(), {"amount": {"minor": "1", "currency": "EUR"}})
    found = {(one["code"], one["field"]) for one in reply.body["errors"]}
    assert ("amount_not_integer", "/amount/minor") in found
    assert ("currency_unsupported", "/amount/currency") in found
    assert ("field_missing", "/account_id") in found


async def test_a_problem_speaks_the_members_language(box: Box) -> None:
    spanish = await box.gateway.client.post("/v1/payments", bearer(), b"{", Accept_Language="es-MX, en;q=0.5")
    english = await box.gateway.client.post("/v1/payments", bearer(), b"{", Accept_Language="de, en;q=0.5, es;q=0.1")
    assert spanish.body["title"] == "El cuerpo no es JSON válido."
    assert spanish.header("content-language") == "es"
    assert english.body["title"] == "The body is not valid JSON."


async def test_a_principal_that_calls_too_often_is_told_when_to_come_back() -> None:
    async with gateway(MemoryStore(8, mode=Mode.SHARED), NoReads(), settings(member_rate_per_min=2)) as running:
        replies = [await running.client.get("/v1/payments/x", bearer("member", ACCOUNT)) for _ in range(3)]
        assert [reply.status for reply in replies] == [404, 404, 429]
        assert replies[2].header("retry-after") == "30"
        assert (await running.client.get("/v1/payments/x", bearer("finance"))).status == 404


async def test_a_full_queue_is_said_and_nothing_is_lost() -> None:
    reads = NoReads()
    reads.known = {ACCOUNT: ("demo", "account", ACCOUNT), INVOICE: ("demo", "invoice", ACCOUNT)}
    async with gateway(MemoryStore(8, mode=Mode.SHARED), reads, settings(append_queue=0)) as running:
        reply = await running.client.post("/v1/payments", bearer(), GOOD)
        _refused(reply, 503, "overloaded", None)
        assert reply.header("retry-after") == "1"


async def test_a_store_that_is_down_is_said(box: Box) -> None:
    box.store.down = True
    reply = await box.gateway.client.post("/v1/payments", bearer(), GOOD)
    _refused(reply, 503, "store_unavailable", None)
    box.store.down = False
    assert (await box.gateway.client.post("/v1/payments", bearer(), GOOD)).status == 202


async def test_only_listed_origins_may_call_from_a_browser() -> None:
    chosen = settings(cors_origins="https://portal.example.org, https://other.example.org/")
    async with gateway(MemoryStore(8, mode=Mode.SHARED), NoReads(), chosen) as running:
        good = await running.client.send("OPTIONS", "/v1/payments", headers={"Origin": "https://portal.example.org"})
        bad = await running.client.send("OPTIONS", "/v1/payments", headers={"Origin": "https://evil.example.org"})
        plain = await running.client.get("/v1/payments/x", bearer(), Origin="https://evil.example.org")
    assert (good.status, good.header("access-control-allow-origin")) == (204, "https://portal.example.org")
    assert good.header("access-control-allow-methods") == "OPTIONS, POST"
    _refused(bad, 403, "origin_not_allowed", "Origin")
    assert plain.header("access-control-allow-origin") is None


async def test_every_answer_carries_the_security_headers(box: Box) -> None:
    for reply in (await box.gateway.client.get("/v1/x", ""), await box.gateway.client.send("GET", "/healthz/live")):
        assert reply.header("x-content-type-options") == "nosniff"
        assert reply.header("cache-control") == "no-store"
        assert reply.header("content-security-policy") == "default-src 'none'; frame-ancestors 'none'"


def _refused(reply: Reply, status: int, code: str, field: str | None) -> None:
    assert (reply.status, reply.body["code"], reply.body.get("field")) == (status, code, field), reply.body
    assert reply.header("content-type") == "application/problem+json"
    assert reply.body["status"] == status
    assert reply.body["type"] == f"urn:piperoll:problem:{code}"
