"""Journals: proposed, approved by two people over one digest, posted once, or refused with the first reason."""

import hashlib
from datetime import timedelta

import msgspec
import pytest

from services.ledger.domain.direct import LapseProposal
from services.ledger.domain.proposals import APPROVAL_TERM
from shared.contracts.direct import (
    DirectCommandRefused,
    JournalProposed,
    Leg,
    ProposalApproved,
    ProposalEnded,
)
from shared.contracts.ledger import EntryPosted
from shared.ids import canonical_json
from shared.instants import text_of
from shared.money import MAX_MINOR
from tests.unit.ledger.journal_story import (
    ANNA,
    BEN,
    CARLA,
    CASH,
    FEES,
    FUND,
    NOW,
    STREAM,
    TODAY,
    TOMORROW,
    YESTERDAY,
    JournalStory,
    journal_request,
    leg,
    legs,
    opened,
    refusal,
    restored,
    reversal_request,
)


def test_a_journal_is_proposed_with_all_that_will_be_done() -> None:
    (event,) = opened().tell(journal_request(*legs()))

    assert isinstance(event, JournalProposed)
    assert (event.account_id, event.proposal_id, event.approvals_needed) == (STREAM, "jnl_1", 2)
    assert (event.legs, event.effective_date, event.note_version) == (legs(), TODAY, 1)
    assert event.approve_by == text_of(NOW + timedelta(days=7))


def test_the_digest_is_that_of_the_type_and_all_other_fields() -> None:
    (event,) = opened().tell(journal_request(*legs()))

    assert isinstance(event, JournalProposed)
    told = {"type": event.TYPE, **msgspec.json.decode(msgspec.json.encode(event))}
    digest = told.pop("digest")
    assert digest == hashlib.sha256(canonical_json(told)).hexdigest()


def test_nothing_is_posted_before_two_people_have_approved() -> None:
    story = opened()
    story.tell(journal_request(*legs()))

    (first,) = story.answer("jnl_1", ANNA)

    assert isinstance(first, ProposalApproved)
    assert (first.approved_by, first.is_last) == (ANNA, False)
    assert not [event for event in story.events if isinstance(event, EntryPosted)]


def test_the_second_approval_posts_the_entry() -> None:
    story = opened()
    story.tell(journal_request(*legs(), on=YESTERDAY))
    story.answer("jnl_1", ANNA)

    approval, entry = story.answer("jnl_1", BEN, request_id="req_b")

    assert isinstance(approval, ProposalApproved)
    assert (approval.approved_by, approval.request_id, approval.is_last) == (BEN, "req_b", True)
    assert isinstance(entry, EntryPosted)
    assert (entry.account_id, entry.rule, entry.reverses) == (STREAM, "PR-J", None)
    assert (entry.reference, entry.proposal_id) == ("jnl_1", "jnl_1")
    assert (entry.effective_date, entry.currency) == (YESTERDAY, "USD")
    assert [(one.code, one.sub_key, one.side, one.amount_minor) for one in entry.postings] == [
        ("5020", "card", "D", 500),
        ("1010", "default", "C", 500),
    ]


def test_a_journal_and_what_takes_it_back_are_under_the_line_that_it_books() -> None:
    """So that reconciliation finds the line even while the journal stands, and open again once it is taken back."""
    story = opened()
    story.tell(journal_request(*legs(), reference="LB-17"))
    story.answer("jnl_1", ANNA)
    _, entry = story.answer("jnl_1", BEN)
    assert isinstance(entry, EntryPosted)
    story.tell(reversal_request(entry.entry_id, leg("D", FEES, 200), leg("C", CASH, 200)))
    story.answer("rev_1", ANNA)
    story.answer("rev_1", BEN)
    story.tell(reversal_request(entry.entry_id, name="rev_2"))
    story.answer("rev_2", ANNA)
    story.answer("rev_2", BEN)

    entries = [event for event in story.events if isinstance(event, EntryPosted)]
    assert [(one.reference, one.proposal_id) for one in entries] == [
        ("LB-17", "jnl_1"), ("LB-17", "rev_1"), ("LB-17", "rev_2"),
    ]  # fmt: skip


