"""Invoices, as billing speaks of them: issued or refused, and how much of each is paid."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from shared.contracts.billing import InvoiceIssued, PaymentAllocated, RequestRefused
from shared.eventlog.projections import Placed
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
_ACCOUNT, _NUMBER, _DUE, _CURRENCY, _TOTAL, _REASON, _PAID = range(7)


class Invoices:
    """Folds bills, refusals and allocations into `invoice_view`."""

    name = "gateway.invoices"
    version = 1
    tables: Sequence[str] = ("invoice_view",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Send the batch as one statement, one row per invoice."""
        rows: dict[str, list[Any]] = {}

        def row(invoice_id: str) -> list[Any]:
            return rows.setdefault(invoice_id, [None, None, None, None, None, None, 0])

        for placed in facts:
            match placed.fact.event:
                case InvoiceIssued() as bill:
                    row(bill.invoice_id)[_ACCOUNT:_REASON] = [
                        bill.account_id,
                        bill.number,
                        bill.due_date,
                        bill.currency,
                        bill.total_minor,
                    ]
                case RequestRefused(account_id=account_id, subject=subject, reason=reason) if subject != account_id:
                    refused = row(subject)
                    refused[_REASON] = refused[_REASON] or reason.value
                case PaymentAllocated(allocations=allocations):
                    for part in allocations:
                        row(part.invoice_id)[_PAID] += part.amount_minor
                case _:
                    pass
        if rows:
            columns = zip(*((key, *values) for key, values in sorted(rows.items())), strict=True)
            cursor.execute(_SQL["fold"].encode(), [list(column) for column in columns])
