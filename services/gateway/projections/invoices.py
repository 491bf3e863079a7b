"""Invoices, as billing speaks of them: issued or refused, how much of each is paid, and how much was taken back."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from shared.contracts.billing import InvoiceIssued, InvoiceVoided, PaymentAllocated, PaymentDeallocated, RequestRefused
from shared.eventlog.projections import Placed, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
_PREFIX = "inv_"


class _Row(msgspec.Struct):
    """The columns of `invoice_view` but the key; `paid_minor` and `voided_minor` are this batch's."""

    account_id: str | None = None
    number: str | None = None
    due_date: str | None = None
    currency: str | None = None
    total_minor: int | None = None
    reason: str | None = None
    paid_minor: int = 0
    tenant: str | None = None
    shard: int | None = None
    position: int | None = None
    issued_at: str | None = None
    lines: str | None = None
    voided_minor: int = 0
    is_void: bool = False


class Invoices:
    """Folds bills, refusals, voids and allocations into `invoice_view`."""

    name = "gateway.invoices"
    version = 1
    tables: Sequence[str] = ("invoice_view",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Send the batch as one statement, one row per invoice."""
        rows: dict[str, _Row] = {}
        for placed in facts:
            match placed.fact.event:
                case InvoiceIssued() as bill:
                    _issued(rows.setdefault(bill.invoice_id, _Row()), bill, placed)
                case RequestRefused(subject=subject, reason=reason) if subject.startswith(_PREFIX):
                    refused = rows.setdefault(subject, _Row())
                    refused.reason = refused.reason or reason.value
                case InvoiceVoided() as void:
                    row = rows.setdefault(void.invoice_id, _Row())
                    row.voided_minor += void.total_minor
                    row.is_void |= void.is_whole
                case PaymentAllocated(allocations=allocations):
                    for part in allocations:
                        rows.setdefault(part.invoice_id, _Row()).paid_minor += part.amount_minor
                case PaymentDeallocated(allocations=allocations):
                    for part in allocations:
                        rows.setdefault(part.invoice_id, _Row()).paid_minor -= part.amount_minor
                case _:
                    pass
        send_by_key(cursor, _SQL["fold"], {key: msgspec.structs.astuple(row) for key, row in rows.items()})


def _issued(row: _Row, bill: InvoiceIssued, placed: Placed) -> None:
    envelope = placed.fact.envelope
    row.account_id, row.number, row.due_date = bill.account_id, bill.number, bill.due_date
    row.currency, row.total_minor = bill.currency, bill.total_minor
    row.lines = msgspec.json.encode(bill.lines).decode()
    row.tenant, row.shard, row.position, row.issued_at = (
        envelope.tenant,
        placed.shard,
        placed.position,
        envelope.recorded_at,
    )