def test_what_takes_back_a_journal_that_names_no_line_meets_it_under_its_id() -> None:
    story = opened()
    story.tell(journal_request(*legs()))
    story.answer("jnl_1", ANNA)
    _, entry = story.answer("jnl_1", BEN)
    assert isinstance(entry, EntryPosted)
    story.tell(reversal_request(entry.entry_id))
    story.answer("rev_1", ANNA)
    _, back = story.answer("rev_1", BEN)

    assert isinstance(back, EntryPosted)
    assert (back.reference, back.proposal_id) == ("jnl_1", "rev_1")


def test_one_person_approves_once() -> None:
    story = opened()
    story.tell(journal_request(*legs()))
    story.answer("jnl_1", ANNA)

    assert refusal(story.answer("jnl_1", ANNA)) == ("already_approved", None)
    assert len(story.answer("jnl_1", BEN)) == 2


def test_one_person_s_no_ends_a_proposal() -> None:
    story = opened()
    story.tell(journal_request(*legs()))
    story.answer("jnl_1", ANNA)

    (ended,) = story.answer("jnl_1", ANNA, "reject", request_id="req_no")

    assert ended == ProposalEnded(
        account_id=STREAM, proposal_id="jnl_1", request_id="req_no", outcome="rejected", reason=None
    )
    assert refusal(story.answer("jnl_1", BEN)) == ("proposal_ended", None)


def test_an_id_that_is_taken_adds_nothing() -> None:
    story = opened()
    story.tell(journal_request(*legs()))

    assert story.tell(journal_request(*legs(700))) == []


TOO_MUCH = (leg("D", FEES, MAX_MINOR), leg("D", FUND, 1), leg("C", CASH, MAX_MINOR), leg("C", CASH, 1))
MANY = (*[leg("D", FEES, 1)] * 20, leg("C", CASH, 20))
ELSEWHERE, UNKNOWN, CLOSED, FROZEN = "2110/acc_x", "1010/nobody", "1020/old", "1020/cold"
EUROS = "1020/euros"


@pytest.mark.parametrize(
    ("asked", "reason", "field"),
    [
        (legs(credit=ELSEWHERE), "decided_elsewhere", "legs.1.code"),
        (legs(debit="9999/x"), "decided_elsewhere", "legs.0.code"),
        (legs(credit=UNKNOWN), "ledger_account_unknown", "legs.1"),
        (legs(credit=CLOSED), "ledger_account_closed", "legs.1"),
        (legs(debit=FROZEN), "ledger_account_frozen", "legs.0"),
        ((leg("D", FEES, 2), leg("C", CASH, 1)), "journal_unbalanced", "legs"),
        ((leg("D", FEES, 2),), "journal_unbalanced", "legs"),
        ((), "journal_unbalanced", "legs"),
        (MANY, "journal_too_large", "legs"),
        (TOO_MUCH, "journal_too_large", "legs"),
        (legs(credit=EUROS), "currency_differs", "legs.1"),
    ],
)
def test_what_the_accounts_do_not_allow_is_refused(asked: tuple[Leg, ...], reason: str, field: str) -> None:
    assert refusal(with_all_kinds().tell(journal_request(*asked))) == (reason, field)


def with_all_kinds() -> JournalStory:
    """Return a journal with accounts that are open, frozen, closed, and of another currency."""
    story = opened(CASH, FEES, FUND, FROZEN, CLOSED).changed("freeze", FROZEN)
    return story.changed("open", EUROS, currency="EUR").closed(CLOSED)


@pytest.mark.parametrize("day", [TOMORROW, "2027-01-01", "2026-02-30", "0000-01-01"])
def test_a_day_that_has_not_come_is_refused(day: str) -> None:
    assert refusal(opened().tell(journal_request(*legs(), on=day))) == ("effective_date_in_future", "effective_date")


FAULTS = [
    (leg("D", ELSEWHERE, 1), "decided_elsewhere"),
    (leg("D", UNKNOWN, 1), "ledger_account_unknown"),
    (leg("D", CLOSED, 1), "ledger_account_closed"),
    (leg("D", FROZEN, 1), "ledger_account_frozen"),
    (leg("D", FEES, 1), "journal_unbalanced"),
    (leg("D", EUROS, 1), "journal_unbalanced"),
]


@pytest.mark.parametrize("first", range(len(FAULTS)))
def test_of_many_faults_the_first_in_precedence_is_said(first: int) -> None:
    """All later faults are there too, and stand before it in the request."""
    asked = [one for one, _ in reversed(FAULTS[first:])]

    reason, _ = refusal(with_all_kinds().tell(journal_request(*asked, on=TOMORROW)))

    assert reason == FAULTS[first][1]


