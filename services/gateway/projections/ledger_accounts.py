"""Ledger accounts, as the ledger speaks of them: first named by a proposal, then opened, frozen, closed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from shared.contracts.direct import AccountChangeProposed, LedgerAccountChanged
from shared.eventlog.projections import Placed, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))


class LedgerAccounts:
    """Folds into `ledger_account_view`; one that was never opened has no status."""

    name = "gateway.ledger_accounts"
    version = 1
    tables: Sequence[str] = ("ledger_account_view",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Send the batch as one statement, one row per ledger account."""
        rows: dict[str, tuple[object, ...]] = {}
        for placed in facts:
            event = placed.fact.event
            if not isinstance(event, AccountChangeProposed | LedgerAccountChanged):
                continue
            told = rows.get(event.ledger_account_id)
            status = event.status if isinstance(event, LedgerAccountChanged) else told and told[-2]
            rows[event.ledger_account_id] = (
                placed.fact.envelope.tenant,
                placed.shard,
                placed.position,
                event.code,
                event.sub_key,
                event.currency,
                status,
                told[-1] if told else placed.fact.envelope.recorded_at,
            )
        send_by_key(cursor, _SQL["fold"], rows)
