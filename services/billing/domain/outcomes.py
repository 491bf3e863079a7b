"""What effects and the processor report of an attempt; whatever is said twice, or too late, adds nothing."""

from typing import assert_never

from services.billing.domain.commands import (
    CancelAttempt,
    DeclineAttempt,
    FoundCharge,
    MarkUnknown,
    RegisterAttempt,
    RequireAction,
    SettleAttempt,
)
from services.billing.domain.draft import Draft
from services.billing.domain.household import Household
from services.billing.domain.money import give_surplus_its_use
from services.billing.domain.nudges import other_charges
from services.billing.domain.payments import (
    ActionRequired,
    Cancelled,
    Declined,
    Held,
    Open,
    Payment,
    Planned,
    Registered,
    Settled,
    Unknown,
    invoice_of,
    reference_at_rail,
)
from services.billing.domain.settlements import close, open_case, place
from shared.contracts.billing import (
    AttemptRegistered,
    ChargeFound,
    PaymentActionRequired,
    PaymentCancelled,
    PaymentDeclined,
    PaymentSettled,
    PaymentUnknown,
)
from shared.contracts.event import Event
from shared.decider import Context
from shared.ids import thing_id

NOTHING: tuple[Event, ...] = ()
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
        case Held() | Registered() | ActionRequired() | Unknown() | Settled() | Declined() | Cancelled():
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
            if state.fund_of_charge(command.charge_ref) is not None:
                return (_cancelled(payment, command.processor, BOOKED_AS_CASE, state),)
            return _settled(command, payment, state, context)
        case Planned(terms):
            return _found(command, terms.amount_minor, terms.currency, state, context)
        case Held(ask):
            return _found(command, ask.amount_minor, ask.currency, state, context)
        case Settled(summary) | Declined(summary) | Cancelled(summary):
            return _found(command, summary.amount_minor, summary.currency, state, context)
        case _:
            assert_never(payment)


def _settled(command: SettleAttempt, payment: Open, state: Household, context: Context) -> tuple[Event, ...]:
    terms = payment.terms
    draft = Draft(state, context)
    draft.add(
        PaymentSettled(
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
    )
    place(draft, terms.payment_id, terms.invoice_id, terms.policy_id, terms.accepts_credit)
    for nudged in other_charges(terms, state, command.charge_ref):
        draft.add(nudged)
    close(draft, terms.payment_id)
    return draft.events


def decline(command: DeclineAttempt, state: Household, context: Context) -> tuple[Event, ...]:
    """End an open payment by the processor's no; a charge told of before is read."""
    payment = _known(command.payment_id, state)
    if isinstance(payment, Held | Settled | Declined | Cancelled):
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
        *other_charges(terms, state),
    )


def cancel(command: CancelAttempt, state: Household, context: Context) -> tuple[Event, ...]:
    """End an open payment without charge; a charge told of before is read."""
    payment = _known(command.payment_id, state)
    if isinstance(payment, Held | Settled | Declined | Cancelled):
        return NOTHING
    return (_cancelled(payment, command.processor, command.reason, state), *other_charges(payment.terms, state))


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
        case Held() | Unknown() | Settled() | Declined() | Cancelled():
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
        case Held() | Planned() | ActionRequired() | Unknown() | Settled() | Declined() | Cancelled():
            return NOTHING
        case _:
            assert_never(payment)


def found_charge(command: FoundCharge, state: Household, context: Context) -> tuple[Event, ...]:
    """Open a case for money taken under another reference, once per charge."""
    _known(command.payment_id, state)
    return _found(command, command.amount_minor, command.currency, state, context)


def _found(
    command: SettleAttempt | FoundCharge, amount_minor: int, currency: str, state: Household, context: Context
) -> tuple[Event, ...]:
    if state.fund_of_charge(command.charge_ref) is not None:
        return NOTHING
    payment = state.payments[command.payment_id]
    case_id = thing_id("case", context.shard, context.root)
    draft = Draft(state, context)
    draft.add(
        ChargeFound(
            account_id=state.account_id,
            payment_id=command.payment_id,
            attempt_id=command.attempt_id,
            case_id=case_id,
            processor=command.processor,
            processor_ref=command.processor_ref,
            charge_ref=command.charge_ref,
            amount_minor=amount_minor,
            currency=currency,
            settled_on=command.settled_on,
        )
    )
    is_late = isinstance(payment, Declined | Cancelled)
    twin_payment_id = command.payment_id if isinstance(payment, Settled) else None
    open_case(draft, "late_success" if is_late else "charged_twice", case_id, twin_payment_id, invoice_of(payment))
    give_surplus_its_use(draft)
    close(draft, case_id)
    return draft.events


def _known(payment_id: str, state: Household) -> Payment:
    payment = state.payments.get(payment_id)
    if payment is None:
        raise LookupError(f"{state.account_id} has no payment {payment_id}: an outcome without its intent")
    return payment
