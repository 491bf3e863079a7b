"""What is taken back, given back and passed on: exact postings, each reversal linked to what it takes back."""

import pytest

from services.ledger.domain.standing import Left, Standing, taken_back
from services.ledger.handlers import REGISTRY
from shared.contracts.billing import (
    PaymentHeld,
    RefundApproved,
    RefundCompleted,
    RefundNudged,
    RefundStopRequested,
)
from shared.contracts.event import Event, PremiumLine
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
    POLICY,
    Leg,
    Story,
    allocated,
    bill,
    found,
    given,
    legs,
    registered,
    settled,
)

OWED = f"{ACCOUNT}/{POLICY}/{MONTH}"
PLACE = f"{POLICY}/{MONTH}"
PAID_200 = (bill(), registered(20_000), settled(20_000), allocated())
"""A bill of 181.65 paid with 200.00: 18.35 are credit."""

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


def newest(story: Story, rule: str) -> EntryPosted:
    return [one for one in story.entries if one.rule == rule][-1]


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
    assert back.reverses == newest(story, original).entry_id


def test_a_bounced_refund_comes_back_and_is_credit_again() -> None:
    story = given(*PAID_200)
    before = story.sums()
    story.tell(opened(), sent())
    back, again = story.tell(bounced())

    assert isinstance(back, EntryPosted)
    assert isinstance(again, EntryPosted)
    assert legs(back) == [("D", "1125", "card", 1_835), ("C", "2120", "rfd_3_1", 1_835)]
    assert (back.rule, back.effective_date, back.reverses) == ("PR-09c", "2026-02-20", newest(story, "PR-09b").entry_id)
    assert legs(again) == PR_09AR
    assert (again.rule, again.effective_date, again.reverses) == (
        "PR-09ar", "2026-02-20", newest(story, "PR-09a").entry_id,
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


def reversals(events: list[Event]) -> list[tuple[str | None, int]]:
    return [(one.reverses, one.postings[0].amount_minor) for one in events if isinstance(one, EntryPosted)]


def test_a_deallocation_in_parts_never_takes_more_off_an_entry_than_it_posted() -> None:
    story = given(*PAID_200)
    original = newest(story, "PR-06").entry_id

    assert reversals(story.tell(unpaid(part(10_000)))) == [(original, 10_000)]
    assert reversals(story.tell(unpaid(part(8_165)))) == [(original, 8_165)]
    assert reversals(story.tell(unpaid(part(5)))) == [(None, 5)]


def test_a_deallocation_over_two_entries_reverses_the_newest_first() -> None:
    half = allocated((POLICY, MONTH, 10_000)), allocated((POLICY, MONTH, 8_165))
    story = given(bill(), registered(20_000), settled(20_000), *half)
    older, newer = [one.entry_id for one in story.entries if one.rule == "PR-06"]

    assert reversals(story.tell(unpaid(part(9_000)))) == [(newer, 8_165), (older, 835)]


def test_parts_of_one_line_are_taken_back_together() -> None:
    story = given(*PAID_200)

    assert reversals(story.tell(unpaid(part(10_000), part(8_165)))) == [(newest(story, "PR-06").entry_id, 18_165)]


def test_a_line_that_another_payment_paid_is_not_this_ones_to_reverse() -> None:
    story = given(*PAID_200)

    assert reversals(story.tell(unpaid(part(5), payment_id="pay_3_2"))) == [(None, 5)]


def test_an_allocation_that_broke_a_limit_is_still_known_whole() -> None:
    story = given(bill(), registered(18_000), settled(18_000), allocated((POLICY, MONTH, 20_000)))

    assert reversals(story.tell(unpaid(part(20_000)))) == [(newest(story, "PR-06").entry_id, 20_000)]


def test_a_void_leaves_nothing_of_the_bill() -> None:
    assert not any(given(bill(), voided(LINE)).sums().values())


def test_a_void_of_the_unpaid_rest_of_a_line_reverses_a_part_of_its_bill() -> None:
    story = given(bill(), registered(10_000), settled(10_000), allocated((POLICY, MONTH, 10_000)))
    rest = PremiumLine(policy_id=POLICY, coverage_month=MONTH, gross_minor=8_165)
    (back,) = story.tell(voided(rest))

    assert legs(back) == [("D", "2210", PLACE, 8_165), ("C", "1210", OWED, 8_165)]
    assert isinstance(back, EntryPosted)
    assert back.reverses == newest(story, "PR-01").entry_id


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(PremiumLine(policy_id=POLICY, coverage_month=MONTH, gross_minor=18_166), id="share"),
        pytest.param(
            PremiumLine(policy_id=POLICY, coverage_month=MONTH, gross_minor=80_831, aptc_minor=62_667), id="aptc"
        ),
        pytest.param(
            PremiumLine(policy_id=POLICY, coverage_month=MONTH, gross_minor=1, state_subsidy_minor=1), id="subsidy"
        ),
        pytest.param(PremiumLine(policy_id="POL-2", coverage_month=MONTH, gross_minor=1), id="another-policy"),
    ],
)
def test_a_void_of_more_than_a_leg_of_the_bill_reverses_none(line: PremiumLine) -> None:
    back = given(bill()).tell(voided(line))[0]

    assert isinstance(back, EntryPosted)
    assert back.reverses is None


