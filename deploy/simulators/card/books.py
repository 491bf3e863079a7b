"""The processor's books: what each movement adds to our balance with it, and when that can be paid out."""

from typing import Any

from msgspec import Struct

from deploy.simulators.card.objects import BalanceTransaction, Charge, Dispute, Moment, Refund

DAY_S = 86_400
AVAILABLE_AFTER_DAYS = 2


class Terms(Struct, frozen=True):
    """What the processor takes and how long it needs."""

    fee_bps: int = 0
    fee_fixed_minor: int = 0
    dispute_fee_minor: int = 0
    minimum_amount: int = 1
    refund_delay_s: float = 5.0

    def fee_minor(self, amount: int) -> int:
        """Return the fee on a charge, half up to a whole minor unit, never more than the amount."""
        return min(amount, (amount * self.fee_bps + 5_000) // 10_000 + self.fee_fixed_minor)


def _line(
    moment: Moment, kind: str, source: str, currency: str, amount: int, fee: int = 0, *, at_once: bool = False
) -> BalanceTransaction:
    available_on = moment.now if at_once else (moment.now // DAY_S + AVAILABLE_AFTER_DAYS) * DAY_S
    fees: tuple[dict[str, Any], ...] = ()
    if fee:
        fees = ({"amount": fee, "currency": currency, "description": "Processing fees", "type": "stripe_fee"},)
    return BalanceTransaction(
        id=moment.mint("txn_"),
        amount=amount,
        available_on=available_on,
        created=moment.now,
        currency=currency,
        fee=fee,
        fee_details=fees,
        net=amount - fee,
        reporting_category="dispute" if kind == "adjustment" else kind,
        source=source,
        status="available" if at_once else "pending",
        type=kind,
    )


def charged(
    charge_id: str, amount: int, currency: str, terms: Terms, moment: Moment, at_once: bool
) -> BalanceTransaction:
    return _line(moment, "charge", charge_id, currency, amount, terms.fee_minor(amount), at_once=at_once)


def refunded(refund_id: str, amount: int, currency: str, moment: Moment) -> BalanceTransaction:
    return _line(moment, "refund", refund_id, currency, -amount, at_once=True)


def refund_undone(refund: Refund, moment: Moment) -> BalanceTransaction:
    return _line(moment, "refund_failure", refund.id, refund.currency, refund.amount, at_once=True)


def dispute_withdrawn(dispute_id: str, charge: Charge, terms: Terms, moment: Moment) -> BalanceTransaction:
    return _line(
        moment, "adjustment", dispute_id, charge.currency, -charge.amount, terms.dispute_fee_minor, at_once=True
    )


def dispute_reinstated(dispute: Dispute, moment: Moment) -> BalanceTransaction:
    return _line(moment, "adjustment", dispute.id, dispute.currency, dispute.amount, at_once=True)