def test_too_large_comes_before_a_day_in_the_future_and_that_before_the_currency() -> None:
    story = with_all_kinds()
    large = (*[leg("D", EUROS, 1)] * 20, leg("C", CASH, 20))

    assert refusal(story.tell(journal_request(*large, on=TOMORROW)))[0] == "journal_too_large"
    assert refusal(story.tell(journal_request(*legs(debit=EUROS), on=TOMORROW)))[0] == "effective_date_in_future"


def test_a_balance_that_no_number_holds_is_never_reached() -> None:
    story = opened()
    story.posted(*legs(MAX_MINOR))

    assert refusal(story.tell(journal_request(*legs(1), name="jnl_2"))) == ("journal_too_large", "legs")
    assert len(story.tell(journal_request(*legs(1, debit=CASH, credit=FEES), name="jnl_3"))) == 1


def test_a_refused_request_is_no_proposal() -> None:
    story = opened()
    story.tell(journal_request(*legs(credit=UNKNOWN)))

    assert refusal(story.answer("jnl_1", ANNA)) == ("proposal_unknown", "proposal_id")


def test_a_refused_request_names_what_was_asked_for() -> None:
    (event,) = opened().tell(journal_request(*legs(credit=UNKNOWN)))

    assert isinstance(event, DirectCommandRefused)
    assert (event.account_id, event.subject) == (STREAM, "jnl_1")


def test_another_digest_approves_nothing() -> None:
    story = opened()
    story.tell(journal_request(*legs()))

    assert refusal(story.answer("jnl_1", ANNA, digest="0" * 64)) == ("digest_differs", "digest")
    assert refusal(story.answer("jnl_1", ANNA, "reject", digest="0" * 64)) == ("digest_differs", "digest")


def test_another_digest_is_said_before_the_proposal_s_end() -> None:
    story = opened()
    story.posted(*legs())

    assert refusal(story.answer("jnl_1", CARLA, digest="0" * 64)) == ("digest_differs", "digest")
    assert refusal(story.answer("jnl_1", ANNA)) == ("proposal_ended", None)


def test_an_account_frozen_meanwhile_ends_the_proposal_at_its_last_approval() -> None:
    story = opened()
    story.tell(journal_request(*legs()))
    story.answer("jnl_1", ANNA)
    story.changed("freeze", FEES)

    (ended,) = story.answer("jnl_1", BEN, request_id="req_b")

    assert ended == ProposalEnded(
        account_id=STREAM,
        proposal_id="jnl_1",
        request_id="req_b",
        outcome="refused",
        reason="ledger_account_frozen",
    )
    assert refusal(story.answer("jnl_1", CARLA)) == ("proposal_ended", None)


def test_an_approval_read_in_time_counts_and_a_later_one_does_not() -> None:
    story = opened()
    story.tell(journal_request(*legs()))
    story.later(APPROVAL_TERM)
    assert len(story.answer("jnl_1", ANNA)) == 1
    late = text_of(story.at + timedelta(microseconds=1))

    assert refusal(story.answer("jnl_1", BEN, received_at=late)) == ("proposal_ended", None)


def test_a_proposal_lapses_after_its_time_and_not_before() -> None:
    story = opened()
    story.tell(journal_request(*legs()))
    lapse = LapseProposal(account_id=STREAM, proposal_id="jnl_1")

    assert story.later(APPROVAL_TERM).tell(lapse) == []
    (ended,) = story.later(timedelta(seconds=1)).tell(lapse)

    assert ended == ProposalEnded(account_id=STREAM, proposal_id="jnl_1", request_id=None, outcome="lapsed")
    assert story.tell(lapse) == []
    assert refusal(story.answer("jnl_1", ANNA, received_at=text_of(NOW))) == ("proposal_ended", None)


def test_what_was_posted_does_not_lapse() -> None:
    story = opened()
    story.posted(*legs())

    assert story.later(timedelta(days=30)).tell(LapseProposal(account_id=STREAM, proposal_id="jnl_1")) == []


def test_the_state_comes_back_from_a_snapshot_as_it_was() -> None:
    story = with_all_kinds()
    story.posted(*legs())
    story.tell(journal_request(*legs(), name="jnl_2"))
    story.changed("close", FUND)

    assert restored(story.state) == story.state
