"""A household: its account, bills and payments, folded from its stream."""

from typing import Any

import msgspec

from services.billing.domain.payments import (
    ActionRequired,
    Cancelled,
    Declined,
    Final,
    Open,
    Payment,
    Planned,
    Registered,
    Settled,
    Terms,
    Unknown,
    attempt_of,
    reference_at_rail,
    summary_of,
)
from shared.contracts.billing import (
    AccountOpened,
    AttemptPlanned,
    AttemptRegistered,
    ChargeFound,
    InvoiceIssued,
    PaymentActionRequired,
    PaymentAllocated,
    PaymentCancelled,
    PaymentDeclined,
    PaymentSettled,
    PaymentUnknown,
)
from shared.contracts.event import Event


class InvoiceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One policy and month of a bill: the member's share and how much of it is paid."""

    policy_id: str
    coverage_month: str
    share_minor: int
    paid_minor: int = 0

    @property
    def due_minor(self) -> int:
        """What is still to be paid, never below 0."""
        return max(0, self.share_minor - self.paid_minor)


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """A bill; `open_payment_id` is the one payment under way on it."""

    currency: str
    total_minor: int
    lines: tuple[InvoiceLine, ...]
    gross_minor: int = 0
    paid_minor: int = 0
    open_payment_id: str | None = None

    @property
    def due_minor(self) -> int:
        """What the member still owes for the whole bill; 0 or less is paid."""
        return self.total_minor - self.paid_minor


class Household(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one household's stream; `found_charges` are charges beside the registered one, each a case."""

    account_id: str
    opened: bool = False
    invoices: dict[str, Invoice] = {}
    payments: dict[str, Payment] = {}
    found_charges: tuple[str, ...] = ()

    @property
    def billed_minor(self) -> int:
        """All premiums of all bills: no balance of the household is larger."""
        return sum(invoice.gross_minor for invoice in self.invoices.values())

    def payment_of(self, attempt_id: str) -> tuple[str, Payment] | None:
        """Return the payment that an attempt belongs to, and its id."""
        for payment_id, payment in self.payments.items():
            if attempt_of(payment) == attempt_id:
                return payment_id, payment
        return None

    def charge_refs(self) -> set[str]:
        """Return every charge that this household's log names."""
        settled = {payment.summary.charge_ref for payment in self.payments.values() if isinstance(payment, Settled)}
        return {ref for ref in settled if ref is not None} | set(self.found_charges)


def initial(stream: str) -> Household:
    """Return a household of which nothing is known but its id."""
    return Household(account_id=stream)


def evolve(state: Household, event: Event) -> Household:
    """Return the household after an event; refusals, nudges and foreign events change nothing."""
    match event:
        case AccountOpened():
            return _with(state, opened=True)
        case InvoiceIssued():
            return _invoice(state, event.invoice_id, _issued(event))
        case AttemptPlanned():
            return _planned(state, event)
        case AttemptRegistered() | PaymentActionRequired() | PaymentUnknown():
            return _moved(state, event)
        case PaymentSettled() | PaymentDeclined() | PaymentCancelled():
            return _ended(state, event)
        case PaymentAllocated():
            return _allocated(state, event)
        case ChargeFound():
            return _with(state, found_charges=(*state.found_charges, event.charge_ref))
        case _:
            return state


def _with(state: Household, **changes: Any) -> Household:
    return msgspec.structs.replace(state, **changes)


def _invoice(state: Household, invoice_id: str, invoice: Invoice) -> Household:
    return _with(state, invoices={**state.invoices, invoice_id: invoice})


def _payment(state: Household, payment_id: str, payment: Payment) -> Household:
    return _with(state, payments={**state.payments, payment_id: payment})


def _issued(event: InvoiceIssued) -> Invoice:
    lines = tuple(
        InvoiceLine(policy_id=line.policy_id, coverage_month=line.coverage_month, share_minor=line.member_minor)
        for line in event.lines
    )
    gross_minor = sum(line.gross_minor for line in event.lines)
    return Invoice(currency=event.currency, total_minor=event.total_minor, lines=lines, gross_minor=gross_minor)


def _planned(state: Household, event: AttemptPlanned) -> Household:
    terms = Terms(
        payment_id=event.payment_id,
        reference=event.reference,
        attempt_id=event.attempt_id,
        invoice_id=event.invoice_id,
        amount_minor=event.amount_minor,
        currency=event.currency,
    )
    return _payment(_hold_invoice(state, event.invoice_id, event.payment_id), event.payment_id, Planned(terms))


def _hold_invoice(state: Household, invoice_id: str, payment_id: str | None) -> Household:
    invoice = state.invoices.get(invoice_id)
    if invoice is None:
        return state
    return _invoice(state, invoice_id, msgspec.structs.replace(invoice, open_payment_id=payment_id))


def _moved(state: Household, event: AttemptRegistered | PaymentActionRequired | PaymentUnknown) -> Household:
    payment = state.payments.get(event.payment_id)
    if payment is None or isinstance(payment, Settled | Declined | Cancelled):
        return state
    moved: Open = payment
    match event:
        case AttemptRegistered():
            moved = Registered(payment.terms, event.processor_ref)
        case PaymentActionRequired():
            moved = ActionRequired(payment.terms, reference_at_rail(payment) or "")
        case PaymentUnknown():
            moved = Unknown(payment.terms, reference_at_rail(payment))
    return _payment(state, event.payment_id, moved)


def _ended(state: Household, event: PaymentSettled | PaymentDeclined | PaymentCancelled) -> Household:
    payment = state.payments.get(event.payment_id)
    if payment is None or isinstance(payment, Settled | Declined | Cancelled):
        return state
    ended: Final
    match event:
        case PaymentSettled():
            ended = Settled(summary_of(payment, event.charge_ref))
        case PaymentDeclined():
            ended = Declined(summary_of(payment))
        case PaymentCancelled():
            ended = Cancelled(summary_of(payment))
    return _payment(_hold_invoice(state, event.invoice_id, None), event.payment_id, ended)


def _allocated(state: Household, event: PaymentAllocated) -> Household:
    invoices = dict(state.invoices)
    for part in event.allocations:
        invoice = invoices.get(part.invoice_id)
        if invoice is None:
            continue
        place = (part.policy_id, part.coverage_month)
        lines = []
        left = part.amount_minor
        for line in invoice.lines:
            paid = min(left, line.due_minor) if (line.policy_id, line.coverage_month) == place else 0
            left -= paid
            lines.append(msgspec.structs.replace(line, paid_minor=line.paid_minor + paid))
        paid_minor = invoice.paid_minor + part.amount_minor
        invoices[part.invoice_id] = msgspec.structs.replace(invoice, lines=tuple(lines), paid_minor=paid_minor)
    return _with(state, invoices=invoices)
