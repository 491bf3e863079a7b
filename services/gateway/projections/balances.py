"""The ledger's balances of each household, by account code."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from shared.contracts.ledger import EntryPosted
from shared.eventlog.projections import Placed, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))


class Balances:
    """Folds entries into `balance_view`."""

    name = "gateway.balances"
    version = 1
    tables: Sequence[str] = ("balance_view",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Add up the batch by household, code and currency, and send it as one statement."""
        sums: dict[tuple[str, str, str], list[int]] = {}
        for placed in facts:
            entry = placed.fact.event
            if not isinstance(entry, EntryPosted):
                continue
            for posting in entry.postings:
                found = sums.setdefault((entry.account_id, posting.code, entry.currency), [0, 0])
                found[0 if posting.side == "D" else 1] += posting.amount_minor
        send_by_key(cursor, _SQL["fold"], sums)
