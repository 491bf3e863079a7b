"""Each posting rule as one golden row."""

import pytest

from services.ledger.domain.chart import ACCOUNTS, CHART, CODES
from shared.contracts.event import Event, PremiumLine
from shared.contracts.ledger import EntryPosted
from shared.ids import base32, event_id, root_of_record
from tests.unit.ledger.story import (
    ACCOUNT,
    MONTH,
    POLICY,
    Leg,
    allocated,
    bill,
    cancelled,
    declined,
    found,
    given,
    legs,
    registered,
    settled,
)

OWED = f"{ACCOUNT}/{POLICY}/{MONTH}"
OF_POLICY = f"{POLICY}/{MONTH}"
PR_01 = [("D", "1210", OWED, 18165), ("D", "1220", OF_POLICY, 62666), ("C", "2210", OF_POLICY, 80831)]
PR_04 = [("D", "1120", "card", 18165), ("C", "2310", "pay_3_1", 18165)]
PR_05 = [
    ("D", "1125", "card", 18165),
    ("D", "2310", "pay_3_1", 18165),
    ("C", "1120", "card", 18165),
    ("C", "2110", ACCOUNT, 18165),
]
PR_05X = [("D", "1125", "card", 18165), ("C", "2110", ACCOUNT, 18165)]
PR_06 = [
    ("D", "2110", ACCOUNT, 18165),
    ("D", "2210", OF_POLICY, 18165),
    ("C", "1210", OWED, 18165),
    ("C", "2220", POLICY, 18165),
]
PR_07 = [("D", "2310", "pay_3_1", 18165), ("C", "1120", "card", 18165)]


@pytest.mark.parametrize(
    ("before", "fact", "rule", "expected"),
    [
        pytest.param((), bill(), "PR-01", PR_01, id="PR-01"),
        pytest.param((bill(),), registered(), "PR-04", PR_04, id="PR-04"),
        pytest.param((bill(), registered()), settled(), "PR-05", PR_05, id="PR-05"),
        pytest.param((bill(), registered(), declined()), settled(), "PR-05x", PR_05X, id="PR-05x-late-success"),
        pytest.param((bill(), registered(), settled()), found(), "PR-05x", PR_05X, id="PR-05x-second-charge"),
        pytest.param((bill(), registered(), settled()), allocated(), "PR-06", PR_06, id="PR-06"),
        pytest.param((bill(), registered()), declined(), "PR-07", PR_07, id="PR-07-declined"),
        pytest.param((bill(), registered()), cancelled(), "PR-07", PR_07, id="PR-07-cancelled"),
    ],
)
def test_a_rule_posts_its_golden_row(before: tuple[Event, ...], fact: Event, rule: str, expected: list[Leg]) -> None:
    (entry,) = given(*before).tell(fact)

    assert isinstance(entry, EntryPosted)
    assert entry.rule == rule
    assert legs(entry) == expected


def test_zero_legs_are_omitted_and_a_line_of_nothing_posts_nothing() -> None:
    free = PremiumLine(policy_id="POL-2", coverage_month=MONTH, gross_minor=500, aptc_minor=500)
    nothing = PremiumLine(policy_id="POL-3", coverage_month=MONTH, gross_minor=0)

    (entry,) = given().tell(bill(free, nothing))

    assert legs(entry) == [("D", "1220", "POL-2/2026-03", 500), ("C", "2210", "POL-2/2026-03", 500)]


def test_each_line_and_each_allocation_is_an_entry_of_one_group() -> None:
    second = PremiumLine(policy_id="POL-2", coverage_month=MONTH, gross_minor=1000, state_subsidy_minor=400)
    first_line, second_line = given().tell(
        bill(PremiumLine(policy_id=POLICY, coverage_month=MONTH, gross_minor=9), second)
    )

    assert isinstance(first_line, EntryPosted)
    assert isinstance(second_line, EntryPosted)
    assert first_line.group_id == second_line.group_id
    assert legs(second_line) == [
        ("D", "1210", f"{ACCOUNT}/POL-2/{MONTH}", 600),
        ("D", "1230", "POL-2/2026-03", 400),
        ("C", "2210", "POL-2/2026-03", 1000),
    ]


def test_a_decline_before_registration_posts_nothing() -> None:
    assert given(bill()).tell(declined(registered=False)) == []


def test_a_settlement_counts_on_the_processors_own_date() -> None:
    (entry,) = given(bill(), registered()).tell(settled())

    assert entry.effective_on() == "2026-02-09"


def test_ids_of_entry_and_group_come_from_the_root_of_the_cause() -> None:
    (entry,) = given().tell(registered())

    root = root_of_record("billing", 3, 1)
    assert isinstance(entry, EntryPosted)
    assert entry.entry_id == f"ent_3_{base32(event_id(root, 0))}"
    assert entry.group_id == f"grp_3_{base32(root)}"
    assert (entry.cause, entry.cause_type) == ("billing.3.1", "billing.attempt-registered.v1")


def test_an_entry_names_payment_invoice_and_the_processors_reference() -> None:
    (entry,) = given(bill(), registered()).tell(settled())

    assert isinstance(entry, EntryPosted)
    assert (entry.payment_id, entry.invoice_id, entry.processor_ref) == ("pay_3_1", "inv_3_1", "pi_pay_3_1")


def test_an_amount_that_no_account_can_hold_is_not_posted() -> None:
    huge = PremiumLine(policy_id=POLICY, coverage_month=MONTH, gross_minor=2**63)

    with pytest.raises(ValueError, match="inv_3_1"):
        given().tell(bill(huge))


def test_the_chart_describes_every_code_once() -> None:
    assert [account.code for account in ACCOUNTS] == list(CODES)
    assert set(CHART) == set(CODES)
