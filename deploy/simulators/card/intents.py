"""What happens to a PaymentIntent: created, confirmed, authenticated, settled, cancelled. No I/O here."""

from typing import assert_never

from msgspec import Struct, structs

from deploy.simulators.card import cards, charges
from deploy.simulators.card.books import Terms
from deploy.simulators.card.cards import CARDS, Asks, Behaviour, Card, Declines, Pays
from deploy.simulators.card.errors import invalid_request
from deploy.simulators.card.objects import (
    Decision,
    Happened,
    Intent,
    IntentStatus,
    Kept,
    Moment,
    Problem,
    Refusal,
    Timer,
)


class Twist(Struct, frozen=True):
    """What a fault changes about one confirm."""

    decline: Declines | None = None
    charges: int = 1
    processing_s: float | None = None


class Confirm(Struct, frozen=True, kw_only=True):
    """The parameters of a confirm, valid in themselves."""

    intent_id: str = ""
    payment_method: str | None = None
    return_url: str | None = None
    off_session: bool = False
    error_on_requires_action: bool = False
    receipt_email: str | None = None
    setup_future_usage: str | None = None


class Create(Struct, frozen=True, kw_only=True):
    """The parameters of a create, valid in themselves; `confirm` when it is to be confirmed in the same call."""

    amount: int
    currency: str
    payment_method: str | None
    customer: str | None
    description: str | None
    metadata: dict[str, str]
    receipt_email: str | None
    setup_future_usage: str | None
    statement_descriptor: str | None
    statement_descriptor_suffix: str | None
    automatic_payment_methods: bool
    confirm: Confirm | None


PLAIN = Twist()


def create(ask: Create, twist: Twist, terms: Terms, site: str, moment: Moment) -> Decision:
    """Make an intent, and confirm it where that was asked for."""
    intent_id = moment.mint("pi_")
    status = IntentStatus.REQUIRES_CONFIRMATION if ask.payment_method else IntentStatus.REQUIRES_PAYMENT_METHOD
    intent = Intent(
        id=intent_id,
        amount=ask.amount,
        automatic_payment_methods=_automatic() if ask.automatic_payment_methods else None,
        client_secret=moment.mint(f"{intent_id}_secret_"),
        created=moment.now,
        currency=ask.currency,
        customer=ask.customer,
        description=ask.description,
        metadata=ask.metadata,
        payment_method=ask.payment_method,
        receipt_email=ask.receipt_email,
        setup_future_usage=ask.setup_future_usage,
        statement_descriptor=ask.statement_descriptor,
        statement_descriptor_suffix=ask.statement_descriptor_suffix,
        status=status,
    )
    made = Happened("payment_intent.created", intent)
    if ask.confirm is None:
        return Decision(answer=intent, saved=(intent,), happened=(made,))
    tried = confirm(intent, ask.confirm, twist, terms, site, moment)
    if isinstance(tried.answer, Refusal) and not tried.saved:
        problem = structs.replace(tried.answer.problem, payment_intent=None)
        return structs.replace(tried, answer=structs.replace(tried.answer, problem=problem))
    return structs.replace(tried, saved=(intent, *tried.saved), happened=(made, *tried.happened))


def _automatic() -> dict[str, object]:
    return {"allow_redirects": "always", "enabled": True}


def confirm(intent: Intent, ask: Confirm, twist: Twist, terms: Terms, site: str, moment: Moment) -> Decision:
    """Try to charge, once in an intent's life; refused when the intent is past that."""
    match intent.status:
        case IntentStatus.SUCCEEDED:
            return _unexpected(intent, "confirm", "it has already succeeded after being previously confirmed")
        case IntentStatus.CANCELED | IntentStatus.PROCESSING:
            return _unexpected(intent, "confirm", f"it has a status of {intent.status}")
        case IntentStatus.REQUIRES_PAYMENT_METHOD | IntentStatus.REQUIRES_CONFIRMATION | IntentStatus.REQUIRES_ACTION:
            token = ask.payment_method or intent.payment_method
            if token is None:
                return _unexpected(intent, "confirm", "it's missing a payment method")
            intent = structs.replace(
                intent,
                payment_method=token,
                receipt_email=ask.receipt_email or intent.receipt_email,
                setup_future_usage=ask.setup_future_usage or intent.setup_future_usage,
                last_payment_error=None,
                next_action=None,
            )
            return _try(intent, ask, CARDS[token], twist, terms, site, moment)
        case _:
            assert_never(intent.status)


def _try(intent: Intent, ask: Confirm, card: Card, twist: Twist, terms: Terms, site: str, moment: Moment) -> Decision:
    behaviour: Behaviour = twist.decline or card.behaviour
    match behaviour:
        case Asks():
            if ask.off_session or ask.error_on_requires_action:
                return _charge(intent, card, cards.declines("authentication_required"), twist, terms, moment)
            return _ask(intent, ask, site)
        case Pays() if twist.processing_s is not None:
            waiting = structs.replace(intent, status=IntentStatus.PROCESSING)
            return Decision(
                answer=waiting,
                saved=(waiting,),
                happened=(Happened("payment_intent.processing", waiting),),
                timers=(Timer(twist.processing_s, "settle_intent", intent.id),),
                tried=(intent.id, "processing"),
            )
        case Pays() | Declines():
            return _charge(intent, card, behaviour, twist, terms, moment)
        case _:
            assert_never(behaviour)


