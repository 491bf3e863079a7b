"""Payments: billing's columns and the ledger's, in one row that is joined with the request's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from services.gateway.domain.payment import PaymentStatus
from shared.contracts.billing import (
    AttemptPlanned,
    PaymentActionRequired,
    PaymentAllocated,
    PaymentCancelled,
    PaymentDeclined,
    PaymentRefused,
    PaymentSettled,
    PaymentUnknown,
)
from shared.contracts.event import Event
from shared.contracts.ledger import EntryPosted
from shared.eventlog.projections import Placed
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
_STATUS, _REASON, _SETTLED_AT, _SETTLED_ON, _ALLOCATIONS, _LEDGER = range(6)
SETTLING_RULES = ("PR-05", "PR-05x")


class Payments:
    """Folds decisions of billing and entries of the ledger into `payment_view`."""

    name = "gateway.payments"
    version = 1
    tables: Sequence[str] = ("payment_view",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Send the batch as one statement, one row per payment."""
        rows: dict[str, list[Any]] = {}
        for placed in facts:
            event = placed.fact.event
            if isinstance(event, EntryPosted):
                if event.rule in SETTLING_RULES and event.payment_id is not None:
                    row = _row(rows, event.payment_id)
                    row[_LEDGER] = row[_LEDGER] or placed.position
            else:
                _billing(rows, event)
        if rows:
            columns = zip(*((key, *values) for key, values in sorted(rows.items())), strict=True)
            cursor.execute(_SQL["fold"].encode(), [list(column) for column in columns])


def _row(rows: dict[str, list[Any]], payment_id: str) -> list[Any]:
    return rows.setdefault(payment_id, [None, None, None, None, None, None])


def _billing(rows: dict[str, list[Any]], event: Event) -> None:
    """Take billing's last word; what says nothing about a payment's status changes nothing."""
    match event:
        case AttemptPlanned(payment_id=payment_id):
            _row(rows, payment_id)[_STATUS] = PaymentStatus.PENDING.value
        case PaymentActionRequired(payment_id=payment_id):
            _row(rows, payment_id)[_STATUS] = PaymentStatus.ACTION_REQUIRED.value
        case PaymentUnknown(payment_id=payment_id):
            _row(rows, payment_id)[_STATUS] = PaymentStatus.UNKNOWN.value
        case PaymentRefused(payment_id=payment_id, reason=refusal):
            _row(rows, payment_id)[_STATUS : _REASON + 1] = [PaymentStatus.REFUSED.value, refusal.value]
        case PaymentDeclined(payment_id=payment_id, reason=reason):
            _row(rows, payment_id)[_STATUS : _REASON + 1] = [PaymentStatus.DECLINED.value, reason]
        case PaymentCancelled(payment_id=payment_id, reason=reason):
            _row(rows, payment_id)[_STATUS : _REASON + 1] = [PaymentStatus.CANCELLED.value, reason]
        case PaymentSettled(payment_id=payment_id, settled_at=settled_at, settled_on=settled_on):
            row = _row(rows, payment_id)
            row[_STATUS], row[_SETTLED_AT], row[_SETTLED_ON] = PaymentStatus.SETTLED.value, settled_at, settled_on
        case PaymentAllocated(payment_id=payment_id, allocations=allocations):
            _row(rows, payment_id)[_ALLOCATIONS] = msgspec.json.encode(allocations).decode()
        case _:
            pass
