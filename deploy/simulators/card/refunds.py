"""Refunds: whole or part, at once or pending, and those that fail after they succeeded."""

from typing import Literal

from msgspec import Struct, structs

from deploy.simulators.card import books
from deploy.simulators.card.books import Terms
from deploy.simulators.card.cards import CARDS, Pays, after_authentication
from deploy.simulators.card.errors import invalid_request
from deploy.simulators.card.objects import Charge, Decision, Happened, Moment, Refund, Refusal, Timer


class CreateRefund(Struct, frozen=True, kw_only=True):
    """The parameters of a refund, valid in themselves; one of `payment_intent` and `charge` is given."""

    payment_intent: str | None
    charge: str | None
    amount: int | None
    reason: str | None
    metadata: dict[str, str]


def refusal(ask: CreateRefund, charge: Charge, is_charged_back: bool) -> Refusal | None:
    """Return why a charge cannot be refunded so, or None."""
    if charge.status != "succeeded":
        text = f"This PaymentIntent ({charge.payment_intent}) does not have a successful charge to refund."
        return invalid_request(text, param="payment_intent")
    if is_charged_back:
        text = f"Charge {charge.id} has been charged back; cannot issue a refund."
        return invalid_request(text, code="charge_disputed")
    left = charge.amount - charge.amount_refunded
    if left == 0:
        return invalid_request(f"Charge {charge.id} has already been refunded.", code="charge_already_refunded")
    if ask.amount is not None and ask.amount > left:
        text = f"Refund amount ({ask.amount}) is greater than unrefunded amount on charge ({left})"
        return invalid_request(text, param="amount")
    return None


def create(
    ask: CreateRefund, charge: Charge, terms: Terms, moment: Moment, *, is_charged_back: bool = False
) -> Decision:
    """Refund what was asked for, or all that is left; nothing of what the card holder's bank has taken back."""
    reason = refusal(ask, charge, is_charged_back)
    if reason is not None:
        return Decision(answer=reason)
    amount = ask.amount if ask.amount is not None else charge.amount - charge.amount_refunded
    course = _course(charge)
    refund_id = moment.mint("re_")
    line = books.refunded(refund_id, amount, charge.currency, moment)
    refund = Refund(
        id=refund_id,
        amount=amount,
        balance_transaction=line.id,
        charge=charge.id,
        created=moment.now,
        currency=charge.currency,
        metadata=ask.metadata,
        payment_intent=charge.payment_intent,
        reason=ask.reason,
        status="pending" if course == "pends" else "succeeded",
    )
    returned = charge.amount_refunded + amount
    charge = structs.replace(charge, amount_refunded=returned, refunded=returned == charge.amount)
    act: dict[str, Literal["settle_refund", "fail_refund"]] = {"pends": "settle_refund", "fails": "fail_refund"}
    return Decision(
        answer=refund,
        saved=(line, refund, charge),
        happened=(Happened("refund.created", refund), Happened("charge.refunded", charge)),
        timers=(Timer(terms.refund_delay_s, act[course], refund.id),) if course in act else (),
    )


def _course(charge: Charge) -> Literal["succeeds", "pends", "fails"]:
    card = CARDS.get(charge.payment_method)
    behaviour = after_authentication(card.behaviour) if card else Pays()
    return behaviour.refund if isinstance(behaviour, Pays) else "succeeds"


def settle(refund: Refund) -> Decision:
    """Let a pending refund succeed."""
    if refund.status != "pending":
        return Decision(answer=refund)
    done = structs.replace(refund, status="succeeded")
    happened = (Happened("refund.updated", done), Happened("charge.refund.updated", done))
    return Decision(answer=done, saved=(done,), happened=happened)


def fail(refund: Refund, charge: Charge, reason: str, moment: Moment) -> Decision:
    """Undo a refund that the card holder's bank sent back, though it had succeeded."""
    if refund.status not in ("pending", "succeeded"):
        return Decision(answer=refund)
    line = books.refund_undone(refund, moment)
    failed = structs.replace(refund, status="failed", failure_reason=reason, failure_balance_transaction=line.id)
    kinds = ("refund.failed", "refund.updated", "charge.refund.updated")
    return Decision(
        answer=failed,
        saved=(line, failed, _less(charge, refund.amount)),
        happened=tuple(Happened(kind, failed) for kind in kinds),
    )


def cancel(refund: Refund, charge: Charge, moment: Moment) -> Decision:
    """Take back a refund that has not left yet."""
    if refund.status not in ("pending", "requires_action"):
        return Decision(answer=invalid_request(f"A refund with a status of {refund.status} cannot be canceled."))
    line = books.refund_undone(refund, moment)
    gone = structs.replace(refund, status="canceled", failure_balance_transaction=line.id)
    happened = (Happened("refund.updated", gone), Happened("charge.refund.updated", gone))
    return Decision(answer=gone, saved=(line, gone, _less(charge, refund.amount)), happened=happened)


def _less(charge: Charge, amount: int) -> Charge:
    return structs.replace(charge, amount_refunded=charge.amount_refunded - amount, refunded=False)