def _ask(intent: Intent, ask: Confirm, site: str) -> Decision:
    redirect = {"return_url": ask.return_url, "url": f"{site}/_sim/authenticate/{intent.id}"}
    asking = structs.replace(
        intent,
        status=IntentStatus.REQUIRES_ACTION,
        next_action={"type": "redirect_to_url", "redirect_to_url": redirect},
    )
    return Decision(
        answer=asking,
        saved=(asking,),
        happened=(Happened("payment_intent.requires_action", asking),),
        tried=(intent.id, "requires_action"),
    )


def _charge(intent: Intent, card: Card, how: Pays | Declines, twist: Twist, terms: Terms, moment: Moment) -> Decision:
    match how:
        case Pays():
            tries = [charges.succeed(intent, card, how, terms, moment) for _ in range(twist.charges)]
            paid = structs.replace(
                intent,
                status=IntentStatus.SUCCEEDED,
                amount_received=intent.amount,
                latest_charge=tries[-1].charge.id,
                next_action=None,
                review=moment.mint("prv_") if how.risk == "elevated" else None,
            )
            saved: tuple[Kept, ...] = tuple(kept for tried in tries for kept in tried.saved)
            happened = tuple(event for tried in tries for event in tried.happened)
            return Decision(
                answer=paid,
                saved=(*saved, paid),
                happened=(*happened, Happened("payment_intent.succeeded", paid)),
                tried=(intent.id, "succeeded"),
            )
        case Declines():
            failed = charges.fail(intent, card, how, moment)
            problem = cards.problem(how, card, failed.charge.id)
            return _declined(intent, problem, failed.charge.id, failed.saved, failed.happened)
        case _:
            assert_never(how)


def _declined(
    intent: Intent, problem: Problem, charge: str | None, saved: tuple[Kept, ...], happened: tuple[Happened, ...]
) -> Decision:
    declined = structs.replace(
        intent,
        status=IntentStatus.REQUIRES_PAYMENT_METHOD,
        last_payment_error=problem,
        latest_charge=charge or intent.latest_charge,
        next_action=None,
        payment_method=None,
    )
    return Decision(
        answer=Refusal(402, structs.replace(problem, payment_intent=declined)),
        saved=(*saved, declined),
        happened=(*happened, Happened("payment_intent.payment_failed", declined)),
        tried=(intent.id, problem.decline_code or problem.code or "failed"),
    )


def authenticate(intent: Intent, passed: bool, terms: Terms, moment: Moment) -> Decision:
    """End the 3-D Secure step: charge when passed, else back to `requires_payment_method`."""
    if intent.status is not IntentStatus.REQUIRES_ACTION or intent.payment_method is None:
        return _unexpected(intent, "authenticate", f"it has a status of {intent.status}")
    card = CARDS[intent.payment_method]
    if passed:
        how = cards.after_authentication(card.behaviour)
        return structs.replace(_charge(intent, card, how, PLAIN, terms, moment), tried=None)
    problem = Problem(
        type="invalid_request_error",
        message="The provided PaymentMethod has failed authentication. Provide another one and try again.",
        code="payment_intent_authentication_failure",
        payment_method=cards.payment_method(card),
    )
    return structs.replace(_declined(intent, problem, None, (), ()), tried=None)


def settle(intent: Intent, terms: Terms, moment: Moment) -> Decision:
    """Charge an intent that was `processing`; in any other state nothing is left to do."""
    if intent.status is not IntentStatus.PROCESSING or intent.payment_method is None:
        return Decision(answer=intent)
    card = CARDS[intent.payment_method]
    how = cards.after_authentication(card.behaviour)
    return structs.replace(_charge(intent, card, how, PLAIN, terms, moment), tried=None)


def cancel(intent: Intent, reason: str | None, moment: Moment) -> Decision:
    """Cancel an intent that has not charged; after that it never can."""
    match intent.status:
        case IntentStatus.SUCCEEDED | IntentStatus.CANCELED | IntentStatus.PROCESSING:
            return _unexpected(intent, "cancel", f"it has a status of {intent.status}")
        case IntentStatus.REQUIRES_PAYMENT_METHOD | IntentStatus.REQUIRES_CONFIRMATION | IntentStatus.REQUIRES_ACTION:
            gone = structs.replace(
                intent,
                status=IntentStatus.CANCELED,
                canceled_at=moment.now,
                cancellation_reason=reason,
                next_action=None,
            )
            return Decision(answer=gone, saved=(gone,), happened=(Happened("payment_intent.canceled", gone),))
        case _:
            assert_never(intent.status)


def _unexpected(intent: Intent, verb: str, why: str) -> Decision:
    text = f"You cannot {verb} this PaymentIntent because {why}."
    return Decision(answer=invalid_request(text, code="payment_intent_unexpected_state", param="intent", intent=intent))
