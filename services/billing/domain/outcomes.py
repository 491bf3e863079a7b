"""What effects and the processor report of an attempt; whatever is said twice, or too late, adds nothing."""

from typing import assert_never

from services.billing.domain.allocation import allocate_in_order
from services.billing.domain.commands import (
    CancelAttempt,
    DeclineAttempt,
    FoundCharge,
    MarkUnknown,
    NudgeAttempt,
    RegisterAttempt,
    RequireAction,
    SettleAttempt,
)
from services.billing.domain.household import Household, Invoice
from services.billing.domain.payments import (
    ActionRequired,
    Cancelled,
    Declined,
    Open,
    Payment,
    Planned,
    Registered,
    Settled,
    Summary,
    Unknown,
    reference_at_rail,
)
from shared.contracts.billing import (
    AttemptNudged,
    AttemptRegistered,
    ChargeFound,
    PaymentActionRequired,
    PaymentAllocated,
    PaymentCancelled,
    PaymentDeclined,
    PaymentSettled,
    PaymentUnknown,
)
from shared.contracts.event import Event
from shared.contracts.gateway import WebhookReceived
from shared.decider import Context
from shared.ids import thing_id

NOTHING: tuple[Event, ...] = ()
INTENT_PREFIX = "pi_"
UNINTERESTING = "payment_intent.canceled"
BOOKED_AS_CASE = "charge_found"


def register(command: RegisterAttempt, state: Household, context: Context) -> tuple[Event, ...]:
    """Give the attempt its one name at the rail; any other name, then or later, adds nothing."""
    payment = _known(command.payment_id, state)
    match payment:
        case Planned(terms) | Unknown(terms, None):
            return (
                AttemptRegistered(
                    account_id=state.account_id,
                    payment_id=terms.payment_id,
                    attempt_id=terms.attempt_id,
                    processor=command.processor,
                    processor_ref=command.processor_ref,
                    amount_minor=terms.amount_minor,
                    currency=terms.currency,
                ),
            )
        case Registered() | ActionRequired() | Unknown() | Settled() | Declined() | Cancelled():
            return NOTHING
        case _:
            assert_never(payment)


def settle(command: SettleAttempt, state: Household, context: Context) -> tuple[Event, ...]:
    """Settle the payment and allocate it; under another name, or after the end, it is a charge found: a case.

    A charge that is a case already is not booked twice: the attempt ends as cancelled.
    """
    payment = _known(command.payment_id, state)
    match payment:
        case Registered(terms, ref) | ActionRequired(terms, ref) | Unknown(terms, ref):
            if ref != command.processor_ref:
                return _found(command, terms.amount_minor, terms.currency, state, context)
            if command.charge_ref in state.found_charges:
                return (_cancelled(payment, command.processor, BOOKED_AS_CASE, state),)
            return _settled(command, payment, state)
        case Planned(terms):
            return _found(command, terms.amount_minor, terms.currency, state, context)
        case Settled(Summary(charge_ref=known)) if known == command.charge_ref:
            return NOTHING
        case Settled(summary) | Declined(summary) | Cancelled(summary):
            return _found(command, summary.amount_minor, summary.currency, state, context)
        case _:
            assert_never(payment)


def _settled(command: SettleAttempt, payment: Open, state: Household) -> tuple[Event, ...]:
    terms = payment.terms
    nothing_due = Invoice(currency=terms.currency, total_minor=0, lines=())
    invoice = state.invoices.get(terms.invoice_id, nothing_due)
    allocations, unapplied_minor = allocate_in_order(terms.amount_minor, terms.invoice_id, invoice)
    settled = PaymentSettled(
        account_id=state.account_id,
        payment_id=terms.payment_id,
        reference=terms.reference,
        attempt_id=terms.attempt_id,
        invoice_id=terms.invoice_id,
        processor=command.processor,
        processor_ref=command.processor_ref,
        charge_ref=command.charge_ref,
        amount_minor=terms.amount_minor,
        currency=terms.currency,
        settled_on=command.settled_on,
        settled_at=command.settled_at,
    )
    allocated = PaymentAllocated(
        account_id=state.account_id,
        payment_id=terms.payment_id,
        currency=terms.currency,
        allocations=allocations,
        unapplied_minor=unapplied_minor,
    )
    return settled, allocated


def decline(command: DeclineAttempt, state: Household, context: Context) -> tuple[Event, ...]:
    """End an open payment by the processor's no."""
    payment = _known(command.payment_id, state)
    if isinstance(payment, Settled | Declined | Cancelled):
        return NOTHING
    terms = payment.terms
    return (
        PaymentDeclined(
            account_id=state.account_id,
            payment_id=terms.payment_id,
            reference=terms.reference,
            attempt_id=terms.attempt_id,
            invoice_id=terms.invoice_id,
            processor=command.processor,
            amount_minor=terms.amount_minor,
            currency=terms.currency,
            reason=command.reason,
            registered=reference_at_rail(payment) is not None,
        ),
    )


