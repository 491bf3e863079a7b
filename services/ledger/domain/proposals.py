"""What people propose: nothing of it is done before enough of them have approved the same digest in time."""

from datetime import timedelta
from typing import TypeVar

import msgspec

from services.ledger.domain.accounts import Status
from shared.contracts.direct import (
    AccountChange,
    AccountChangeProposed,
    DirectCode,
    JournalProposed,
    Leg,
    ReversalProposed,
)
from shared.ids import content_digest

APPROVALS_NEEDED = 2
APPROVAL_TERM = timedelta(days=7)


class EntryPlan(msgspec.Struct, frozen=True, tag="entry"):
    """An entry that would be posted; `reverses` is the entry that it would take back, whole or in part; `reference`
    the line of a report or statement that it would book.
    """

    effective_date: str
    currency: str
    legs: tuple[Leg, ...]
    reverses: str | None = None
    reference: str | None = None


class ChangePlan(msgspec.Struct, frozen=True, tag="change"):
    """A change of a ledger account."""

    ledger_account_id: str
    change: AccountChange
    code: DirectCode
    sub_key: str
    currency: str


Plan = EntryPlan | ChangePlan


class Waiting(msgspec.Struct, frozen=True, tag="waiting"):
    """Not all have approved yet; after `approve_by` nobody can."""

    plan: Plan
    digest: str
    approvals_needed: int
    approve_by: str
    approvers: tuple[str, ...] = ()


class Closing(msgspec.Struct, frozen=True, tag="closing"):
    """All have approved that an account is closed: it is frozen until its balance over all shards is known.

    `before` is how it stood, and stands again where the balance is not zero.
    """

    plan: ChangePlan
    digest: str
    before: Status


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """Done, or never to be done; known for life, so that a late answer is told so."""

    digest: str


Proposal = Waiting | Closing | Ended
Proposed = JournalProposed | ReversalProposed | AccountChangeProposed
P = TypeVar("P", JournalProposed, ReversalProposed, AccountChangeProposed)


def with_digest(proposed: P) -> P:
    """Return the event with what approvers approve: its type and all that it says but the digest itself."""
    told = {"type": proposed.TYPE, **msgspec.to_builtins(proposed)}
    del told["digest"]
    return msgspec.structs.replace(proposed, digest=content_digest(told))


def plan_of(proposed: Proposed) -> Plan:
    """Return what would be done."""
    match proposed:
        case JournalProposed():
            return EntryPlan(proposed.effective_date, proposed.currency, proposed.legs, reference=proposed.reference)
        case ReversalProposed():
            return EntryPlan(proposed.effective_date, proposed.currency, proposed.legs, proposed.entry_id)
        case AccountChangeProposed():
            return ChangePlan(
                proposed.ledger_account_id, proposed.change, proposed.code, proposed.sub_key, proposed.currency
            )
