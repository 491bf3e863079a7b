"""Reversals of direct entries: whole or in parts, never more of a leg than is left of it."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.direct import Leg, ProposalEnded, ReversalProposed
from shared.contracts.ledger import EntryPosted, Posting
from tests.unit.ledger.journal_story import (
    ANNA,
    BEN,
    CASH,
    FEES,
    FUND,
    STREAM,
    TOMORROW,
    JournalStory,
    leg,
    legs,
    opened,
    refusal,
    reversal_request,
)

THREE = (leg("D", FEES, 300), leg("D", FUND, 200), leg("C", CASH, 500))


def shape(postings: tuple[Posting, ...] | tuple[Leg, ...]) -> list[tuple[str, str, int]]:
    return [(one.side, f"{one.code}/{one.sub_key}", one.amount_minor) for one in postings]


def reversed_by(story: JournalStory, entry: EntryPosted, *asked: Leg, name: str = "rev_1") -> EntryPosted:
    *_, reversal = story.approved(reversal_request(entry.entry_id, *asked, name=name))
    assert isinstance(reversal, EntryPosted)
    return reversal


def test_a_whole_reversal_posts_the_mirror_of_the_entry() -> None:
    story = opened()
    entry = story.posted(*THREE)

    (proposed,) = story.tell(reversal_request(entry.entry_id))
    assert isinstance(proposed, ReversalProposed)
    assert (proposed.entry_id, proposed.currency) == (entry.entry_id, "USD")
    assert shape(proposed.legs) == [("C", FEES, 300), ("C", FUND, 200), ("D", CASH, 500)]

    story.answer("rev_1", ANNA)
    _, reversal = story.answer("rev_1", BEN)
    assert isinstance(reversal, EntryPosted)
    assert (reversal.rule, reversal.reverses, reversal.proposal_id) == ("PR-JR", entry.entry_id, "rev_1")
    assert (reversal.account_id, shape(reversal.postings)) == (STREAM, shape(proposed.legs))


def test_a_part_is_taken_back_and_then_all_that_is_left() -> None:
    story = opened()
    entry = story.posted(*THREE)

    part = reversed_by(story, entry, leg("D", FUND, 150), leg("C", CASH, 150))
    rest = reversed_by(story, entry, name="rev_2")

    assert shape(part.postings) == [("C", FUND, 150), ("D", CASH, 150)]
    assert shape(rest.postings) == [("C", FEES, 300), ("C", FUND, 50), ("D", CASH, 350)]
    assert refusal(story.tell(reversal_request(entry.entry_id, name="rev_3"))) == ("reversal_exceeds_entry", "legs")


@pytest.mark.parametrize(
    "asked",
    [
        (leg("D", FUND, 201), leg("C", CASH, 201)),
        (leg("C", FEES, 1), leg("D", CASH, 1)),
        (leg("D", FUND, 150), leg("D", FUND, 51), leg("C", CASH, 201)),
    ],
    ids=["more than the leg", "the other side of a leg", "a leg named twice"],
)
def test_more_than_is_left_of_a_leg_is_refused(asked: tuple[Leg, ...]) -> None:
    story = opened()
    entry = story.posted(*THREE)

    assert refusal(story.tell(reversal_request(entry.entry_id, *asked))) == ("reversal_exceeds_entry", "legs")


def test_legs_of_one_account_and_side_are_one() -> None:
    story = opened()
    entry = story.posted(leg("D", FEES, 100), leg("D", FEES, 200), leg("C", CASH, 300))

    assert shape(reversed_by(story, entry).postings) == [("C", FEES, 300), ("D", CASH, 300)]


@pytest.mark.parametrize("entry_id", ["ent_3_unknown", "reversal"])
def test_only_journals_of_this_stream_are_taken_back(entry_id: str) -> None:
    """An entry of billing's facts or of a bank statement is corrected by a fact, a reversal by a journal."""
    story = opened()
    reversal = reversed_by(story, story.posted(*THREE))
    asked = reversal.entry_id if entry_id == "reversal" else entry_id

    assert refusal(story.tell(reversal_request(asked, name="rev_2"))) == ("entry_unknown", "entry_id")


