"""Money that came twice: cases, opened and decided."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from shared.contracts.billing import DuplicateCaseDecided, DuplicateCaseOpened
from shared.eventlog.projections import Placed, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
_OUTCOME = 12


class Cases:
    """Folds billing's word on cases into `case_view`; whose they are is kept too, since nobody asked for them here."""

    name = "gateway.cases"
    version = 1
    tables: Sequence[str] = ("case_view",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Send the batch as one statement, one row per case."""
        rows: dict[str, list[Any]] = {}
        for placed in facts:
            event, recorded_at = placed.fact.event, placed.fact.envelope.recorded_at
            match event:
                case DuplicateCaseOpened():
                    rows[event.case_id] = _row(placed, event, event.rule, event.twin_payment_id, recorded_at)
                case DuplicateCaseDecided():
                    row = rows.setdefault(event.case_id, _row(placed, event, None, None, None))
                    row[_OUTCOME:] = [event.outcome, event.refund_id, recorded_at]
                case _:
                    pass
        send_by_key(cursor, _SQL["fold"], rows)


def _row(
    placed: Placed,
    event: DuplicateCaseOpened | DuplicateCaseDecided,
    rule: str | None,
    twin_payment_id: str | None,
    opened_at: str | None,
) -> list[Any]:
    """Return all columns but the key, none of a decision."""
    return [
        placed.fact.envelope.tenant,
        event.account_id,
        placed.shard,
        placed.position,
        rule,
        event.payment_id,
        twin_payment_id,
        event.invoice_id,
        event.reference,
        event.amount_minor,
        event.currency,
        opened_at,
        None,
        None,
        None,
    ]
