"""The processor's books: what each movement adds to our balance with it, and when that can be paid out."""

from typing import Any

from msgspec import Struct

from deploy.simulators.card.objects import BalanceTransaction, Dispute, Moment, Payout, Refund

DAY_S = 86_400
_CATEGORIES = {"adjustment": "dispute", "payout_failure": "payout_reversal"}


class Terms(Struct, frozen=True):
    """What the processor takes and how long it needs."""

    fee_bps: int = 0
    fee_fixed_minor: int = 0
    dispute_fee_minor: int = 0
    minimum_amount: int = 1
    refund_delay_s: float = 5.0
    payout_delay_s: float = 5.0
    available_after_days: int = 2

    def fee_minor(self, amount: int) -> int:
        """Return the fee on a charge, half up to a whole minor unit, never more than the amount."""
        return min(amount, (amount * self.fee_bps + 5_000) // 10_000 + self.fee_fixed_minor)


def _line(
    moment: Moment, kind: str, source: str, currency: str, amount: int, fee: int = 0, available_on: int | None = None
) -> BalanceTransaction:
    """Return a line; without `available_on` it counts at once."""
    fees: tuple[dict[str, Any], ...] = ()
    if fee:
        fees = ({"amount": fee, "currency": currency, "description": "Processing fees", "type": "stripe_fee"},)
    return BalanceTransaction(
        id=moment.mint("txn_"),
        amount=amount,
        available_on=moment.now if available_on is None else available_on,
        created=moment.now,
        currency=currency,
        fee=fee,
        fee_details=fees,
        net=amount - fee,
        reporting_category=_CATEGORIES.get(kind, kind),
        source=source,
        status="available" if available_on is None else "pending",
        type=kind,
    )


def charged(
    charge_id: str, amount: int, currency: str, terms: Terms, moment: Moment, at_once: bool
) -> BalanceTransaction:
    later = (moment.now // DAY_S + terms.available_after_days) * DAY_S
    return _line(moment, "charge", charge_id, currency, amount, terms.fee_minor(amount), None if at_once else later)


def refunded(refund_id: str, amount: int, currency: str, moment: Moment) -> BalanceTransaction:
    return _line(moment, "refund", refund_id, currency, -amount)


def refund_undone(refund: Refund, moment: Moment) -> BalanceTransaction:
    return _line(moment, "refund_failure", refund.id, refund.currency, refund.amount)


def dispute_withdrawn(dispute: Dispute, terms: Terms, moment: Moment) -> BalanceTransaction:
    return _line(moment, "adjustment", dispute.id, dispute.currency, -dispute.amount, terms.dispute_fee_minor)


def dispute_reinstated(dispute: Dispute, moment: Moment) -> BalanceTransaction:
    return _line(moment, "adjustment", dispute.id, dispute.currency, dispute.amount)


def paid_out(payout_id: str, amount: int, currency: str, moment: Moment) -> BalanceTransaction:
    return _line(moment, "payout", payout_id, currency, -amount)


def payout_undone(payout: Payout, moment: Moment) -> BalanceTransaction:
    return _line(moment, "payout_failure", payout.id, payout.currency, payout.amount)
