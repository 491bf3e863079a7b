"""Bank statements: each page follows the one before, each line is taken once, returned cheques are told."""

import pytest

from shared.contracts.billing import BankStatementImported, CheckReturnReported
from shared.contracts.gateway import BankLine
from tests.unit.billing.money_story import CHECK, STATEMENT, changed
from tests.unit.billing.story import ACCOUNT, Story, given

DEPOSIT = BankLine(line_ref="B-1", kind="lockbox", amount_minor=1_000, reference="LBX-1")
TAKEN = BankLine(
    line_ref="B-2", kind="check_returned", amount_minor=-400, reference="LBX-1", payment_id=CHECK, account_id=ACCOUNT
)
FIRST = changed(STATEMENT, lines=(DEPOSIT,), opening_minor=500, closing_minor=1_500)
NEXT = changed(STATEMENT, statement_id="stm_3_02", lines=(TAKEN,), opening_minor=1_500, closing_minor=1_100)


def bank() -> Story:
    return given(stream="bnk_trust")


def test_the_first_page_opens_with_anything() -> None:
    (imported,) = bank().when(FIRST).then()
    assert imported == BankStatementImported(
        statement_id=FIRST.statement_id, bank_account="trust", day=FIRST.day, currency="USD", opening_minor=500,
        closing_minor=1_500, lines=(DEPOSIT,),
    )  # fmt: skip


def test_a_page_of_the_same_day_may_follow() -> None:
    assert bank().when(FIRST, NEXT).types()[:2] == ["bank-statement-imported", "bank-statement-imported"]


def test_a_returned_cheque_is_told_to_its_household() -> None:
    (_, told) = bank().when(FIRST).when(NEXT).then()
    assert told == CheckReturnReported(
        bank_account="trust", line_ref="B-2", routed_to=ACCOUNT, payment_id=CHECK, amount_minor=400, currency="USD",
        returned_on=FIRST.day,
    )  # fmt: skip


def test_a_page_handed_in_again_is_refused_and_tells_nobody_twice() -> None:
    assert bank().when(FIRST, NEXT).when(changed(NEXT, statement_id="stm_3_03")).types() == ["bank-statement-refused"]


def test_a_refused_page_leaves_room_for_the_right_one() -> None:
    wrong = changed(NEXT, opening_minor=0, closing_minor=-400)
    assert bank().when(FIRST, wrong, changed(NEXT, statement_id="stm_3_03")).types()[1:] == [
        "bank-statement-refused", "bank-statement-imported", "check-return-reported",
    ]  # fmt: skip


def test_an_empty_page_carries_the_balance_on() -> None:
    empty = changed(NEXT, lines=(), closing_minor=1_500)
    assert bank().when(FIRST, empty, changed(NEXT, statement_id="stm_3_03")).types()[-1] == "check-return-reported"


def test_a_page_that_does_not_add_up_raises() -> None:
    with pytest.raises(ValueError, match="add up"):
        bank().when(changed(FIRST, closing_minor=1_501))
