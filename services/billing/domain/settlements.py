"""Money that came in: it pays its bill, opens a case where nobody meant to give it, and is asked about if disputed."""

from services.billing.domain.bills import allocate_in_order
from services.billing.domain.chargebacks import follow_dispute
from services.billing.domain.draft import Draft
from services.billing.domain.money import allocated, settle_up
from services.billing.domain.payments import reference_of
from shared.contracts.billing import CaseRule, DuplicateCaseOpened
from shared.ids import thing_id


def place(
    draft: Draft, fund_id: str, invoice_id: str | None, policy_id: str | None = None, accepts_credit: bool = False
) -> None:
    """Have new money pay the bill that it names; what pays nothing of a paid bill is a case, unless it was meant so."""
    fund, invoice = draft.state.funds[fund_id], draft.state.invoices.get(invoice_id or "")
    if invoice is None or invoice_id is None:
        draft.add(allocated(draft, fund_id, (), fund.unapplied_minor))
        return
    parts, left = allocate_in_order(fund.unapplied_minor, invoice_id, invoice, policy_id)
    draft.add(allocated(draft, fund_id, parts, left))
    if not parts and not accepts_credit:
        twin_payment_id = _payer_of(draft, invoice_id, fund_id)
        if twin_payment_id is not None:
            open_case(draft, "paid_twice", fund_id, twin_payment_id, invoice_id)


def _payer_of(draft: Draft, invoice_id: str, but_fund_id: str) -> str | None:
    """Return the payment that paid a bill, the latest of several."""
    for fund_id, fund in reversed(draft.state.funds.items()):
        if fund_id != but_fund_id and any(part.invoice_id == invoice_id for part in fund.allocated):
            return fund.payment_id or fund_id
    return None


def open_case(draft: Draft, rule: CaseRule, fund_id: str, twin_payment_id: str | None, invoice_id: str | None) -> None:
    """Open the case of a surplus; a charge found has its case's id already."""
    fund = draft.state.funds[fund_id]
    is_found = fund_id.startswith("case_")
    draft.add(
        DuplicateCaseOpened(
            account_id=draft.state.account_id,
            case_id=fund_id if is_found else thing_id("case", draft.context.shard, draft.context.root),
            rule=rule,
            fund_id=fund_id,
            payment_id=fund.payment_id,
            reference=reference_of(draft.state.payments[fund.payment_id]),
            twin_payment_id=twin_payment_id,
            invoice_id=invoice_id,
            amount_minor=fund.unapplied_minor,
            currency=fund.currency,
        )
    )


def close(draft: Draft, fund_id: str) -> None:
    """Do what waited for this money: disputes that came before it, then what the household owes or moved to."""
    way = draft.state.funds[fund_id].way
    for traced in draft.state.kept_disputes.values():
        if way is not None and traced.charge_ref == way.charge_ref:
            follow_dispute(draft, traced)
    settle_up(draft)
