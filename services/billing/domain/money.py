"""What is done with money that is there: it pays bills, is taken off them, is taken back, or goes on to where a
household moved."""

from typing import Literal

from services.billing.domain.bills import Invoice, allocate_in_order
from services.billing.domain.draft import Draft
from services.billing.domain.funds import released
from services.billing.domain.household import Household
from services.billing.domain.things import Case
from shared.contracts.billing import (
    CaseOutcome,
    DuplicateCaseDecided,
    InvoiceVoided,
    MonthsMoved,
    PaymentAllocated,
    PaymentDeallocated,
    RecoveryPaid,
    Source,
    TransferReason,
    TransferSent,
)
from shared.contracts.event import Allocation
from shared.ids import root_of_key, thing_id

Released = Literal["refund", "void", "returned", "chargeback", "duplicate"]


def pay_bill(draft: Draft, fund_id: str, invoice_id: str, policy_id: str | None = None) -> None:
    """Have the money's credit pay what the bill (or one policy of it) still owes."""
    fund, invoice = draft.state.funds[fund_id], draft.state.invoices.get(invoice_id)
    if invoice is None or invoice.currency != fund.currency:
        return
    parts, left = allocate_in_order(max(0, fund.unapplied_minor), invoice_id, invoice, policy_id)
    if parts:
        draft.add(allocated(draft, fund_id, parts, left))


def allocated(draft: Draft, fund_id: str, parts: tuple[Allocation, ...], left_minor: int) -> PaymentAllocated:
    """Return the event that these parts of the money pay bills."""
    return PaymentAllocated(
        account_id=draft.state.account_id,
        payment_id=fund_id,
        currency=draft.state.funds[fund_id].currency,
        allocations=parts,
        unapplied_minor=left_minor,
    )


def spend_credit(draft: Draft, invoice_id: str) -> None:
    """Have the household's credit pay a bill, the oldest money first."""
    currency = draft.state.invoices[invoice_id].currency
    for fund_id in [fund_id for fund_id, _ in draft.state.spendable(currency)]:
        pay_bill(draft, fund_id, invoice_id)


def take_off(
    draft: Draft,
    fund_id: str,
    parts: tuple[Allocation, ...],
    reason: Released,
    subject: str,
    case_id: str | None = None,
) -> None:
    """Have lines be open again that this money had paid."""
    if not parts:
        return
    fund = draft.state.funds[fund_id]
    freed = sum(part.amount_minor for part in parts)
    draft.add(
        PaymentDeallocated(
            account_id=draft.state.account_id,
            payment_id=fund_id,
            currency=fund.currency,
            allocations=parts,
            unapplied_minor=fund.unapplied_minor + freed,
            reason=reason,
            subject=subject,
            case_id=case_id,
        )
    )


def make_room(draft: Draft, fund_id: str, minor: int, reason: Released, subject: str) -> int:
    """Free `minor` of the money, credit first, then what it had paid last; return how much there is now (0 and up)."""
    fund = draft.state.funds[fund_id]
    lacking = minor - max(0, fund.unapplied_minor)
    take_off(draft, fund_id, released(fund, lacking), reason, subject)
    return max(0, min(minor, draft.state.funds[fund_id].unapplied_minor))


def give_surplus_its_use(draft: Draft) -> None:
    """Have the surplus of an undecided case pay its bill, where that is open again: it is none any more.

    A case whose money is gone is withdrawn likewise.
    """
    for case_id, case in draft.state.cases.items():
        if case.outcome is not None:
            continue
        fund = draft.state.funds[case.fund_id]
        invoice = draft.state.invoices.get(case.invoice_id or "")
        owed = invoice.due_minor if invoice is not None and invoice.currency == fund.currency else 0
        is_needed = case.twin_payment_id is not None and owed > 0 and fund.unapplied_minor > 0
        if fund.unapplied_minor > 0 and not is_needed:
            continue
        draft.add(decided(draft.state, case_id, case, "withdrawn"))
        if is_needed and case.invoice_id is not None:
            pay_bill(draft, case.fund_id, case.invoice_id)


def decided(
    state: Household,
    case_id: str,
    case: Case,
    outcome: CaseOutcome | Literal["withdrawn"],
    refund_id: str | None = None,
    request_id: str | None = None,
) -> DuplicateCaseDecided:
    """Return the one end of a case."""
    return DuplicateCaseDecided(
        account_id=state.account_id,
        case_id=case_id,
        outcome=outcome,
        payment_id=case.payment_id,
        reference=case.reference,
        invoice_id=case.invoice_id,
        amount_minor=case.amount_minor,
        currency=case.currency,
        refund_id=refund_id,
        request_id=request_id,
    )


def settle_up(draft: Draft) -> None:
    """Let what was freed go where it must: credit to what the member owes for the same money, then all to where the
    household moved."""
    for fund_id, fund in draft.state.funds.items():
        minor = min(fund.recovery_minor, fund.unapplied_minor)
        if minor > 0:
            draft.add(
                RecoveryPaid(
                    account_id=draft.state.account_id, payment_id=fund_id, amount_minor=minor, currency=fund.currency
                )
            )
    if draft.state.moved_to is not None:
        move_on(draft, draft.state.moved_to, "moved")


def move_on(draft: Draft, to_account_id: str, reason: TransferReason) -> None:
    """Have another household get all plain credit, then what is not paid: its bills find the credit there."""
    for currency in sorted({fund.currency for fund in draft.state.funds.values()}):
        minor = draft.state.credit_minor(currency)
        if minor > 0:
            send(draft, _transfer_id(draft, currency), to_account_id, minor, currency, reason)
    for invoice_id, invoice in draft.state.invoices.items():
        if invoice.due_minor > 0:
            _move_unpaid(draft, to_account_id, invoice_id, invoice)


def _transfer_id(draft: Draft, currency: str) -> str:
    """Return the id of what one decision sends in one currency."""
    context = draft.context
    root = root_of_key(context.tenant, "billing", "move-on", draft.state.account_id, f"{context.root.hex()}:{currency}")
    return thing_id("trf", context.shard, root)


def _move_unpaid(draft: Draft, to_account_id: str, invoice_id: str, invoice: Invoice) -> None:
    owing = [line for line in invoice.lines if line.due_minor > 0]
    lines = tuple(line.unpaid() for line in owing)
    draft.add(
        InvoiceVoided(
            account_id=draft.state.account_id,
            invoice_id=invoice_id,
            currency=invoice.currency,
            lines=lines,
            total_minor=sum(line.due_minor for line in owing),
            is_whole=invoice.paid_minor == 0 and len(owing) == len(invoice.lines),
            reason="merge",
        )
    )
    draft.add(
        MonthsMoved(
            account_id=draft.state.account_id,
            merge_id=draft.state.merge_id or "",
            routed_to=to_account_id,
            invoice_id=invoice_id,
            due_date=invoice.due_date,
            currency=invoice.currency,
            lines=lines,
        )
    )


def send(draft: Draft, transfer_id: str, to_account_id: str, minor: int, currency: str, reason: TransferReason) -> None:
    """Send so much plain credit to another household, the oldest money first; the caller knows that it is there."""
    sources: list[Source] = []
    left = minor
    for fund_id, fund in draft.state.spendable(currency):
        part = min(left, fund.unapplied_minor)
        if part > 0:
            sources.append(Source(fund_id=fund_id, amount_minor=part))
            left -= part
    draft.add(
        TransferSent(
            account_id=draft.state.account_id,
            transfer_id=transfer_id,
            routed_to=to_account_id,
            amount_minor=minor,
            currency=currency,
            reason=reason,
            sources=tuple(sources),
        )
    )