def cancel(command: CancelAttempt, state: Household, context: Context) -> tuple[Event, ...]:
    """End an open payment without charge."""
    payment = _known(command.payment_id, state)
    if isinstance(payment, Settled | Declined | Cancelled):
        return NOTHING
    return (_cancelled(payment, command.processor, command.reason, state),)


def _cancelled(payment: Open, processor: str, reason: str, state: Household) -> Event:
    terms = payment.terms
    return PaymentCancelled(
        account_id=state.account_id,
        payment_id=terms.payment_id,
        reference=terms.reference,
        attempt_id=terms.attempt_id,
        invoice_id=terms.invoice_id,
        processor=processor,
        amount_minor=terms.amount_minor,
        currency=terms.currency,
        reason=reason,
        registered=reference_at_rail(payment) is not None,
    )


def mark_unknown(command: MarkUnknown, state: Household, context: Context) -> tuple[Event, ...]:
    """Say that the outcome is not known, once in a row; an end is not undone."""
    payment = _known(command.payment_id, state)
    match payment:
        case Planned(terms) | Registered(terms) | ActionRequired(terms):
            return (
                PaymentUnknown(
                    account_id=state.account_id,
                    payment_id=terms.payment_id,
                    attempt_id=terms.attempt_id,
                    since=command.since,
                ),
            )
        case Unknown() | Settled() | Declined() | Cancelled():
            return NOTHING
        case _:
            assert_never(payment)


def require_action(command: RequireAction, state: Household, context: Context) -> tuple[Event, ...]:
    """Ask the member for what the processor asks of them."""
    payment = _known(command.payment_id, state)
    match payment:
        case Registered(terms) | Unknown(terms, str()):
            return (
                PaymentActionRequired(
                    account_id=state.account_id,
                    payment_id=terms.payment_id,
                    attempt_id=terms.attempt_id,
                    url=command.url,
                    expires_at=command.expires_at,
                ),
            )
        case Planned() | ActionRequired() | Unknown() | Settled() | Declined() | Cancelled():
            return NOTHING
        case _:
            assert_never(payment)


def found_charge(command: FoundCharge, state: Household, context: Context) -> tuple[Event, ...]:
    """Open a case for money taken under another reference, once per charge."""
    _known(command.payment_id, state)
    return _found(command, command.amount_minor, command.currency, state, context)


def nudge(message: WebhookReceived | NudgeAttempt, state: Household, context: Context) -> tuple[Event, ...]:
    """Have the effect ask about an open registered attempt, or read an intent that is not the registered one."""
    found = state.payment_of(message.attempt_id) if message.attempt_id else None
    if found is None:
        return NOTHING
    payment_id, payment = found
    nudged = AttemptNudged(
        account_id=state.account_id,
        payment_id=payment_id,
        attempt_id=message.attempt_id or "",
        object_id=message.object_id,
    )
    match payment:
        case Planned() | Unknown(_, None):
            return NOTHING
        case Registered() | ActionRequired() | Unknown():
            return (nudged,)
        case Settled() | Declined() | Cancelled():
            return (nudged,) if _is_another_intent(message, payment) else NOTHING
        case _:
            assert_never(payment)


def _is_another_intent(message: WebhookReceived | NudgeAttempt, payment: Payment) -> bool:
    is_intent = message.object_id.startswith(INTENT_PREFIX) and message.kind != UNINTERESTING
    return is_intent and message.object_id != reference_at_rail(payment)


def _found(
    command: SettleAttempt | FoundCharge, amount_minor: int, currency: str, state: Household, context: Context
) -> tuple[Event, ...]:
    if command.charge_ref in state.charge_refs():
        return NOTHING
    return (
        ChargeFound(
            account_id=state.account_id,
            payment_id=command.payment_id,
            attempt_id=command.attempt_id,
            case_id=thing_id("case", context.shard, context.root),
            processor=command.processor,
            processor_ref=command.processor_ref,
            charge_ref=command.charge_ref,
            amount_minor=amount_minor,
            currency=currency,
            settled_on=command.settled_on,
        ),
    )


def _known(payment_id: str, state: Household) -> Payment:
    payment = state.payments.get(payment_id)
    if payment is None:
        raise LookupError(f"{state.account_id} has no payment {payment_id}: an outcome without its intent")
    return payment
