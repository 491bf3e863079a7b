"""Money that goes back the way it came: set aside, approved where it is much, sent, and sometimes bounced."""

from services.billing.domain import policy
from services.billing.domain.commands import EndRefund, NoteRefund
from services.billing.domain.draft import Draft
from services.billing.domain.funds import Fund, Way
from services.billing.domain.household import Household
from services.billing.domain.money import give_surplus_its_use, make_room, settle_up
from services.billing.domain.payments import Settled, reference_of
from services.billing.domain.requests import refused
from services.billing.domain.things import Refund
from shared.contracts.billing import (
    RefundApproved,
    RefundBounced,
    RefundCancelled,
    RefundCompleted,
    RefundOpened,
    RefundReason,
    RefundSent,
    Refusal,
)
from shared.contracts.event import Event
from shared.contracts.gateway import RefundApprovalRequested, RefundRequested
from shared.decider import Context
from shared.ids import content_digest
from shared.instants import text_of


def request_refund(request: RefundRequested, state: Household, context: Context) -> tuple[Event, ...]:
    """Set the money aside, from credit or (`release`) from what it had paid; a taken id adds nothing.

    A bill that is open again for it is paid by a surplus that waits, as ever.
    """
    if request.refund_id in state.refunds:
        return ()
    answer = _refusal(request, state)
    if isinstance(answer, Refusal):
        return refused(state, request.refund_id, answer)
    draft = Draft(state, context)
    make_room(draft, request.payment_id, request.amount_minor, "refund", request.refund_id)
    open_refund(draft, request.refund_id, request.payment_id, answer, request.amount_minor, request.reason)
    give_surplus_its_use(draft)
    settle_up(draft)
    return draft.events


def _refusal(request: RefundRequested, state: Household) -> Refusal | Way:
    if not state.opened:
        return Refusal.ACCOUNT_UNKNOWN
    payment = state.payments.get(request.payment_id)
    if payment is None:
        return Refusal.PAYMENT_UNKNOWN
    fund = state.funds.get(request.payment_id)
    if not isinstance(payment, Settled) or fund is None:
        return Refusal.PAYMENT_NOT_SETTLED
    if fund.currency != request.currency:
        return Refusal.CURRENCY_MISMATCH
    if state.is_disputed(request.payment_id):
        return Refusal.PAYMENT_DISPUTED
    if fund.way is None:
        return Refusal.NO_WAY_BACK
    if request.amount_minor > _available(fund, request.release):
        return Refusal.CREDIT_TOO_SMALL
    return fund.way


def _available(fund: Fund, release: bool) -> int:
    """Return what may be asked back: nothing of a surplus whose case decides about it."""
    if fund.case_id is not None:
        return 0
    return fund.unapplied_minor + (fund.allocated_minor if release else 0)


def open_refund(
    draft: Draft,
    refund_id: str,
    fund_id: str,
    way: Way,
    amount_minor: int,
    reason: RefundReason,
    case_id: str | None = None,
) -> None:
    """Set aside credit that is there, to be sent at once or after its approvals."""
    fund = draft.state.funds[fund_id]
    needed = policy.APPROVALS if amount_minor > policy.APPROVAL_ABOVE_MINOR else 0
    draft.add(
        RefundOpened(
            account_id=draft.state.account_id,
            refund_id=refund_id,
            payment_id=fund.payment_id,
            fund_id=fund_id,
            reference=reference_of(draft.state.payments[fund.payment_id]),
            amount_minor=amount_minor,
            currency=fund.currency,
            reason=reason,
            processor=way.processor,
            processor_ref=way.processor_ref,
            charge_ref=way.charge_ref,
            approvals_needed=needed,
            digest=digest_of(draft.state.account_id, refund_id, fund_id, way, amount_minor, fund.currency, reason),
            approve_by=text_of(draft.context.recorded_at + policy.APPROVAL_TERM) if needed else None,
            case_id=case_id,
        )
    )


def digest_of(
    account_id: str, refund_id: str, fund_id: str, way: Way, amount_minor: int, currency: str, reason: str
) -> str:
    """Return what approvers approve: the SHA-256, hexadecimal, of all that decides where how much goes."""
    told = [account_id, refund_id, fund_id, way.processor, way.charge_ref, amount_minor, currency, reason]
    return content_digest(told)


