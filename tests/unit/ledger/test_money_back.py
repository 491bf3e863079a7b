"""What is taken back, given back and passed on: exact postings, each reversal linked to what it takes back."""

import pytest

from services.ledger.handlers import REGISTRY
from shared.contracts.billing import (
    PaymentHeld,
    RefundApproved,
    RefundCompleted,
    RefundNudged,
    RefundStopRequested,
)
from shared.contracts.event import Event
from shared.contracts.ledger import EntryPosted, LimitBroken
from tests.unit.ledger.facts import (
    bounced,
    came_back,
    check,
    debited,
    lost,
    opened,
    part,
    passed_on,
    recovered,
    returned,
    sent,
    taken_in,
    unpaid,
    voided,
    withdrawn,
    won,
)
from tests.unit.ledger.story import (
    ACCOUNT,
    LINE,
    MONTH,
    PAID_200,
    POLICY,
    Leg,
    bill,
    found,
    given,
    legs,
    registered,
    settled,
)

OWED = f"{ACCOUNT}/{POLICY}/{MONTH}"
PLACE = f"{POLICY}/{MONTH}"

PR_06R = [
    ("D", "1210", OWED, 18_165),
    ("D", "2220", POLICY, 18_165),
    ("C", "2110", ACCOUNT, 18_165),
    ("C", "2210", PLACE, 18_165),
]
PR_21 = [("D", "2210", PLACE, 80_831), ("C", "1210", OWED, 18_165), ("C", "1220", PLACE, 62_666)]
PR_09A = [("D", "2110", ACCOUNT, 1_835), ("C", "2120", "rfd_3_1", 1_835)]
PR_09AR = [("D", "2120", "rfd_3_1", 1_835), ("C", "2110", ACCOUNT, 1_835)]
PR_09B = [("D", "2120", "rfd_3_1", 1_835), ("C", "1125", "card", 1_835)]
PR_10A = [("D", "1260", "du_1", 20_000), ("D", "5040", "card", 1_500), ("C", "1125", "card", 21_500)]
PR_10B = [("D", "1125", "card", 20_000), ("C", "1260", "du_1", 20_000)]
PR_10C = [("D", "2110", ACCOUNT, 18_165), ("D", "1250", ACCOUNT, 1_835), ("C", "1260", "du_1", 20_000)]
PR_05X = [("D", "1010", "trust-1", 18_165), ("C", "2110", ACCOUNT, 18_165)]
PR_08 = [("D", "2110", ACCOUNT, 18_165), ("C", "1010", "trust-1", 18_165)]
PR_08_SHORT = [("D", "2110", ACCOUNT, 165), ("D", "1250", ACCOUNT, 18_000), ("C", "1010", "trust-1", 18_165)]
PR_16A = [("D", "2110", ACCOUNT, 1_835), ("C", "2140", "trf_3_1", 1_835)]
PR_16B = [("D", "2140", "trf_3_1", 1_835), ("C", "2110", ACCOUNT, 1_835)]
PR_25 = [("D", "2110", ACCOUNT, 1_000), ("C", "1250", ACCOUNT, 1_000)]


@pytest.mark.parametrize(
    ("before", "fact", "rule", "on", "expected"),
    [
        pytest.param((), check(), "PR-05x", "2026-02-11", PR_05X, id="PR-05x-cheque"),
        pytest.param(PAID_200, unpaid(part()), "PR-06r", "2026-02-10", PR_06R, id="PR-06r"),
        pytest.param((bill(),), voided(LINE), "PR-21", "2026-02-10", PR_21, id="PR-21"),
        pytest.param((check(),), returned(18_165), "PR-08", "2026-02-16", PR_08, id="PR-08"),
        pytest.param(
            (check(), opened(18_000)), returned(165, 18_000), "PR-08", "2026-02-16", PR_08_SHORT, id="PR-08-given-back"
        ),
        pytest.param(PAID_200, opened(), "PR-09a", "2026-02-10", PR_09A, id="PR-09a"),
        pytest.param((*PAID_200, opened()), withdrawn(), "PR-09ar", "2026-02-10", PR_09AR, id="PR-09ar"),
        pytest.param((*PAID_200, opened()), sent(), "PR-09b", "2026-02-12", PR_09B, id="PR-09b"),
        pytest.param(PAID_200, debited(), "PR-10a", "2026-02-14", PR_10A, id="PR-10a"),
        pytest.param(
            PAID_200, debited(fee_minor=0), "PR-10a", "2026-02-14",
            [("D", "1260", "du_1", 20_000), ("C", "1125", "card", 20_000)], id="PR-10a-without-fee",
        ),
        pytest.param((*PAID_200, debited()), won(), "PR-10b", "2026-03-01", PR_10B, id="PR-10b"),
        pytest.param(
            (*PAID_200, opened(), sent(), debited(), unpaid(part())), lost(18_165, 1_835), "PR-10c", "2026-02-10",
            PR_10C, id="PR-10c-given-back",
        ),
        pytest.param(
            (registered(), settled(), debited(18_165)), lost(18_165), "PR-10c", "2026-02-10",
            [("D", "2110", ACCOUNT, 18_165), ("C", "1260", "du_1", 18_165)], id="PR-10c-all-of-it-credit",
        ),
        pytest.param(
            (debited(18_165),), lost(0, 18_165), "PR-10c", "2026-02-10",
            [("D", "1250", ACCOUNT, 18_165), ("C", "1260", "du_1", 18_165)], id="PR-10c-none-of-it-credit",
        ),
        pytest.param(PAID_200, passed_on(), "PR-16a", "2026-02-10", PR_16A, id="PR-16a"),
        pytest.param((), taken_in(), "PR-16b", "2026-02-10", PR_16B, id="PR-16b"),
        pytest.param((*PAID_200, passed_on()), came_back(), "PR-16r", "2026-02-10", PR_16B, id="PR-16r"),
        pytest.param(
            (debited(1_000), lost(0, 1_000), check(1_000)), recovered(1_000), "PR-25", "2026-02-10", PR_25, id="PR-25"
        ),
    ],
)  # fmt: skip
def test_a_rule_posts_its_golden_row(
    before: tuple[Event, ...], fact: Event, rule: str, on: str, expected: list[Leg]
) -> None:
    (entry,) = given(*before).tell(fact)

    assert isinstance(entry, EntryPosted)
    assert (entry.rule, entry.effective_date) == (rule, on)
    assert legs(entry) == expected


