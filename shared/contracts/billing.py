"""What billing decides. A payment's attempts are calls on a rail; a settled payment is then allocated."""

from enum import StrEnum
from typing import ClassVar

import msgspec

from shared.contracts.event import Allocation, Currency, Day, Event, Instant, Method, Minor, PositiveMinor, PremiumLine
from shared.contracts.gateway import PersonField


class Refusal(StrEnum):
    """Why billing refused, in order of precedence; texts are in the gateway's catalogue of errors."""

    ACCOUNT_UNKNOWN = "account_unknown"
    ACCOUNT_EXISTS = "account_exists"
    INVOICE_EXISTS = "invoice_exists"
    AMOUNT_TOO_LARGE = "amount_too_large"
    INVOICE_UNKNOWN = "invoice_unknown"
    CURRENCY_MISMATCH = "currency_mismatch"
    INVOICE_PAID = "invoice_paid"
    INVOICE_HAS_OPEN_PAYMENT = "invoice_has_open_payment"
    AMOUNT_NOT_DUE = "amount_not_due"


class AccountOpened(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "billing.account-opened.v1"
    account_id: str
    member_id: str
    language: str
    contact: tuple[PersonField, ...]


class RequestRefused(Event, frozen=True, kw_only=True):
    """A request for `subject` (an account, an invoice) was refused; the household's state is as before."""

    TYPE: ClassVar[str] = "billing.request-refused.v1"
    account_id: str
    subject: str
    reason: Refusal


class InvoiceIssued(Event, frozen=True, kw_only=True):
    """A bill; `number` is what a person reads out, `total_minor` the member's share of all lines."""

    TYPE: ClassVar[str] = "billing.invoice-issued.v1"
    account_id: str
    invoice_id: str
    number: str
    due_date: Day
    currency: Currency
    lines: tuple[PremiumLine, ...]
    total_minor: Minor


class PaymentRefused(Event, frozen=True, kw_only=True):
    """Nothing was charged and nothing will be."""

    TYPE: ClassVar[str] = "billing.payment-refused.v1"
    account_id: str
    payment_id: str
    invoice_id: str
    amount_minor: PositiveMinor
    currency: Currency
    reason: Refusal


class AttemptPlanned(Event, frozen=True, kw_only=True):
    """Intent first: billing will try to take this money on this rail. `received_at` decides timeliness."""

    TYPE: ClassVar[str] = "billing.attempt-planned.v1"
    account_id: str
    payment_id: str
    reference: str
    attempt_id: str
    invoice_id: str
    amount_minor: PositiveMinor
    currency: Currency
    method: Method
    received_at: Instant


class AttemptRegistered(Event, frozen=True, kw_only=True):
    """The rail's own name of the attempt, committed before anything can be charged under it."""

    TYPE: ClassVar[str] = "billing.attempt-registered.v1"
    account_id: str
    payment_id: str
    attempt_id: str
    processor: str
    processor_ref: str
    amount_minor: PositiveMinor
    currency: Currency


class AttemptNudged(Event, frozen=True, kw_only=True):
    """Somebody says the attempt's outcome may have changed: the effect asks at once. Changes no state."""

    TYPE: ClassVar[str] = "billing.attempt-nudged.v1"
    account_id: str
    payment_id: str
    attempt_id: str
    object_id: str


class PaymentActionRequired(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "billing.payment-action-required.v1"
    account_id: str
    payment_id: str
    attempt_id: str
    url: str
    expires_at: Instant


class PaymentUnknown(Event, frozen=True, kw_only=True):
    """No answer: neither yes nor no. Asking goes on; `since` is when the first question went unanswered."""

    TYPE: ClassVar[str] = "billing.payment-unknown.v1"
    account_id: str
    payment_id: str
    attempt_id: str
    since: Instant


class PaymentSettled(Event, frozen=True, kw_only=True):
    """The processor holds the money for us. `settled_on` is its own date in the tenant's zone."""

    TYPE: ClassVar[str] = "billing.payment-settled.v1"
    account_id: str
    payment_id: str
    reference: str
    attempt_id: str
    invoice_id: str
    processor: str
    processor_ref: str
    charge_ref: str
    amount_minor: PositiveMinor
    currency: Currency
    settled_on: Day
    settled_at: Instant


class PaymentAllocated(Event, frozen=True, kw_only=True):
    """The settled money pays these lines; `unapplied_minor` stays as the member's credit."""

    TYPE: ClassVar[str] = "billing.payment-allocated.v1"
    account_id: str
    payment_id: str
    currency: Currency
    allocations: tuple[Allocation, ...]
    unapplied_minor: Minor


class PaymentDeclined(Event, frozen=True, kw_only=True):
    """The processor said no, and its intent was cancelled before this was written, so it can never charge.

    `registered` tells whether the ledger holds a pending entry to undo.
    """

    TYPE: ClassVar[str] = "billing.payment-declined.v1"
    account_id: str
    payment_id: str
    reference: str
    attempt_id: str
    invoice_id: str
    processor: str
    amount_minor: PositiveMinor
    currency: Currency
    reason: str
    registered: bool


class PaymentCancelled(Event, frozen=True, kw_only=True):
    """Ended without charge, not by the processor's no: time-out, expiry."""

    TYPE: ClassVar[str] = "billing.payment-cancelled.v1"
    account_id: str
    payment_id: str
    reference: str
    attempt_id: str
    invoice_id: str
    processor: str
    amount_minor: PositiveMinor
    currency: Currency
    reason: str
    registered: bool


class ChargeFound(Event, frozen=True, kw_only=True):
    """Money was taken under a reference that is not the attempt's registered one, or after its end: a case."""

    TYPE: ClassVar[str] = "billing.charge-found.v1"
    account_id: str
    payment_id: str
    attempt_id: str
    case_id: str
    processor: str
    processor_ref: str
    charge_ref: str
    amount_minor: PositiveMinor
    currency: Currency
    settled_on: Day


class ReportLine(msgspec.Struct, frozen=True, kw_only=True):
    """One balance transaction of the processor."""

    transaction_ref: str
    source_ref: str
    intent_ref: str
    kind: str
    amount_minor: Minor
    fee_minor: Minor
    net_minor: Minor
    currency: Currency
    created_at: Instant


class ReportDue(Event, frozen=True, kw_only=True):
    """A day of the processor is over: its balance transactions are to be read. Intent of an effect."""

    TYPE: ClassVar[str] = "billing.report-due.v1"
    processor: str
    day: Day


class ReportPartImported(Event, frozen=True, kw_only=True):
    """A numbered part (1..`parts`) of a day's balance transactions; a day without any has one empty part."""

    TYPE: ClassVar[str] = "billing.report-part-imported.v1"
    processor: str
    day: Day
    part: int
    parts: int
    lines: tuple[ReportLine, ...]


class ReportImported(Event, frozen=True, kw_only=True):
    """The header, after all parts: what the processor held for us when the day began and ended (its own books)."""

    TYPE: ClassVar[str] = "billing.report-imported.v1"
    processor: str
    day: Day
    currency: Currency
    opening_minor: Minor
    closing_minor: Minor
    parts: int
    lines: int


BILLING_EVENTS: tuple[type[Event], ...] = (
    AccountOpened,
    RequestRefused,
    InvoiceIssued,
    PaymentRefused,
    AttemptPlanned,
    AttemptRegistered,
    AttemptNudged,
    PaymentActionRequired,
    PaymentUnknown,
    PaymentSettled,
    PaymentAllocated,
    PaymentDeclined,
    PaymentCancelled,
    ChargeFound,
    ReportDue,
    ReportPartImported,
    ReportImported,
)
