"""Every operation in one table: routing, rights, limits and the OpenAPI document are made from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.gateway.domain.payment import PaymentStatus
from services.gateway.domain.roles import Permission
from services.gateway.http import resources
from services.gateway.http.bodies import AccountBody, Body, InvoiceBody, PaymentBody

MOST_BODY_BYTES = 64 * 1024
MOST_WEBHOOK_BYTES = 512 * 1024


@dataclass(frozen=True)
class Parameter:
    """A query parameter and its schema."""

    name: str
    meaning: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True)
class Operation:
    """One method of one address. Without a permission it is public; `problems` are codes besides those of all.

    `path` is a template: each `{…}` is one id, given to the handler in order. `answers` maps a status to its resource.
    """

    id: str
    method: str
    path: str
    summary: str
    answers: Mapping[int, type]
    permission: Permission | None = None
    body: type[Body] | None = None
    parameters: Sequence[Parameter] = ()
    problems: Sequence[str] = ()
    most_bytes: int = MOST_BODY_BYTES
    documented: bool = True

    @property
    def keyed(self) -> bool:
        """Whether it needs an `Idempotency-Key`."""
        return self.body is not None

    @property
    def waits_for_position(self) -> bool:
        """Whether it takes `min_position`."""
        return any(parameter is MIN_POSITION for parameter in self.parameters)


MIN_POSITION = Parameter(
    "min_position",
    "Answer only what is at least this new: `position` of an answer before, several by commas. Waits up to 5 s",
    {"type": "string", "examples": ["gateway.3.17", "billing.3.40,ledger.3.55"]},
)
CURSOR = Parameter("cursor", "`next` of the page before")
LIMIT = Parameter("limit", "Items on a page", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50})
_DAY = {"type": "string", "format": "date"}
_STATUS = Parameter("status", "Only these", {"type": "string", "enum": [status.value for status in PaymentStatus]})
_FROM = Parameter("from", "Asked for on or after this day, in the exchange's zone", _DAY)
_TO = Parameter("to", "Asked for on or before this day", _DAY)

KEY_PROBLEMS = (
    "idempotency_key_missing",
    "idempotency_key_too_long",
    "idempotency_key_invalid",
    "idempotency_key_reused",
    "prefer_invalid",
    "content_type_unsupported",
    "body_too_large",
    "body_not_json",
    "field_unknown",
    "field_missing",
    "field_type_invalid",
    "text_invalid",
    "overloaded",
    "commit_unknown",
)
_AMOUNTS = ("amount_not_integer", "amount_too_large", "currency_unsupported")
_POSITION = ("position_invalid", "position_ahead", "position_not_reached", "parameter_unknown", "parameter_invalid")
_WHOLE = ("history_not_ready", "account_on_hold")


def _get(id: str, path: str, summary: str, answer: type, problems: Sequence[str], *more: Parameter) -> Operation:
    return Operation(
        id,
        "GET",
        path,
        summary,
        {200: answer},
        Permission.READ,
        parameters=(MIN_POSITION, *more),
        problems=(*problems, *_POSITION, *(("cursor_invalid",) if CURSOR in more else ())),
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "createAccount", "POST", "/v1/accounts", "Open a billing account (staff)",
        {201: resources.Account, 202: resources.Account}, Permission.OPEN_ACCOUNT, AccountBody,
        problems=(*KEY_PROBLEMS, "language_unsupported", "email_invalid", "people_unavailable"),
    ),
    _get("getAccount", "/v1/accounts/{account_id}", "What an account owes, its credit and last payments",
         resources.Account, ("account_unknown",)),
    _get("getBalances", "/v1/accounts/{account_id}/balances", "The ledger's balances of an account",
         resources.Balances, ("account_unknown", *_WHOLE)),
    _get("getHistory", "/v1/accounts/{account_id}/history", "An account's story, newest first",
         resources.HistoryPage, ("account_unknown", *_WHOLE), CURSOR, LIMIT),
    _get("listInvoices", "/v1/accounts/{account_id}/invoices", "An account's invoices, newest first",
         resources.InvoicePage, ("account_unknown",), CURSOR, LIMIT),
    _get("listPayments", "/v1/accounts/{account_id}/payments", "An account's payments, newest first",
         resources.PaymentPage, ("account_unknown",), CURSOR, LIMIT, _STATUS, _FROM, _TO),
    Operation(
        "createInvoice", "POST", "/v1/invoices", "Bill an account (staff)",
        {201: resources.Invoice, 202: resources.Invoice}, Permission.BILL, InvoiceBody,
        problems=(*KEY_PROBLEMS, *_AMOUNTS, "amount_negative", "date_invalid", "month_invalid", "lines_empty",
                  "lines_too_many", "line_repeated", "subsidies_exceed_gross", "account_unknown"),
    ),
    _get("getInvoice", "/v1/invoices/{invoice_id}", "An invoice", resources.Invoice, ("invoice_unknown",)),
    Operation(
        "createPayment", "POST", "/v1/payments", "Pay an invoice",
        {201: resources.Payment, 202: resources.Payment}, Permission.PAY, PaymentBody,
        problems=(*KEY_PROBLEMS, *_AMOUNTS, "amount_not_positive", "value_unsupported",
                  "account_unknown", "invoice_unknown"),
    ),
    _get("getPayment", "/v1/payments/{payment_id}", "A payment", resources.Payment, ("payment_unknown",)),
    _get("getReceipt", "/v1/payments/{payment_id}/receipt", "The receipt of a settled payment",
         resources.Receipt, ("payment_unknown", "payment_not_settled")),
    Operation(
        "receiveCardWebhook", "POST", "/webhooks/cards", "The card processor's signed webhooks",
        {200: resources.Received}, most_bytes=MOST_WEBHOOK_BYTES,
        problems=("signature_missing", "signature_malformed", "signature_invalid", "signature_expired",
                  "webhook_invalid", "body_too_large", "content_type_unsupported", "overloaded", "commit_unknown"),
    ),
    Operation("live", "GET", "/healthz/live", "Whether the process makes progress", {}, documented=False),
    Operation("ready", "GET", "/healthz/ready", "Whether the process can serve", {}, documented=False),
    Operation("metrics", "GET", "/metrics", "Metrics for Prometheus", {}, documented=False),
    Operation("openapi", "GET", "/openapi.json", "This document", {}, documented=False),
)  # fmt: skip
