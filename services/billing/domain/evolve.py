"""How an event changes a household; refusals, nudges and foreign events change nothing, and nothing here may fail."""

import msgspec

from services.billing.domain.bills import billed, paid, voided
from services.billing.domain.evolve_money import evolve_money
from services.billing.domain.funds import Fund, Way, with_parts, without_parts
from services.billing.domain.household import Household, changed, with_fund, with_invoice, with_payment
from services.billing.domain.payments import (
    ActionRequired,
    Ask,
    Cancelled,
    Declined,
    Final,
    Held,
    Open,
    Planned,
    Registered,
    Settled,
    Summary,
    Terms,
    Unknown,
    given_up,
    invoice_of,
    reference_at_rail,
    summary_of,
)
from shared.contracts.billing import (
    AccountMoved,
    AccountOpened,
    AttemptNudged,
    AttemptPlanned,
    AttemptRegistered,
    CheckPosted,
    InvoiceIssued,
    InvoiceVoided,
    MergeEnded,
    MergeProposed,
    PaymentActionRequired,
    PaymentAllocated,
    PaymentCancelled,
    PaymentDeallocated,
    PaymentDeclined,
    PaymentHeld,
    PaymentSettled,
    PaymentUnknown,
)
from shared.contracts.event import Event

FinalPayment = Settled | Declined | Cancelled


def evolve(state: Household, event: Event) -> Household:
    """Return the household after an event."""
    match event:
        case AttemptPlanned():
            return _planned(state, event)
        case AttemptRegistered() | PaymentActionRequired() | PaymentUnknown():
            return _moved(state, event)
        case PaymentSettled() | PaymentDeclined() | PaymentCancelled():
            return _ended(state, event)
        case PaymentAllocated():
            return _allocated(state, event)
        case PaymentDeallocated():
            return _deallocated(state, event)
        case InvoiceIssued():
            return with_invoice(state, event.invoice_id, billed(event.currency, event.due_date, event.lines))
        case InvoiceVoided():
            invoice = state.invoices.get(event.invoice_id)
            return state if invoice is None else with_invoice(state, event.invoice_id, voided(invoice, event.lines))
        case PaymentHeld():
            return with_payment(state, event.payment_id, _held(event))
        case AttemptNudged():
            return _told(state, event)
        case CheckPosted():
            return _check(state, event)
        case AccountOpened():
            return changed(state, opened=True)
        case MergeProposed():
            return changed(state, merge_id=event.merge_id)
        case MergeEnded():
            return changed(state, merge_id=None)
        case AccountMoved():
            return changed(state, moved_to=event.to_account_id)
        case _:
            return evolve_money(state, event)


def _held(event: PaymentHeld) -> Held:
    return Held(
        Ask(
            payment_id=event.payment_id,
            reference=event.reference,
            attempt_id=event.attempt_id,
            invoice_id=event.invoice_id,
            amount_minor=event.amount_minor,
            currency=event.currency,
            method=event.method,
            received_at=event.received_at,
            policy_id=event.policy_id,
            return_url=event.return_url,
        )
    )


def _planned(state: Household, event: AttemptPlanned) -> Household:
    terms = Terms(
        payment_id=event.payment_id,
        reference=event.reference,
        attempt_id=event.attempt_id,
        invoice_id=event.invoice_id,
        amount_minor=event.amount_minor,
        currency=event.currency,
        token=event.method.token,
        policy_id=event.policy_id,
        accepts_credit=event.accepts_credit,
    )
    state = with_payment(state, event.payment_id, Planned(terms))
    invoice = state.invoices.get(event.invoice_id)
    if invoice is None:
        return state
    under_way = (*invoice.open_payments, event.payment_id)
    return with_invoice(state, event.invoice_id, msgspec.structs.replace(invoice, open_payments=under_way))


