"""What the ledger appends: balanced entries, limits that broke, and each day's reconciliation."""

from typing import ClassVar, Literal

import msgspec

from shared.contracts.billing import ReportLine
from shared.contracts.event import Currency, Day, Event, Minor, PositiveMinor
from shared.contracts.gateway import BankLine

AccountCode = Literal[
    "1010", "1020", "1110", "1120", "1125", "1126", "1130", "1210", "1220", "1230", "1240", "1250", "1260", "1290",
    "2110", "2120", "2130", "2140", "2210", "2220", "2310",
    "3010", "4010", "4110", "4120", "5010", "5020", "5030", "5040", "5050", "5060", "5070",
]  # fmt: skip


class Posting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One leg of an entry. `sub_key` is the member, carrier, policy month, processor or payment of the account."""

    code: AccountCode
    sub_key: str
    side: Literal["D", "C"]
    amount_minor: PositiveMinor


class EntryPosted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """One step of one posting rule: sum of debits = sum of credits. `group_id` joins the entries of one cause.

    `account_id` is the household, or the processor's or bank account's stream (`prc_…`, `bnk_…`). `reverses` is the
    entry that this one takes back, whole or in part; `case_id` the duplicate case that it belongs to. `reference` ties
    it to a line of the processor's report or the bank's statement, where `processor_ref` does not. `proposal_id` is,
    of an entry by hand, what two people approved; before there was this field, `reference` named it.
    """

    TYPE: ClassVar[str] = "ledger.entry-posted.v1"
    account_id: str
    entry_id: str
    group_id: str
    rule: str
    cause_type: str
    cause: str
    payment_id: str | None = None
    invoice_id: str | None = None
    processor_ref: str | None = None
    effective_date: Day
    currency: Currency
    postings: tuple[Posting, ...]
    reverses: str | None = None
    case_id: str | None = None
    reference: str | None = None
    proposal_id: str | None = None


class BalanceStated(msgspec.Struct, frozen=True, kw_only=True):
    """A balance as it stands at `position` of the ledger's `shard`: of a key's records the one furthest on counts.

    The key is `account_id/code/sub_key/currency`; a sub-key may hold slashes.
    """

    TYPE: ClassVar[str] = "ledger.balance-stated.v1"
    tenant: str
    account_id: str
    code: AccountCode
    sub_key: str
    currency: Currency
    debit_minor: Minor
    credit_minor: Minor
    shard: int
    position: int

    @property
    def key(self) -> str:
        """The record's key."""
        return f"{self.account_id}/{self.code}/{self.sub_key}/{self.currency}"


class LimitBroken(Event, frozen=True, kw_only=True):
    """Billing decided what the accounts do not allow: the ledger posted it, the overflow went to a suspense account."""

    TYPE: ClassVar[str] = "ledger.limit-broken.v1"
    account_id: str
    entry_id: str
    code: AccountCode
    sub_key: str
    overflow_minor: PositiveMinor


class ReportPartTaken(Event, frozen=True, kw_only=True):
    """A part of the processor's report as the ledger took it, so that its log alone explains each reconciliation."""

    TYPE: ClassVar[str] = "ledger.report-part-taken.v1"
    processor: str
    day: Day
    part: int
    parts: int
    lines: tuple[ReportLine, ...]


class ReportTaken(Event, frozen=True, kw_only=True):
    """All parts of the processor's report are taken; the newest one of a day counts."""

    TYPE: ClassVar[str] = "ledger.report-taken.v1"
    processor: str
    day: Day
    currency: Currency
    opening_minor: Minor
    closing_minor: Minor
    parts: int
    lines: int


class StatementTaken(Event, frozen=True, kw_only=True):
    """A bank statement as the ledger took it, so that its log alone explains each reconciliation of 1010."""

    TYPE: ClassVar[str] = "ledger.statement-taken.v1"
    statement_id: str
    bank_account: str
    day: Day
    currency: Currency
    opening_minor: Minor
    closing_minor: Minor
    lines: tuple[BankLine, ...]


ReconciledAccount = Literal["1010", "1125", "1126"]
ExceptionKind = Literal["missing", "doubled", "wrong_amount", "unknown", "late"]
ExplanationReason = Literal["timing", "processor_error", "bank_error", "booking_error", "fraud", "under_investigation"]


class ExceptionChanged(Event, frozen=True, kw_only=True):
    """An item on which books and bank or processor disagree: as it stands from now on; the newest of an id counts.

    `id` is made of account, sub-key, currency and first reference: the same item opened again has the same id.
    `account` and `sub_key`: 1125 per processor, 1126 (payouts under way) per processor, 1010 per bank account.
    `kind`: `missing` (the books lack it), `unknown` (only the books have it), `doubled`, `wrong_amount`, `late` (a
    payout that the bank has not shown for more than three bank days). `minor` is books less the other side, `since`
    the day of the first line on either side. `reason` is set in state `explained`; an explained item still counts in
    the difference, and resolves by a late fact like any other. `note_version` above 0: who explained it left a note.
    A resolved item keeps the kind and amount that it had last, and how it was explained.
    """

    TYPE: ClassVar[str] = "ledger.exception-changed.v1"
    id: str
    account: ReconciledAccount
    sub_key: str
    currency: Currency
    kind: ExceptionKind
    minor: Minor
    since: Day
    state: Literal["open", "explained", "resolved"]
    reason: ExplanationReason | None
    references: tuple[str, ...]
    explained_by: str | None = None
    note_version: int = 0
    request_id: str | None = None


class ExplanationRefused(Event, frozen=True, kw_only=True):
    """The exception is not known, or is resolved already."""

    TYPE: ClassVar[str] = "ledger.explanation-refused.v1"
    request_id: str
    exception_id: str
    reason: Literal["exception_unknown", "exception_resolved"]


class AgeBucket(msgspec.Struct, frozen=True, kw_only=True):
    """How many exceptions are open since this many days, and their sum without sign."""

    days: Literal["0-1", "2-5", "6-30", "31+"]
    count: int
    minor: Minor


class ReconciliationReported(Event, frozen=True, kw_only=True):
    """A day of one account: book, bank and processor to the cent, at named positions of the ledger's shards.

    1125: `processor_minor` is the processor's own closing balance; 1010: `bank_minor` the bank's; 1126 (payouts under
    way) has neither. `difference_minor` = book less that, for 1126 the sum of its exceptions. `unexplained_minor` is
    the sum without sign of the exceptions that are open and not explained.
    """

    TYPE: ClassVar[str] = "ledger.reconciliation-reported.v1"
    day: Day
    account: str
    sub_key: str
    currency: Currency
    book_minor: Minor
    bank_minor: Minor | None
    processor_minor: Minor | None
    difference_minor: Minor
    open_exceptions: tuple[AgeBucket, ...]
    positions: dict[str, int]
    unexplained_minor: Minor = 0


LEDGER_EVENTS: tuple[type[Event], ...] = (
    EntryPosted,
    LimitBroken,
    ReportPartTaken,
    ReportTaken,
    StatementTaken,
    ExceptionChanged,
    ExplanationRefused,
    ReconciliationReported,
)