def approve_refund(request: RefundApprovalRequested, state: Household, context: Context) -> tuple[Event, ...]:
    """Count one person's approval, or cancel the refund at one person's no."""
    refund = state.refunds.get(request.refund_id)
    approver = context.actor.id
    if refund is None:
        return refused(state, request.request_id, Refusal.REFUND_UNKNOWN)
    if refund.status != "waiting":
        return refused(state, request.request_id, Refusal.REFUND_NOT_WAITING)
    if request.digest != refund.digest:
        return refused(state, request.request_id, Refusal.DIGEST_MISMATCH)
    if request.decision == "reject":
        draft = Draft(state, context)
        draft.add(cancelled(request.refund_id, refund, state, "rejected", request.request_id))
        settle_up(draft)
        return draft.events
    if approver in refund.approvers:
        return refused(state, request.request_id, Refusal.APPROVER_REPEATED)
    return (
        RefundApproved(
            account_id=state.account_id,
            refund_id=request.refund_id,
            payment_id=refund.payment_id,
            approver=approver,
            digest=refund.digest,
            is_last=len(refund.approvers) + 1 >= refund.approvals_needed,
            request_id=request.request_id,
        ),
    )


def end_refund(command: EndRefund, state: Household, context: Context) -> tuple[Event, ...]:
    """Make credit again of a refund of which nothing left; one that left, or has an end, stays as it is."""
    refund = _known(command.refund_id, state)
    if not refund.is_unsent or (command.reason == "approval_expired" and refund.status != "waiting"):
        return ()
    draft = Draft(state, context)
    draft.add(cancelled(command.refund_id, refund, state, command.reason))
    settle_up(draft)
    return draft.events


def cancelled(
    refund_id: str, refund: Refund, state: Household, reason: str, request_id: str | None = None
) -> RefundCancelled:
    """Return the event that a refund is not made."""
    return RefundCancelled(
        account_id=state.account_id,
        refund_id=refund_id,
        payment_id=refund.payment_id,
        fund_id=refund.fund_id,
        reference=refund.reference,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        reason=reason,  # type: ignore[arg-type]
        request_id=request_id,
        case_id=refund.case_id,
    )


def note_refund(command: NoteRefund, state: Household, context: Context) -> tuple[Event, ...]:
    """Add what the log lacks of a refund as the processor has it: sent, completed, bounced."""
    refund = _known(command.refund_id, state)
    if refund.status == "bounced" or refund.refund_ref not in (None, command.refund_ref):
        return ()
    draft = Draft(state, context)
    if refund.refund_ref is None:
        draft.add(_sent(command, refund, state))
    if command.status in ("failed", "canceled"):
        if command.ended_on is not None:
            draft.add(_bounced(command, refund, state))
            settle_up(draft)
    elif command.status == "succeeded" and refund.status != "completed":
        draft.add(
            RefundCompleted(
                account_id=state.account_id,
                refund_id=command.refund_id,
                payment_id=refund.payment_id,
                reference=refund.reference,
                amount_minor=refund.amount_minor,
                currency=refund.currency,
            )
        )
    return draft.events


def _sent(command: NoteRefund, refund: Refund, state: Household) -> RefundSent:
    return RefundSent(
        account_id=state.account_id,
        refund_id=command.refund_id,
        payment_id=refund.payment_id,
        processor=refund.processor,
        processor_ref=refund.processor_ref,
        refund_ref=command.refund_ref,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        sent_on=command.sent_on,
        case_id=refund.case_id,
    )


def _bounced(command: NoteRefund, refund: Refund, state: Household) -> RefundBounced:
    assert command.ended_on is not None
    return RefundBounced(
        account_id=state.account_id,
        refund_id=command.refund_id,
        payment_id=refund.payment_id,
        fund_id=refund.fund_id,
        reference=refund.reference,
        processor=refund.processor,
        processor_ref=refund.processor_ref,
        refund_ref=command.refund_ref,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        bounced_on=command.ended_on,
        reason=command.reason,
        case_id=refund.case_id,
    )


def _known(refund_id: str, state: Household) -> Refund:
    refund = state.refunds.get(refund_id)
    if refund is None:
        raise LookupError(f"{state.account_id} has no refund {refund_id}: an outcome without its intent")
    return refund
