"""What the ledger appends: balanced entries, limits that broke, and each day's reconciliation."""

from typing import ClassVar, Literal

import msgspec

from shared.contracts.billing import ReportLine
from shared.contracts.event import Currency, Day, Event, Minor, PositiveMinor

AccountCode = Literal[
    "1010", "1020", "1110", "1120", "1125", "1126", "1130", "1210", "1220", "1230", "1240", "1250", "1260", "1290",
    "2110", "2120", "2130", "2140", "2210", "2220", "2310",
    "3010", "4010", "4110", "4120", "5010", "5020", "5030", "5040", "5050", "5060", "5070",
]  # fmt: skip


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """One leg of an entry. `sub_key` is the member, carrier, policy month, processor or payment of the account."""

    code: AccountCode
    sub_key: str
    side: Literal["D", "C"]
    amount_minor: PositiveMinor


class EntryPosted(Event, frozen=True, kw_only=True):
    """One step of one posting rule: sum of debits = sum of credits. `group_id` joins the entries of one cause."""

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


class AgeBucket(msgspec.Struct, frozen=True, kw_only=True):
    """How many exceptions are open since this many days, and their sum without sign."""

    days: Literal["0-1", "2-5", "6-30", "31+"]
    count: int
    minor: Minor


class ReconciliationReported(Event, frozen=True, kw_only=True):
    """A day of one account: book, bank and processor to the cent, at named positions of the ledger's shards.

    `bank_minor` is None until there is a bank. `difference_minor` = book less processor (or bank).
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


LEDGER_EVENTS: tuple[type[Event], ...] = (
    EntryPosted,
    LimitBroken,
    ReportPartTaken,
    ReportTaken,
    ReconciliationReported,
)
