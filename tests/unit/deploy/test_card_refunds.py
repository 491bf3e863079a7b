"""The card simulator's refunds, disputes and books."""

from itertools import count

import pytest
from msgspec import structs

from deploy.simulators.card import books, disputes, refunds
from deploy.simulators.card.books import DAY_S, Terms
from deploy.simulators.card.disputes import DisputeAsk
from deploy.simulators.card.objects import (
    BalanceTransaction,
    Charge,
    Decision,
    Dispute,
    Kept,
    Moment,
    Refund,
    Refusal,
)
from deploy.simulators.card.refunds import CreateRefund

TERMS = Terms(refund_delay_s=7)


def moment(now: int = 10 * DAY_S + 5) -> Moment:
    numbers = count(1)
    return Moment(now, lambda prefix: f"{prefix}{next(numbers)}")


def charge(card: str = "pm_card_visa", refunded: int = 0) -> Charge:
    return Charge(
        id="ch_1",
        amount=1250,
        amount_refunded=refunded,
        created=1,
        currency="usd",
        payment_intent="pi_1",
        payment_method=card,
        payment_method_details={},
        status="succeeded",
    )


def ask(amount: int | None = None) -> CreateRefund:
    return CreateRefund(payment_intent="pi_1", charge=None, amount=amount, reason=None, metadata={})


def refund(of: Charge, amount: int | None = None) -> Decision:
    return refunds.create(ask(amount), of, TERMS, moment())


def one(decision: Decision, kind: type[Kept]) -> Kept:
    [found] = [kept for kept in decision.saved if isinstance(kept, kind)]
    return found


def made(decision: Decision) -> Refund:
    assert isinstance(decision.answer, Refund)
    return decision.answer


def charge_after(decision: Decision) -> Charge:
    found = one(decision, Charge)
    assert isinstance(found, Charge)
    return found


def line_of(decision: Decision) -> BalanceTransaction:
    found = one(decision, BalanceTransaction)
    assert isinstance(found, BalanceTransaction)
    return found


def test_a_whole_refund_takes_all_that_is_left() -> None:
    done = refund(charge(refunded=250))
    assert (made(done).amount, made(done).status) == (1000, "succeeded")
    assert (charge_after(done).amount_refunded, charge_after(done).refunded) == (1250, True)
    assert line_of(done).net == -1000


def test_a_part_refund_leaves_the_charge_open() -> None:
    done = refund(charge(), 400)
    assert (charge_after(done).amount_refunded, charge_after(done).refunded) == (400, False)


@pytest.mark.parametrize(
    ("of", "amount", "code"),
    [
        (charge(refunded=1250), None, "charge_already_refunded"),
        (charge(refunded=1000), 251, None),
        (structs.replace(charge(), status="failed"), None, None),
    ],
)
def test_no_more_is_refunded_than_was_charged(of: Charge, amount: int | None, code: str | None) -> None:
    refused = refund(of, amount)
    assert isinstance(refused.answer, Refusal)
    assert (refused.answer.status, refused.answer.problem.code) == (400, code)
    assert refused.saved == ()


def test_what_a_bank_has_taken_back_is_not_refunded_and_what_was_won_back_is() -> None:
    disputed = structs.replace(charge(), disputed=True)
    refused = refunds.create(ask(), disputed, TERMS, moment(), is_charged_back=True)
    assert isinstance(refused.answer, Refusal)
    assert (refused.answer.problem.code, refused.saved) == ("charge_disputed", ())
    assert made(refunds.create(ask(), disputed, TERMS, moment(), is_charged_back=False)).amount == 1250


def test_a_refund_carries_its_metadata_and_what_it_refunds() -> None:
    asked = structs.replace(ask(), metadata={"refund_id": "rfd_1"})
    refunded = made(refunds.create(asked, charge(), TERMS, moment()))
    assert (refunded.metadata, refunded.charge, refunded.payment_intent) == ({"refund_id": "rfd_1"}, "ch_1", "pi_1")


def test_a_pending_refund_succeeds_later_and_only_once() -> None:
    pending = refund(charge("pm_card_pendingRefund"))
    assert made(pending).status == "pending"
    assert [(timer.act, timer.wait_s) for timer in pending.timers] == [("settle_refund", 7)]
    settled = refunds.settle(made(pending))
    assert made(settled).status == "succeeded"
    assert refunds.settle(made(settled)).saved == ()


def test_a_failing_refund_gives_the_money_back_to_us() -> None:
    done = refund(charge("pm_card_refundFail"))
    assert made(done).status == "succeeded"
    failed = refunds.fail(made(done), charge_after(done), "lost_or_stolen_card", moment())
    assert (made(failed).status, made(failed).failure_reason) == ("failed", "lost_or_stolen_card")
    assert (charge_after(failed).amount_refunded, charge_after(failed).refunded) == (0, False)
    assert line_of(failed).net == 1250


def test_only_a_refund_that_has_not_left_can_be_cancelled() -> None:
    pending = refund(charge("pm_card_pendingRefund"))
    assert made(refunds.cancel(made(pending), charge_after(pending), moment())).status == "canceled"
    done = refund(charge())
    assert isinstance(refunds.cancel(made(done), charge_after(done), moment()).answer, Refusal)


