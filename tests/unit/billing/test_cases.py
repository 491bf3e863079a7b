"""Money that came twice ends once: given back the way that there is, or credit that pays its own bill first."""

from typing import Literal

import pytest

from services.billing.domain.commands import EndRefund
from shared.contracts.billing import DuplicateCaseDecided, RefundOpened
from tests.unit.billing.money_story import (
    CHECK,
    CHEQUE,
    REQUEST,
    UNDER_WAY,
    case_of,
    changed,
    decide,
    paid_by_card,
    paid_twice,
)
from tests.unit.billing.story import (
    ACCOUNT,
    ASK_INVOICE,
    CANCEL,
    DUE_MINOR,
    FIND,
    INVOICE,
    PAYMENT,
    SETTLE,
    Story,
    given,
)


def charged_twice() -> Story:
    return given(*paid_by_card()).when(FIND)


def late() -> Story:
    return given(*UNDER_WAY).when(CANCEL, SETTLE)


def test_a_second_charge_goes_back_to_its_own_card() -> None:
    story = charged_twice()
    decided, refund = story.when(decide(case_of(story), "refund")).then()
    assert isinstance(refund, RefundOpened)
    assert (refund.fund_id, refund.charge_ref, refund.case_id) == (case_of(story), "ch_2", case_of(story))
    assert isinstance(decided, DuplicateCaseDecided)
    assert (decided.outcome, decided.refund_id, decided.request_id) == ("refund", refund.refund_id, REQUEST)


def test_a_cheques_surplus_goes_back_by_the_card_that_paid_and_the_cheque_pays_the_bill() -> None:
    story = paid_twice().when(decide(case_of(paid_twice()), "refund"))
    assert story.types() == [
        "duplicate-case-decided", "payment-deallocated", "payment-allocated", "refund-opened",
    ]  # fmt: skip
    refund = story.then()[-1]
    assert isinstance(refund, RefundOpened)
    assert (refund.fund_id, refund.charge_ref, refund.amount_minor) == (PAYMENT, "ch_1", DUE_MINOR)
    assert [fund.unapplied_minor for fund in story.state.funds.values()] == [0, 0]
    assert story.state.invoices[INVOICE].due_minor == 0


@pytest.mark.parametrize("more_minor", [-10_000, 10_000])
def test_no_more_goes_back_than_came_twice(more_minor: int) -> None:
    story = given(*paid_by_card()).when(changed(CHEQUE, amount_minor=DUE_MINOR + more_minor))
    after = story.when(decide(case_of(story), "refund"))
    refund = after.then()[-1]
    assert isinstance(refund, RefundOpened)
    assert refund.amount_minor == min(DUE_MINOR, DUE_MINOR + more_minor)
    assert after.state.invoices[INVOICE].due_minor == 0
    assert after.state.funds[CHECK].unapplied_minor == max(0, more_minor)


@pytest.mark.parametrize("decision", ["credit", "not_a_duplicate"])
def test_a_late_success_kept_pays_its_own_bill(decision: Literal["credit", "not_a_duplicate"]) -> None:
    story = late().when(decide(case_of(late()), decision))
    assert story.types() == ["duplicate-case-decided", "payment-allocated"]
    assert story.state.invoices[INVOICE].due_minor == 0


def test_a_surplus_kept_as_credit_pays_the_next_bill() -> None:
    kept = paid_twice().when(decide(case_of(paid_twice()), "credit"))
    assert kept.types() == ["duplicate-case-decided"]
    assert kept.when(changed(ASK_INVOICE, invoice_id="inv_3_02")).state.invoices["inv_3_02"].due_minor == 0


def test_a_refund_of_a_case_that_is_not_made_leaves_plain_credit() -> None:
    story = charged_twice().when(decide(case_of(charged_twice()), "refund"))
    refund = story.then()[-1]
    assert isinstance(refund, RefundOpened)
    ended = story.when(EndRefund(account_id=ACCOUNT, refund_id=refund.refund_id, reason="refused_by_processor"))
    assert [fund_id for fund_id, _ in ended.state.spendable("USD")] == [case_of(story)]


def test_a_late_success_that_was_kept_is_a_way_back_for_what_is_paid_after_it() -> None:
    kept = late().when(decide(case_of(late()), "credit"))
    first = case_of(kept)
    twice = given(*kept.facts).when(CHEQUE)
    (second,) = set(twice.state.cases) - {first}
    refund = twice.when(decide(second, "refund")).then()[-1]
    assert isinstance(refund, RefundOpened)
    assert (refund.fund_id, refund.charge_ref, refund.amount_minor) == (first, "ch_1", DUE_MINOR)
