"""Disputes: the card holder's bank takes the money back; evidence or time closes it."""

from typing import Literal

from msgspec import Struct, structs

from deploy.simulators.card import books
from deploy.simulators.card.books import DAY_S, Terms
from deploy.simulators.card.errors import invalid_request
from deploy.simulators.card.objects import Charge, Decision, Dispute, Happened, Kept, Moment, names

REASONS = names(
    "bank_cannot_process check_returned credit_not_processed customer_initiated debit_not_authorized "
    "duplicate fraudulent general incorrect_account_details insufficient_funds noncompliant "
    "product_not_received product_unacceptable subscription_canceled unrecognized"
)


class Opened(Struct, frozen=True):
    charge: Charge
    saved: tuple[Kept, ...]
    happened: tuple[Happened, ...]


def open_dispute(charge: Charge, reason: str, inquiry: bool, terms: Terms, moment: Moment) -> Opened:
    """Dispute a whole charge; an inquiry moves no money yet."""
    dispute = Dispute(
        id=moment.mint("du_"),
        amount=charge.amount,
        charge=charge.id,
        created=moment.now,
        currency=charge.currency,
        evidence_details={"due_by": moment.now + 7 * DAY_S, "has_evidence": False, "submission_count": 0},
        is_charge_refundable=inquiry,
        payment_intent=charge.payment_intent,
        reason=reason,
        status="warning_needs_response" if inquiry else "needs_response",
    )
    if inquiry:
        return Opened(charge, (dispute,), (Happened("charge.dispute.created", dispute),))
    line = books.dispute_withdrawn(dispute.id, charge, terms, moment)
    dispute = structs.replace(dispute, balance_transactions=(line,))
    charge = structs.replace(charge, disputed=True)
    happened = (Happened("charge.dispute.created", dispute), Happened("charge.dispute.funds_withdrawn", dispute))
    return Opened(charge, (line, dispute, charge), happened)


def opened_on_request(charge: Charge, reason: str, inquiry: bool, terms: Terms, moment: Moment) -> Decision:
    """Dispute a charge long after it was made."""
    if charge.status != "succeeded":
        return Decision(answer=invalid_request(f"Charge {charge.id} did not succeed and cannot be disputed."))
    opened = open_dispute(charge, reason, inquiry, terms, moment)
    [dispute] = [kept for kept in opened.saved if isinstance(kept, Dispute)]
    return Decision(answer=dispute, saved=opened.saved, happened=opened.happened)


def close(dispute: Dispute, outcome: Literal["won", "lost"], moment: Moment) -> Decision:
    """End a dispute; a won one brings the money back, and an inquiry only ends."""
    if dispute.status in ("won", "lost", "warning_closed"):
        return Decision(answer=invalid_request("This dispute is already closed.", param="dispute"))
    if dispute.status == "warning_needs_response":
        closed = structs.replace(dispute, status="warning_closed")
        return Decision(answer=closed, saved=(closed,), happened=(Happened("charge.dispute.closed", closed),))
    if outcome == "lost":
        closed = structs.replace(dispute, status="lost")
        return Decision(answer=closed, saved=(closed,), happened=(Happened("charge.dispute.closed", closed),))
    line = books.dispute_reinstated(dispute, moment)
    closed = structs.replace(dispute, status="won", balance_transactions=(*dispute.balance_transactions, line))
    happened = (Happened("charge.dispute.closed", closed), Happened("charge.dispute.funds_reinstated", closed))
    return Decision(answer=closed, saved=(line, closed), happened=happened)
