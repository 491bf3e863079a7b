"""How an event changes what a household's money is in the middle of."""

from typing import Any, Literal

import msgspec

from services.billing.domain.funds import Fund, Way
from services.billing.domain.household import Household, changed, with_fund
from services.billing.domain.things import Case, Chargeback, Refund, Transfer
from shared.contracts.billing import (
    ChargebackDebited,
    ChargebackDropped,
    ChargebackLost,
    ChargebackOpened,
    ChargebackWon,
    ChargeFound,
    CheckReturnKept,
    DisputeKept,
    DuplicateCaseDecided,
    DuplicateCaseOpened,
    PaymentReturned,
    RecoveryPaid,
    RefundApproved,
    RefundBounced,
    RefundCancelled,
    RefundCompleted,
    RefundOpened,
    RefundSent,
    RefundStopRequested,
    TransferCompleted,
    TransferReceived,
    TransferReturned,
    TransferSent,
)
from shared.contracts.event import Event

ChargebackEvent = ChargebackDebited | ChargebackWon | ChargebackLost | ChargebackDropped
RefundEvent = RefundApproved | RefundStopRequested | RefundSent | RefundCompleted | RefundBounced | RefundCancelled


def evolve_money(state: Household, event: Event) -> Household:
    """Return the household after an event of a case, refund, chargeback, return or transfer; others change nothing."""
    match event:
        case ChargeFound():
            way = Way(processor=event.processor, processor_ref=event.processor_ref, charge_ref=event.charge_ref)
            fund = Fund(currency=event.currency, settled_minor=event.amount_minor, payment_id=event.payment_id, way=way)
            return with_fund(state, event.case_id, fund)
        case DuplicateCaseOpened() | DuplicateCaseDecided():
            return _case(state, event)
        case RefundOpened():
            return _refund_opened(state, event)
        case (
            RefundApproved()
            | RefundStopRequested()
            | RefundSent()
            | RefundCompleted()
            | RefundBounced()
            | RefundCancelled()
        ):
            return _refund(state, event)
        case DisputeKept():
            return changed(state, kept_disputes={**state.kept_disputes, event.traced.object_id: event.traced})
        case ChargebackOpened():
            return _disputed(state, event)
        case ChargebackDebited() | ChargebackWon() | ChargebackLost() | ChargebackDropped():
            return _chargeback(state, event)
        case CheckReturnKept(reported=reported):
            return changed(state, kept_returns={**state.kept_returns, reported.payment_id: reported})
        case PaymentReturned():
            return _taken_back(state, event.payment_id, event.from_credit_minor, event.recovery_minor)
        case RecoveryPaid(payment_id=fund_id, amount_minor=minor):
            return _taken_back(state, fund_id, minor, -minor)
        case TransferSent() | TransferReceived() | TransferCompleted() | TransferReturned():
            return _transfer(state, event)
        case _:
            return state


def _fund(state: Household, fund_id: str, **changes: Any) -> Household:
    fund = state.funds.get(fund_id)
    return state if fund is None else with_fund(state, fund_id, msgspec.structs.replace(fund, **changes))


def _case(state: Household, event: DuplicateCaseOpened | DuplicateCaseDecided) -> Household:
    if isinstance(event, DuplicateCaseOpened):
        case = Case(
            rule=event.rule,
            fund_id=event.fund_id,
            payment_id=event.payment_id,
            reference=event.reference,
            twin_payment_id=event.twin_payment_id,
            invoice_id=event.invoice_id,
            amount_minor=event.amount_minor,
            currency=event.currency,
        )
        state = _fund(state, event.fund_id, case_id=event.case_id)
    else:
        known = state.cases.get(event.case_id)
        if known is None:
            return state
        case = msgspec.structs.replace(known, outcome=event.outcome)
        state = _fund(state, case.fund_id, case_id=None)
    return changed(state, cases={**state.cases, event.case_id: case})


def _refund_opened(state: Household, event: RefundOpened) -> Household:
    refund = Refund(
        payment_id=event.payment_id,
        fund_id=event.fund_id,
        reference=event.reference,
        amount_minor=event.amount_minor,
        currency=event.currency,
        processor=event.processor,
        processor_ref=event.processor_ref,
        digest=event.digest,
        approvals_needed=event.approvals_needed,
        status="waiting" if event.approvals_needed else "open",
        case_id=event.case_id,
    )
    state = _refunded(state, event.fund_id, event.amount_minor)
    return changed(state, refunds={**state.refunds, event.refund_id: refund})


