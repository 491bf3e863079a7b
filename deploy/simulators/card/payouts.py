"""Payouts: our balance goes to our bank, whole or in part, by itself each day or on request; and some come back."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from deploy.simulators.card import books
from deploy.simulators.card.books import Terms
from deploy.simulators.card.errors import invalid_request
from deploy.simulators.card.objects import Decision, Happened, Moment, Payout, Timer

PAY_OUT = "pay_out"
"""The timer at which a day's payouts are made."""


class PayoutAsk(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /_sim/payouts`; without `amount` it is about all that is available."""

    amount: int | None = None
    currency: str = "usd"


def create(ask: PayoutAsk, available: int, terms: Terms, moment: Moment, *, automatic: bool) -> Decision:
    """Pay out what was asked for, or all that is available."""
    amount = available if ask.amount is None else ask.amount
    if amount <= 0 or amount > available:
        text = f"You have insufficient funds for this payout: {available} {ask.currency} available."
        return Decision(answer=invalid_request(text, code="balance_insufficient", param="amount"))
    payout_id = moment.mint("po_")
    line = books.paid_out(payout_id, amount, ask.currency, moment)
    payout = Payout(
        id=payout_id,
        amount=amount,
        arrival_date=int(moment.now + terms.payout_delay_s),
        automatic=automatic,
        balance_transaction=line.id,
        created=moment.now,
        currency=ask.currency,
        status="in_transit",
    )
    return Decision(
        answer=payout,
        saved=(line, payout),
        happened=(Happened("payout.created", payout),),
        timers=(Timer(terms.payout_delay_s, "settle_payout", payout_id),),
    )


def settle(payout: Payout) -> Decision:
    """Let a payout arrive at the bank."""
    if payout.status != "in_transit":
        return Decision(answer=payout)
    paid = structs.replace(payout, status="paid")
    return Decision(answer=paid, saved=(paid,), happened=(Happened("payout.paid", paid),))


def fail(payout: Payout, moment: Moment) -> Decision:
    """Give back a payout that the bank did not take, though it may have been told as paid."""
    if payout.status == "failed":
        return Decision(answer=invalid_request("This payout has failed already.", param="payout"))
    line = books.payout_undone(payout, moment)
    failed = structs.replace(
        payout,
        status="failed",
        failure_balance_transaction=line.id,
        failure_code="account_closed",
        failure_message="The bank account has been closed.",
    )
    return Decision(answer=failed, saved=(line, failed), happened=(Happened("payout.failed", failed),))


def day_of(second: float, zone: ZoneInfo) -> str:
    """Return the day that a second falls on."""
    return datetime.fromtimestamp(second, zone).date().isoformat()


def until_next_day_s(second: float, zone: ZoneInfo) -> float:
    """Return how long after a second the zone's next day begins."""
    tomorrow = datetime.fromtimestamp(second, zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).timestamp() - second
