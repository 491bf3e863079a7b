"""Money that came twice, and money that goes back."""

from typing import ClassVar, Literal

from shared.contracts.event import Currency, Day, Event, Instant, PositiveMinor

RefundReason = Literal["requested_by_member", "overpaid", "billed_in_error", "duplicate"]
CaseRule = Literal["charged_twice", "late_success", "paid_twice"]
CaseOutcome = Literal["refund", "credit", "not_a_duplicate"]


class DuplicateCaseOpened(Event, frozen=True, kw_only=True):
    """Money that nobody meant to give: it waits as credit, spent on no bill, until somebody decides.

    `rule`: `charged_twice` (a second charge beside the payment's own), `late_success` (a charge after the payment had
    ended without one), `paid_twice` (the bill was paid already, and the payer did not ask for credit).
    `fund_id` holds the surplus: the payment, or for a charge found the case itself. `payment_id` is the payment it
    came by, `twin_payment_id` the one that had paid, where there is one.
    """

    TYPE: ClassVar[str] = "billing.duplicate-case-opened.v1"
    account_id: str
    case_id: str
    rule: CaseRule
    fund_id: str
    payment_id: str
    reference: str
    twin_payment_id: str | None
    invoice_id: str | None
    amount_minor: PositiveMinor
    currency: Currency


class DuplicateCaseDecided(Event, frozen=True, kw_only=True):
    """The one end of a case. `refund_id` is set for `refund`; `credit` and `not_a_duplicate` leave the money as credit.

    `withdrawn` is said by billing itself, where the money went back by other ways (a chargeback, a returned cheque)
    before anybody decided.
    """

    TYPE: ClassVar[str] = "billing.duplicate-case-decided.v1"
    account_id: str
    case_id: str
    outcome: Literal["refund", "credit", "not_a_duplicate", "withdrawn"]
    payment_id: str
    reference: str
    invoice_id: str | None
    amount_minor: PositiveMinor
    currency: Currency
    refund_id: str | None = None
    request_id: str | None = None


class RefundOpened(Event, frozen=True, kw_only=True):
    """Credit is set aside to be given back the way it came: `charge_ref` under `processor_ref`.

    `fund_id` is what it is taken from (a payment, or a case's charge). With `approvals_needed` above 0 nothing is sent
    before that many different people have approved this very `digest` (SHA-256, hexadecimal).
    """

    TYPE: ClassVar[str] = "billing.refund-opened.v1"
    account_id: str
    refund_id: str
    payment_id: str
    fund_id: str
    reference: str
    amount_minor: PositiveMinor
    currency: Currency
    reason: RefundReason
    processor: str
    processor_ref: str
    charge_ref: str
    approvals_needed: int
    digest: str
    approve_by: Instant | None
    case_id: str | None = None


class RefundApproved(Event, frozen=True, kw_only=True):
    """One approval; `is_last` where no further one is needed: the refund is then to be sent."""

    TYPE: ClassVar[str] = "billing.refund-approved.v1"
    account_id: str
    refund_id: str
    payment_id: str
    approver: str
    digest: str
    is_last: bool
    request_id: str


class RefundStopRequested(Event, frozen=True, kw_only=True):
    """The card holder's bank takes the money back itself (`chargeback_id`): the effect ends the refund if it can."""

    TYPE: ClassVar[str] = "billing.refund-stop-requested.v1"
    account_id: str
    refund_id: str
    payment_id: str
    chargeback_id: str


class RefundSent(Event, frozen=True, kw_only=True):
    """The processor has taken the refund and our money with it; the member's bank may still send it back."""

    TYPE: ClassVar[str] = "billing.refund-sent.v1"
    account_id: str
    refund_id: str
    payment_id: str
    processor: str
    processor_ref: str
    refund_ref: str
    amount_minor: PositiveMinor
    currency: Currency
    sent_on: Day
    case_id: str | None = None

    def effective_on(self) -> str | None:
        """The processor's own day."""
        return self.sent_on


class RefundCompleted(Event, frozen=True, kw_only=True):
    """The member has the money, as far as the processor knows."""

    TYPE: ClassVar[str] = "billing.refund-completed.v1"
    account_id: str
    refund_id: str
    payment_id: str
    reference: str
    amount_minor: PositiveMinor
    currency: Currency


class RefundBounced(Event, frozen=True, kw_only=True):
    """The refund came back, perhaps after it was completed: the money is the member's credit again."""

    TYPE: ClassVar[str] = "billing.refund-bounced.v1"
    account_id: str
    refund_id: str
    payment_id: str
    fund_id: str
    reference: str
    processor: str
    processor_ref: str
    refund_ref: str
    amount_minor: PositiveMinor
    currency: Currency
    bounced_on: Day
    reason: str
    case_id: str | None = None

    def effective_on(self) -> str | None:
        """The processor's own day."""
        return self.bounced_on


class RefundCancelled(Event, frozen=True, kw_only=True):
    """Nothing was sent and nothing will be: what was set aside is credit again."""

    TYPE: ClassVar[str] = "billing.refund-cancelled.v1"
    account_id: str
    refund_id: str
    payment_id: str
    fund_id: str
    reference: str
    amount_minor: PositiveMinor
    currency: Currency
    reason: Literal["rejected", "chargeback", "refused_by_processor", "approval_expired", "returned"]
    request_id: str | None = None
    case_id: str | None = None


class RefundNudged(Event, frozen=True, kw_only=True):
    """Somebody says the refund's state may have changed: the effect asks at once. Changes no state."""

    TYPE: ClassVar[str] = "billing.refund-nudged.v1"
    account_id: str
    refund_id: str
    payment_id: str
    object_id: str
