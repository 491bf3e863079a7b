"""Direct commands to the ledger (journals, reversals, ledger accounts) and what the ledger makes of them.

All of them are of one stream per tenant, `jrn_<tenant>`, which the events name as `account_id`: it knows which ledger
accounts are open, what waits for approval, and what of each direct entry is not reversed yet. Only codes that the
ledger decides may be named; every other one moves by a decision of billing.
"""

from typing import Annotated, ClassVar, Literal

import msgspec

from shared.contracts.event import Currency, Day, Event, Instant, Minor, PositiveMinor

DirectCode = Literal["1010", "1020", "1125", "1126", "1290", "2220", "3010", "4010", "5010", "5020", "5030", "5040"]
JournalReason = Literal["correction", "between_banks", "opening_balance", "bank_item", "fee", "write_off"]
Reference = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern="^[!-~]+$")]
"""A line of the processor's report or of the bank's statement, by the name that it is reconciled under."""
AccountChange = Literal["open", "freeze", "unfreeze", "close"]
Decision = Literal["approve", "reject"]

DirectRefusal = Literal[
    "decided_elsewhere",
    "ledger_account_exists",
    "ledger_account_unknown",
    "ledger_account_closed",
    "ledger_account_frozen",
    "ledger_account_not_frozen",
    "journal_unbalanced",
    "journal_too_large",
    "effective_date_in_future",
    "entry_unknown",
    "currency_differs",
    "reversal_exceeds_entry",
    "balance_not_zero",
    "proposal_pending",
    "proposal_unknown",
    "digest_differs",
    "proposal_ended",
    "already_approved",
]
"""In the order in which they are tested: what may never be, then what is not there, then what is there."""


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One leg of a journal. `code` is any account code: a wrong one is refused, not unreadable."""

    code: Annotated[str, msgspec.Meta(pattern="^[0-9]{4}$")]
    sub_key: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    side: Literal["D", "C"]
    amount_minor: PositiveMinor


class JournalRequested(Event, frozen=True, kw_only=True):
    """Finance proposes an entry by hand; it is posted once two different people have approved it.

    Their note is in `people`: version 0 is none. `reference` is the line of a report or statement that it books.
    """

    TYPE: ClassVar[str] = "gateway.journal-requested.v1"
    account_id: str
    journal_id: str
    effective_date: Day
    currency: Currency
    reason: JournalReason
    legs: tuple[Leg, ...]
    note_version: int
    received_at: Instant
    reference: Reference | None = None


class ReversalRequested(Event, frozen=True, kw_only=True):
    """Finance proposes to take a direct entry back: all that is left of it where `legs` is empty, else these parts.

    A leg of `legs` names a leg of the entry (its own side), and how much of it is taken back.
    """

    TYPE: ClassVar[str] = "gateway.reversal-requested.v1"
    account_id: str
    reversal_id: str
    entry_id: str
    effective_date: Day
    reason: JournalReason
    legs: tuple[Leg, ...]
    note_version: int
    received_at: Instant


class AccountChangeRequested(Event, frozen=True, kw_only=True):
    """Finance proposes to open, freeze, unfreeze or close a ledger account: one code, sub-key and currency."""

    TYPE: ClassVar[str] = "gateway.account-change-requested.v1"
    account_id: str
    change_id: str
    ledger_account_id: str
    change: AccountChange
    code: str
    sub_key: str
    currency: Currency
    received_at: Instant


class ProposalDecisionRequested(Event, frozen=True, kw_only=True):
    """Finance approves or rejects the proposal whose digest they have seen; who it was is the envelope's actor."""

    TYPE: ClassVar[str] = "gateway.proposal-decision-requested.v1"
    account_id: str
    request_id: str
    proposal_id: str
    digest: str
    decision: Decision
    received_at: Instant


