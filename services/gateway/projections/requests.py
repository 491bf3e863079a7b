"""Requests that change what exists: done, or refused and why."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from shared.contracts.billing import RequestRefused
from shared.contracts.direct import AccountChangeProposed, DirectCommandRefused, ProposalEnded
from shared.contracts.ledger import ExplanationRefused
from shared.eventlog.projections import Placed, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
_PREFIX = "req_"


class Requests:
    """Folds the answers of billing and the ledger into `request_view`: any event that names the request is its yes."""

    name = "gateway.requests"
    version = 1
    tables: Sequence[str] = ("request_view",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Send the batch as one statement, one row per request."""
        rows: dict[str, tuple[str | None, str | None]] = {}
        for placed in facts:
            event = placed.fact.event
            match event:
                case RequestRefused(subject=subject, reason=refusal):
                    if subject.startswith(_PREFIX):
                        rows.setdefault(subject, (None, refusal.value))
                case ExplanationRefused(request_id=request_id, reason=reason):
                    rows.setdefault(request_id, (None, reason))
                case DirectCommandRefused(subject=subject, reason=unfit) if subject.startswith(_PREFIX):
                    rows.setdefault(subject, (None, unfit))
                case ProposalEnded(request_id=str() as request_id, outcome="refused", reason=unfit):
                    rows.setdefault(request_id, (None, unfit))
                case AccountChangeProposed(proposal_id=change_id):
                    rows.setdefault(change_id, (placed.fact.envelope.recorded_at, None))
                case _:
                    named: str | None = getattr(event, "request_id", None)
                    if named is not None:
                        rows.setdefault(named, (placed.fact.envelope.recorded_at, None))
        send_by_key(cursor, _SQL["fold"], rows)
