"""What card holders' banks take back, and cheques that come back."""

from typing import ClassVar, Literal

from shared.contracts.event import Currency, Day, Event, Instant, Minor, PositiveMinor


class ObjectNudged(Event, frozen=True, kw_only=True):
    """The processor speaks of an object (a dispute) that names no household: the effect fetches and follows it.

    In the object's own stream, `obj_<object_id>`.
    """

    TYPE: ClassVar[str] = "billing.object-nudged.v1"
    object_id: str
    kind: str


class ObjectIgnored(Event, frozen=True, kw_only=True):
    """The object was fetched and is none of ours."""

    TYPE: ClassVar[str] = "billing.object-ignored.v1"
    object_id: str
    reason: str


class DisputeTraced(Event, frozen=True, kw_only=True):
    """A dispute as the processor had it when it was read, told to the household whose payment it disputes.

    `status` is the processor's word. `debited_minor` is what left our balance for it besides `fee_minor` (0 for an
    inquiry), `reinstated_minor` what came back.
    """

    TYPE: ClassVar[str] = "billing.dispute-traced.v1"
    object_id: str
    routed_to: str
    payment_id: str
    attempt_id: str
    processor: str
    processor_ref: str
    charge_ref: str
    status: str
    reason: str
    amount_minor: PositiveMinor
    currency: Currency
    opened_at: Instant
    due_by: Instant | None
    debited_minor: Minor
    fee_minor: Minor
    debited_on: Day | None
    reinstated_minor: Minor
    reinstated_on: Day | None


class DisputeKept(Event, frozen=True, kw_only=True):
    """The dispute is of a charge that this household's log does not know yet: kept until it does."""

    TYPE: ClassVar[str] = "billing.dispute-kept.v1"
    account_id: str
    traced: DisputeTraced


class ChargebackOpened(Event, frozen=True, kw_only=True):
    """A bank asks (`inquiry`) or takes back (`chargeback`); no money moves by this event. `due_by`: for our answer."""

    TYPE: ClassVar[str] = "billing.chargeback-opened.v1"
    account_id: str
    chargeback_id: str
    payment_id: str
    fund_id: str
    reference: str
    processor: str
    processor_ref: str
    charge_ref: str
    stage: Literal["inquiry", "chargeback"]
    reason: str
    amount_minor: PositiveMinor
    currency: Currency
    due_by: Instant | None


class ChargebackDebited(Event, frozen=True, kw_only=True):
    """The processor took amount and fee out of our balance; what the payment paid stays paid while we contest it."""

    TYPE: ClassVar[str] = "billing.chargeback-debited.v1"
    account_id: str
    chargeback_id: str
    payment_id: str
    processor: str
    processor_ref: str
    amount_minor: PositiveMinor
    fee_minor: Minor
    currency: Currency
    debited_on: Day

    def effective_on(self) -> str | None:
        """The processor's own day."""
        return self.debited_on


class ChargebackWon(Event, frozen=True, kw_only=True):
    """The money came back to our balance."""

    TYPE: ClassVar[str] = "billing.chargeback-won.v1"
    account_id: str
    chargeback_id: str
    payment_id: str
    reference: str
    processor: str
    processor_ref: str
    amount_minor: PositiveMinor
    currency: Currency
    reinstated_on: Day

    def effective_on(self) -> str | None:
        """The processor's own day."""
        return self.reinstated_on


class ChargebackLost(Event, frozen=True, kw_only=True):
    """The money is gone. What it had paid was released before (PaymentDeallocated).

    `amount_minor` = `from_credit_minor` (taken from the payment's credit) + `recovery_minor` (the member owes it: the
    money had been given back already).
    """

    TYPE: ClassVar[str] = "billing.chargeback-lost.v1"
    account_id: str
    chargeback_id: str
    payment_id: str
    fund_id: str
    reference: str
    processor: str
    amount_minor: PositiveMinor
    from_credit_minor: Minor
    recovery_minor: Minor
    currency: Currency


class ChargebackDropped(Event, frozen=True, kw_only=True):
    """An inquiry ended and no money ever moved."""

    TYPE: ClassVar[str] = "billing.chargeback-dropped.v1"
    account_id: str
    chargeback_id: str
    payment_id: str


class CheckReturnReported(Event, frozen=True, kw_only=True):
    """A line of a bank statement takes a cheque back; told to the household that had sent it."""

    TYPE: ClassVar[str] = "billing.check-return-reported.v1"
    bank_account: str
    line_ref: str
    routed_to: str
    payment_id: str
    amount_minor: PositiveMinor
    currency: Currency
    returned_on: Day

    def effective_on(self) -> str | None:
        """The bank's own day."""
        return self.returned_on


class CheckReturnKept(Event, frozen=True, kw_only=True):
    """The cheque that came back is not posted here yet: kept until it is."""

    TYPE: ClassVar[str] = "billing.check-return-kept.v1"
    account_id: str
    reported: CheckReturnReported


class PaymentReturned(Event, frozen=True, kw_only=True):
    """A cheque came back. What it had paid was released before (PaymentDeallocated).

    `amount_minor` = `from_credit_minor` + `recovery_minor`, as in ChargebackLost.
    """

    TYPE: ClassVar[str] = "billing.payment-returned.v1"
    account_id: str
    payment_id: str
    reference: str
    invoice_id: str | None
    bank_account: str
    line_ref: str
    amount_minor: PositiveMinor
    from_credit_minor: Minor
    recovery_minor: Minor
    currency: Currency
    returned_on: Day

    def effective_on(self) -> str | None:
        """The bank's own day."""
        return self.returned_on


class RecoveryPaid(Event, frozen=True, kw_only=True):
    """Credit of the very money that was taken back after it had been given back: it pays what the member owes for it.

    `payment_id` names the money as in PaymentAllocated.
    """

    TYPE: ClassVar[str] = "billing.recovery-paid.v1"
    account_id: str
    payment_id: str
    amount_minor: PositiveMinor
    currency: Currency
