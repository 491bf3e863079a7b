"""An account's story: what billing decided, what the ledger posted, what the notifier sent."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from shared.contracts.billing import (
    AccountMoved,
    AccountOpened,
    AttemptCancelRequested,
    AttemptPlanned,
    ChargebackDebited,
    ChargebackDropped,
    ChargebackLost,
    ChargebackOpened,
    ChargebackWon,
    ChargeFound,
    CheckPosted,
    DuplicateCaseDecided,
    DuplicateCaseOpened,
    InvoiceIssued,
    InvoiceVoided,
    MergeAnswered,
    MergeEnded,
    MergeProposed,
    MonthsMoved,
    PaymentActionRequired,
    PaymentAllocated,
    PaymentCancelled,
    PaymentDeallocated,
    PaymentDeclined,
    PaymentHeld,
    PaymentRefused,
    PaymentReturned,
    PaymentSettled,
    PaymentUnknown,
    RecoveryPaid,
    RefundApproved,
    RefundBounced,
    RefundCancelled,
    RefundCompleted,
    RefundOpened,
    RefundSent,
    RefundStopRequested,
    RequestRefused,
    TransferCompleted,
    TransferReceived,
    TransferRejected,
    TransferReturned,
    TransferSent,
)
from shared.contracts.event import Event
from shared.contracts.ledger import EntryPosted
from shared.contracts.notifier import NoticeEnded, NoticeSent
from shared.eventlog.projections import Placed, send
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
_SUBJECT = {
    AccountOpened: "account_id",
    AccountMoved: "account_id",
    RequestRefused: "subject",
    InvoiceIssued: "invoice_id",
    InvoiceVoided: "invoice_id",
    MonthsMoved: "invoice_id",
    PaymentRefused: "payment_id",
    PaymentHeld: "payment_id",
    AttemptPlanned: "payment_id",
    AttemptCancelRequested: "payment_id",
    PaymentActionRequired: "payment_id",
    PaymentUnknown: "payment_id",
    PaymentSettled: "payment_id",
    CheckPosted: "payment_id",
    PaymentAllocated: "payment_id",
    PaymentDeallocated: "payment_id",
    PaymentDeclined: "payment_id",
    PaymentCancelled: "payment_id",
    PaymentReturned: "payment_id",
    RecoveryPaid: "payment_id",
    ChargeFound: "payment_id",
    DuplicateCaseOpened: "case_id",
    DuplicateCaseDecided: "case_id",
    RefundOpened: "refund_id",
    RefundApproved: "refund_id",
    RefundSent: "refund_id",
    RefundStopRequested: "refund_id",
    RefundCompleted: "refund_id",
    RefundBounced: "refund_id",
    RefundCancelled: "refund_id",
    ChargebackOpened: "chargeback_id",
    ChargebackDebited: "chargeback_id",
    ChargebackWon: "chargeback_id",
    ChargebackLost: "chargeback_id",
    ChargebackDropped: "chargeback_id",
    TransferSent: "transfer_id",
    TransferReceived: "transfer_id",
    TransferRejected: "transfer_id",
    TransferCompleted: "transfer_id",
    TransferReturned: "transfer_id",
    MergeProposed: "merge_id",
    MergeAnswered: "merge_id",
    MergeEnded: "merge_id",
    EntryPosted: "payment_id",
    NoticeSent: "notice_id",
    NoticeEnded: "notice_id",
}
"""What a household may be told, and which of a fact's ids says what it is about."""


class History:
    """Keeps one row per fact that a household may be told, in `history_view`."""

    name = "gateway.history"
    version = 1
    tables: Sequence[str] = ("history_view",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Insert the batch's facts as one statement."""
        send(cursor, _SQL["fold"], [_row(placed) for placed in facts if type(placed.fact.event) in _SUBJECT])


def _row(placed: Placed) -> tuple[object, ...]:
    event, envelope = placed.fact.event, placed.fact.envelope
    entry = event if isinstance(event, EntryPosted) else None
    amount = _amount(event)
    return (
        placed.source,
        placed.shard,
        placed.position,
        getattr(event, "account_id", ""),
        envelope.type,
        envelope.recorded_at,
        envelope.effective_date,
        _subject(event),
        amount,
        None if amount is None else getattr(event, "currency", None),
        _reason(event),
        entry.rule if entry else None,
        getattr(event, "payment_id", None) if entry or _SUBJECT[type(event)] != "payment_id" else None,
        msgspec.json.encode(entry.postings).decode() if entry else None,
    )


def _subject(event: Event) -> str | None:
    """Return the id that a fact is about; an entry that posts no payment is about its bill, else its household."""
    subject: str | None = getattr(event, _SUBJECT[type(event)])
    if subject is None and isinstance(event, EntryPosted):
        return event.invoice_id or event.account_id
    return subject


def _amount(event: Event) -> int | None:
    match event:
        case PaymentAllocated(allocations=allocations) | PaymentDeallocated(allocations=allocations):
            return sum(part.amount_minor for part in allocations)
        case MonthsMoved(lines=lines):
            return sum(line.member_minor for line in lines)
        case InvoiceIssued(total_minor=total) | InvoiceVoided(total_minor=total):
            return total
        case _:
            amount: int | None = getattr(event, "amount_minor", None)
            return amount


def _reason(event: Event) -> str | None:
    match event:
        case DuplicateCaseOpened(rule=rule):
            return rule
        case DuplicateCaseDecided(outcome=outcome):
            return outcome
        case _:
            reason: str | None = getattr(event, "reason", None)
            return None if reason is None else str(reason)