def _moved(state: Household, event: AttemptRegistered | PaymentActionRequired | PaymentUnknown) -> Household:
    payment = state.payments.get(event.payment_id)
    if payment is None or isinstance(payment, FinalPayment | Held):
        return state
    moved: Open = payment
    match event:
        case AttemptRegistered():
            moved = Registered(payment.terms, event.processor_ref)
        case PaymentActionRequired():
            moved = ActionRequired(payment.terms, reference_at_rail(payment) or "")
        case PaymentUnknown():
            moved = Unknown(payment.terms, reference_at_rail(payment))
    return with_payment(state, event.payment_id, moved)


def _ended(state: Household, event: PaymentSettled | PaymentDeclined | PaymentCancelled) -> Household:
    payment = state.payments.get(event.payment_id)
    if payment is None or isinstance(payment, FinalPayment):
        return state
    ended: Final
    if isinstance(payment, Held):
        return with_payment(state, event.payment_id, Cancelled(given_up(payment)))
    match event:
        case PaymentSettled():
            ended = Settled(summary_of(payment, event.charge_ref, event.settled_at))
            way = Way(processor=event.processor, processor_ref=event.processor_ref, charge_ref=event.charge_ref)
            fund = Fund(currency=event.currency, settled_minor=event.amount_minor, payment_id=event.payment_id, way=way)
            state = with_fund(state, event.payment_id, fund)
        case PaymentDeclined():
            ended = Declined(summary_of(payment))
        case PaymentCancelled():
            ended = Cancelled(summary_of(payment))
    state = with_payment(state, event.payment_id, ended)
    if event.payment_id in state.told_charges:
        told = {one: refs for one, refs in state.told_charges.items() if one != event.payment_id}
        state = changed(state, told_charges=told)
    return _not_under_way(state, event.payment_id)


def _not_under_way(state: Household, payment_id: str) -> Household:
    invoice_id = invoice_of(state.payments[payment_id])
    invoice = state.invoices.get(invoice_id or "")
    if invoice is None or invoice_id is None:
        return state
    under_way = tuple(one for one in invoice.open_payments if one != payment_id)
    return with_invoice(state, invoice_id, msgspec.structs.replace(invoice, open_payments=under_way))


def _told(state: Household, event: AttemptNudged) -> Household:
    known = state.told_charges.get(event.payment_id, ())
    is_open = not isinstance(state.payments.get(event.payment_id), FinalPayment)
    if not is_open or not event.object_id.startswith("ch_") or event.object_id in known:
        return state
    return changed(state, told_charges={**state.told_charges, event.payment_id: (*known, event.object_id)})


def _check(state: Household, event: CheckPosted) -> Household:
    summary = Summary(
        attempt_id="",
        reference=event.reference,
        invoice_id=event.invoice_id,
        amount_minor=event.amount_minor,
        currency=event.currency,
    )
    state = with_payment(state, event.payment_id, Settled(summary))
    fund = Fund(currency=event.currency, settled_minor=event.amount_minor, payment_id=event.payment_id)
    state = with_fund(state, event.payment_id, fund)
    return changed(
        state, checks={**state.checks, check_key(event.bank_account, event.bank_reference): event.payment_id}
    )


def check_key(bank_account: str, bank_reference: str) -> str:
    """Return the name of a cheque among all banks' cheques."""
    return f"{bank_account}/{bank_reference}"


def _allocated(state: Household, event: PaymentAllocated) -> Household:
    fund = state.funds.get(event.payment_id)
    if fund is not None:
        state = with_fund(state, event.payment_id, with_parts(fund, event.allocations))
    return _pay(state, event, 1)


def _deallocated(state: Household, event: PaymentDeallocated) -> Household:
    fund = state.funds.get(event.payment_id)
    if fund is not None:
        state = with_fund(state, event.payment_id, without_parts(fund, event.allocations))
    return _pay(state, event, -1)


def _pay(state: Household, event: PaymentAllocated | PaymentDeallocated, sign: int) -> Household:
    invoices = dict(state.invoices)
    for part in event.allocations:
        invoice = invoices.get(part.invoice_id)
        if invoice is not None:
            invoices[part.invoice_id] = paid(invoice, part, sign)
    return changed(state, invoices=invoices)
