"""The demo's plan: the same for the same seed, whole, and possible."""

from collections import Counter
from itertools import pairwise

import pytest

from deploy.demo.acts import Bill, Merge, Pay, Transfer
from deploy.demo.moments import MOMENTS
from deploy.demo.rota import ROTA, plan

SEEDS = range(1, 6)


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    assert plan(60, 3) == plan(60, 3)
    assert [one.acts for one in plan(60, 3)] != [one.acts for one in plan(60, 4)]


def test_a_household_is_the_same_however_many_there_are() -> None:
    assert plan(200, 1)[:20] == plan(20 + 1, 1)[:20]


def test_two_hundred_households_tell_every_story() -> None:
    assert {one.story for one in plan(200, 1)} == {turn.name for turn in ROTA}


@pytest.mark.parametrize("seed", SEEDS)
def test_acts_stand_in_the_order_of_their_moments(seed: int) -> None:
    for household in plan(200, seed):
        moments = [act.moment for act in household.acts]
        assert moments == sorted(moments)
        assert set(moments) <= set(range(len(MOMENTS)))


@pytest.mark.parametrize("households", [1, 2, 10, 47, 50, 53, 200])
def test_a_partner_is_in_the_plan_and_acts_on_other_days(households: int) -> None:
    planned = plan(households, 1)
    for one in planned:
        for act in one.acts:
            if isinstance(act, Transfer | Merge):
                partner = planned[(act.to if isinstance(act, Transfer) else act.into) - 1]
                assert act.moment not in [each.moment for each in partner.acts]


def test_no_payment_but_a_second_click_repeats_another_of_its_day() -> None:
    for household in plan(200, 1):
        for one, other in pairwise(act for act in household.acts if isinstance(act, Pay)):
            same = (one.moment, one.bill, one.minor, one.card) == (other.moment, other.bill, other.minor, other.card)
            assert same is (other.first_click_of == one.name)


def test_amounts_vary_and_subsidies_leave_a_share_to_pay() -> None:
    bills = [act for one in plan(200, 1) for act in one.acts if isinstance(act, Bill)]
    lines = [line for bill in bills for line in bill.lines]
    assert all(line.share_minor > 0 and line.aptc_minor >= 0 and line.state_minor >= 0 for line in lines)
    assert len({line.gross_minor for line in lines}) > len(lines) * 9 // 10
    assert {len(bill.lines) for bill in bills} == {1, 2}


def test_both_languages_are_spoken_and_addresses_are_of_one_household() -> None:
    planned = plan(200, 1)
    assert Counter(one.language for one in planned).keys() == {"en", "es"}
    assert len({one.email for one in planned}) == 200
