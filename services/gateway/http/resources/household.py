"""A household's account, bills, payments and story, as they are answered."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from services.gateway.domain.payment import AccountStatus, InvoiceStatus, PaymentStatus
from shared.http.resource import Amount, Day, Instant, Minor, Next, Position, Reason, Resource


class Refunded(Resource, frozen=True, kw_only=True):
    minor: Minor


class AllocationView(Resource, frozen=True, kw_only=True):
    """The part of a payment that pays one line of an invoice."""

    invoice_id: str
    policy_id: str
    coverage_month: str
    amount_minor: Minor


class NextAction(Resource, frozen=True, kw_only=True):
    """The card's bank asks the member something at `url`; unanswered at `expires_at`, the payment is cancelled."""

    url: str
    expires_at: Instant


class Payment(Resource, frozen=True, kw_only=True):
    """A payment; `settled` is said when billing settled it and the ledger has posted it.

    `held` waits for a decision until `held_until`, because it looks like `twin_payment_id`. `refunded` counts what went
    back, of a second charge too; `unapplied_minor` is what pays no bill and stays as credit. A cheque that came without
    naming a bill has no `invoice_id`.
    """

    payment_id: str
    reference: str
    account_id: str
    invoice_id: str | None
    policy_id: Annotated[str | None, Meta(description="Pays this policy's lines only")] = None
    amount: Amount
    method: Literal["card", "check"] = "card"
    status: PaymentStatus
    reason: Reason = None
    next_action: NextAction | None = None
    held_until: Instant | None = None
    twin_payment_id: str | None = None
    refunded: Refunded = Refunded(minor=0)
    disputed: Annotated[bool, Meta(description="The card holder's bank asks for it, or has taken it back")] = False
    allocations: tuple[AllocationView, ...] = ()
    unapplied_minor: Minor = 0
    created_at: Instant
    settled_at: Instant | None = None
    position: Position


class Account(Resource, frozen=True, kw_only=True):
    """A billing account (a household); `due_minor` is what its invoices still ask for.

    One that is `moved` became part of `moved_to`.
    """

    account_id: str
    status: AccountStatus
    reason: Reason = None
    moved_to: str | None = None
    language: str
    currency: str = "USD"
    due_minor: Minor = 0
    next_due_date: Day | None = None
    credit_minor: Minor = 0
    last_payments: tuple[Payment, ...] = ()
    created_at: Instant
    position: Position


class InvoiceLine(Resource, frozen=True, kw_only=True):
    policy_id: str
    coverage_month: str
    gross_minor: Minor
    aptc_minor: Minor = 0
    state_subsidy_minor: Minor = 0


class Invoice(Resource, frozen=True, kw_only=True):
    """A bill; `number` is given by billing. `lines` are as billed, `total_minor` is less what was voided since."""

    invoice_id: str
    account_id: str
    number: str | None = None
    status: InvoiceStatus
    reason: Reason = None
    due_date: Day
    currency: str
    lines: tuple[InvoiceLine, ...]
    total_minor: Minor
    voided_minor: Minor = 0
    paid_minor: Minor = 0
    due_minor: Minor
    created_at: Instant
    position: Position


class Balance(Resource, frozen=True, kw_only=True):
    """One account code of the ledger; `balance_minor` is debits less credits."""

    code: str
    currency: str
    debit_minor: Minor
    credit_minor: Minor
    balance_minor: Minor


class Balances(Resource, frozen=True, kw_only=True):
    account_id: str
    balances: tuple[Balance, ...]
    position: Position


class HistoryItem(Resource, frozen=True, kw_only=True):
    """One fact in an account's story: what billing decided, what the ledger posted, what was sent."""

    account_id: str
    type: str
    position: Position
    recorded_at: Instant
    effective_date: Day
    subject: Annotated[str | None, Meta(description="What it is about: a payment, a bill, a refund…")] = None
    amount: Amount | None = None
    reason: Reason = None
    rule: Annotated[str | None, Meta(description="The posting rule, of a ledger entry")] = None
    payment_id: Annotated[str | None, Meta(description="The payment that is posted or concerned")] = None
    postings: tuple[dict[str, Any], ...] | None = None


class HistoryPage(Resource, frozen=True, kw_only=True):
    items: tuple[HistoryItem, ...]
    next: Next = None
    position: Position


class PaymentPage(Resource, frozen=True, kw_only=True):
    items: tuple[Payment, ...]
    next: Next = None
    position: Position


class InvoicePage(Resource, frozen=True, kw_only=True):
    items: tuple[Invoice, ...]
    next: Next = None
    position: Position


class Receipt(Resource, frozen=True, kw_only=True):
    """Proof of a settled payment; the same bytes at each reading, but for later refunds and the mail's time.

    `allocations` are what it paid at first.
    """

    payment_id: str
    reference: str
    account_id: str
    invoice_id: str | None
    invoice_number: str | None
    amount: Amount
    method: str
    refunded: Refunded = Refunded(minor=0)
    allocations: tuple[AllocationView, ...]
    requested_at: Instant
    settled_at: Instant
    settled_on: Day
    mailed_at: Instant | None = None


class Received(Resource, frozen=True, kw_only=True):
    received: bool = True
