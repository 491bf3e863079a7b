"""Cheques: posted by the bank's lockbox, and sometimes returned."""

from services.billing.domain.draft import Draft
from services.billing.domain.evolve import check_key
from services.billing.domain.household import Household
from services.billing.domain.money import give_surplus_its_use, make_room, pay_bill, settle_up
from services.billing.domain.payments import invoice_of, reference_of
from services.billing.domain.settlements import close, place
from shared.contracts.billing import (
    CheckPosted,
    CheckReturnKept,
    CheckReturnReported,
    PaymentRefused,
    PaymentReturned,
    Refusal,
)
from shared.contracts.event import Event
from shared.contracts.gateway import CheckReceived
from shared.decider import Context
from shared.money import MAX_MINOR


def post_check(request: CheckReceived, state: Household, context: Context) -> tuple[Event, ...]:
    """Post a cheque: the money is at the bank already, so a bill that is paid, void or moved only makes it credit."""
    if request.payment_id in state.payments:
        return ()
    reason = _refusal(request, state)
    if reason is not None:
        return (
            PaymentRefused(
                account_id=state.account_id,
                payment_id=request.payment_id,
                invoice_id=request.invoice_id or "",
                amount_minor=request.amount_minor,
                currency=request.currency,
                reason=reason,
            ),
        )
    draft = Draft(state, context)
    draft.add(
        CheckPosted(
            account_id=state.account_id,
            payment_id=request.payment_id,
            reference=request.reference,
            invoice_id=request.invoice_id,
            bank_account=request.bank_account,
            bank_reference=request.bank_reference,
            amount_minor=request.amount_minor,
            currency=request.currency,
            received_on=request.received_on,
        )
    )
    if request.invoice_id is None:
        _pay_oldest(draft, request.payment_id)
    else:
        place(draft, request.payment_id, request.invoice_id)
    reported = state.kept_returns.get(request.payment_id)
    if reported is not None:
        _take_back(draft, reported)
    close(draft, request.payment_id)
    return draft.events


def _refusal(request: CheckReceived, state: Household) -> Refusal | None:
    if not state.opened:
        return Refusal.ACCOUNT_UNKNOWN
    if state.received_minor + request.amount_minor > MAX_MINOR:
        return Refusal.AMOUNT_TOO_LARGE
    if request.invoice_id is not None:
        invoice = state.invoices.get(request.invoice_id)
        if invoice is None:
            return Refusal.INVOICE_UNKNOWN
        if invoice.currency != request.currency:
            return Refusal.CURRENCY_MISMATCH
    if check_key(request.bank_account, request.bank_reference) in state.checks:
        return Refusal.CHECK_ALREADY_RECEIVED
    return None


def _pay_oldest(draft: Draft, fund_id: str) -> None:
    owing = [(invoice.due_date, invoice_id) for invoice_id, invoice in draft.state.invoices.items()]
    for _, invoice_id in sorted(owing):
        pay_bill(draft, fund_id, invoice_id)


def return_check(fact: CheckReturnReported, state: Household, context: Context) -> tuple[Event, ...]:
    """Take a cheque back, once: what it had paid is open again, what is not there any more the member owes.

    One that is not posted yet is kept until it is.
    """
    fund = state.funds.get(fact.payment_id)
    if fund is None:
        is_new = fact.payment_id not in state.kept_returns
        return (CheckReturnKept(account_id=state.account_id, reported=fact),) if is_new else ()
    if fund.taken_back_minor or fund.recovery_minor:
        return ()
    draft = Draft(state, context)
    _take_back(draft, fact)
    settle_up(draft)
    return draft.events


def _take_back(draft: Draft, fact: CheckReturnReported) -> None:
    payment = draft.state.payments[fact.payment_id]
    there = make_room(draft, fact.payment_id, fact.amount_minor, "returned", fact.line_ref)
    draft.add(
        PaymentReturned(
            account_id=draft.state.account_id,
            payment_id=fact.payment_id,
            reference=reference_of(payment),
            invoice_id=invoice_of(payment),
            bank_account=fact.bank_account,
            line_ref=fact.line_ref,
            amount_minor=fact.amount_minor,
            from_credit_minor=there,
            recovery_minor=fact.amount_minor - there,
            currency=fact.currency,
            returned_on=fact.returned_on,
        )
    )
    give_surplus_its_use(draft)