def _refunded(state: Household, fund_id: str, minor: int) -> Household:
    fund = state.funds.get(fund_id)
    return state if fund is None else _fund(state, fund_id, refunded_minor=fund.refunded_minor + minor)


def _refund(state: Household, event: RefundEvent) -> Household:
    known = state.refunds.get(event.refund_id)
    if known is None:
        return state
    refund = known
    match event:
        case RefundApproved():
            status: Literal["open", "waiting"] = "open" if event.is_last else "waiting"
            refund = msgspec.structs.replace(known, approvers=(*known.approvers, event.approver), status=status)
        case RefundStopRequested():
            refund = msgspec.structs.replace(known, status="stopping")
        case RefundSent():
            refund = msgspec.structs.replace(known, status="sent", refund_ref=event.refund_ref)
            if known.status == "cancelled":  # it left after all: the money is set aside again
                state = _refunded(state, known.fund_id, known.amount_minor)
        case RefundCompleted():
            refund = msgspec.structs.replace(known, status="completed")
        case RefundBounced():
            refund = msgspec.structs.replace(known, status="bounced")
            state = _refunded(state, known.fund_id, -known.amount_minor)
        case RefundCancelled():
            refund = msgspec.structs.replace(known, status="cancelled")
            state = _refunded(state, known.fund_id, -known.amount_minor)
    return changed(state, refunds={**state.refunds, event.refund_id: refund})


def _disputed(state: Household, event: ChargebackOpened) -> Household:
    opened = Chargeback(payment_id=event.payment_id, fund_id=event.fund_id, stage=event.stage)
    kept = {ref: traced for ref, traced in state.kept_disputes.items() if ref != event.chargeback_id}
    return changed(state, chargebacks={**state.chargebacks, event.chargeback_id: opened}, kept_disputes=kept)


def _chargeback(state: Household, event: ChargebackEvent) -> Household:
    known = state.chargebacks.get(event.chargeback_id)
    if known is None:
        return state
    match event:
        case ChargebackDebited():
            now = msgspec.structs.replace(known, stage="chargeback", debited_minor=event.amount_minor, ended=False)
        case ChargebackWon():
            now = msgspec.structs.replace(known, reinstated_minor=event.amount_minor, ended=True)
        case ChargebackLost():
            now = msgspec.structs.replace(known, ended=True)
            state = _taken_back(state, known.fund_id, event.from_credit_minor, event.recovery_minor)
        case ChargebackDropped():
            now = msgspec.structs.replace(known, ended=True)
    return changed(state, chargebacks={**state.chargebacks, event.chargeback_id: now})


def _taken_back(state: Household, fund_id: str, from_credit_minor: int, recovery_minor: int) -> Household:
    fund = state.funds.get(fund_id)
    if fund is None:
        return state
    return _fund(
        state,
        fund_id,
        taken_back_minor=fund.taken_back_minor + from_credit_minor,
        recovery_minor=fund.recovery_minor + recovery_minor,
    )


def _transfer(
    state: Household, event: TransferSent | TransferReceived | TransferCompleted | TransferReturned
) -> Household:
    match event:
        case TransferReceived():
            fund = Fund(currency=event.currency, settled_minor=event.amount_minor)
            return with_fund(state, event.transfer_id, fund)
        case TransferSent():
            transfer = Transfer(
                to_account_id=event.routed_to,
                amount_minor=event.amount_minor,
                currency=event.currency,
                sources=event.sources,
            )
            state = _moved(state, transfer, 1)
            return changed(state, transfers={**state.transfers, event.transfer_id: transfer})
        case TransferCompleted() | TransferReturned():
            known = state.transfers.get(event.transfer_id)
            if known is None:
                return state
            if isinstance(event, TransferReturned):
                state = _moved(state, known, -1)
            ended = msgspec.structs.replace(known, under_way=False)
            return changed(state, transfers={**state.transfers, event.transfer_id: ended})


def _moved(state: Household, transfer: Transfer, sign: int) -> Household:
    for source in transfer.sources:
        fund = state.funds.get(source.fund_id)
        if fund is not None:
            moved = fund.transferred_minor + sign * source.amount_minor
            state = _fund(state, source.fund_id, transferred_minor=moved)
    return state
