"""I-01, I-02, I-05, I-11, I-12, I-13 after any sequence of facts."""

from collections import defaultdict

from hypothesis import given as given_any
from hypothesis import settings

from services.ledger.domain.chart import LIMITED
from shared.contracts.event import Event
from shared.contracts.ledger import LimitBroken
from tests.unit.ledger.disorder import disorder
from tests.unit.ledger.month import Month, months
from tests.unit.ledger.story import ACCOUNT, Story


def assert_balanced(story: Story) -> None:
    for entry in story.entries:
        assert len(entry.postings) >= 2
        assert all(one.amount_minor > 0 for one in entry.postings)
        debits = sum(one.amount_minor for one in entry.postings if one.side == "D")
        assert debits * 2 == sum(one.amount_minor for one in entry.postings)
    assert sum(story.sums().values()) == 0


def assert_within_limits(story: Story) -> None:
    for (code, sub_key), minor_sum in story.sums().items():
        normal = LIMITED.get(code)  # type: ignore[call-overload]
        if normal is not None:
            held = minor_sum if normal == "D" else -minor_sum
            assert held >= 0
            assert story.state.balance_minor(code, "USD", sub_key) == held


@settings(max_examples=100)
@given_any(months())
def test_entries_balance_and_accounts_sum_to_zero(month: Month) -> None:
    """I-01, I-02, I-05: what makes sense breaks no limit."""
    assert_balanced(month.story)
    assert_within_limits(month.story)
    assert not [event for event in month.story.events if isinstance(event, LimitBroken)]


@settings(max_examples=100)
@given_any(months())
def test_what_is_open_of_a_policy_month_is_open_to_its_carrier(month: Month) -> None:
    """I-11: 1210 + 1220 + 1230 = 2210 for each policy and month."""
    owed: dict[str, int] = defaultdict(int)
    billed: dict[str, int] = defaultdict(int)
    for (code, sub_key), minor_sum in month.story.sums().items():
        if code in ("1210", "1220", "1230"):
            owed[sub_key.removeprefix(f"{ACCOUNT}/")] += minor_sum
        elif code == "2210":
            billed[sub_key] -= minor_sum
    assert {key: value for key, value in owed.items() if value} == {k: v for k, v in billed.items() if v}


@settings(max_examples=100)
@given_any(months())
def test_books_say_of_the_households_money_what_its_funds_say(month: Month) -> None:
    """I-12: credit, debt of money given back twice, refunds set aside and chargebacks open are those of the funds."""
    held = month.story.by_code()
    assert -held.get("2110", 0) == sum(fund.credit_minor for fund in month.funds)
    assert held.get("1250", 0) == sum(fund.owed_minor for fund in month.funds)
    assert -held.get("2120", 0) == sum(minor for _, _, minor in month.open_refunds)
    assert held.get("1260", 0) == sum(minor for _, _, minor in month.disputes)
    assert held.get("1210", 0) == sum(month.due(place) for place in month.bills)


@settings(max_examples=100)
@given_any(months())
def test_pending_payments_are_what_is_in_transit(month: Month) -> None:
    """I-13: 2310 = 1110 + 1120 + 1130."""
    held = month.story.by_code()
    assert -held.get("2310", 0) == held.get("1120", 0) == sum(month.pending.values())


@settings(max_examples=300)
@given_any(disorder)
def test_no_fact_unbalances_the_books_or_breaks_a_limit_unsaid(facts: list[Event]) -> None:
    """I-01, I-02, I-05 for facts in any order, legal or not."""
    story = Story()
    story.tell(*facts)

    assert_balanced(story)
    assert_within_limits(story)
