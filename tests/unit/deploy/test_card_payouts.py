"""The card simulator's payouts: no more than is available leaves, and what comes back is in the books again."""

from itertools import count
from zoneinfo import ZoneInfo

import pytest

from deploy.simulators.card import payouts
from deploy.simulators.card.books import DAY_S, Terms
from deploy.simulators.card.objects import BalanceTransaction, Decision, Moment, Payout, Refusal
from deploy.simulators.card.payouts import PayoutAsk

NOW = 10 * DAY_S + 5
UTC = ZoneInfo("UTC")
NEW_YORK = ZoneInfo("America/New_York")
JUST_BEFORE_THE_CLOCK_GOES_FORWARD = 1_772_946_000
"""2026-03-08, midnight in New York: a day of 23 hours begins."""


def moment() -> Moment:
    numbers = count(1)
    return Moment(NOW, lambda prefix: f"{prefix}{next(numbers)}")


def pay_out(available: int, amount: int | None = None) -> Decision:
    return payouts.create(PayoutAsk(amount=amount), available, Terms(payout_delay_s=60), moment(), automatic=False)


def made(decision: Decision) -> Payout:
    assert isinstance(decision.answer, Payout)
    return decision.answer


def line_of(decision: Decision) -> BalanceTransaction:
    [line] = [kept for kept in decision.saved if isinstance(kept, BalanceTransaction)]
    return line


def kinds(decision: Decision) -> list[str]:
    return [happened.kind for happened in decision.happened]


@pytest.mark.parametrize(("asked", "paid"), [(None, 900), (400, 400), (900, 900)])
def test_a_payout_takes_what_was_asked_for_or_all_that_is_available(asked: int | None, paid: int) -> None:
    decision = pay_out(900, asked)
    payout, line = made(decision), line_of(decision)
    assert (payout.amount, payout.status, payout.arrival_date) == (paid, "in_transit", NOW + 60)
    assert (line.type, line.source, line.amount, line.net, line.fee) == ("payout", payout.id, -paid, -paid, 0)
    assert (line.status, payout.balance_transaction) == ("available", line.id)
    assert kinds(decision) == ["payout.created"]


@pytest.mark.parametrize(("available", "asked"), [(0, None), (-5, None), (900, 901), (900, 0), (900, -1)])
def test_no_more_is_paid_out_than_is_available(available: int, asked: int | None) -> None:
    refused = pay_out(available, asked)
    assert isinstance(refused.answer, Refusal)
    assert (refused.answer.status, refused.answer.problem.code) == (400, "balance_insufficient")
    assert (refused.saved, refused.timers) == ((), ())


def test_a_payout_arrives_later_and_once() -> None:
    decision = pay_out(900)
    assert [(timer.act, timer.wait_s) for timer in decision.timers] == [("settle_payout", 60)]
    arrived = payouts.settle(made(decision))
    assert (made(arrived).status, kinds(arrived)) == ("paid", ["payout.paid"])
    assert payouts.settle(made(arrived)).saved == ()


def test_a_payout_that_fails_before_or_after_it_arrived_is_in_the_balance_again_once() -> None:
    sent = made(pay_out(900))
    for payout in (sent, made(payouts.settle(sent))):
        failed = payouts.fail(payout, moment())
        line = line_of(failed)
        assert (line.type, line.source, line.net, line.status) == ("payout_failure", sent.id, 900, "available")
        assert (made(failed).status, made(failed).failure_balance_transaction) == ("failed", line.id)
        assert kinds(failed) == ["payout.failed"]
        assert payouts.settle(made(failed)).saved == ()
        assert isinstance(payouts.fail(made(failed), moment()).answer, Refusal)


def test_days_are_those_of_the_zone() -> None:
    second = JUST_BEFORE_THE_CLOCK_GOES_FORWARD
    assert (payouts.day_of(second - 1, NEW_YORK), payouts.day_of(second - 1, UTC)) == ("2026-03-07", "2026-03-08")
    assert payouts.until_next_day_s(second, NEW_YORK) == 23 * 3_600
    assert payouts.until_next_day_s(second - 0.5, NEW_YORK) == 0.5
    assert payouts.until_next_day_s(10 * DAY_S, UTC) == DAY_S
