"""How much of an entry is left to be taken back: in parts, over several entries, and where billing says too much."""

import pytest

from services.ledger.domain.standing import Left, Standing, taken_back
from shared.contracts.event import Event, PremiumLine
from shared.contracts.ledger import EntryPosted
from tests.unit.ledger.facts import bounced, debited, lost, opened, part, sent, unpaid, voided, withdrawn, won
from tests.unit.ledger.story import (
    ACCOUNT,
    LINE,
    MONTH,
    PAID_200,
    POLICY,
    allocated,
    bill,
    given,
    legs,
    registered,
    settled,
)

OWED = f"{ACCOUNT}/{POLICY}/{MONTH}"
PLACE = f"{POLICY}/{MONTH}"


def reversals(events: list[Event]) -> list[tuple[str | None, int]]:
    return [(one.reverses, one.postings[0].amount_minor) for one in events if isinstance(one, EntryPosted)]


def test_a_deallocation_in_parts_never_takes_more_off_an_entry_than_it_posted() -> None:
    story = given(*PAID_200)
    original = story.newest("PR-06").entry_id

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

    assert reversals(story.tell(unpaid(part(10_000), part(8_165)))) == [(story.newest("PR-06").entry_id, 18_165)]


def test_a_line_that_another_payment_paid_is_not_this_ones_to_reverse() -> None:
    story = given(*PAID_200)

    assert reversals(story.tell(unpaid(part(5), payment_id="pay_3_2"))) == [(None, 5)]


def test_an_allocation_that_broke_a_limit_is_still_known_whole() -> None:
    story = given(bill(), registered(18_000), settled(18_000), allocated((POLICY, MONTH, 20_000)))

    assert reversals(story.tell(unpaid(part(20_000)))) == [(story.newest("PR-06").entry_id, 20_000)]


def test_a_void_leaves_nothing_of_the_bill() -> None:
    assert not any(given(bill(), voided(LINE)).sums().values())


def test_a_void_of_the_unpaid_rest_of_a_line_reverses_a_part_of_its_bill() -> None:
    story = given(bill(), registered(10_000), settled(10_000), allocated((POLICY, MONTH, 10_000)))
    rest = PremiumLine(policy_id=POLICY, coverage_month=MONTH, gross_minor=8_165)
    (back,) = story.tell(voided(rest))

    assert legs(back) == [("D", "2210", PLACE, 8_165), ("C", "1210", OWED, 8_165)]
    assert isinstance(back, EntryPosted)
    assert back.reverses == story.newest("PR-01").entry_id


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
    original = by_one.newest("PR-01").entry_id

    assert reversals(by_one.tell(voided(LINE, LINE))) == [(original, 80_831), (None, 80_831)]
    by_two.tell(voided(LINE))
    assert reversals(by_two.tell(voided(LINE))) == [(None, 80_831)]


def test_a_refund_that_was_sent_is_withdrawn_from_its_first_entry_once_only() -> None:
    story = given(*PAID_200, opened(), sent())
    original = story.newest("PR-09a").entry_id

    assert reversals(story.tell(withdrawn())) == [(original, 1_835)]
    assert reversals(story.tell(withdrawn())) == [(None, 1_835)]


def test_a_refund_sent_beyond_what_was_set_aside_bounces_whole() -> None:
    story = given(*PAID_200, opened(1_000), sent())
    back, *_ = story.tell(bounced())

    assert reversals([back]) == [(story.newest("PR-09b").entry_id, 1_835)]


def test_a_chargeback_that_was_lost_is_won_once_only() -> None:
    story = given(*PAID_200, debited(), unpaid(part()), lost(20_000))
    original = story.newest("PR-10a").entry_id

    assert reversals(story.tell(won())) == [(original, 20_000)]
    assert reversals(story.tell(won())) == [(None, 20_000)]


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
