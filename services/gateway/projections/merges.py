"""Households that become part of others, as the one that moves says it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from services.gateway.domain.changes import MergeStatus
from shared.contracts.billing import AccountMoved, MergeEnded, MergeProposed, RequestRefused
from shared.eventlog.projections import Placed, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
_PREFIX = "mrg_"


class Merges:
    """Folds merges into `merge_view`; the last word on a status counts."""

    name = "gateway.merges"
    version = 1
    tables: Sequence[str] = ("merge_view",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Send the batch as one statement, one row per merge."""
        rows: dict[str, tuple[str, str | None]] = {}
        for placed in facts:
            match placed.fact.event:
                case MergeProposed(merge_id=merge_id):
                    rows[merge_id] = (MergeStatus.PROPOSED.value, None)
                case AccountMoved(merge_id=merge_id):
                    rows[merge_id] = (MergeStatus.COMPLETED.value, None)
                case MergeEnded(merge_id=merge_id, reason=reason):
                    rows[merge_id] = (MergeStatus.ENDED.value, reason.value)
                case RequestRefused(subject=subject, reason=reason) if subject.startswith(_PREFIX):
                    rows[subject] = (MergeStatus.REFUSED.value, reason.value)
                case _:
                    pass
        send_by_key(cursor, _SQL["fold"], rows)
