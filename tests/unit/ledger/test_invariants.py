"""I-01, I-02, I-05, I-11, I-13 after any sequence of facts."""

from collections import defaultdict

from hypothesis import given as given_any
from hypothesis import settings
from hypothesis import strategies as st

from services.ledger.domain.chart import LIMITED
from shared.contracts.event import Event, PremiumLine
from shared.contracts.ledger import LimitBroken
from tests.unit.ledger.story import ACCOUNT, Story, allocated, bill, cancelled, declined, found, registered, settled

POLICIES = ("POL-1", "POL-2")
MONTHS = ("2026-01", "2026-02", "2026-03")
minor = st.integers(1, 10**7)


@st.composite
def premium_lines(draw: st.DrawFn) -> PremiumLine:
    gross = draw(st.integers(0, 10**6))
    aptc = draw(st.integers(0, gross))
    subsidy = draw(st.integers(0, gross - aptc))
    return PremiumLine(
        policy_id=draw(st.sampled_from(POLICIES)),
        coverage_month=draw(st.sampled_from(MONTHS)),
        gross_minor=gross,
        aptc_minor=aptc,
        state_subsidy_minor=subsidy,
    )


@st.composite
def legal_stories(draw: st.DrawFn) -> Story:
    """Bills, attempts, ends, late successes, second charges, and allocations within what is owed and there."""
    story = Story()
    pending: dict[str, int] = {}
    ended: dict[str, int] = {}
    for step in range(draw(st.integers(1, 14))):
        choice = draw(st.sampled_from(["bill", "try", "settle", "decline", "cancel", "late", "found", "allocate"]))
        payment = f"pay_3_{step}"
        if choice == "bill":
            story.tell(bill(*draw(st.lists(premium_lines(), min_size=1, max_size=3)), invoice_id=f"inv_3_{step}"))
        elif choice == "try":
            pending[payment] = draw(minor)
            story.tell(registered(pending[payment], payment))
        elif choice in ("settle", "decline", "cancel") and pending:
            payment, amount = pending.popitem()
            if choice == "settle":
                story.tell(settled(amount, payment))
            else:
                ended[payment] = amount
                story.tell(declined(amount, payment) if choice == "decline" else cancelled(amount, payment))
        elif choice == "late" and ended:
            payment, amount = ended.popitem()
            story.tell(settled(amount, payment))
        elif choice == "found":
            story.tell(found(draw(minor), payment))
        elif choice == "allocate":
            _allocate(draw, story, payment)
    return story


def _allocate(draw: st.DrawFn, story: Story, payment: str) -> None:
    credit = story.state.balance_minor("2110", "USD", ACCOUNT)
    parts = []
    for policy in POLICIES:
        for month in MONTHS:
            owed = story.state.balance_minor("1210", "USD", f"{ACCOUNT}/{policy}/{month}")
            if min(owed, credit) > 0:
                amount = draw(st.integers(1, min(owed, credit)))
                parts.append((policy, month, amount))
                credit -= amount
    if parts:
        story.tell(allocated(*parts, payment_id=payment, unapplied_minor=credit))


any_fact: st.SearchStrategy[Event] = st.one_of(
    st.builds(bill, premium_lines()),
    st.builds(registered, minor, st.sampled_from(["pay_3_1", "pay_3_2"])),
    st.builds(settled, minor, st.sampled_from(["pay_3_1", "pay_3_2"])),
    st.builds(declined, minor, st.sampled_from(["pay_3_1", "pay_3_2"])),
    st.builds(found, minor, st.just("pay_3_1")),
    st.builds(lambda p, m, x: allocated((p, m, x)), st.sampled_from(POLICIES), st.sampled_from(MONTHS), minor),
)


def assert_balanced(story: Story) -> None:
    for entry in story.entries:
        assert len(entry.postings) >= 2
        assert all(one.amount_minor > 0 for one in entry.postings)
        debits = sum(one.amount_minor for one in entry.postings if one.side == "D")
        assert debits * 2 == sum(one.amount_minor for one in entry.postings)
    assert sum(story.sums().values()) == 0


@settings(max_examples=150, deadline=None)
@given_any(legal_stories())
def test_entries_balance_and_accounts_sum_to_zero(story: Story) -> None:
    """I-01, I-02."""
    assert_balanced(story)
    assert not [event for event in story.events if isinstance(event, LimitBroken)]


@settings(max_examples=150, deadline=None)
@given_any(legal_stories())
def test_what_is_open_of_a_policy_month_is_open_to_its_carrier(story: Story) -> None:
    """I-11: 1210 + 1220 + 1230 = 2210 for each policy and month."""
    owed: dict[str, int] = defaultdict(int)
    billed: dict[str, int] = defaultdict(int)
    for (code, sub_key), minor_sum in story.sums().items():
        if code in ("1210", "1220", "1230"):
            owed[sub_key.removeprefix(f"{ACCOUNT}/")] += minor_sum
        elif code == "2210":
            billed[sub_key] -= minor_sum
    assert {key: value for key, value in owed.items() if value} == {k: v for k, v in billed.items() if v}


@settings(max_examples=150, deadline=None)
@given_any(legal_stories())
def test_pending_payments_are_what_is_in_transit(story: Story) -> None:
    """I-13: 2310 = 1110 + 1120 + 1130."""
    sums = story.sums()
    pending = -sum(minor_sum for (code, _), minor_sum in sums.items() if code == "2310")
    assert pending == sum(minor_sum for (code, _), minor_sum in sums.items() if code in ("1110", "1120", "1130"))
    assert pending >= 0


@settings(max_examples=200, deadline=None)
@given_any(st.lists(any_fact, max_size=12))
def test_no_fact_unbalances_the_books_or_breaks_a_limit_unsaid(facts: list[Event]) -> None:
    """I-01, I-02, I-05 for facts in any order, legal or not."""
    story = Story()
    story.tell(*facts)

    assert_balanced(story)
    for (code, sub_key), minor_sum in story.sums().items():
        normal = LIMITED.get(code)  # type: ignore[call-overload]
        if normal is not None:
            held = minor_sum if normal == "D" else -minor_sum
            assert held >= 0
            assert story.state.balance_minor(code, "USD", sub_key) == held
