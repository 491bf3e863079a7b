"""Proposals of one shard's journals that something must still come of, folded from the log alone."""

from collections.abc import Sequence
from typing import NamedTuple

from services.ledger.domain.journal import PREFIX, Journal
from services.ledger.domain.proposals import ChangePlan, Closing, Waiting, plan_of
from shared.contracts.direct import (
    AccountChangeProposed,
    JournalProposed,
    LedgerAccountChanged,
    ProposalApproved,
    ProposalEnded,
    ReversalProposed,
)
from shared.contracts.envelope import open_fact
from shared.contracts.event import Event
from shared.eventlog.ports import EventRow

RELEVANT = frozenset(
    event.TYPE
    for event in (
        JournalProposed, ReversalProposed, AccountChangeProposed, ProposalApproved, ProposalEnded, LedgerAccountChanged,
    )
)  # fmt: skip


class Name(NamedTuple):
    """A proposal of one journal."""

    stream: str
    proposal_id: str

    @property
    def tenant(self) -> str:
        """Whose journal it is."""
        return self.stream.removeprefix(PREFIX)


class OpenProposals:
    """`waiting`: until when each may be approved; `closing`: the accounts that are frozen until their balance is known.

    What is committed while journals are loaded is `take`n in any order with `begin`: a row that a state holds already
    is skipped.
    """

    def __init__(self) -> None:
        self.waiting: dict[Name, str] = {}
        self.closing: dict[Name, ChangePlan] = {}
        self._closes: dict[Name, ChangePlan] = {}
        self._versions: dict[str, int] = {}

    def begin(self, stream: str, version: int, journal: Journal) -> None:
        """Take what is open in a journal as it stands at a version."""
        self._versions[stream] = version
        for proposal_id, proposal in journal.proposals.items():
            name = Name(stream, proposal_id)
            match proposal:
                case Waiting(plan=plan, approve_by=approve_by):
                    self._wait(name, plan, approve_by)
                case Closing(plan=plan):
                    self.closing[name] = plan

    def take(self, rows: Sequence[EventRow]) -> None:
        """Fold a commit's rows, in order."""
        for row in rows:
            if row.stream.startswith(PREFIX) and row.version > self._versions.get(row.stream, 0):
                self._versions[row.stream] = row.version
                if row.type in RELEVANT:
                    self._fold(row.stream, open_fact(row.data).event)

    def due(self, now: str) -> list[Name]:
        """Return the proposals that can no longer be approved at an instant."""
        return [name for name, approve_by in self.waiting.items() if approve_by < now]

    def _wait(self, name: Name, plan: object, approve_by: str) -> None:
        self.waiting[name] = approve_by
        if isinstance(plan, ChangePlan) and plan.change == "close":
            self._closes[name] = plan

    def _fold(self, stream: str, event: Event) -> None:
        match event:
            case JournalProposed() | ReversalProposed() | AccountChangeProposed():
                self._wait(Name(stream, event.proposal_id), plan_of(event), event.approve_by)
            case ProposalApproved(is_last=True):
                name = Name(stream, event.proposal_id)
                self.waiting.pop(name, None)
                if name in self._closes:
                    self.closing[name] = self._closes.pop(name)
            case ProposalEnded() | LedgerAccountChanged(status="closed"):
                name = Name(stream, event.proposal_id)
                for of in (self.waiting, self.closing, self._closes):
                    of.pop(name, None)
            case _:
                pass
