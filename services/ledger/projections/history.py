"""By what an entry is found besides its household's stream and its id: its day and its payment."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from shared.contracts.ledger import EntryPosted
from shared.eventlog.projections import Placed, send
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))


class History:
    """Folds entries into `entry`. What they say stays in the log, which is read by their places."""

    name = "ledger.history"
    version = 2
    tables: Sequence[str] = ("entry",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Insert the batch's entries as one statement."""
        rows = [
            (placed.shard, placed.position, placed.fact.envelope.tenant, entry.effective_date, entry.payment_id)
            for placed in facts
            if isinstance(entry := placed.fact.event, EntryPosted)
        ]
        send(cursor, _SQL["add"], rows)
