"""What processor and bank report: facts as they were read, one event or numbered parts."""

from typing import ClassVar

import msgspec

from shared.contracts.billing.refusals import Refusal
from shared.contracts.event import Currency, Day, Event, Instant, Minor
from shared.contracts.gateway import BankLine


class ReportLine(msgspec.Struct, frozen=True, kw_only=True):
    """One balance transaction of the processor."""

    transaction_ref: str
    source_ref: str
    intent_ref: str
    kind: str
    amount_minor: Minor
    fee_minor: Minor
    net_minor: Minor
    currency: Currency
    created_at: Instant


class ReportDue(Event, frozen=True, kw_only=True):
    """A day of the processor is over: its balance transactions are to be read. Intent of an effect."""

    TYPE: ClassVar[str] = "billing.report-due.v1"
    processor: str
    day: Day


class ReportPartImported(Event, frozen=True, kw_only=True):
    """A numbered part (1..`parts`) of a day's balance transactions; a day without any has one empty part."""

    TYPE: ClassVar[str] = "billing.report-part-imported.v1"
    processor: str
    day: Day
    part: int
    parts: int
    lines: tuple[ReportLine, ...]


class ReportImported(Event, frozen=True, kw_only=True):
    """The header, after all parts: what the processor held for us when the day began and ended (its own books)."""

    TYPE: ClassVar[str] = "billing.report-imported.v1"
    processor: str
    day: Day
    currency: Currency
    opening_minor: Minor
    closing_minor: Minor
    parts: int
    lines: int


class BankStatementImported(Event, frozen=True, kw_only=True):
    """A statement (or a page of one) of a bank account, in the account's own stream, `bnk_<bank_account>`.

    `opening_minor` is what the page before closed with; opening plus all lines is closing.
    """

    TYPE: ClassVar[str] = "billing.bank-statement-imported.v1"
    statement_id: str
    bank_account: str
    day: Day
    currency: Currency
    opening_minor: Minor
    closing_minor: Minor
    lines: tuple[BankLine, ...]


class BankStatementRefused(Event, frozen=True, kw_only=True):
    """Nothing of the statement was taken."""

    TYPE: ClassVar[str] = "billing.bank-statement-refused.v1"
    statement_id: str
    bank_account: str
    reason: Refusal
