"""Given / when / then for a tenant's journal: accounts, proposals, approvals, entries."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec

from services.ledger.domain import journal
from services.ledger.domain.direct import EndClosing
from services.ledger.domain.journal import Journal
from services.ledger.domain.proposals import Closing
from services.ledger.handlers import REGISTRY
from shared.contracts.direct import (
    AccountChangeRequested,
    DirectCommandRefused,
    JournalRequested,
    Leg,
    ProposalDecisionRequested,
    ReversalRequested,
)
from shared.contracts.event import Actor, Event
from shared.contracts.ledger import EntryPosted
from shared.decider import Cause, Context
from shared.ids import root_of_record
from shared.instants import text_of

STREAM = "jrn_demo"
NOW = datetime(2026, 3, 10, 15, tzinfo=UTC)
TODAY, YESTERDAY, TOMORROW = "2026-03-10", "2026-03-09", "2026-03-11"
ANNA, BEN, CARLA = "stf_anna", "stf_ben", "stf_carla"
CASH, FEES, FUND = "1010/default", "5020/card", "3010/main"


def leg(side: str, place: str, minor: int) -> Leg:
    """Return a leg on `code/sub-key`."""
    code, _, sub_key = place.partition("/")
    return Leg(code=code, sub_key=sub_key, side=side, amount_minor=minor)  # type: ignore[arg-type]


def legs(minor: int = 500, debit: str = FEES, credit: str = CASH) -> tuple[Leg, ...]:
    return (leg("D", debit, minor), leg("C", credit, minor))


def journal_request(
    *asked: Leg, name: str = "jnl_1", on: str = TODAY, currency: str = "USD", reference: str | None = None
) -> JournalRequested:
    return JournalRequested(
        account_id=STREAM,
        journal_id=name,
        effective_date=on,
        currency=currency,
        reason="correction",
        legs=asked,
        note_version=1,
        received_at=text_of(NOW),
        reference=reference,
    )


def reversal_request(entry_id: str, *asked: Leg, name: str = "rev_1", on: str = TODAY) -> ReversalRequested:
    return ReversalRequested(
        account_id=STREAM,
        reversal_id=name,
        entry_id=entry_id,
        effective_date=on,
        reason="correction",
        legs=asked,
        note_version=0,
        received_at=text_of(NOW),
    )


def change_request(change: str, place: str, name: str = "chg_1", **more: Any) -> AccountChangeRequested:
    code, _, sub_key = place.partition("/")
    given: dict[str, Any] = {"ledger_account_id": f"lac_{place}", "currency": "USD", **more}
    return AccountChangeRequested(
        account_id=STREAM,
        change_id=name,
        change=change,  # type: ignore[arg-type]
        code=code,
        sub_key=sub_key,
        received_at=text_of(NOW),
        **given,
    )


@dataclass
class JournalStory:
    """Messages in order, each decided and folded as the writer does; `at` is the time of the next."""

    state: Journal = field(default_factory=lambda: journal.initial(STREAM))
    events: list[Event] = field(default_factory=list)
    at: datetime = NOW
    numbers: Any = field(default_factory=lambda: count(1))

    def tell(self, message: Any, by: str = ANNA) -> list[Event]:
        """Return what one message adds."""
        position = next(self.numbers)
        context = Context(
            tenant="demo",
            shard=3,
            root=root_of_record("gateway", 3, position),
            recorded_at=self.at,
            today=self.at.date().isoformat(),
            effective_date=getattr(message, "effective_date", self.at.date().isoformat()),
            actor=Actor("staff", by),
            correlation="c",
            cause=Cause("e", f"gateway.3.{position}", message.TYPE),
        )
        added = list(REGISTRY.handlers[type(message)].decide(message, self.state, context))
        for event in added:
            self.state = journal.evolve(self.state, event)
        self.events += added
        return added

    def answer(self, name: str, by: str, decision: str = "approve", **more: Any) -> list[Event]:
        """Decide a proposal, by default over the digest that it has."""
        proposal = self.state.proposals.find(name)
        given = {
            "digest": proposal.digest if proposal else "",
            "received_at": text_of(self.at),
            "request_id": f"req_{next(self.numbers)}",
            **more,
        }
        request = ProposalDecisionRequested(account_id=STREAM, proposal_id=name, decision=decision, **given)  # type: ignore[arg-type]
        return self.tell(request, by)

    def approved(self, message: Any) -> list[Event]:
        """Ask, approve twice, and return what the last approval adds."""
        self.tell(message)
        name = next(
            getattr(message, one) for one in ("journal_id", "reversal_id", "change_id") if hasattr(message, one)
        )
        self.answer(name, ANNA)
        return self.answer(name, BEN)

    def changed(self, change: str, *places: str, **more: Any) -> "JournalStory":
        """Carry out a change of each account."""
        for place in places:
            self.approved(change_request(change, place, f"did_{next(self.numbers)}", **more))
        return self

    def closed(self, place: str, balance_minor: int = 0) -> "JournalStory":
        """Approve that an account is closed, and end it by what all shards hold of it."""
        self.changed("close", place)
        self.end_closing(balance_minor)
        return self

    def end_closing(self, balance_minor: int = 0) -> list[Event]:
        """Tell the balance of the account that is to be closed."""
        (name,) = [name for name, one in self.state.proposals.items() if isinstance(one, Closing)]
        return self.tell(
            EndClosing(account_id=STREAM, proposal_id=name, balance_minor=balance_minor, positions={"3": 9})
        )

    def posted(self, *asked: Leg, name: str = "jnl_1", on: str = TODAY) -> EntryPosted:
        """Carry out a journal and return its entry."""
        *_, entry = self.approved(journal_request(*asked, name=name, on=on))
        assert isinstance(entry, EntryPosted)
        return entry

    def later(self, by: timedelta) -> "JournalStory":
        """Let time pass."""
        self.at += by
        return self


def opened(*places: str) -> JournalStory:
    """Return a journal whose accounts are open."""
    return JournalStory().changed("open", *(places or (CASH, FEES, FUND)))


def refusal(events: list[Event]) -> tuple[str, str | None]:
    """Return reason and field of the only event, a refusal."""
    (event,) = events
    assert isinstance(event, DirectCommandRefused), event
    return event.reason, event.field


def restored(state: Journal) -> Journal:
    """Return a state as it comes back from a snapshot."""
    return msgspec.json.decode(msgspec.json.encode(state), type=Journal)
