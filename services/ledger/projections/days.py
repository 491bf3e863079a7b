"""What each day moved on each account code, by effective date, and each posting on a house-wide account."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from services.ledger.domain.chart import HOUSE_WIDE
from shared.contracts.ledger import EntryPosted
from shared.eventlog.projections import Placed, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
_Sums = dict[tuple[Any, ...], list[int]]


class Days:
    """Folds entries into `ledger_day` and `house_posting`: trial balances, house accounts and their statements."""

    name = "ledger.days"
    version = 1
    tables: Sequence[str] = ("ledger_day", "house_posting")

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Add up the batch by day and, on house-wide accounts, by entry; send each as one statement."""
        days: _Sums = {}
        postings: _Sums = {}
        for placed in facts:
            entry = placed.fact.event
            if not isinstance(entry, EntryPosted):
                continue
            tenant = placed.fact.envelope.tenant
            for posting in entry.postings:
                is_house_wide = posting.code in HOUSE_WIDE
                sub_key = posting.sub_key if is_house_wide else ""
                key = (tenant, posting.code, sub_key, entry.currency, entry.effective_date, placed.shard)
                side = 0 if posting.side == "D" else 1
                days.setdefault(key, [0, 0])[side] += posting.amount_minor
                if is_house_wide:
                    postings.setdefault((*key, placed.position), [0, 0])[side] += posting.amount_minor
        send_by_key(cursor, _SQL["add_days"], days)
        send_by_key(cursor, _SQL["add_postings"], postings)
