"""An account's story: what billing decided, what the ledger posted, what the notifier sent."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from shared.contracts.billing import (
    AccountOpened,
    AttemptPlanned,
    ChargeFound,
    InvoiceIssued,
    PaymentActionRequired,
    PaymentAllocated,
    PaymentCancelled,
    PaymentDeclined,
    PaymentRefused,
    PaymentSettled,
    PaymentUnknown,
    RequestRefused,
)
from shared.contracts.event import Event
from shared.contracts.ledger import EntryPosted
from shared.contracts.notifier import NoticeEnded, NoticeSent
from shared.eventlog.projections import Placed
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
_TOLD = (
    AccountOpened,
    RequestRefused,
    InvoiceIssued,
    PaymentRefused,
    AttemptPlanned,
    PaymentActionRequired,
    PaymentUnknown,
    PaymentSettled,
    PaymentAllocated,
    PaymentDeclined,
    PaymentCancelled,
    ChargeFound,
    EntryPosted,
    NoticeSent,
    NoticeEnded,
)
_SUBJECTS = ("subject", "payment_id", "invoice_id", "notice_id", "account_id")
_AMOUNTS = ("amount_minor", "total_minor")


class History:
    """Keeps one row per fact that a household may be told, in `history_view`."""

    name = "gateway.history"
    version = 1
    tables: Sequence[str] = ("history_view",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Insert the batch's facts as one statement."""
        rows = [_row(placed) for placed in facts if isinstance(placed.fact.event, _TOLD)]
        if rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            cursor.execute(_SQL["fold"].encode(), columns)


def _row(placed: Placed) -> tuple[object, ...]:
    event, envelope = placed.fact.event, placed.fact.envelope
    entry = event if isinstance(event, EntryPosted) else None
    reason = getattr(event, "reason", None)
    amount = _first(event, _AMOUNTS)
    return (
        placed.source,
        placed.shard,
        placed.position,
        getattr(event, "account_id", ""),
        envelope.type,
        envelope.recorded_at,
        envelope.effective_date,
        _first(event, _SUBJECTS),
        amount,
        None if amount is None else getattr(event, "currency", None),
        None if reason is None else str(reason),
        entry.rule if entry else None,
        entry.payment_id if entry else None,
        msgspec.json.encode(entry.postings).decode() if entry else None,
    )


def _first(event: Event, names: Sequence[str]) -> object:
    for name in names:
        value: object = getattr(event, name, None)
        if value is not None:
            return value
    return None
