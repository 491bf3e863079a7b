"""Proposals, approvals, reversals, changes of accounts and time in any order, against a journal kept on paper."""

from collections import defaultdict
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.ledger.domain.direct import EndClosing, LapseProposal
from shared.contracts.direct import (
    AccountChangeProposed,
    DirectCommandRefused,
    JournalProposed,
    LedgerAccountChanged,
    ProposalApproved,
    ProposalEnded,
    ReversalProposed,
)
from shared.contracts.event import Event
from shared.contracts.ledger import EntryPosted
from tests.unit.ledger.journal_story import (
    ANNA,
    BEN,
    CARLA,
    CASH,
    FEES,
    FUND,
    STREAM,
    JournalStory,
    change_request,
    journal_request,
    leg,
    restored,
    reversal_request,
)
from tests.unit.ledger.plain_journal import FLIP, Leg, PlainJournal

PLACES = (CASH, FEES, FUND)
people = st.sampled_from((ANNA, BEN, CARLA))
OTHERS = ("1290/a", "1290/b", "1290/c")
places = st.sampled_from((*PLACES * 3, *OTHERS, "2110/acc_x"))
amounts = st.integers(1, 4)
numbers = st.integers(0, 30)


def came_to(events: list[Event]) -> str:
    """Return what events say, in the words of the plain journal."""
    match events:
        case []:
            return "nothing"
        case [JournalProposed() | ReversalProposed() | AccountChangeProposed()]:
            return "proposed"
        case [DirectCommandRefused(reason=reason)]:
            return reason
        case [ProposalApproved(is_last=False)]:
            return "approved"
        case [ProposalApproved(is_last=True), EntryPosted()]:
            return "posted"
        case [ProposalApproved(is_last=True), LedgerAccountChanged()]:
            return "changed"
        case [LedgerAccountChanged(status="closed")]:
            return "closed"
        case [ProposalEnded(outcome="refused", reason=reason)] | [
            LedgerAccountChanged(),
            ProposalEnded(outcome="refused", reason=reason),
        ]:
            return f"ended:{reason}"
        case [ProposalEnded(outcome=outcome)]:
            return outcome
        case _:
            raise AssertionError(events)


