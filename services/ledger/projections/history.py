"""Every entry as a row, in the order of its household's story."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from shared.contracts.ledger import EntryPosted
from shared.eventlog.projections import Placed
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))


class History:
    """Folds entries into `entry`."""

    name = "ledger.history"
    version = 1
    tables: Sequence[str] = ("entry",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Insert the batch's entries as one statement."""
        rows = [_row(placed, placed.fact.event) for placed in facts if isinstance(placed.fact.event, EntryPosted)]
        if rows:
            cursor.execute(_SQL["add"], [list(column) for column in zip(*rows, strict=True)])


def _row(placed: Placed, entry: EntryPosted) -> tuple[object, ...]:
    return (
        entry.entry_id,
        entry.account_id,
        placed.shard,
        placed.position,
        entry.group_id,
        entry.rule,
        entry.cause_type,
        entry.cause,
        entry.payment_id,
        entry.invoice_id,
        entry.processor_ref,
        entry.effective_date,
        placed.fact.envelope.recorded_at,
        entry.currency,
        msgspec.json.encode(entry.postings).decode(),
    )
