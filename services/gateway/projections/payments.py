"""Payments: billing's columns and the ledger's, in one row that is joined with the request's own.

What a payment's money pays is kept apart, as sums, since several facts add to it and take from it.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from services.gateway.domain.payment import PaymentStatus
from shared.contracts.billing import (
    AttemptPlanned,
    ChargebackDropped,
    ChargebackLost,
    ChargebackOpened,
    ChargebackWon,
    CheckPosted,
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
)
from shared.contracts.event import Event
from shared.contracts.ledger import EntryPosted
from shared.eventlog.projections import Placed, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
_PREFIX = "pay_"
SETTLING_RULES = ("PR-05", "PR-05x")
CHARGED_BACK, CHECK_RETURNED = "charged_back", "check_returned"

_Line = tuple[str, str, str, str]


class _Row(msgspec.Struct):
    """The columns of `payment_view` but the key; `lost_minor` and `taken_minor` are this batch's."""

    status: str | None = None
    reason: str | None = None
    settled_at: str | None = None
    settled_on: str | None = None
    allocations: str | None = None
    ledger_position: int | None = None
    held_until: str | None = None
    twin_payment_id: str | None = None
    action_url: str | None = None
    action_expires_at: str | None = None
    settled_minor: int | None = None
    lost_minor: int = 0
    taken_minor: int = 0


class _Batch:
    """What the facts of one call add to the three tables."""

    def __init__(self) -> None:
        self.rows: dict[str, _Row] = {}
        self.lines: Counter[_Line] = Counter()
        self.disputes: dict[str, tuple[str, bool]] = {}

    def row(self, payment_id: str) -> _Row:
        return self.rows.setdefault(payment_id, _Row())


class Payments:
    """Folds decisions of billing and entries of the ledger into `payment_view` and the two tables beside it."""

    name = "gateway.payments"
    version = 1
    tables: Sequence[str] = ("payment_view", "allocation_view", "dispute_view")

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Send the batch as one statement per table."""
        batch = _Batch()
        for placed in facts:
            event = placed.fact.event
            if isinstance(event, EntryPosted):
                if event.rule in SETTLING_RULES and event.payment_id is not None:
                    row = batch.row(event.payment_id)
                    row.ledger_position = row.ledger_position or placed.position
            else:
                _status(batch, event, placed.fact.envelope.recorded_at)
                _money(batch, event)
        send_by_key(cursor, _SQL["fold"], {key: msgspec.structs.astuple(row) for key, row in batch.rows.items()})
        send_by_key(cursor, _SQL["allocations"], {line: (minor,) for line, minor in batch.lines.items()})
        send_by_key(cursor, _SQL["disputes"], batch.disputes)


def _status(batch: _Batch, event: Event, recorded_at: str) -> None:
    """Take billing's last word; what says nothing about a payment's status changes nothing."""
    match event:
        case AttemptPlanned(payment_id=payment_id):
            batch.row(payment_id).status = PaymentStatus.PENDING.value
        case PaymentHeld():
            row = batch.row(event.payment_id)
            row.status, row.reason = PaymentStatus.HELD.value, event.reason
            row.held_until, row.twin_payment_id = event.held_until, event.twin_payment_id
        case PaymentActionRequired():
            row = batch.row(event.payment_id)
            row.status = PaymentStatus.ACTION_REQUIRED.value
            row.action_url, row.action_expires_at = event.url, event.expires_at
        case PaymentUnknown(payment_id=payment_id):
            batch.row(payment_id).status = PaymentStatus.UNKNOWN.value
        case PaymentRefused():
            row = batch.row(event.payment_id)
            row.status, row.reason = PaymentStatus.REFUSED.value, event.reason.value
        case PaymentDeclined():
            row = batch.row(event.payment_id)
            row.status, row.reason = PaymentStatus.DECLINED.value, event.reason
        case PaymentCancelled():
            row = batch.row(event.payment_id)
            row.status, row.reason = PaymentStatus.CANCELLED.value, event.reason
        case PaymentSettled():
            _settled(batch.row(event.payment_id), event.amount_minor, event.settled_on, event.settled_at)
        case CheckPosted():
            _settled(batch.row(event.payment_id), event.amount_minor, event.received_on, recorded_at)
        case _:
            pass


def _settled(row: _Row, minor: int, day: str, at: str) -> None:
    row.status, row.settled_minor, row.settled_on, row.settled_at = PaymentStatus.SETTLED.value, minor, day, at


def _money(batch: _Batch, event: Event) -> None:
    """Add up what becomes of the money of payments; that of cases and transfers is nobody's question here."""
    match event:
        case PaymentAllocated(payment_id=payment_id) | PaymentDeallocated(payment_id=payment_id):
            if not payment_id.startswith(_PREFIX):
                return
            sign = 1 if isinstance(event, PaymentAllocated) else -1
            for part in event.allocations:
                line = (payment_id, part.invoice_id, part.policy_id, part.coverage_month)
                batch.lines[line] += sign * part.amount_minor
            if isinstance(event, PaymentAllocated):
                row = batch.row(payment_id)
                row.allocations = row.allocations or msgspec.json.encode(event.allocations).decode()
        case ChargebackOpened():
            batch.disputes.setdefault(event.chargeback_id, (event.payment_id, False))
        case ChargebackWon() | ChargebackDropped() | ChargebackLost():
            batch.disputes[event.chargeback_id] = (event.payment_id, True)
            if isinstance(event, ChargebackLost) and event.fund_id == event.payment_id:
                _lost(batch, event, CHARGED_BACK)
        case PaymentReturned():
            _lost(batch, event, CHECK_RETURNED)
        case RecoveryPaid(payment_id=payment_id, amount_minor=minor) if payment_id.startswith(_PREFIX):
            batch.row(payment_id).taken_minor += minor
        case _:
            pass


def _lost(batch: _Batch, event: ChargebackLost | PaymentReturned, reason: str) -> None:
    row = batch.row(event.payment_id)
    row.reason = reason
    row.lost_minor += event.amount_minor
    row.taken_minor += event.from_credit_minor
