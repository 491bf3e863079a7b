"""Cheques: the bank has the money already, so each is posted once, and taken back once however early it is told."""

import pytest

from shared.contracts.billing import (
    CheckReturnKept,
    DuplicateCaseDecided,
    DuplicateCaseOpened,
    PaymentAllocated,
    PaymentReturned,
)
from tests.unit.billing.money_story import (
    CHECK,
    CHEQUE,
    GIVE_BACK,
    JOIN,
    RETURNED,
    SEND,
    UNDER_WAY,
    VOID,
    case_of,
    changed,
    overpaid,
    paid_twice,
)
from tests.unit.billing.story import (
    ACCOUNT,
    ASK_INVOICE,
    DUE_MINOR,
    INVOICE,
    ISSUED,
    NOTHING,
    OPENED,
    PAYMENT,
    SETTLE,
    given,
)

YOUNGER = changed(ASK_INVOICE, invoice_id="inv_3_01", due_date="2026-04-30")
OLDER = changed(ASK_INVOICE, invoice_id="inv_3_02", due_date="2026-02-28")


def test_a_cheque_without_a_bill_pays_the_oldest_first() -> None:
    minor = 2 * DUE_MINOR + 5_000
    story = given(OPENED).when(YOUNGER, ASK_INVOICE, OLDER, changed(CHEQUE, invoice_id=None, amount_minor=minor))
    paid = {invoice_id: invoice.paid_minor for invoice_id, invoice in story.state.invoices.items()}
    assert paid == {"inv_3_02": DUE_MINOR, INVOICE: DUE_MINOR, "inv_3_01": 5_000}
    lefts = [event.unapplied_minor for event in story.then() if isinstance(event, PaymentAllocated)]
    assert lefts == [DUE_MINOR + 5_000, 5_000, 0]


def test_a_cheque_without_a_bill_pays_none_of_another_currency() -> None:
    story = given(OPENED, ISSUED).when(changed(CHEQUE, invoice_id=None, currency="EUR"))
    assert story.types() == ["check-posted"]


def test_what_the_bill_does_not_need_is_credit() -> None:
    story = overpaid(700)
    assert story.types() == ["check-posted", "payment-allocated"]
    assert story.state.funds[CHECK].unapplied_minor == 700


def test_a_cheque_for_a_bill_that_is_void_is_credit() -> None:
    story = given(OPENED, ISSUED).when(VOID, CHEQUE)
    assert story.types() == ["invoice-voided", "check-posted", "payment-allocated"]
    assert story.state.funds[CHECK].unapplied_minor == DUE_MINOR


def test_a_cheque_posted_again_adds_nothing() -> None:
    assert given(OPENED, ISSUED).when(CHEQUE).when(CHEQUE).then() == NOTHING


def test_a_bill_paid_by_card_and_by_cheque_is_a_case_of_the_cheque() -> None:
    opened = paid_twice().then()[-1]
    assert isinstance(opened, DuplicateCaseOpened)
    assert (opened.rule, opened.fund_id, opened.twin_payment_id) == ("paid_twice", CHECK, PAYMENT)
    assert (opened.payment_id, opened.amount_minor, opened.invoice_id) == (CHECK, DUE_MINOR, INVOICE)


def test_a_bill_paid_by_cheque_while_a_card_was_charged_is_a_case_of_the_card() -> None:
    opened = given(*UNDER_WAY).when(CHEQUE, SETTLE).then()[-1]
    assert isinstance(opened, DuplicateCaseOpened)
    assert (opened.fund_id, opened.twin_payment_id) == (PAYMENT, CHECK)


def test_a_surplus_is_spent_on_nothing() -> None:
    story = paid_twice().when(YOUNGER, changed(SEND, amount_minor=1))
    assert story.types() == ["invoice-issued", "request-refused"]


def test_a_cheque_that_comes_back_opens_what_it_had_paid() -> None:
    story = given(OPENED, ISSUED).when(CHEQUE).when(RETURNED)
    assert story.types() == ["payment-deallocated", "payment-returned"]
    assert story.state.invoices[INVOICE].due_minor == DUE_MINOR


def test_a_cheque_comes_back_once() -> None:
    story = given(OPENED, ISSUED).when(CHEQUE).when(RETURNED)
    assert story.when(RETURNED, changed(RETURNED, line_ref="L-2")).then() == NOTHING


def test_a_return_before_its_cheque_is_kept_and_takes_effect_with_it() -> None:
    before = given(OPENED, ISSUED).when(RETURNED, RETURNED)
    assert before.then() == (CheckReturnKept(account_id=ACCOUNT, reported=RETURNED),)
    after = before.when(CHEQUE)
    assert after.types() == ["check-posted", "payment-allocated", "payment-deallocated", "payment-returned"]
    assert after.when(RETURNED).then() == NOTHING


def test_a_return_before_a_cheque_that_would_be_a_case_leaves_none_open() -> None:
    story = given(*paid_twice().facts[:-3]).when(RETURNED, CHEQUE)
    ended = story.then()[-1]
    assert isinstance(ended, DuplicateCaseDecided)
    assert ended.outcome == "withdrawn"


def test_what_is_not_there_any_more_the_member_owes() -> None:
    story = overpaid(1_000).when(SEND, changed(RETURNED, amount_minor=DUE_MINOR + 1_000))
    returned = story.then()[-1]
    assert isinstance(returned, PaymentReturned)
    assert (returned.from_credit_minor, returned.recovery_minor) == (DUE_MINOR, 1_000)


def test_a_returned_cheque_ends_the_case_of_its_surplus() -> None:
    story = paid_twice()
    ended = story.when(RETURNED).then()[-1]
    assert isinstance(ended, DuplicateCaseDecided)
    assert (ended.case_id, ended.outcome) == (case_of(story), "withdrawn")


def test_a_returned_cheque_has_the_surplus_of_the_card_pay_its_bill() -> None:
    story = given(*UNDER_WAY).when(CHEQUE, SETTLE).when(RETURNED)
    assert story.types() == [
        "payment-deallocated", "payment-returned", "duplicate-case-decided", "payment-allocated",
    ]  # fmt: skip
    assert story.state.invoices[INVOICE].due_minor == 0


def test_a_refund_that_opens_the_bill_has_the_surplus_pay_it() -> None:
    story = paid_twice().when(GIVE_BACK)
    assert story.types() == [
        "payment-deallocated", "refund-opened", "duplicate-case-decided", "payment-allocated",
    ]  # fmt: skip
    assert story.state.invoices[INVOICE].due_minor == 0


@pytest.mark.parametrize("bank_account", ["trust", "other"])
def test_a_cheque_is_named_by_its_bank_too(bank_account: str) -> None:
    again = changed(CHEQUE, payment_id="pay_3_77", bank_account=bank_account)
    first = given(OPENED, ISSUED).when(CHEQUE).when(again).types()[0]
    assert first == ("payment-refused" if bank_account == "trust" else "check-posted")


def test_a_cheque_is_posted_while_its_household_asks_to_move() -> None:
    assert given(OPENED, ISSUED).when(JOIN, CHEQUE).types()[1:] == ["check-posted", "payment-allocated"]
