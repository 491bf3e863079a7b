"""People's requests: opened, billed and planned, or refused with the first reason that applies."""

import hashlib

from services.billing.domain.household import Household
from shared.contracts.billing import (
    AccountOpened,
    AttemptPlanned,
    InvoiceIssued,
    PaymentRefused,
    Refusal,
    RequestRefused,
)
from shared.contracts.event import Event
from shared.contracts.gateway import AccountRequested, InvoiceRequested, PaymentRequested
from shared.decider import Context
from shared.ids import reference_of, thing_id
from shared.money import MAX_MINOR


def open_account(request: AccountRequested, state: Household, context: Context) -> tuple[Event, ...]:
    """Open the household's account, once."""
    if state.opened:
        return (_refused(request.account_id, request.account_id, Refusal.ACCOUNT_EXISTS),)
    return (
        AccountOpened(
            account_id=request.account_id,
            member_id=request.member_id,
            language=request.language,
            contact=request.contact,
        ),
    )


def issue_invoice(request: InvoiceRequested, state: Household, context: Context) -> tuple[Event, ...]:
    """Issue a bill over the member's share of its lines; a share beyond int64 raises ValueError."""
    if not state.opened:
        return (_refused(request.account_id, request.invoice_id, Refusal.ACCOUNT_UNKNOWN),)
    if request.invoice_id in state.invoices:
        return (_refused(request.account_id, request.invoice_id, Refusal.INVOICE_EXISTS),)
    total_minor = sum(line.member_minor for line in request.lines)
    if abs(total_minor) > MAX_MINOR:
        raise ValueError(f"{request.invoice_id} sums to {total_minor}, beyond what an amount can hold")
    if state.billed_minor + sum(line.gross_minor for line in request.lines) > MAX_MINOR:
        return (_refused(request.account_id, request.invoice_id, Refusal.AMOUNT_TOO_LARGE),)
    return (
        InvoiceIssued(
            account_id=request.account_id,
            invoice_id=request.invoice_id,
            number=invoice_number(request.invoice_id),
            due_date=request.due_date,
            currency=request.currency,
            lines=request.lines,
            total_minor=total_minor,
        ),
    )


def invoice_number(invoice_id: str) -> str:
    """Return what a person reads out: 12 Crockford characters of the id's hash and a check character."""
    return reference_of(hashlib.sha256(invoice_id.encode()).digest())


def plan_payment(request: PaymentRequested, state: Household, context: Context) -> tuple[Event, ...]:
    """Plan the payment's attempt, or refuse it; a payment id that is taken adds nothing."""
    if request.payment_id in state.payments:
        return ()
    reason = refusal(request, state)
    if reason is not None:
        return (
            PaymentRefused(
                account_id=request.account_id,
                payment_id=request.payment_id,
                invoice_id=request.invoice_id,
                amount_minor=request.amount_minor,
                currency=request.currency,
                reason=reason,
            ),
        )
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
        ),
    )


def refusal(request: PaymentRequested, state: Household) -> Refusal | None:
    """Return why a payment may not be tried, the first of `Refusal`'s order, or None."""
    if not state.opened:
        return Refusal.ACCOUNT_UNKNOWN
    invoice = state.invoices.get(request.invoice_id)
    if invoice is None:
        return Refusal.INVOICE_UNKNOWN
    if invoice.currency != request.currency:
        return Refusal.CURRENCY_MISMATCH
    if invoice.due_minor <= 0:
        return Refusal.INVOICE_PAID
    if invoice.open_payment_id is not None:
        return Refusal.INVOICE_HAS_OPEN_PAYMENT
    if invoice.due_minor != request.amount_minor:
        return Refusal.AMOUNT_NOT_DUE
    return None


def _refused(account_id: str, subject: str, reason: Refusal) -> Event:
    return RequestRefused(account_id=account_id, subject=subject, reason=reason)
