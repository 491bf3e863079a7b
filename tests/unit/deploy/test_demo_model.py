"""The demo's plain model: what it says of a month by hand, and that no cent is lost in any plan."""

from typing import Any

import pytest

from deploy.demo.acts import (
    AnyAct,
    Await,
    AwaitRefund,
    Bill,
    Cheque,
    ChequeReturned,
    DecideCase,
    Dispute,
    DisputeEnds,
    Household,
    Line,
    Merge,
    Pay,
    Refund,
    Transfer,
    Void,
)
from deploy.demo.model import Member, Model
from deploy.demo.rota import plan

BILL = Bill(moment=0, name="first", month=0, due_day=13, lines=(Line("A", 80_831, 62_666, 0), Line("B", 10_000, 0, 0)))
DUE = 28_165


def household(number: int, *acts: AnyAct) -> Household:
    return Household(number=number, story="a test", name="Ana", email="ana@example.org", language="en", acts=acts)


def member(*acts: AnyAct) -> Member:
    return Model([household(1, *acts)]).members[1]


def paid(minor: int = DUE, **more: Any) -> Pay:
    return Pay(moment=1, name="it", bill="first", minor=minor, card="pm_card_visa", **more)


def codes(one: Member) -> dict[str, int]:
    return {code: minor for code, minor in sorted(one.purse.codes.items()) if minor}


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("households", [10, 53, 200])
def test_in_any_plan_every_move_has_two_sides_and_lines_and_funds_agree_with_the_codes(
    households: int, seed: int
) -> None:
    for one in Model(plan(households, seed)).members.values():
        assert sum(one.purse.codes.values()) == 0
        assert one.purse.codes["1210"] == one.purse.due_minor
        assert one.purse.codes["2110"] == -one.purse.credit_minor
        assert all(line.due_minor >= 0 for line in one.purse.lines)
        assert all(fund.credit_minor >= 0 and not fund.waits for fund in one.purse.funds.values())
        assert not any(one.purse.codes[code] for code in ("1120", "1260", "2120", "2310"))


def test_a_paid_bill_is_owed_to_the_carrier() -> None:
    assert codes(member(BILL, paid())) == {"1125": DUE, "1220": 62_666, "2210": -62_666, "2220": -DUE}


def test_money_for_one_policy_pays_that_policy() -> None:
    one = member(BILL, paid(10_000, policy="B"))
    assert [line.due_minor for line in one.purse.lines] == [18_165, 0]


def test_credit_pays_the_next_bill() -> None:
    second = Bill(moment=2, name="second", month=1, due_day=44, lines=(Line("A", 1_500, 0, 0),))
    one = member(BILL, paid(DUE + 1_000, accepts_credit=True), second)
    assert (one.purse.due_minor, one.purse.credit_minor) == (500, 0)


def test_a_second_charge_waits_until_its_case_is_decided() -> None:
    twice = member(BILL, paid(trouble="charged_twice"), DecideCase(moment=2, payment="it", decision="refund"))
    assert twice.payments["it"].charges == 2
    assert (twice.purse.credit_minor, twice.payments["it"].refunded_minor) == (0, DUE)
    assert twice.letters["duplicate_found"] == twice.letters["duplicate_refund"] == 1


def test_a_cheque_for_a_paid_bill_takes_the_cards_place_when_the_card_is_refunded() -> None:
    cheque = Cheque(moment=2, name="cheque", bill="first", minor=DUE, shown=((2, DUE),))
    one = member(BILL, paid(), cheque, DecideCase(moment=3, payment="cheque", decision="refund"))
    assert (codes(one).get("1125"), codes(one)["1010"]) == (None, DUE)
    assert (one.purse.due_minor, one.purse.credit_minor) == (0, 0)


def test_a_refund_of_a_paid_bill_opens_it_and_a_bounced_one_is_credit() -> None:
    back = Refund(moment=2, name="back", payment="it", minor=8_165, status="completed", release=True)
    one = member(BILL, paid(), back)
    assert (one.purse.due_minor, one.purse.credit_minor) == (8_165, 0)
    bounced = member(BILL, paid(), back, AwaitRefund(moment=3, refund="back", status="bounced"))
    assert (bounced.purse.due_minor, bounced.purse.credit_minor) == (8_165, 8_165)
    assert bounced.payments["it"].refunded_minor == 0


def test_what_was_refunded_before_the_bank_took_all_is_owed_for() -> None:
    one = member(
        BILL,
        paid(),
        Refund(moment=2, name="back", payment="it", minor=8_165, status="completed", release=True),
        Dispute(moment=3, payment="it"),
        DisputeEnds(moment=4, payment="it", outcome="lost"),
    )
    assert one.purse.due_minor == DUE
    assert (codes(one)["1250"], codes(one)["1125"], codes(one)["5040"]) == (8_165, -8_165 - 1_500, 1_500)
    assert one.payments["it"].status == "reversed"


def test_a_returned_cheque_opens_the_bill() -> None:
    cheque = Cheque(moment=1, name="cheque", bill=None, minor=DUE, shown=((1, DUE),))
    one = member(BILL, cheque, ChequeReturned(moment=2, payment="cheque"))
    assert (one.purse.due_minor, one.purse.credit_minor, codes(one).get("1010")) == (DUE, 0, None)


def test_what_had_paid_a_void_policy_is_credit() -> None:
    one = member(BILL, paid(), Void(moment=2, bill="first", policy="B"))
    assert (one.purse.due_minor, one.purse.credit_minor) == (0, 10_000)


def test_a_payment_that_waits_counts_when_it_has_settled() -> None:
    asked = paid(status="action_required")
    assert member(BILL, asked).purse.due_minor == DUE
    assert member(BILL, asked, Await(moment=2, payment="it", status="settled")).purse.due_minor == 0


def test_credit_passed_on_is_the_other_households() -> None:
    send = Transfer(moment=2, name="credit", to=2, minor=600)
    both = Model([household(1, BILL, paid(DUE + 1_000, accepts_credit=True), send), household(2)]).members
    assert (both[1].purse.credit_minor, both[2].purse.credit_minor) == (400, 600)


def test_a_household_that_moves_takes_what_it_owes_and_its_credit_along() -> None:
    both = Model([household(1, BILL, paid(20_000), Merge(moment=2, into=2)), household(2)]).members
    assert (both[1].purse.due_minor, both[2].purse.due_minor) == (0, 8_165)
    assert both[1].moved_to == 2
