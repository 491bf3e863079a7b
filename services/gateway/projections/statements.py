"""Bank statements: taken in by billing, or refused and why."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from shared.contracts.billing import BankStatementImported, BankStatementRefused
from shared.eventlog.projections import Placed, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))


class Statements:
    """Folds billing's word on statements into `statement_view`; it says one, once."""

    name = "gateway.statements"
    version = 1
    tables: Sequence[str] = ("statement_view",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Send the batch as one statement, one row per statement of a bank."""
        rows: dict[str, tuple[str | None, str | None]] = {}
        for placed in facts:
            match placed.fact.event:
                case BankStatementImported(statement_id=statement_id):
                    rows.setdefault(statement_id, (placed.fact.envelope.recorded_at, None))
                case BankStatementRefused(statement_id=statement_id, reason=reason):
                    rows.setdefault(statement_id, (None, reason.value))
                case _:
                    pass
        send_by_key(cursor, _SQL["fold"], rows)
