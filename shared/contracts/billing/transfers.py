"""Credit that goes from one household to another, and households that become one.

What has `routed_to` is told to that household's shard on `billing.routed.v1`.
"""

from typing import ClassVar, Literal

import msgspec

from shared.contracts.billing.refusals import Refusal
from shared.contracts.event import Currency, Day, Event, PositiveMinor, PremiumLine

TransferReason = Literal["wrong_account", "same_family", "merge", "moved"]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A part of one fund (a payment, a case's charge, a transfer received)."""

    fund_id: str
    amount_minor: PositiveMinor


class TransferSent(Event, frozen=True, kw_only=True):
    """Credit left this household; until the other one answers it is under way."""

    TYPE: ClassVar[str] = "billing.transfer-sent.v1"
    account_id: str
    transfer_id: str
    routed_to: str
    amount_minor: PositiveMinor
    currency: Currency
    reason: TransferReason
    sources: tuple[Source, ...]


class TransferReceived(Event, frozen=True, kw_only=True):
    """Credit of another household (`routed_to`, who is told) is this one's now."""

    TYPE: ClassVar[str] = "billing.transfer-received.v1"
    account_id: str
    transfer_id: str
    routed_to: str
    amount_minor: PositiveMinor
    currency: Currency


class TransferRejected(Event, frozen=True, kw_only=True):
    """This household cannot take the credit: its sender (`routed_to`) gets it back."""

    TYPE: ClassVar[str] = "billing.transfer-rejected.v1"
    account_id: str
    transfer_id: str
    routed_to: str
    amount_minor: PositiveMinor
    currency: Currency
    reason: Refusal


class TransferCompleted(Event, frozen=True, kw_only=True):
    """The sender knows that the credit arrived."""

    TYPE: ClassVar[str] = "billing.transfer-completed.v1"
    account_id: str
    transfer_id: str
    amount_minor: PositiveMinor
    currency: Currency


class TransferReturned(Event, frozen=True, kw_only=True):
    """The sender has its credit back."""

    TYPE: ClassVar[str] = "billing.transfer-returned.v1"
    account_id: str
    transfer_id: str
    amount_minor: PositiveMinor
    currency: Currency
    reason: Refusal


class MergeProposed(Event, frozen=True, kw_only=True):
    """This household shall become part of `routed_to`."""

    TYPE: ClassVar[str] = "billing.merge-proposed.v1"
    account_id: str
    merge_id: str
    routed_to: str


class MergeAnswered(Event, frozen=True, kw_only=True):
    """The other household (`account_id`) says whether it takes `routed_to` in; `reason` None: it does."""

    TYPE: ClassVar[str] = "billing.merge-answered.v1"
    account_id: str
    merge_id: str
    routed_to: str
    reason: Refusal | None


class MergeEnded(Event, frozen=True, kw_only=True):
    """The other household would not: this one stays as it is."""

    TYPE: ClassVar[str] = "billing.merge-ended.v1"
    account_id: str
    merge_id: str
    reason: Refusal


class AccountMoved(Event, frozen=True, kw_only=True):
    """This household is part of `to_account_id` now: it takes no bills and payments, late credit goes on to there."""

    TYPE: ClassVar[str] = "billing.account-moved.v1"
    account_id: str
    merge_id: str
    to_account_id: str


class MonthsMoved(Event, frozen=True, kw_only=True):
    """What this household had not paid of one bill is the other's (`routed_to`) to pay."""

    TYPE: ClassVar[str] = "billing.months-moved.v1"
    account_id: str
    merge_id: str
    routed_to: str
    invoice_id: str
    due_date: Day
    currency: Currency
    lines: tuple[PremiumLine, ...]
