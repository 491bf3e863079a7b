"""What the gateway appends and sends: requests of people and nudges of the processor."""

from typing import ClassVar, Literal

import msgspec

from shared.contracts.event import Currency, Day, Event, Instant, Method, Minor, PolicyMonth, PositiveMinor, PremiumLine


class PersonField(msgspec.Struct, frozen=True, kw_only=True):
    """Names one row of `people`: the event never holds the text itself."""

    field: str
    version: int


class AccountRequested(Event, frozen=True, kw_only=True):
    """Staff asked for a billing account (a household)."""

    TYPE: ClassVar[str] = "gateway.account-requested.v1"
    account_id: str
    member_id: str
    language: str
    contact: tuple[PersonField, ...]
    received_at: Instant


class InvoiceRequested(Event, frozen=True, kw_only=True):
    """Staff asked for a bill."""

    TYPE: ClassVar[str] = "gateway.invoice-requested.v1"
    invoice_id: str
    account_id: str
    due_date: Day
    currency: Currency
    lines: tuple[PremiumLine, ...]
    received_at: Instant


class PaymentRequested(Event, frozen=True, kw_only=True):
    """Somebody asked to pay a bill; `received_at` decides timeliness.

    `policy_id`: only this policy's lines. `accept_credit`: what the bill does not need shall stay as credit.
    `return_url`: where the member comes back to after the card's bank has asked them something.
    """

    TYPE: ClassVar[str] = "gateway.payment-requested.v1"
    payment_id: str
    reference: str
    account_id: str
    invoice_id: str
    amount_minor: PositiveMinor
    currency: Currency
    method: Method
    received_at: Instant
    policy_id: str | None = None
    accept_credit: bool = False
    return_url: str | None = None


class CheckReceived(Event, frozen=True, kw_only=True):
    """A line of the bank's lockbox: a cheque for this household; without `invoice_id` it pays the oldest open bills."""

    TYPE: ClassVar[str] = "gateway.check-received.v1"
    payment_id: str
    reference: str
    account_id: str
    invoice_id: str | None
    amount_minor: PositiveMinor
    currency: Currency
    bank_account: str
    bank_reference: str
    received_on: Day
    received_at: Instant


class PaymentCancellationRequested(Event, frozen=True, kw_only=True):
    """Somebody wants a payment that has no end yet not to be made."""

    TYPE: ClassVar[str] = "gateway.payment-cancellation-requested.v1"
    request_id: str
    account_id: str
    payment_id: str
    received_at: Instant


class PaymentDecisionRequested(Event, frozen=True, kw_only=True):
    """Somebody decides what becomes of a held payment."""

    TYPE: ClassVar[str] = "gateway.payment-decision-requested.v1"
    request_id: str
    account_id: str
    payment_id: str
    decision: Literal["charge", "cancel"]
    received_at: Instant


class CaseDecisionRequested(Event, frozen=True, kw_only=True):
    """Somebody decides what becomes of money that came twice."""

    TYPE: ClassVar[str] = "gateway.case-decision-requested.v1"
    request_id: str
    account_id: str
    case_id: str
    decision: Literal["refund", "credit", "not_a_duplicate"]
    received_at: Instant


class RefundRequested(Event, frozen=True, kw_only=True):
    """Somebody asks for money of a payment back; `release` lets paid lines become open again for it."""

    TYPE: ClassVar[str] = "gateway.refund-requested.v1"
    refund_id: str
    account_id: str
    payment_id: str
    amount_minor: PositiveMinor
    currency: Currency
    reason: Literal["requested_by_member", "overpaid", "billed_in_error"]
    release: bool
    received_at: Instant


class RefundApprovalRequested(Event, frozen=True, kw_only=True):
    """Staff approve or reject the refund whose digest they have seen; who it was is the envelope's actor."""

    TYPE: ClassVar[str] = "gateway.refund-approval-requested.v1"
    request_id: str
    account_id: str
    refund_id: str
    digest: str
    decision: Literal["approve", "reject"]
    received_at: Instant


class InvoiceVoidRequested(Event, frozen=True, kw_only=True):
    """Staff take a bill back: these lines, all where none is named."""

    TYPE: ClassVar[str] = "gateway.invoice-void-requested.v1"
    request_id: str
    account_id: str
    invoice_id: str
    lines: tuple[PolicyMonth, ...]
    reason: Literal["billed_in_error", "coverage_ended", "plan_changed"]
    received_at: Instant


class TransferRequested(Event, frozen=True, kw_only=True):
    """Staff move credit from one household to another."""

    TYPE: ClassVar[str] = "gateway.transfer-requested.v1"
    transfer_id: str
    account_id: str
    to_account_id: str
    amount_minor: PositiveMinor
    currency: Currency
    reason: Literal["wrong_account", "same_family"]
    received_at: Instant


class MergeRequested(Event, frozen=True, kw_only=True):
    """Staff make one household (`account_id`) part of another."""

    TYPE: ClassVar[str] = "gateway.merge-requested.v1"
    merge_id: str
    account_id: str
    to_account_id: str
    received_at: Instant


class BankLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a bank statement; `amount_minor` is above zero where money came in, never zero.

    `reference` is what ties it: the payout's name at the processor, the lockbox's name of a cheque. For
    `check_returned` the payment and its household are named too (by whoever read the file).
    """

    line_ref: str
    kind: Literal["payout", "lockbox", "check_returned", "fee", "other"]
    amount_minor: Minor
    reference: str
    payment_id: str | None = None
    account_id: str | None = None


class BankStatementReceived(Event, frozen=True, kw_only=True):
    """Finance handed in a bank statement, or a page of one; of no household: keyed and sharded by its bank account."""

    TYPE: ClassVar[str] = "gateway.bank-statement-received.v1"
    statement_id: str
    bank_account: str
    day: Day
    currency: Currency
    opening_minor: Minor
    closing_minor: Minor
    lines: tuple[BankLine, ...]
    received_at: Instant


class ExplanationRequested(Event, frozen=True, kw_only=True):
    """Finance says why an exception is open; the ledger's. Their note is in `people`: 0 is none, else its version.

    `account` and `sub_key` name the reconciled account, whose stream and shard the exception is in.
    """

    TYPE: ClassVar[str] = "gateway.explanation-requested.v1"
    request_id: str
    exception_id: str
    account: Literal["1010", "1125", "1126"]
    sub_key: str
    reason: Literal["timing", "processor_error", "bank_error", "booking_error", "fraud", "under_investigation"]
    note_version: int
    received_at: Instant


class WebhookReceived(Event, frozen=True, kw_only=True):
    """The processor nudged us. Never a fact: what it speaks of is read afresh; its body is kept as a hash only.

    `account_id` is the household where the verified object's metadata names one, else None; the record is then keyed
    and sharded by `object_id`.
    """

    TYPE: ClassVar[str] = "gateway.webhook-received.v1"
    provider: str
    provider_event_id: str
    kind: str
    object_id: str
    body_sha256: str
    account_id: str | None = None
    attempt_id: str | None = None
    received_at: Instant


GATEWAY_EVENTS: tuple[type[Event], ...] = (
    AccountRequested,
    InvoiceRequested,
    PaymentRequested,
    CheckReceived,
    PaymentCancellationRequested,
    PaymentDecisionRequested,
    CaseDecisionRequested,
    RefundRequested,
    RefundApprovalRequested,
    InvoiceVoidRequested,
    TransferRequested,
    MergeRequested,
    BankStatementReceived,
    ExplanationRequested,
    WebhookReceived,
)
