"""Accounts, as billing speaks of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from shared.contracts.billing import AccountMoved, AccountOpened, RequestRefused
from shared.eventlog.projections import Placed, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))


class Accounts:
    """Folds billing's word on accounts into `account_view`; the first refusal's reason stays."""

    name = "gateway.accounts"
    version = 1
    tables: Sequence[str] = ("account_view",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Send the batch as one statement, one row per account."""
        rows: dict[str, list[str | None]] = {}
        for placed in facts:
            match placed.fact.event:
                case AccountOpened(account_id=account_id):
                    rows.setdefault(account_id, [None, None, None])[0] = placed.fact.envelope.recorded_at
                case RequestRefused(account_id=account_id, subject=subject, reason=reason) if subject == account_id:
                    row = rows.setdefault(account_id, [None, None, None])
                    row[1] = row[1] or reason.value
                case AccountMoved(account_id=account_id, to_account_id=to_account_id):
                    rows.setdefault(account_id, [None, None, None])[2] = to_account_id
                case _:
                    pass
        send_by_key(cursor, _SQL["fold"], rows)
