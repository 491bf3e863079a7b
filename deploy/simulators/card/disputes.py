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


class DisputeAsk(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /_sim/disputes`; without `amount` it is about the whole charge."""

    charge: str
    reason: str = "fraudulent"
    inquiry: bool = False
    amount: int | None = None


def open_dispute(charge: Charge, ask: DisputeAsk, terms: Terms, moment: Moment) -> Opened:
    """Dispute a charge; an inquiry moves no money yet."""
    dispute = Dispute(
        id=moment.mint("du_"),
        amount=charge.amount if ask.amount is None else ask.amount,
        charge=charge.id,
        created=moment.now,
        currency=charge.currency,
        evidence_details=_details(moment),
        is_charge_refundable=ask.inquiry,
        payment_intent=charge.payment_intent,
        reason=ask.reason,
        status="warning_needs_response",
    )
    if ask.inquiry:
        return Opened(charge, (dispute,), (Happened("charge.dispute.created", dispute),))
    return _withdraw("charge.dispute.created", dispute, charge, terms, moment)


def _details(moment: Moment) -> dict[str, int | bool]:
    return {"due_by": moment.now + 7 * DAY_S, "has_evidence": False, "past_due": False, "submission_count": 0}


def _withdraw(kind: str, dispute: Dispute, charge: Charge, terms: Terms, moment: Moment) -> Opened:
    line = books.dispute_withdrawn(dispute, terms, moment)
    dispute = structs.replace(
        dispute, balance_transactions=(line,), is_charge_refundable=False, status="needs_response"
    )
    charge = structs.replace(charge, disputed=True)
    happened = (Happened(kind, dispute), Happened("charge.dispute.funds_withdrawn", dispute))
    return Opened(charge, (line, dispute, charge), happened)


def opened_on_request(charge: Charge, ask: DisputeAsk, terms: Terms, moment: Moment) -> Decision:
    """Dispute a charge long after it was made."""
    if charge.status != "succeeded":
        return Decision(answer=invalid_request(f"Charge {charge.id} did not succeed and cannot be disputed."))
    if ask.amount is not None and not 0 < ask.amount <= charge.amount:
        return Decision(answer=invalid_request(f"A dispute of {charge.id} is about 1 to {charge.amount}."))
    return _decision(open_dispute(charge, ask, terms, moment))


def _decision(opened: Opened) -> Decision:
    [dispute] = [kept for kept in opened.saved if isinstance(kept, Dispute)]
    return Decision(answer=dispute, saved=opened.saved, happened=opened.happened)


def escalate(dispute: Dispute, charge: Charge, terms: Terms, moment: Moment) -> Decision:
    """Turn an inquiry into a chargeback under the same name: the money goes now, and the time to answer begins anew."""
    if not dispute.status.startswith("warning_") or dispute.status == "warning_closed":
        return Decision(answer=invalid_request("This dispute is not an open inquiry.", param="dispute"))
    asked = structs.replace(dispute, evidence_details=_details(moment))
    return _decision(_withdraw("charge.dispute.updated", asked, charge, terms, moment))


def contest(dispute: Dispute, text: str) -> Decision:
    """Take evidence that decides nothing yet."""
    match dispute.status:
        case "needs_response" | "under_review":
            status: Literal["under_review", "warning_under_review"] = "under_review"
        case "warning_needs_response" | "warning_under_review":
            status = "warning_under_review"
        case _:
            return _closed_already()
    details = dispute.evidence_details
    reviewed = structs.replace(
        dispute,
        evidence={"uncategorized_text": text},
        evidence_details={**details, "has_evidence": True, "submission_count": details["submission_count"] + 1},
        status=status,
    )
    return Decision(answer=reviewed, saved=(reviewed,), happened=(Happened("charge.dispute.updated", reviewed),))


def _closed_already() -> Decision:
    return Decision(answer=invalid_request("This dispute is already closed.", param="dispute"))


def close(dispute: Dispute, outcome: Literal["won", "lost"], moment: Moment) -> Decision:
    """End a dispute; a won one brings the money back, and an inquiry only ends."""
    if dispute.status in ("won", "lost", "warning_closed"):
        return _closed_already()
    if dispute.status.startswith("warning_"):
        closed = structs.replace(dispute, status="warning_closed")
        return Decision(answer=closed, saved=(closed,), happened=(Happened("charge.dispute.closed", closed),))
    if outcome == "lost":
        closed = structs.replace(dispute, status="lost")
        return Decision(answer=closed, saved=(closed,), happened=(Happened("charge.dispute.closed", closed),))
    line = books.dispute_reinstated(dispute, moment)
    closed = structs.replace(dispute, status="won", balance_transactions=(*dispute.balance_transactions, line))
    happened = (Happened("charge.dispute.closed", closed), Happened("charge.dispute.funds_reinstated", closed))
    return Decision(answer=closed, saved=(line, closed), happened=happened)
