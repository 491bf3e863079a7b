"""One try to charge a card: the charge, its line in the books, and the trouble that some cards bring."""

from typing import Any

from msgspec import Struct, structs

from deploy.simulators.card import books, cards, disputes
from deploy.simulators.card.books import Terms
from deploy.simulators.card.cards import Card, Declines, Pays
from deploy.simulators.card.disputes import DisputeAsk
from deploy.simulators.card.objects import Charge, FraudWarning, Happened, Intent, Kept, Moment


class Tried(Struct, frozen=True):
    """What a try left behind."""

    charge: Charge
    saved: tuple[Kept, ...]
    happened: tuple[Happened, ...]


def succeed(intent: Intent, card: Card, how: Pays, terms: Terms, moment: Moment) -> Tried:
    """Charge the whole amount."""
    charge_id = moment.mint("ch_")
    line = books.charged(charge_id, intent.amount, intent.currency, terms, moment, how.at_once)
    charge = structs.replace(
        _charge(charge_id, intent, card, moment),
        status="succeeded",
        amount_captured=intent.amount,
        balance_transaction=line.id,
        captured=True,
        paid=True,
        outcome=_outcome("authorized", "approved_by_network", how.risk, "Payment complete."),
    )
    saved: tuple[Kept, ...] = (line, charge)
    happened: tuple[Happened, ...] = (Happened("charge.succeeded", charge),)
    if how.fraud_warning:
        warning = FraudWarning(id=moment.mint("issfr_"), charge=charge.id, created=moment.now, payment_intent=intent.id)
        saved += (warning,)
        happened += (Happened("radar.early_fraud_warning.created", warning),)
    for reason in how.disputes:
        ask = DisputeAsk(charge=charge.id, reason=reason, inquiry=how.inquiry)
        opened = disputes.open_dispute(charge, ask, terms, moment)
        charge = opened.charge
        saved += opened.saved
        happened += opened.happened
    return Tried(charge, saved, happened)


def fail(intent: Intent, card: Card, how: Declines, moment: Moment) -> Tried:
    """Leave a failed charge, as every decline does."""
    if how.blocked:
        outcome = _outcome("blocked", "not_sent_to_network", "highest", "Stripe blocked this payment as too risky.")
    else:
        outcome = _outcome("issuer_declined", "declined_by_network", "normal", f"The bank returned {how.decline_code}.")
    charge = structs.replace(
        _charge(moment.mint("ch_"), intent, card, moment),
        failure_code=how.code,
        failure_message=how.message,
        outcome={**outcome, "reason": "highest_risk_level" if how.blocked else how.decline_code},
    )
    return Tried(charge, (charge,), (Happened("charge.failed", charge),))


def _charge(charge_id: str, intent: Intent, card: Card, moment: Moment) -> Charge:
    return Charge(
        id=charge_id,
        amount=intent.amount,
        created=moment.now,
        currency=intent.currency,
        customer=intent.customer,
        description=intent.description,
        metadata=intent.metadata,
        payment_intent=intent.id,
        payment_method=card.token,
        payment_method_details={"type": "card", "card": cards.details(card)},
        receipt_email=intent.receipt_email,
        statement_descriptor=intent.statement_descriptor,
        statement_descriptor_suffix=intent.statement_descriptor_suffix,
        status="failed",
    )


def _outcome(kind: str, network: str, risk: str, says: str) -> dict[str, Any]:
    return {"network_status": network, "reason": None, "risk_level": risk, "seller_message": says, "type": kind}
