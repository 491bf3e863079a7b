"""What the processor is heard to speak of: what of it has the effect ask or read."""

from typing import assert_never

from services.billing.domain.commands import NudgeAttempt
from services.billing.domain.household import Household
from services.billing.domain.payments import (
    ActionRequired,
    Cancelled,
    Declined,
    Held,
    Payment,
    Planned,
    Registered,
    Settled,
    Terms,
    Unknown,
    reference_at_rail,
)
from shared.contracts.billing import AttemptNudged, RefundNudged
from shared.contracts.event import Event
from shared.contracts.gateway import WebhookReceived
from shared.decider import Context

NOTHING: tuple[Event, ...] = ()
INTENT_PREFIX, CHARGE_PREFIX, REFUND_PREFIX = "pi_", "ch_", "re_"
CHARGED = "charge.succeeded"
UNINTERESTING = "payment_intent.canceled"


def nudge(message: WebhookReceived | NudgeAttempt, state: Household, context: Context) -> tuple[Event, ...]:
    """Have the effect ask about an open registered attempt, a refund, or a charge or intent that is not ours yet."""
    if message.object_id.startswith(REFUND_PREFIX):
        return _nudge_refund(message.object_id, state)
    found = state.payment_of(message.attempt_id) if message.attempt_id else None
    if found is None:
        return NOTHING
    payment_id, payment = found
    nudged = _nudged(state, payment_id, message.attempt_id or "", message.object_id)
    match payment:
        case Held() | Planned() | Unknown(_, None):
            return NOTHING
        case Registered() | ActionRequired() | Unknown():
            return (nudged,)
        case Settled() | Declined() | Cancelled():
            return (nudged,) if _is_strange(message, payment, state) else NOTHING
        case _:
            assert_never(payment)


def _nudged(state: Household, payment_id: str, attempt_id: str, object_id: str) -> AttemptNudged:
    return AttemptNudged(account_id=state.account_id, payment_id=payment_id, attempt_id=attempt_id, object_id=object_id)


def _nudge_refund(refund_ref: str, state: Household) -> tuple[Event, ...]:
    for refund_id, refund in state.refunds.items():
        if refund.refund_ref == refund_ref and refund.status != "bounced":
            nudged = RefundNudged(
                account_id=state.account_id,
                refund_id=refund_id,
                payment_id=refund.payment_id,
                object_id=refund_ref,
            )
            return (nudged,)
    return NOTHING


def _is_strange(message: WebhookReceived | NudgeAttempt, payment: Payment, state: Household) -> bool:
    """Tell whether an ended payment's processor speaks of an intent or a charge that this log does not name."""
    if message.object_id.startswith(CHARGE_PREFIX):
        return message.kind == CHARGED and state.fund_of_charge(message.object_id) is None
    is_intent = message.object_id.startswith(INTENT_PREFIX) and message.kind != UNINTERESTING
    return is_intent and message.object_id != reference_at_rail(payment)


def other_charges(terms: Terms, state: Household, settled_by: str | None = None) -> tuple[AttemptNudged, ...]:
    """Have each charge read that an attempt, which ends now, was told of and that this log does not name."""
    told = state.told_charges.get(terms.payment_id, ())
    strange = (one for one in told if one != settled_by and state.fund_of_charge(one) is None)
    return tuple(_nudged(state, terms.payment_id, terms.attempt_id, charge_ref) for charge_ref in strange)
