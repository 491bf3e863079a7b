"""Bills that are taken back, whole or some lines of them."""

from services.billing.domain.bills import Invoice, InvoiceLine, places_of
from services.billing.domain.draft import Draft
from services.billing.domain.household import Household
from services.billing.domain.money import settle_up, take_off
from services.billing.domain.requests import closed, refused
from shared.contracts.billing import InvoiceVoided, Refusal
from shared.contracts.event import Event
from shared.contracts.gateway import InvoiceVoidRequested
from shared.decider import Context


def void_invoice(request: InvoiceVoidRequested, state: Household, context: Context) -> tuple[Event, ...]:
    """Take lines back; what had paid them is credit again.

    Of a household that has moved too: what was paid there stayed there.
    """
    answer = _lines_or_refusal(request, state)
    if isinstance(answer, Refusal):
        return refused(state, request.request_id, answer)
    draft = Draft(state, context)
    places = {line.place for line in answer}
    for fund_id, fund in state.funds.items():
        parts = tuple(
            part
            for part in reversed(fund.allocated)
            if part.invoice_id == request.invoice_id and (part.policy_id, part.coverage_month) in places
        )
        take_off(draft, fund_id, parts, "void", request.invoice_id)
    invoice = state.invoices[request.invoice_id]
    draft.add(
        InvoiceVoided(
            account_id=state.account_id,
            invoice_id=request.invoice_id,
            currency=invoice.currency,
            lines=tuple(line.whole() for line in answer),
            total_minor=sum(line.share_minor for line in answer),
            is_whole=len(answer) == len(invoice.lines),
            reason=request.reason,
            request_id=request.request_id,
        )
    )
    settle_up(draft)
    return draft.events


def _lines_or_refusal(request: InvoiceVoidRequested, state: Household) -> Refusal | tuple[InvoiceLine, ...]:
    reason = None if state.moved_to is not None else closed(state)
    if reason is not None:
        return reason
    invoice = state.invoices.get(request.invoice_id)
    if invoice is None:
        return Refusal.INVOICE_UNKNOWN
    if not invoice.lines:
        return Refusal.INVOICE_VOID
    if invoice.open_payments:
        return Refusal.INVOICE_HAS_OPEN_PAYMENT
    return _named(request, invoice)


def _named(request: InvoiceVoidRequested, invoice: Invoice) -> Refusal | tuple[InvoiceLine, ...]:
    if not request.lines:
        return invoice.lines
    lines = [invoice.line(place) for place in dict.fromkeys(places_of(request.lines))]
    found = tuple(line for line in lines if line is not None)
    return found if len(found) == len(lines) else Refusal.LINE_UNKNOWN
