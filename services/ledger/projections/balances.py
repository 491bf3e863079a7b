"""Balances per household, account code and sub-key; house accounts are sums over households, never a row."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from shared.contracts.ledger import EntryPosted
from shared.eventlog.projections import Placed
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))


class Balances:
    """Folds entries into `balance`."""

    name = "ledger.balances"
    version = 1
    tables: Sequence[str] = ("balance",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Add up the batch by key and send it as one statement."""
        sums: dict[tuple[str, str, str, str], list[int]] = {}
        for placed in facts:
            entry = placed.fact.event
            if not isinstance(entry, EntryPosted):
                continue
            for posting in entry.postings:
                key = (entry.account_id, posting.code, posting.sub_key, entry.currency)
                found = sums.setdefault(key, [0, 0, 0])
                found[0 if posting.side == "D" else 1] += posting.amount_minor
                found[2] = placed.position
        if sums:
            rows = [(*key, *sums[key]) for key in sorted(sums)]
            cursor.execute(_SQL["add"], [list(column) for column in zip(*rows, strict=True)])