def dispute(inquiry: bool = False, amount: int | None = None, terms: Terms = TERMS) -> Decision:
    asked = DisputeAsk(charge="ch_1", inquiry=inquiry, amount=amount)
    return disputes.opened_on_request(charge(), asked, terms, moment())


def disputed(decision: Decision) -> Dispute:
    assert isinstance(decision.answer, Dispute)
    return decision.answer


def kinds(decision: Decision) -> list[str]:
    return [happened.kind for happened in decision.happened]


def test_a_dispute_takes_the_money_and_winning_brings_it_back() -> None:
    opened = dispute(terms=Terms(dispute_fee_minor=1500))
    assert (line_of(opened).amount, line_of(opened).fee, charge_after(opened).disputed) == (-1250, 1500, True)
    won = disputes.close(disputed(opened), "won", moment())
    assert line_of(won).net == 1250
    assert disputed(won).balance_transactions == (line_of(opened), line_of(won))
    lost = disputes.close(disputed(opened), "lost", moment())
    assert not any(isinstance(kept, BalanceTransaction) for kept in lost.saved)
    for ended in (won, lost):
        assert isinstance(disputes.close(disputed(ended), "lost", moment()).answer, Refusal)
        assert isinstance(disputes.contest(disputed(ended), "a letter").answer, Refusal)


def test_a_dispute_names_its_charge_its_intent_and_until_when_it_can_be_answered() -> None:
    opened = disputed(dispute())
    assert (opened.charge, opened.payment_intent) == ("ch_1", "pi_1")
    assert opened.evidence_details["due_by"] == moment().now + 7 * DAY_S


def test_a_part_of_a_charge_can_be_disputed_and_no_more_than_the_charge() -> None:
    assert (disputed(dispute(amount=400)).amount, line_of(dispute(amount=400)).amount) == (400, -400)
    for amount in (0, 1251):
        assert isinstance(dispute(amount=amount).answer, Refusal)


def test_an_inquiry_moves_no_money_and_its_end_neither() -> None:
    asked = dispute(inquiry=True)
    assert (disputed(asked).status, disputed(asked).is_charge_refundable) == ("warning_needs_response", True)
    for outcome in ("won", "lost"):
        ended = disputes.close(disputed(asked), outcome, moment())
        assert (disputed(ended).status, ended.saved) == ("warning_closed", (ended.answer,))


def test_an_inquiry_becomes_a_chargeback_under_the_same_name() -> None:
    asked = disputed(dispute(inquiry=True))
    for inquiry in (asked, disputed(disputes.contest(asked, "a letter"))):
        taken = disputes.escalate(inquiry, charge(), TERMS, moment(20 * DAY_S))
        after = disputed(taken)
        assert (after.id, after.status, after.is_charge_refundable) == (asked.id, "needs_response", False)
        assert after.evidence_details["due_by"] == 27 * DAY_S
        assert (line_of(taken).net, charge_after(taken).disputed) == (-1250, True)
        assert kinds(taken) == ["charge.dispute.updated", "charge.dispute.funds_withdrawn"]


def test_only_an_open_inquiry_becomes_a_chargeback() -> None:
    closed = disputes.close(disputed(dispute(inquiry=True)), "lost", moment())
    for ended in (disputed(closed), disputed(dispute())):
        assert isinstance(disputes.escalate(ended, charge(), TERMS, moment()).answer, Refusal)


def test_other_evidence_is_reviewed_and_the_dispute_still_ends() -> None:
    for inquiry, status in ((False, "under_review"), (True, "warning_under_review")):
        reviewed = disputed(disputes.contest(disputed(dispute(inquiry)), "a letter"))
        assert (reviewed.status, reviewed.evidence_details["submission_count"]) == (status, 1)
        assert disputed(disputes.close(reviewed, "won", moment())).status in ("won", "warning_closed")


def test_a_failed_charge_cannot_be_disputed() -> None:
    failed = structs.replace(charge(), status="failed")
    opened = disputes.opened_on_request(failed, DisputeAsk(charge="ch_1"), TERMS, moment())
    assert isinstance(opened.answer, Refusal)


def test_charged_money_is_available_two_days_on_and_at_once_where_the_card_says_so() -> None:
    later = books.charged("ch_1", 100, "usd", TERMS, moment(), False)
    at_once = books.charged("ch_1", 100, "usd", TERMS, moment(), True)
    assert (later.available_on, later.status) == (12 * DAY_S, "pending")
    assert (at_once.available_on, at_once.status) == (10 * DAY_S + 5, "available")


@pytest.mark.parametrize("days", [0, 1, 7])
def test_the_days_until_money_is_available_can_be_set(days: int) -> None:
    line = books.charged("ch_1", 100, "usd", Terms(available_after_days=days), moment(), False)
    assert line.available_on == (10 + days) * DAY_S


def test_a_fee_is_never_more_than_the_charge() -> None:
    assert Terms(fee_fixed_minor=30).fee_minor(7) == 7