def test_a_line_is_taken_back_once_whether_by_one_void_or_by_two() -> None:
    by_one, by_two = given(bill()), given(bill())
    original = newest(by_one, "PR-01").entry_id

    assert reversals(by_one.tell(voided(LINE, LINE))) == [(original, 80_831), (None, 80_831)]
    by_two.tell(voided(LINE))
    assert reversals(by_two.tell(voided(LINE))) == [(None, 80_831)]


def test_a_refund_that_was_sent_is_withdrawn_from_its_first_entry_once_only() -> None:
    story = given(*PAID_200, opened(), sent())
    original = newest(story, "PR-09a").entry_id

    assert reversals(story.tell(withdrawn())) == [(original, 1_835)]
    assert reversals(story.tell(withdrawn())) == [(None, 1_835)]


def test_a_refund_sent_beyond_what_was_set_aside_bounces_whole() -> None:
    story = given(*PAID_200, opened(1_000), sent())
    back, *_ = story.tell(bounced())

    assert reversals([back]) == [(newest(story, "PR-09b").entry_id, 1_835)]


def test_a_chargeback_that_was_lost_is_won_once_only() -> None:
    story = given(*PAID_200, debited(), unpaid(part()), lost(20_000))
    original = newest(story, "PR-10a").entry_id

    assert reversals(story.tell(won())) == [(original, 20_000)]
    assert reversals(story.tell(won())) == [(None, 20_000)]


def test_a_refund_of_more_than_the_credit_is_posted_and_said() -> None:
    entry, limit = given(bill()).tell(opened())

    assert legs(entry) == [("D", "1250", ACCOUNT, 1_835), ("C", "2120", "rfd_3_1", 1_835)]
    assert isinstance(limit, LimitBroken)
    assert (limit.code, limit.sub_key, limit.overflow_minor) == ("2110", ACCOUNT, 1_835)


@pytest.mark.parametrize("shelves", [1, 40])
def test_an_entry_is_remembered_however_many_there_are(shelves: int) -> None:
    standing = Standing()
    for number in range(shelves * 32):
        standing = standing.put(f"PR-06 pay_{number}", (Left(f"ent_{number}", 5),))
    assert [taken_back(standing, f"PR-06 pay_{number}", 5) for number in (0, shelves * 32 - 1)] == [
        [(5, "ent_0")], [(5, f"ent_{shelves * 32 - 1}")],
    ]  # fmt: skip
    assert [standing.name_with(f"ent_{number}") for number in (0, shelves * 32 - 1)] == [
        "PR-06 pay_0", f"PR-06 pay_{shelves * 32 - 1}",
    ]  # fmt: skip
    assert taken_back(standing, "PR-06 pay_none", 5) == [(5, None)]