class _Proposed(Event, frozen=True, kw_only=True):
    """What every proposal says: nothing of it is done before `approvals_needed` people have approved `digest`.

    `digest` is the SHA-256, in hexadecimal, of the canonical JSON of what would be done. After `approve_by` it lapses.
    """

    account_id: str
    proposal_id: str
    digest: str
    approvals_needed: int
    approve_by: Instant


class JournalProposed(_Proposed, frozen=True, kw_only=True):
    """A journal that the accounts allow now."""

    TYPE: ClassVar[str] = "ledger.journal-proposed.v1"
    effective_date: Day
    currency: Currency
    reason: JournalReason
    legs: tuple[Leg, ...]
    note_version: int
    reference: Reference | None = None


class ReversalProposed(_Proposed, frozen=True, kw_only=True):
    """A reversal of a direct entry; `legs` are what would be posted, each on the other side of the entry's own."""

    TYPE: ClassVar[str] = "ledger.reversal-proposed.v1"
    entry_id: str
    effective_date: Day
    currency: Currency
    reason: JournalReason
    legs: tuple[Leg, ...]
    note_version: int


class AccountChangeProposed(_Proposed, frozen=True, kw_only=True):
    """A change of a ledger account."""

    TYPE: ClassVar[str] = "ledger.account-change-proposed.v1"
    ledger_account_id: str
    change: AccountChange
    code: DirectCode
    sub_key: str
    currency: Currency


class ProposalApproved(Event, frozen=True, kw_only=True):
    """One approval. After the last one the same decision holds the entry or the account's change."""

    TYPE: ClassVar[str] = "ledger.proposal-approved.v1"
    account_id: str
    proposal_id: str
    request_id: str
    approved_by: str
    is_last: bool


class ProposalEnded(Event, frozen=True, kw_only=True):
    """A proposal of which nothing will come: rejected by a person, lapsed, or refused at its last approval.

    `reason` is set for `refused`; `request_id` is None where it lapsed.
    """

    TYPE: ClassVar[str] = "ledger.proposal-ended.v1"
    account_id: str
    proposal_id: str
    request_id: str | None
    outcome: Literal["rejected", "lapsed", "refused"]
    reason: DirectRefusal | None = None


class LedgerAccountChanged(Event, frozen=True, kw_only=True):
    """A ledger account as it stands from now on. `closed` names the balance (0) and the positions it was read at."""

    TYPE: ClassVar[str] = "ledger.account-changed.v1"
    account_id: str
    proposal_id: str
    ledger_account_id: str
    code: DirectCode
    sub_key: str
    currency: Currency
    status: Literal["open", "frozen", "closed"]
    positions: dict[str, int] | None = None


class DirectCommandRefused(Event, frozen=True, kw_only=True):
    """A direct command that the books do not allow. `subject` is the id of what was asked for."""

    TYPE: ClassVar[str] = "ledger.direct-command-refused.v1"
    account_id: str
    subject: str
    reason: DirectRefusal
    field: str | None = None


class TrialBalanceLine(msgspec.Struct, frozen=True, kw_only=True):
    """All postings of one account code and currency up to the end of a day."""

    code: str
    currency: Currency
    debit_minor: Minor
    credit_minor: Minor


class TrialBalanceReported(Event, frozen=True, kw_only=True):
    """The trial balance at the end of a civil day, by effective date, at named positions of the ledger's shards.

    Debits and credits have the same sum per currency. A later one of the same day supersedes: late facts count in the
    day that they are effective on.
    """

    TYPE: ClassVar[str] = "ledger.trial-balance-reported.v1"
    day: Day
    lines: tuple[TrialBalanceLine, ...]
    positions: dict[str, int]


DIRECT_REQUESTS: tuple[type[Event], ...] = (
    JournalRequested,
    ReversalRequested,
    AccountChangeRequested,
    ProposalDecisionRequested,
)
DIRECT_EVENTS: tuple[type[Event], ...] = (
    JournalProposed,
    ReversalProposed,
    AccountChangeProposed,
    ProposalApproved,
    ProposalEnded,
    LedgerAccountChanged,
    DirectCommandRefused,
    TrialBalanceReported,
)
