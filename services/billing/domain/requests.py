"""People's requests for accounts, bills and payments: done, held, or refused with the first reason that applies."""

import hashlib

from services.billing.domain import policy
from services.billing.domain.bills import Invoice
from services.billing.domain.draft import Draft
from services.billing.domain.household import Household
from services.billing.domain.money import spend_credit
from services.billing.domain.payments import ActionRequired, Ask, Payment, Planned, Registered, Settled, Unknown
from shared.contracts.billing import (
    AccountOpened,
    AttemptPlanned,
    InvoiceIssued,
    PaymentHeld,
    PaymentRefused,
    Refusal,
    RequestRefused,
)
from shared.contracts.event import Event
from shared.contracts.gateway import AccountRequested, InvoiceRequested, PaymentRequested
from shared.decider import Context
from shared.ids import reference_of, thing_id
from shared.instants import moment_of, text_of
from shared.money import MAX_MINOR


def open_account(request: AccountRequested, state: Household, context: Context) -> tuple[Event, ...]:
    """Open the household's account, once."""
    if state.opened:
        return refused(state, request.account_id, Refusal.ACCOUNT_EXISTS)
    return (
        AccountOpened(
            account_id=request.account_id,
            member_id=request.member_id,
            language=request.language,
            contact=request.contact,
        ),
    )


def issue_invoice(request: InvoiceRequested, state: Household, context: Context) -> tuple[Event, ...]:
    """Issue a bill over the member's share of its lines and have credit pay it.

    A share beyond int64 raises ValueError.
    """
    reason = closed(state)
    if reason is None and request.invoice_id in state.invoices:
        reason = Refusal.INVOICE_EXISTS
    if reason is not None:
        return refused(state, request.invoice_id, reason)
    total_minor = sum(line.member_minor for line in request.lines)
    if abs(total_minor) > MAX_MINOR:
        raise ValueError(f"{request.invoice_id} sums to {total_minor}, beyond what an amount can hold")
    if state.billed_minor + sum(line.gross_minor for line in request.lines) > MAX_MINOR:
        return refused(state, request.invoice_id, Refusal.AMOUNT_TOO_LARGE)
    draft = Draft(state, context)
    draft.add(
        InvoiceIssued(
            account_id=request.account_id,
            invoice_id=request.invoice_id,
            number=invoice_number(request.invoice_id),
            due_date=request.due_date,
            currency=request.currency,
            lines=request.lines,
            total_minor=total_minor,
        )
    )
    spend_credit(draft, request.invoice_id)
    return draft.events


def invoice_number(invoice_id: str) -> str:
    """Return what a person reads out: 12 Crockford characters of the id's hash and a check character."""
    return reference_of(hashlib.sha256(invoice_id.encode()).digest())


def closed(state: Household) -> Refusal | None:
    """Return why a household takes nothing new, None where it does."""
    if not state.opened:
        return Refusal.ACCOUNT_UNKNOWN
    if state.moved_to is not None:
        return Refusal.ACCOUNT_MOVED
    return Refusal.ACCOUNT_BUSY if state.merge_id is not None else None


def refused(state: Household, subject: str, reason: Refusal) -> tuple[Event, ...]:
    """Return the refusal of what was asked for."""
    return (RequestRefused(account_id=state.account_id, subject=subject, reason=reason),)


def plan_payment(request: PaymentRequested, state: Household, context: Context) -> tuple[Event, ...]:
    """Plan the payment's attempt, hold it where it looks like a repeat, or refuse it; a taken id adds nothing."""
    if request.payment_id in state.payments:
        return ()
    answer = judged(request, state, context)
    if isinstance(answer, Refusal):
        return (
            PaymentRefused(
                account_id=request.account_id,
                payment_id=request.payment_id,
                invoice_id=request.invoice_id,
                amount_minor=request.amount_minor,
                currency=request.currency,
                reason=answer,
            ),
        )
    if answer is not None:
        return (_held(request, answer, state, context),)
    return (
        AttemptPlanned(
            account_id=request.account_id,
            payment_id=request.payment_id,
            reference=request.reference,
            attempt_id=thing_id("att", context.shard, context.root),
            invoice_id=request.invoice_id,
            amount_minor=request.amount_minor,
            currency=request.currency,
            method=request.method,
            received_at=request.received_at,
            policy_id=request.policy_id,
            return_url=request.return_url,
            accepts_credit=request.accept_credit,
        ),
    )


def judged(request: PaymentRequested, state: Household, context: Context) -> Refusal | str | None:
    """Return why a payment may not be tried (the first of `Refusal`'s order), the payment it looks like, or None."""
    reason = closed(state) or wrong_bill(request, state)
    if reason is not None:
        return reason
    invoice = state.invoices[request.invoice_id]
    settled = _settled_twin(request, state, context)
    if settled is not None:
        return settled
    due_minor = invoice.due_of(request.policy_id)
    if not request.accept_credit:
        if due_minor <= 0:
            return Refusal.INVOICE_PAID
        if due_minor < request.amount_minor:
            return Refusal.AMOUNT_NOT_DUE
    return _open_twin(request, invoice, state)


def wrong_bill(request: PaymentRequested | Ask, state: Household) -> Refusal | None:
    """Return why a payment cannot be of the bill that it names."""
    invoice = state.invoices.get(request.invoice_id)
    if invoice is None:
        return Refusal.INVOICE_UNKNOWN
    if not invoice.lines:
        return Refusal.INVOICE_VOID
    if request.policy_id is not None and all(line.policy_id != request.policy_id for line in invoice.lines):
        return Refusal.POLICY_UNKNOWN
    return Refusal.CURRENCY_MISMATCH if invoice.currency != request.currency else None


def _settled_twin(request: PaymentRequested, state: Household, context: Context) -> str | None:
    """Return a payment of this bill, amount and card that settled a short while ago."""
    for payment_id, payment in state.payments.items():
        if not isinstance(payment, Settled) or payment.summary.settled_at is None:
            continue
        known = payment.summary
        is_same = (known.invoice_id, known.amount_minor, known.token) == (
            request.invoice_id,
            request.amount_minor,
            request.method.token,
        )
        if is_same and context.recorded_at - moment_of(payment.summary.settled_at) <= policy.SAME_PAYMENT_WITHIN:
            return payment_id
    return None


def _open_twin(request: PaymentRequested, invoice: Invoice, state: Household) -> str | None:
    """Return a payment under way on this bill; for another policy of the bill it is none."""
    for payment_id in invoice.open_payments:
        policy_id = _policy_of(state.payments[payment_id])
        if None in (policy_id, request.policy_id) or policy_id == request.policy_id:
            return payment_id
    return None


def _policy_of(payment: Payment) -> str | None:
    match payment:
        case Planned(terms) | Registered(terms) | ActionRequired(terms) | Unknown(terms):
            return terms.policy_id
        case _:
            return None


def _held(request: PaymentRequested, twin_payment_id: str, state: Household, context: Context) -> PaymentHeld:
    has_settled = isinstance(state.payments[twin_payment_id], Settled)
    return PaymentHeld(
        account_id=request.account_id,
        payment_id=request.payment_id,
        reference=request.reference,
        attempt_id=thing_id("att", context.shard, context.root),
        invoice_id=request.invoice_id,
        amount_minor=request.amount_minor,
        currency=request.currency,
        method=request.method,
        received_at=request.received_at,
        policy_id=request.policy_id,
        return_url=request.return_url,
        reason="same_payment_settled" if has_settled else "invoice_has_open_payment",
        twin_payment_id=twin_payment_id,
        held_until=text_of(context.recorded_at + policy.HOLD_TERM),
    )