class JournalMachine(RuleBasedStateMachine):
    """Each rule tells both the same, and both must say that the same came of it."""

    def __init__(self) -> None:
        super().__init__()
        self.story = JournalStory()
        self.plain = PlainJournal()
        self.names: list[str] = []

    @initialize()
    def open_accounts(self) -> None:
        for place in PLACES:
            self._change("open", place)
            self._approve(self.names[-1])

    @rule(change=st.sampled_from(("open", "freeze", "unfreeze", "close")), place=st.sampled_from((CASH, *OTHERS)))
    def change(self, change: str, place: str) -> None:
        self._change(change, place)

    @rule(place=st.sampled_from(PLACES))
    def thaw(self, place: str) -> None:
        """Most of what is of interest needs open accounts."""
        if self.plain.accounts[place] == "frozen":
            self._change("unfreeze", place)
            self._approve(self.names[-1])

    def _change(self, change: str, place: str) -> None:
        name = self._name()
        events = self.story.tell(change_request(change, place, name))
        assert came_to(events) == self.plain.ask(name, {"change": change, "place": place}, self.story.at)

    @rule(
        debit=places, credit=places, minor=amounts, more=st.sampled_from((0, 0, 0, 1)), ahead=st.sampled_from((0, 0, 1))
    )
    def journal(self, debit: str, credit: str, minor: int, more: int, ahead: int) -> None:
        self._journal([("D", debit, minor), ("C", credit, minor + more)], ahead)

    @rule(minors=st.tuples(amounts, amounts, amounts))
    def journal_of_more_legs(self, minors: tuple[int, int, int]) -> None:
        a, b, c = minors
        self._journal([("D", CASH, a), ("D", FEES, b), ("D", CASH, c), ("C", FUND, a + b + c)], 0)

    def _journal(self, legs: list[Leg], ahead: int) -> None:
        name, day = self._name(), (self.story.at + timedelta(days=ahead)).date().isoformat()
        events = self.story.tell(journal_request(*[leg(*one) for one in legs], name=name, on=day))
        asks = {"legs": legs, "day": day, "reverses": None}
        assert came_to(events) == self.plain.ask(name, asks, self.story.at)

    @precondition(lambda self: self.plain.entries)
    @rule(number=st.integers(0, 3), parts=st.tuples(st.integers(0, 4), st.integers(0, 4)), at_once=st.booleans())
    def reversal(self, number: int, parts: tuple[int, int], at_once: bool) -> None:
        """Take back parts of the first legs of one of the newest entries, or the whole where the parts are 0."""
        entry_id, _, posted = self.plain.entries[-1 - number % len(self.plain.entries)]
        debits = [one for one in posted if one[0] == "D"]
        credits = [one for one in posted if one[0] == "C"]
        asked = [("D", one[1], part) for one, part in zip(debits, parts, strict=False) if part]
        total = sum(part for _, _, part in asked)
        asked += [("C", credits[0][1], total)] if asked and credits else []
        name, day = self._name(), self.story.at.date().isoformat()
        events = self.story.tell(reversal_request(entry_id, *[leg(*one) for one in asked], name=name, on=day))
        left = self.plain.left(entry_id) or {}
        whole = [(side, place, minor) for (side, place), minor in left.items() if minor]
        legs = [(FLIP[side], place, minor) for side, place, minor in asked or whole]
        asks = {"legs": legs, "day": day, "reverses": entry_id}
        assert came_to(events) == self.plain.ask(name, asks, self.story.at)
        if at_once:
            self._approve(name)

    @rule(number=numbers, person=people, decision=st.sampled_from(("approve",) * 6 + ("reject",)))
    def answer(self, number: int, person: str, decision: str) -> None:
        self._answer(self._some(number), person, decision)

    @rule(number=st.integers(0, 3))
    def answer_twice(self, number: int) -> None:
        """Most proposals of interest are approved by two."""
        self._approve(self._some(number))

    def _approve(self, name: str) -> None:
        self._answer(name, BEN, "approve")
        self._answer(name, CARLA, "approve")

    def _answer(self, name: str, person: str, decision: str) -> None:
        events = self.story.answer(name, person, decision)
        entry_id = next((event.entry_id for event in events if isinstance(event, EntryPosted)), "")
        assert came_to(events) == self.plain.answer(name, person, decision, self.story.at, entry_id)

    @precondition(lambda self: any(one.state == "closing" for one in self.plain.proposals.values()))
    @rule()
    def end_closing(self) -> None:
        name, proposal = next((n, one) for n, one in self.plain.proposals.items() if one.state == "closing")
        balance_minor = self.plain.balance(proposal.asks["place"])
        events = self.story.tell(
            EndClosing(account_id=STREAM, proposal_id=name, balance_minor=balance_minor, positions={"3": 1})
        )
        assert came_to(events) == self.plain.end_closing(name)

    @rule(number=numbers)
    def lapse(self, number: int) -> None:
        name = self.names[-1 - number % len(self.names)]
        events = self.story.tell(LapseProposal(account_id=STREAM, proposal_id=name))
        assert came_to(events) == self.plain.lapse(name, self.story.at)

    @rule(days=st.sampled_from((0, 0, 1, 7)))
    def time_passes(self, days: int) -> None:
        self.story.later(timedelta(days=days, seconds=1))

    def _some(self, number: int) -> str:
        """Return one of the newest proposals, mostly one that may still be approved."""
        now = self.story.at
        waiting = [name for name, one in self.plain.proposals.items() if one.state == "waiting" and one.until >= now]
        names = waiting if waiting and number % 5 else self.names
        return names[-1 - number % len(names)]

    def _name(self) -> str:
        self.names.append(f"ask_{len(self.names)}")
        return self.names[-1]

    @invariant()
    def books_balance(self) -> None:
        """Each entry, and so all accounts together, come to nothing."""
        sums: dict[str, int] = defaultdict(int)
        for event in self.story.events:
            if isinstance(event, EntryPosted):
                moved = [one.amount_minor if one.side == "D" else -one.amount_minor for one in event.postings]
                assert len(moved) >= 2
                assert sum(moved) == 0
                for one, minor in zip(event.postings, moved, strict=True):
                    sums[f"{one.code}/{one.sub_key}"] += minor
        accounts = {f"{one.code}/{one.sub_key}": one for _, one in self.story.state.accounts.items()}
        assert {place: one.status for place, one in accounts.items()} == self.plain.accounts
        assert all(one.moved_minor == sums[place] == self.plain.balance(place) for place, one in accounts.items())

    @invariant()
    def nothing_is_taken_back_twice(self) -> None:
        for entry_id, reverses, _ in self.plain.entries:
            entry = self.story.state.entries.find(entry_id)
            if reverses is not None:
                assert entry is None
                continue
            assert entry is not None
            left = self.plain.left(entry_id) or {}
            assert all(minor >= 0 for minor in left.values())
            assert {(one.side, f"{one.code}/{one.sub_key}"): one.amount_minor for one in entry.left} == {
                place: minor for place, minor in left.items() if minor
            }

    def teardown(self) -> None:
        assert restored(self.story.state) == self.story.state


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(
    max_examples=100, stateful_step_count=50, suppress_health_check=[HealthCheck.too_slow]
)
