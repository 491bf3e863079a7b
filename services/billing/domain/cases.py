"""What becomes of money that came twice: given back, kept as credit, or no duplicate at all."""

from services.billing.domain.draft import Draft
from services.billing.domain.funds import released
from services.billing.domain.household import Household
from services.billing.domain.money import decided, pay_bill, settle_up, take_off
from services.billing.domain.refunds import open_refund
from services.billing.domain.requests import refused
from services.billing.domain.things import Case
from shared.contracts.billing import Refusal
from shared.contracts.event import Event
from shared.contracts.gateway import CaseDecisionRequested
from shared.decider import Context
from shared.ids import thing_id


def decide_case(request: CaseDecisionRequested, state: Household, context: Context) -> tuple[Event, ...]:
    """Give a case its one end; as credit the money pays its own bill first, where that still owes something."""
    case = state.cases.get(request.case_id)
    if case is None:
        return refused(state, request.request_id, Refusal.CASE_UNKNOWN)
    if case.outcome is not None:
        return refused(state, request.request_id, Refusal.CASE_DECIDED)
    draft = Draft(state, context)
    if request.decision == "refund":
        reason = _refund(draft, request, case)
        if reason is not None:
            return refused(state, request.request_id, reason)
        return draft.events
    draft.add(decided(state, request.case_id, case, request.decision, request_id=request.request_id))
    if case.invoice_id is not None:
        pay_bill(draft, case.fund_id, case.invoice_id)
    settle_up(draft)
    return draft.events


def _refund(draft: Draft, request: CaseDecisionRequested, case: Case) -> Refusal | None:
    """Give the surplus back by the card that brought it, or by the card whose payment it makes needless."""
    fund_id = _way_back(draft.state, case)
    if fund_id is None:
        return Refusal.NO_WAY_BACK
    fund = draft.state.funds[fund_id]
    way = fund.way
    minor = _returnable(draft.state, case, fund_id)
    if draft.state.is_disputed(fund_id):
        return Refusal.PAYMENT_DISPUTED
    if way is None or minor <= 0:
        return Refusal.CREDIT_TOO_SMALL
    refund_id = thing_id("rfd", draft.context.shard, draft.context.root)
    draft.add(decided(draft.state, request.case_id, case, "refund", refund_id, request.request_id))
    if fund_id != case.fund_id and case.invoice_id is not None:
        parts = released(fund, minor, case.invoice_id)
        take_off(draft, fund_id, parts, "duplicate", request.case_id, request.case_id)
        pay_bill(draft, case.fund_id, case.invoice_id)
    open_refund(draft, refund_id, fund_id, way, minor, "duplicate", request.case_id)
    settle_up(draft)
    return None


def _way_back(state: Household, case: Case) -> str | None:
    """Return the money that can go back: the surplus itself if a card brought it, else of its twin what pays the bill.

    A twin's money is a charge found where that came late.
    """
    if state.funds[case.fund_id].way is not None:
        return case.fund_id
    twins = [
        fund_id
        for fund_id, fund in state.funds.items()
        if fund.way is not None and fund.payment_id == case.twin_payment_id
    ]
    return max(twins, key=lambda fund_id: _returnable(state, case, fund_id), default=None)


def _returnable(state: Household, case: Case, fund_id: str) -> int:
    surplus = max(0, state.funds[case.fund_id].unapplied_minor)
    if fund_id == case.fund_id:
        return surplus
    on_bill = released(state.funds[fund_id], surplus, case.invoice_id)
    return min(surplus, sum(part.amount_minor for part in on_bill))
