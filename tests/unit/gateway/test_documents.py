"""The catalogue of errors, the OpenAPI document and what the code really does are one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import jsonschema
import pytest

from services.billing.domain.decisions import BY_MEMBER, HOLD_EXPIRED
from services.billing.effects.pursuit import ACTION_EXPIRED, AT_PROCESSOR, TIMEOUT
from services.billing.rails.declines import DeclineReason
from services.gateway.errors import PROBLEMS, REASONS
from services.gateway.http.bodies.parsing import _BY_NAME, _code
from services.gateway.http.gen import DOCS, differing
from services.gateway.http.openapi import document
from services.gateway.http.operations import OPERATIONS
from services.gateway.projections.payments import CHARGED_BACK, CHECK_RETURNED
from shared.contracts.billing import PaymentHeld, RefundCancelled, Refusal
from shared.contracts.event import Event
from shared.errors import Overloaded, RowHeld, StoreDown, UnknownCommit
from shared.eventlog.memory import MemoryStore
from shared.eventlog.ports import Mode
from shared.http.api import _problem_of
from shared.http.problems import language_of
from shared.ids import Root, account_id, shard_of, thing_id
from tests.gateway_kit import NoReads, bearer, gateway, invoice_body, payment_body

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = document()


def _literals(event: type[Event], field: str) -> tuple[str, ...]:
    """Return the words that a field of an event may hold."""
    words: tuple[str, ...] = get_args(get_type_hints(event)[field])
    return words


def test_the_committed_documents_are_what_the_code_says() -> None:
    assert differing() == []


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_refusal_of_billing_has_words(refusal: Refusal) -> None:
    assert REASONS[refusal.value].status == "refused"


@pytest.mark.parametrize("reason", list(DeclineReason))
def test_every_decline_of_billing_has_words(reason: DeclineReason) -> None:
    assert REASONS[reason.value].status == "declined"


@pytest.mark.parametrize("reason", [ACTION_EXPIRED, AT_PROCESSOR, BY_MEMBER, HOLD_EXPIRED, TIMEOUT])
def test_every_payment_that_billing_cancels_says_why_in_words(reason: str) -> None:
    assert REASONS[reason].status == "cancelled"


@pytest.mark.parametrize("reason", _literals(RefundCancelled, "reason"))
def test_every_refund_that_billing_cancels_says_why_in_words(reason: str) -> None:
    assert REASONS[reason].status == "cancelled"


@pytest.mark.parametrize("reason", _literals(PaymentHeld, "reason"))
def test_every_payment_that_billing_holds_says_why_in_words(reason: str) -> None:
    assert reason in REASONS


@pytest.mark.parametrize("reason", [CHARGED_BACK, CHECK_RETURNED])
def test_every_payment_that_was_taken_back_says_why_in_words(reason: str) -> None:
    assert REASONS[reason].status == "reversed"


@pytest.mark.parametrize("entry", [*PROBLEMS.values(), *REASONS.values()])
def test_every_code_says_what_is_wrong_and_what_to_do_in_both_languages(entry: Any) -> None:
    assert re.fullmatch(r"[a-z][a-z_]+", entry.code)
    for language in ("en", "es"):
        words = entry.words[language]
        assert words.sentence.endswith(".")
        assert words.next.endswith(".")
    assert entry.words["en"].sentence != entry.words["es"].sentence


def _literal_codes() -> Iterator[str]:
    """Yield every code that the source hands to a Problem or a refusal, as far as it is a literal."""
    folders = (ROOT / "services" / "gateway", ROOT / "shared" / "http", ROOT / "shared" / "auth")
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", "")
            first = node.args[0]
            if name in ("Problem", "_refused", "SignatureRefused") and isinstance(first, ast.Constant):
                yield str(first.value)


COME_BACK: tuple[int | str, ...] = (429, 503)


def test_who_shall_come_back_is_told_when() -> None:
    """Every problem with such a status is raised with headers, and what the handlers let through is answered so."""
    raised: dict[str, bool] = {}
    for path in (*(ROOT / "services" / "gateway").rglob("*.py"), *(ROOT / "shared").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Problem" and node.args:
                code = str(getattr(node.args[0], "value", ""))
                if code in PROBLEMS and PROBLEMS[code].status in COME_BACK:
                    raised[code] = raised.get(code, True) and any(one.arg == "headers" for one in node.keywords)
    assert raised == dict.fromkeys((code for code, entry in PROBLEMS.items() if entry.status in COME_BACK), True)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Overloaded("full", 7), "overloaded"), (StoreDown("away"), "store_unavailable"),
        (RowHeld("held"), "store_unavailable"), (UnknownCommit("lost"), "commit_unknown"),
    ],
)  # fmt: skip
def test_back_pressure_reaches_the_caller_with_a_time_to_come_back(error: Exception, code: str) -> None:
    problem = _problem_of(error, "/v1/journals", "00-a-b-01")
    assert (problem.code, PROBLEMS[code].status) == (code, 503)
    assert [name for name, _ in problem.headers] == [b"retry-after"]


def test_every_code_in_the_source_is_in_the_catalogue() -> None:
    used = set(_literal_codes())
    assert len(used) > 30
    assert used <= set(PROBLEMS)
    assert set(_BY_NAME.values()) <= set(PROBLEMS)
    kinds = ("missing", "extra_forbidden", "int_type", "greater_than", "greater_than_equal", "less_than_equal",
             "too_short", "too_long", "string_type", "literal_error", "string_pattern_mismatch", "other")  # fmt: skip
    assert {_code(kind, ("x",), {}) for kind in kinds} <= set(PROBLEMS)


def test_every_code_that_an_operation_names_is_in_the_catalogue_and_every_code_is_named_by_one() -> None:
    named: set[str] = set()
    for path in DOCUMENT["paths"].values():
        for operation in path.values():
            for answer in operation["responses"].values():
                schema = answer["content"].get("application/problem+json", {}).get("schema", {})
                named |= set(schema.get("properties", {}).get("code", {}).get("enum", ()))
    assert named <= set(PROBLEMS)
    assert set(PROBLEMS) - named == {"origin_not_allowed"}


def test_the_openapi_document_is_whole() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    refs = re.findall(r"#/components/(\w+)/([\w-]+)", (DOCS / "openapi.json").read_text(encoding="utf-8"))
    for kind, name in refs:
        assert name in DOCUMENT["components"][kind]
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    ids = [operation["operationId"] for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids)) == sum(operation.documented for operation in OPERATIONS)
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path))
            assert all(one["required"] for one in operation["parameters"] if one["in"] == "path")


def test_public_operations_say_so() -> None:
    assert DOCUMENT["paths"]["/webhooks/cards"]["post"]["security"] == []
    assert DOCUMENT["paths"]["/v1/payments"]["post"]["security"] == [{"bearer": []}]


def _schema(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}


async def test_answers_are_as_the_document_says() -> None:
    root = Root(b"o" * 14)
    account, reads = account_id(root), NoReads()
    invoice = thing_id("inv", shard_of("demo", account, 8), root)
    reads.known = {account: ("demo", "account", account), invoice: ("demo", "invoice", account)}
    async with gateway(MemoryStore(8, mode=Mode.SHARED), reads) as running:
        paid = await running.client.post("/v1/payments", bearer(), payment_body(account, invoice))
        billed = await running.client.post("/v1/invoices", bearer(), invoice_body(account))
        wrong = await running.client.post("/v1/payments", bearer(), {})
    jsonschema.validate(paid.body, _schema("Payment"))
    jsonschema.validate(billed.body, _schema("Invoice"))
    jsonschema.validate(wrong.body, _schema("Problem"))
    jsonschema.validate(payment_body(account, invoice), _schema("PaymentBody"))
    assert set(paid.body) == {
        "payment_id", "reference", "account_id", "invoice_id", "policy_id", "amount", "method", "status", "reason",
        "next_action", "held_until", "twin_payment_id", "refunded", "disputed", "allocations", "unapplied_minor",
        "created_at", "settled_at", "position",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"), (b"", "en"), (b"es", "es"), (b"es-MX,es;q=0.9,en;q=0.8", "es"), (b"en, es", "en"),
        (b"fr, es;q=0.3", "es"), (b"en;q=0.2, es;q=0.8", "es"), (b"es;q=0", "en"), (b"es;q=x", "en"),
        (b"*", "en"), (b"\xff\xfe;;;", "en"),
    ],
)  # fmt: skip
def test_the_language_is_the_one_liked_most(header: bytes | None, language: str) -> None:
    assert language_of(header) == language
