"""Payments. An attempt is a call on a rail; what is settled is allocated."""

from typing import ClassVar, Literal

from shared.contracts.billing.refusals import Refusal
from shared.contracts.event import Allocation, Currency, Day, Event, Instant, Method, Minor, PositiveMinor


class PaymentRefused(Event, frozen=True, kw_only=True):
    """Nothing was charged and nothing will be."""

    TYPE: ClassVar[str] = "billing.payment-refused.v1"
    account_id: str
    payment_id: str
    invoice_id: str
    amount_minor: PositiveMinor
    currency: Currency
    reason: Refusal


class PaymentHeld(Event, frozen=True, kw_only=True):
    """Perhaps a second click: nothing is charged until somebody decides, at `held_until` it is cancelled.

    `twin_payment_id` is the payment that it looks like.
    """

    TYPE: ClassVar[str] = "billing.payment-held.v1"
    account_id: str
    payment_id: str
    reference: str
    attempt_id: str
    invoice_id: str
    amount_minor: PositiveMinor
    currency: Currency
    method: Method
    received_at: Instant
    policy_id: str | None
    return_url: str | None
    reason: Literal["invoice_has_open_payment", "same_payment_settled"]
    twin_payment_id: str
    held_until: Instant


class AttemptPlanned(Event, frozen=True, kw_only=True):
    """Intent first: billing will try to take this money on this rail. `received_at` decides timeliness.

    `policy_id`: pays this policy's lines of the bill only. `accepts_credit`: the payer knows that what the bill does
    not need stays as credit. `request_id`: the decision by which a held payment is charged after all.
    """

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
    policy_id: str | None = None
    return_url: str | None = None
    accepts_credit: bool = False
    request_id: str | None = None


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


class AttemptCancelRequested(Event, frozen=True, kw_only=True):
    """The member wants the attempt ended: the effect cancels it at the rail, unless it has charged."""

    TYPE: ClassVar[str] = "billing.attempt-cancel-requested.v1"
    account_id: str
    payment_id: str
    attempt_id: str
    request_id: str


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


class CheckPosted(Event, frozen=True, kw_only=True):
    """A cheque arrived at the bank's lockbox. `bank_reference` is the bank's name of it, the same on its statement."""

    TYPE: ClassVar[str] = "billing.check-posted.v1"
    account_id: str
    payment_id: str
    reference: str
    invoice_id: str | None
    bank_account: str
    bank_reference: str
    amount_minor: PositiveMinor
    currency: Currency
    received_on: Day

    def effective_on(self) -> str | None:
        """The day on which the bank took it in."""
        return self.received_on


class PaymentAllocated(Event, frozen=True, kw_only=True):
    """Settled money pays these lines; `unapplied_minor` of it stays as the member's credit.

    `payment_id` names the money: a payment, a duplicate case (a charge found), or a transfer received.
    """

    TYPE: ClassVar[str] = "billing.payment-allocated.v1"
    account_id: str
    payment_id: str
    currency: Currency
    allocations: tuple[Allocation, ...]
    unapplied_minor: Minor


class PaymentDeallocated(Event, frozen=True, kw_only=True):
    """These lines are open again and the money that had paid them is credit again, or on its way out for `reason`.

    `payment_id` names the money as in PaymentAllocated; `subject` what caused it (a refund, an invoice, a chargeback).
    """

    TYPE: ClassVar[str] = "billing.payment-deallocated.v1"
    account_id: str
    payment_id: str
    currency: Currency
    allocations: tuple[Allocation, ...]
    unapplied_minor: Minor
    reason: Literal["refund", "void", "returned", "chargeback", "duplicate"]
    subject: str
    case_id: str | None = None


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
    """Ended without charge, not by the processor's no: time-out, expiry, the member's wish (`request_id`)."""

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
    request_id: str | None = None


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