@pytest.mark.parametrize(
    ("before", "fact", "original"),
    [
        pytest.param(PAID_200, unpaid(part()), "PR-06", id="a-deallocation"),
        pytest.param(PAID_200, unpaid(part(1)), "PR-06", id="a-part-of-an-allocation"),
        pytest.param((bill(),), voided(LINE), "PR-01", id="a-void"),
        pytest.param((*PAID_200, opened()), withdrawn(), "PR-09a", id="a-refund-withdrawn"),
        pytest.param((*PAID_200, debited()), won(), "PR-10a", id="a-chargeback-won"),
        pytest.param((*PAID_200, passed_on()), came_back(), "PR-16a", id="a-transfer-that-came-back"),
    ],
)
def test_a_reversal_names_the_entry_that_it_takes_back(before: tuple[Event, ...], fact: Event, original: str) -> None:
    story = given(*before)
    (back,) = story.tell(fact)

    assert isinstance(back, EntryPosted)
    assert back.reverses == story.newest(original).entry_id


def test_a_bounced_refund_comes_back_and_is_credit_again() -> None:
    story = given(*PAID_200)
    before = story.sums()
    story.tell(opened(), sent())
    back, again = story.tell(bounced())

    assert isinstance(back, EntryPosted)
    assert isinstance(again, EntryPosted)
    assert legs(back) == [("D", "1125", "card", 1_835), ("C", "2120", "rfd_3_1", 1_835)]
    assert (back.rule, back.effective_date, back.reverses) == ("PR-09c", "2026-02-20", story.newest("PR-09b").entry_id)
    assert legs(again) == PR_09AR
    assert (again.rule, again.effective_date, again.reverses) == (
        "PR-09ar", "2026-02-20", story.newest("PR-09a").entry_id,
    )  # fmt: skip
    assert {key: minor for key, minor in story.sums().items() if minor} == {k: m for k, m in before.items() if m}


def test_entries_name_what_ties_them_to_bank_and_processor() -> None:
    story = given(check(), returned(18_165), *PAID_200, opened(), sent(), bounced(), debited(), won())

    assert [(one.rule, one.reference) for one in story.entries if one.reference] == [
        ("PR-05x", "LBX-7"), ("PR-08", "L-9"),
    ]  # fmt: skip
    assert {one.rule for one in story.entries if one.processor_ref == "pi_1"} == {
        "PR-09b",
        "PR-09c",
        "PR-10a",
        "PR-10b",
    }
    assert all(one.payment_id == "pay_3_1" for one in story.entries if one.rule != "PR-01")


def test_every_entry_of_a_case_names_it() -> None:
    story = given(*PAID_200)
    case = "case_3_1"
    story.tell(found(), unpaid(part(), case_id=case), *(one(case_id=case) for one in (opened, sent, bounced)))
    story.tell(opened(refund_id="rfd_3_2", case_id=case), withdrawn(refund_id="rfd_3_2", case_id=case))

    of_case = [one.rule for one in story.entries if one.case_id == case]
    assert of_case == ["PR-06r", "PR-09a", "PR-09b", "PR-09c", "PR-09ar", "PR-09a", "PR-09ar"]
    assert [one.case_id for one in story.entries if one.rule == "PR-05x"] == ["cas_3_1"]
    assert {one.case_id for one in story.entries if one.rule in ("PR-01", "PR-04", "PR-05", "PR-06")} == {None}


@pytest.mark.parametrize("fact", [RefundApproved, RefundCompleted, RefundStopRequested, RefundNudged, PaymentHeld])
def test_what_moves_no_money_is_not_the_ledgers(fact: type[Event]) -> None:
    assert fact not in REGISTRY.handlers


def test_a_refund_of_more_than_the_credit_is_posted_and_said() -> None:
    entry, limit = given(bill()).tell(opened())

    assert legs(entry) == [("D", "1250", ACCOUNT, 1_835), ("C", "2120", "rfd_3_1", 1_835)]
    assert isinstance(limit, LimitBroken)
    assert (limit.code, limit.sub_key, limit.overflow_minor) == ("2110", ACCOUNT, 1_835)