def test_reasons_come_in_their_order() -> None:
    """Each request has the faults of all that follow it."""
    story = opened()
    entry = story.posted(*legs(500, FEES, CASH))
    unbalanced = (leg("D", FEES, 501), leg("C", CASH, 500))
    elsewhere = (*unbalanced, leg("C", "2110/acc_x", 1))
    exceeding = (leg("D", FEES, 501), leg("C", CASH, 501))
    story.changed("freeze", FEES)
    frozen = reversal_request(entry.entry_id, *unbalanced, name="rev_2", on=TOMORROW)
    assert refusal(story.tell(frozen)) == ("ledger_account_frozen", "legs.0")
    story.changed("unfreeze", FEES)

    told = [
        refusal(story.tell(reversal_request(entry_id, *asked, name=f"rev_{number}", on=on)))[0]
        for number, (entry_id, asked, on) in enumerate(
            [
                ("ent_3_unknown", elsewhere, TOMORROW),
                ("ent_3_unknown", unbalanced, TOMORROW),
                ("ent_3_unknown", exceeding, TOMORROW),
                ("ent_3_unknown", exceeding, "2026-03-10"),
                (entry.entry_id, exceeding, "2026-03-10"),
            ],
            start=3,
        )
    ]

    assert told == [
        "decided_elsewhere",
        "journal_unbalanced",
        "effective_date_in_future",
        "entry_unknown",
        "reversal_exceeds_entry",
    ]


def test_what_was_taken_back_meanwhile_ends_the_other_proposal() -> None:
    story = opened()
    entry = story.posted(*THREE)
    story.tell(reversal_request(entry.entry_id, name="rev_1"))
    story.answer("rev_1", ANNA)
    reversed_by(story, entry, leg("D", FEES, 1), leg("C", CASH, 1), name="rev_2")

    (ended,) = story.answer("rev_1", BEN)

    assert isinstance(ended, ProposalEnded)
    assert (ended.outcome, ended.reason) == ("refused", "reversal_exceeds_entry")


parts = st.tuples(st.integers(0, 320), st.integers(0, 220))
steps = st.lists(st.tuples(st.sampled_from(["ask", "approve"]), parts, st.integers(0, 5)), max_size=40)


@settings(max_examples=200)
@given(steps)
def test_no_order_of_parts_and_approvals_takes_back_more_than_the_entry(
    steps: list[tuple[str, tuple[int, int], int]],
) -> None:
    story = opened()
    entry = story.posted(*THREE)
    names: list[str] = []
    for how, (fees, fund), number in steps:
        if how == "ask":
            names.append(f"rev_{len(names)}")
            asked = [one for one in (leg("D", FEES, fees), leg("D", FUND, fund)) if one.amount_minor]
            total = [leg("C", CASH, fees + fund)] if asked else []
            story.tell(reversal_request(entry.entry_id, *asked, *total, name=names[-1]))
        elif names:
            for person in (ANNA, BEN):
                story.answer(names[number % len(names)], person)
        left = signed_left(story)
        assert all(minor >= 0 for minor in left.values())
        assert sum(left[side, place] * (1 if side == "D" else -1) for side, place in left) == 0


def signed_left(story: JournalStory) -> dict[tuple[str, str], int]:
    """Return what entry and reversals come to, per leg of the entry, above zero on the leg's own side."""
    left: dict[tuple[str, str], int] = defaultdict(int)
    for entry in story.events:
        if isinstance(entry, EntryPosted):
            for side, place, minor in shape(entry.postings):
                if entry.reverses is None:
                    left[side, place] += minor
                else:
                    left["C" if side == "D" else "D", place] -= minor
    return left
