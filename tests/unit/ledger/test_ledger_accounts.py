"""Ledger accounts: opened, frozen, unfrozen and closed by two people; closed only where nothing is left in them."""

import pytest

from services.ledger.domain.direct import EndClosing
from services.ledger.domain.proposals import Closing
from shared.contracts.direct import AccountChangeProposed, LedgerAccountChanged, ProposalApproved, ProposalEnded
from tests.unit.ledger.journal_story import (
    ANNA,
    BEN,
    CASH,
    FEES,
    STREAM,
    JournalStory,
    change_request,
    journal_request,
    legs,
    opened,
    refusal,
    restored,
)


def status(story: JournalStory, place: str = CASH) -> str | None:
    code, _, sub_key = place.partition("/")
    account = story.state.accounts.at(code, "USD", sub_key)
    return None if account is None else account.status


def test_a_change_is_proposed_with_the_account_that_it_is_of() -> None:
    (event,) = JournalStory().tell(change_request("open", CASH))

    assert isinstance(event, AccountChangeProposed)
    assert (event.proposal_id, event.change, event.code, event.sub_key) == ("chg_1", "open", "1010", "default")
    assert (event.ledger_account_id, event.approvals_needed) == (f"lac_{CASH}", 2)


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [((), "open", "open"), (("open",), "freeze", "frozen"), (("open", "freeze"), "unfreeze", "open")],
)
def test_a_change_is_done_at_its_second_approval(before: tuple[str, ...], change: str, after: str) -> None:
    story = JournalStory()
    for earlier in before:
        story.changed(earlier, CASH)
    story.tell(change_request(change, CASH))
    story.answer("chg_1", ANNA)
    assert status(story) == ({"freeze": "open", "unfreeze": "frozen"}.get(change))

    approved, changed = story.answer("chg_1", BEN)

    assert isinstance(approved, ProposalApproved)
    assert changed == LedgerAccountChanged(
        account_id=STREAM, proposal_id="chg_1", ledger_account_id=f"lac_{CASH}", code="1010", sub_key="default",
        currency="USD", status=after,  # type: ignore[arg-type]
    )  # fmt: skip
    assert status(story) == after


@pytest.mark.parametrize(
    ("before", "change", "reason"),
    [
        (("open",), "open", "ledger_account_exists"),
        (("open", "freeze"), "open", "ledger_account_exists"),
        (("open", "closed"), "open", "ledger_account_exists"),
        ((), "freeze", "ledger_account_unknown"),
        ((), "unfreeze", "ledger_account_unknown"),
        ((), "close", "ledger_account_unknown"),
        (("open", "closed"), "freeze", "ledger_account_closed"),
        (("open", "closed"), "unfreeze", "ledger_account_closed"),
        (("open", "closed"), "close", "ledger_account_closed"),
        (("open", "freeze"), "freeze", "ledger_account_frozen"),
        (("open",), "unfreeze", "ledger_account_not_frozen"),
    ],
)
def test_a_change_that_the_account_does_not_allow_is_refused(before: tuple[str, ...], change: str, reason: str) -> None:
    story = JournalStory()
    for earlier in before:
        if earlier == "closed":
            story.closed(CASH)
        else:
            story.changed(earlier, CASH)

    assert refusal(story.tell(change_request(change, CASH))) == (reason, None)


def test_a_code_that_billing_decides_is_refused_before_all_else() -> None:
    assert refusal(JournalStory().tell(change_request("freeze", "1210/acc_x"))) == ("decided_elsewhere", "code")


def test_an_account_has_one_currency_and_one_id() -> None:
    story = opened(CASH)

    assert refusal(story.tell(change_request("freeze", CASH, currency="EUR"))) == ("currency_differs", None)
    other = change_request("freeze", CASH, ledger_account_id="lac_other")
    assert refusal(story.tell(other)) == ("ledger_account_unknown", "ledger_account_id")
    assert len(story.tell(change_request("open", CASH, currency="EUR"))) == 1


@pytest.mark.parametrize("before", [(), ("open",)])
def test_one_change_of_an_account_waits_at_a_time(before: tuple[str, ...]) -> None:
    story = JournalStory()
    for earlier in before:
        story.changed(earlier, CASH)
    change = "freeze" if before else "open"
    story.tell(change_request(change, CASH))

    assert refusal(story.tell(change_request(change, CASH, "chg_2"))) == ("proposal_pending", None)
    assert len(story.tell(change_request("open", FEES, "chg_3"))) == 1
    story.answer("chg_1", ANNA, "reject")
    assert len(story.tell(change_request(change, CASH, "chg_4"))) == 1


def test_a_sub_key_that_no_row_can_hold_is_a_fault() -> None:
    with pytest.raises(ValueError, match="NUL"):
        JournalStory().tell(change_request("open", "1010/a\0b"))


def test_a_close_freezes_until_the_balance_is_known() -> None:
    story = opened()
    story.tell(journal_request(*legs()))
    story.answer("jnl_1", ANNA)

    (approved, frozen) = story.changed("close", CASH).events[-2:]

    assert isinstance(approved, ProposalApproved)
    assert approved.is_last
    assert isinstance(frozen, LedgerAccountChanged)
    assert (frozen.status, frozen.positions) == ("frozen", None)
    (ended,) = story.answer("jnl_1", BEN)
    assert isinstance(ended, ProposalEnded)
    assert ended.reason == "ledger_account_frozen"
    for change, reason in (("close", "proposal_pending"), ("unfreeze", "proposal_pending")):
        assert refusal(story.tell(change_request(change, CASH, f"chg_{change}")))[0] == reason


def test_an_account_with_nothing_in_it_is_closed_at_named_positions() -> None:
    story = opened(CASH).changed("close", CASH)

    (closed,) = story.end_closing(0)

    assert isinstance(closed, LedgerAccountChanged)
    assert (closed.status, closed.positions, status(story)) == ("closed", {"3": 9}, "closed")
    assert refusal(story.answer(closed.proposal_id, ANNA))[0] == "proposal_ended"


@pytest.mark.parametrize("before", ["open", "frozen"])
def test_an_account_with_something_in_it_stands_as_before(before: str) -> None:
    story = opened(CASH)
    if before == "frozen":
        story.changed("freeze", CASH)
    story.changed("close", CASH)

    changed, ended = story.end_closing(-1)

    assert isinstance(ended, ProposalEnded)
    assert (ended.outcome, ended.reason, ended.request_id) == ("refused", "balance_not_zero", None)
    assert isinstance(changed, LedgerAccountChanged)
    assert (changed.status, changed.positions, status(story)) == (before, None, before)
    assert len(story.tell(change_request("close", CASH, "chg_again"))) == 1


def test_a_closing_ends_once() -> None:
    story = opened(CASH).changed("close", CASH)
    ((name, closing),) = [(name, one) for name, one in story.state.proposals.items() if isinstance(one, Closing)]
    assert restored(story.state) == story.state
    assert closing.before == "open"
    story.end_closing(0)

    again = EndClosing(account_id=STREAM, proposal_id=name, balance_minor=5, positions={})
    assert story.tell(again) == []
