"""Refunds, as billing speaks of them: set aside, approved, sent, ended, or refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from services.gateway.domain.changes import RefundStatus
from shared.contracts.billing import (
    RefundApproved,
    RefundBounced,
    RefundCancelled,
    RefundCompleted,
    RefundOpened,
    RefundSent,
    RequestRefused,
)
from shared.contracts.event import Event
from shared.eventlog.projections import Placed, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
_PREFIX = "rfd_"


class _Row(msgspec.Struct):
    """The columns of `refund_view` but the key; `approvals_given` counts those of this batch."""

    tenant: str
    account_id: str
    shard: int
    position: int
    status: str | None = None
    reason: str | None = None
    payment_id: str | None = None
    fund_id: str | None = None
    purpose: str | None = None
    case_id: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    approvals_needed: int | None = None
    approvals_given: int = 0
    digest: str | None = None
    approve_by: str | None = None
    opened_at: str | None = None


class Refunds:
    """Folds refunds into `refund_view`; the last word on a status counts."""

    name = "gateway.refunds"
    version = 1
    tables: Sequence[str] = ("refund_view",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Send the batch as one statement, one row per refund."""
        rows: dict[str, _Row] = {}
        for placed in facts:
            event = placed.fact.event
            refund_id = _refund_of(event)
            if refund_id is not None:
                row = rows.get(refund_id)
                if row is None:
                    whose = (placed.fact.envelope.tenant, getattr(event, "account_id", ""))
                    row = rows[refund_id] = _Row(*whose, placed.shard, placed.position)
                _take(row, event, placed.fact.envelope.recorded_at)
        send_by_key(cursor, _SQL["fold"], {key: msgspec.structs.astuple(row) for key, row in rows.items()})


def _refund_of(event: Event) -> str | None:
    """Return the refund that an event says something about."""
    match event:
        case RefundOpened() | RefundApproved() | RefundSent() | RefundCompleted() | RefundBounced() | RefundCancelled():
            return event.refund_id
        case RequestRefused(subject=subject) if subject.startswith(_PREFIX):
            return subject
        case _:
            return None


def _take(row: _Row, event: Event, recorded_at: str) -> None:
    match event:
        case RefundOpened():
            waits = event.approvals_needed > 0
            row.status = (RefundStatus.AWAITING_APPROVAL if waits else RefundStatus.APPROVED).value
            row.payment_id, row.fund_id, row.case_id = event.payment_id, event.fund_id, event.case_id
            row.amount_minor, row.currency, row.purpose = event.amount_minor, event.currency, event.reason
            row.approvals_needed, row.digest, row.approve_by = event.approvals_needed, event.digest, event.approve_by
            row.opened_at = recorded_at
        case RefundApproved():
            row.approvals_given += 1
            if event.is_last:
                row.status = RefundStatus.APPROVED.value
        case RefundSent():
            row.status = RefundStatus.SENT.value
        case RefundCompleted():
            row.status = RefundStatus.COMPLETED.value
        case RefundBounced():
            row.status, row.reason = RefundStatus.BOUNCED.value, event.reason
        case RefundCancelled():
            row.status, row.reason = RefundStatus.CANCELLED.value, event.reason
        case RequestRefused():
            row.status, row.reason = RefundStatus.REFUSED.value, event.reason.value
        case _:
            pass
