"""The objects as they stand on the wire and in the store; one shape for both, so an answer is the stored bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from msgspec import Raw, Struct


def names(text: str) -> frozenset[str]:
    """Return the words of a text as a set; a long one reads better so."""
    return frozenset(text.split())


class Wire(Struct, frozen=True, kw_only=True):
    """An object of the API; a change is a new value."""


class IntentStatus(StrEnum):
    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The inside of an error answer, and of an intent's `last_payment_error`; absent fields are left out."""

    type: str
    message: str
    code: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None
    network_decline_code: str | None = None
    param: str | None = None
    charge: str | None = None
    payment_method: dict[str, Any] | None = None
    payment_intent: "Intent | None" = None
    request_log_url: str | None = None


class Intent(Wire, frozen=True, kw_only=True):
    id: str
    object: Literal["payment_intent"] = "payment_intent"
    amount: int
    amount_capturable: int = 0
    amount_received: int = 0
    automatic_payment_methods: dict[str, Any] | None = None
    canceled_at: int | None = None
    cancellation_reason: str | None = None
    capture_method: str = "automatic_async"
    client_secret: str
    confirmation_method: str = "automatic"
    created: int
    currency: str
    customer: str | None = None
    description: str | None = None
    last_payment_error: Problem | None = None
    latest_charge: str | None = None
    livemode: bool = False
    metadata: dict[str, str] = {}
    next_action: dict[str, Any] | None = None
    payment_method: str | None = None
    payment_method_types: tuple[str, ...] = ("card",)
    processing: dict[str, Any] | None = None
    receipt_email: str | None = None
    review: str | None = None
    setup_future_usage: str | None = None
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None
    status: IntentStatus


class Charge(Wire, frozen=True, kw_only=True):
    id: str
    object: Literal["charge"] = "charge"
    amount: int
    amount_captured: int = 0
    amount_refunded: int = 0
    balance_transaction: str | None = None
    captured: bool = False
    created: int
    currency: str
    customer: str | None = None
    description: str | None = None
    disputed: bool = False
    failure_code: str | None = None
    failure_message: str | None = None
    livemode: bool = False
    metadata: dict[str, str] = {}
    outcome: dict[str, Any] | None = None
    paid: bool = False
    payment_intent: str
    payment_method: str
    payment_method_details: dict[str, Any]
    receipt_email: str | None = None
    refunded: bool = False
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None
    status: Literal["succeeded", "failed", "pending"]


class Refund(Wire, frozen=True, kw_only=True):
    id: str
    object: Literal["refund"] = "refund"
    amount: int
    balance_transaction: str | None = None
    charge: str
    created: int
    currency: str
    description: str | None = None
    failure_balance_transaction: str | None = None
    failure_reason: str | None = None
    metadata: dict[str, str] = {}
    next_action: dict[str, Any] | None = None
    payment_intent: str
    reason: str | None = None
    receipt_number: str | None = None
    status: Literal["pending", "requires_action", "succeeded", "failed", "canceled"]


class Dispute(Wire, frozen=True, kw_only=True):
    id: str
    object: Literal["dispute"] = "dispute"
    amount: int
    balance_transactions: tuple["BalanceTransaction", ...] = ()
    charge: str
    created: int
    currency: str
    evidence: dict[str, str] = {}
    evidence_details: dict[str, Any] = {}
    is_charge_refundable: bool = False
    livemode: bool = False
    metadata: dict[str, str] = {}
    payment_intent: str
    reason: str
    status: Literal[
        "warning_needs_response",
        "warning_under_review",
        "warning_closed",
        "needs_response",
        "under_review",
        "won",
        "lost",
    ]


class BalanceTransaction(Wire, frozen=True, kw_only=True):
    """A line of the processor's books. `status` is told by `available_on` when it is read, not when it is stored."""

    id: str
    object: Literal["balance_transaction"] = "balance_transaction"
    amount: int
    available_on: int
    balance_type: str = "payments"
    created: int
    currency: str
    description: str | None = None
    exchange_rate: None = None
    fee: int
    fee_details: tuple[dict[str, Any], ...] = ()
    net: int
    reporting_category: str
    source: str
    status: Literal["pending", "available"]
    type: str


class FraudWarning(Wire, frozen=True, kw_only=True):
    id: str
    object: Literal["radar.early_fraud_warning"] = "radar.early_fraud_warning"
    actionable: bool = True
    charge: str
    created: int
    fraud_type: str = "misc"
    livemode: bool = False
    payment_intent: str


class Payout(Wire, frozen=True, kw_only=True):
    """Our balance on its way to our bank; `automatic` where nobody asked for it."""

    id: str
    object: Literal["payout"] = "payout"
    amount: int
    arrival_date: int
    automatic: bool
    balance_transaction: str
    created: int
    currency: str
    description: str | None = "STRIPE PAYOUT"
    destination: str = "ba_piperoll"
    failure_balance_transaction: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    livemode: bool = False
    metadata: dict[str, str] = {}
    method: str = "standard"
    source_type: str = "card"
    statement_descriptor: str | None = None
    status: Literal["in_transit", "paid", "failed"]
    type: str = "bank_account"


Kept = Intent | Charge | Refund | Dispute | BalanceTransaction | FraudWarning | Payout


class Event(Wire, frozen=True, kw_only=True):
    """What happened, with the object as it then was; its bytes are the webhook's body too."""

    id: str
    object: Literal["event"] = "event"
    api_version: str
    created: int
    data: dict[str, Any]
    livemode: bool = False
    pending_webhooks: int
    request: dict[str, str | None]
    type: str


class Page(Wire, frozen=True, kw_only=True):
    """A list answer; `data` is newest first."""

    object: Literal["list"] = "list"
    url: str
    has_more: bool
    data: tuple[Raw, ...]


class Refusal(Struct, frozen=True):
    """An answer that is an error: the HTTP status and the `error` object."""

    status: int
    problem: Problem


class Balance(Wire, frozen=True, kw_only=True):
    object: Literal["balance"] = "balance"
    available: tuple[dict[str, Any], ...]
    pending: tuple[dict[str, Any], ...]
    livemode: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """What a decision may not find out for itself: the stack clock's second, and a maker of ids by prefix."""

    now: int
    mint: Callable[[str], str]


class Happened(Struct, frozen=True):
    """An event in the making: its kind and the object as it is at that point."""

    kind: str
    about: Kept


class Timer(Struct, frozen=True, tag=True):
    """Something that the processor does by itself later; `wait_s` counts on the stack clock."""

    wait_s: float
    act: Literal["settle_intent", "settle_refund", "fail_refund", "settle_payout"]
    about: str


class Decision(Struct, frozen=True, kw_only=True):
    """What a call answers and what it changes; everything in it is written in one transaction, in this order."""

    answer: Kept | Page | Balance | Raw | Refusal
    saved: tuple[Kept, ...] = ()
    happened: tuple[Happened, ...] = ()
    timers: tuple[Timer, ...] = ()
    tried: tuple[str, str] | None = None
    """The intent that a confirm was executed on, and how that ended."""
