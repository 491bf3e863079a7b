"""Entries by hand, their reversals, and ledger accounts, with what each waits for."""

from typing import Annotated

from msgspec import Meta

from services.gateway.domain.direct import LedgerAccountStatus, ProposalStatus
from services.gateway.http.resources.changes import Approval
from shared.contracts.direct import AccountChange, JournalReason
from shared.http.resource import Day, Instant, Minor, Next, Position, Reason, Resource

Field = Annotated[str | None, Meta(description="What of the body the reason speaks of; else null")]
Note = Annotated[str | None, Meta(description="Theirs; shown to finance and auditors")]
ProposedBy = Annotated[str | None, Meta(description="Our own id of who asked; null until the ledger has proposed it")]


class Leg(Resource, frozen=True, kw_only=True):
    """One leg of an entry; `side` is `D` (debit) or `C` (credit)."""

    code: str
    sub_key: str
    side: str
    amount_minor: Minor


class Journal(Resource, frozen=True, kw_only=True):
    """An entry by hand: posted once two different people have approved it; `purpose` is the `reason` it was asked with.

    `rejected`: somebody said no; `lapsed`: nobody said enough in time.
    """

    journal_id: str
    status: ProposalStatus
    reason: Reason = None
    field: Field = None
    effective_date: Day
    currency: str
    purpose: JournalReason
    legs: tuple[Leg, ...]
    note: Note = None
    reference: Annotated[str | None, Meta(description="The line of a report or statement that it books")] = None
    proposed_by: ProposedBy = None
    entry_id: Annotated[str | None, Meta(description="The entry, once it is posted")]
    approval: Approval | None = None
    created_at: Instant
    position: Position


class Reversal(Resource, frozen=True, kw_only=True):
    """What takes an entry back, whole or in part: posted as a journal is.

    `parts` are legs of the entry, none where all that is left of it is meant; `legs` is what the ledger proposes to
    post, each on the other side, null until it has.
    """

    reversal_id: str
    entry_id: str
    status: ProposalStatus
    reason: Reason = None
    field: Field = None
    effective_date: Day
    currency: Annotated[str | None, Meta(description="The entry's; null until the ledger has proposed the reversal")]
    purpose: JournalReason
    parts: tuple[Leg, ...]
    legs: tuple[Leg, ...] | None = None
    note: Note = None
    proposed_by: ProposedBy = None
    reversing_entry_id: Annotated[str | None, Meta(description="The entry that takes it back, once it is posted")]
    approval: Approval | None = None
    created_at: Instant
    position: Position


class ReversalPage(Resource, frozen=True, kw_only=True):
    items: tuple[Reversal, ...]
    next: Next = None


class PendingChange(Resource, frozen=True, kw_only=True):
    """A change of a ledger account that waits for approval."""

    change: AccountChange
    approval: Approval


class LedgerAccount(Resource, frozen=True, kw_only=True):
    """One code, sub-key and currency of the books; `frozen` and `closed` ones take no entry by hand.

    `reason` says why the last change came to nothing; an account is frozen while it is being closed. To who asked that
    it be opened, `status` is that of their request: `refused` though others have opened it before.
    """

    ledger_account_id: str
    code: str
    sub_key: str
    currency: str
    status: LedgerAccountStatus
    reason: Reason = None
    pending: PendingChange | None = None
    position: Position


class LedgerAccountPage(Resource, frozen=True, kw_only=True):
    items: tuple[LedgerAccount, ...]
    next: Next = None
