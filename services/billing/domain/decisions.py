"""What people decide of payments that have no end yet, and what time decides for them."""

from services.billing.domain.commands import ExpireHold
from services.billing.domain.household import Household
from services.billing.domain.payments import Ask, Cancelled, Declined, Held, Settled
from services.billing.domain.requests import refused, wrong_bill
from shared.contracts.billing import AttemptCancelRequested, AttemptPlanned, PaymentCancelled, Refusal
from shared.contracts.event import Event
from shared.contracts.gateway import PaymentCancellationRequested, PaymentDecisionRequested
from shared.decider import Context

PROCESSOR = "card"
BY_MEMBER = "cancelled_by_member"
HOLD_EXPIRED = "hold_expired"


def cancel_payment(request: PaymentCancellationRequested, state: Household, context: Context) -> tuple[Event, ...]:
    """End a held payment; have the effect end an attempt, which may find that it has charged."""
    payment = state.payments.get(request.payment_id)
    match payment:
        case None:
            return refused(state, request.request_id, Refusal.PAYMENT_UNKNOWN)
        case Settled() | Declined() | Cancelled():
            return refused(state, request.request_id, Refusal.PAYMENT_FINAL)
        case Held(ask):
            return (_given_up(ask, state, BY_MEMBER, request.request_id),)
        case _:
            return (
                AttemptCancelRequested(
                    account_id=state.account_id,
                    payment_id=request.payment_id,
                    attempt_id=payment.terms.attempt_id,
                    request_id=request.request_id,
                ),
            )


def decide_held(request: PaymentDecisionRequested, state: Household, context: Context) -> tuple[Event, ...]:
    """Charge a held payment after all (what its bill does not need is credit then), or cancel it."""
    payment = state.payments.get(request.payment_id)
    if payment is None:
        return refused(state, request.request_id, Refusal.PAYMENT_UNKNOWN)
    if not isinstance(payment, Held):
        return refused(state, request.request_id, Refusal.PAYMENT_NOT_HELD)
    ask = payment.ask
    if request.decision == "cancel":
        return (_given_up(ask, state, BY_MEMBER, request.request_id),)
    reason = wrong_bill(ask, state)
    if reason is not None:
        return refused(state, request.request_id, reason)
    return (
        AttemptPlanned(
            account_id=state.account_id,
            payment_id=ask.payment_id,
            reference=ask.reference,
            attempt_id=ask.attempt_id,
            invoice_id=ask.invoice_id,
            amount_minor=ask.amount_minor,
            currency=ask.currency,
            method=ask.method,
            received_at=ask.received_at,
            policy_id=ask.policy_id,
            return_url=ask.return_url,
            accepts_credit=True,
            request_id=request.request_id,
        ),
    )


def expire_hold(command: ExpireHold, state: Household, context: Context) -> tuple[Event, ...]:
    """Cancel a payment that is still held."""
    payment = state.payments.get(command.payment_id)
    return (_given_up(payment.ask, state, HOLD_EXPIRED, None),) if isinstance(payment, Held) else ()


def _given_up(ask: Ask, state: Household, reason: str, request_id: str | None) -> PaymentCancelled:
    return PaymentCancelled(
        account_id=state.account_id,
        payment_id=ask.payment_id,
        reference=ask.reference,
        attempt_id=ask.attempt_id,
        invoice_id=ask.invoice_id,
        processor=PROCESSOR,
        amount_minor=ask.amount_minor,
        currency=ask.currency,
        reason=reason,
        registered=False,
        request_id=request_id,
    )
