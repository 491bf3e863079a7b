"""Accounts and bills."""

from typing import ClassVar, Literal

from shared.contracts.billing.refusals import Refusal
from shared.contracts.event import Currency, Day, Event, Minor, PremiumLine
from shared.contracts.gateway import PersonField


class AccountOpened(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "billing.account-opened.v1"
    account_id: str
    member_id: str
    language: str
    contact: tuple[PersonField, ...]


class RequestRefused(Event, frozen=True, kw_only=True):
    """A request for `subject` was refused; the household's state is as before.

    `subject` is the id of what was asked for: an account, an invoice, a refund, a transfer, a merge, or the request
    itself (`req_…`).
    """

    TYPE: ClassVar[str] = "billing.request-refused.v1"
    account_id: str
    subject: str
    reason: Refusal


class InvoiceIssued(Event, frozen=True, kw_only=True):
    """A bill; `number` is what a person reads out, `total_minor` the member's share of all lines."""

    TYPE: ClassVar[str] = "billing.invoice-issued.v1"
    account_id: str
    invoice_id: str
    number: str
    due_date: Day
    currency: Currency
    lines: tuple[PremiumLine, ...]
    total_minor: Minor


class InvoiceVoided(Event, frozen=True, kw_only=True):
    """Lines of a bill are taken back, each whole; whatever had paid them was released before (PaymentDeallocated).

    `total_minor` is the member's share of `lines`; `is_whole` where nothing of the bill is left. A line of a merge may
    be a part of the billed one: what was not paid of it.
    """

    TYPE: ClassVar[str] = "billing.invoice-voided.v1"
    account_id: str
    invoice_id: str
    currency: Currency
    lines: tuple[PremiumLine, ...]
    total_minor: Minor
    is_whole: bool
    reason: Literal["billed_in_error", "coverage_ended", "plan_changed", "merge"]
    request_id: str | None = None
