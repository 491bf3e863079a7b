"""What the ledger proposes of direct commands, who approved it, and what came of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from services.gateway.domain.direct import CHANGED, ProposalStatus
from shared.contracts.direct import (
    AccountChangeProposed,
    DirectCommandRefused,
    JournalProposed,
    LedgerAccountChanged,
    ProposalApproved,
    ProposalEnded,
    ReversalProposed,
)
from shared.contracts.ledger import EntryPosted
from shared.eventlog.projections import Placed, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
_BOOKS = "jrn_"
Proposed = JournalProposed | ReversalProposed | AccountChangeProposed


class _Row(msgspec.Struct):
    """The columns of `proposal_view` but the key; `approvals_given` counts those of this batch."""

    tenant: str
    position: int
    status: str | None = None
    reason: str | None = None
    field: str | None = None
    subject: str | None = None
    change: str | None = None
    currency: str | None = None
    legs: str | None = None
    note_version: int | None = None
    proposed_by: str | None = None
    digest: str | None = None
    approvals_needed: int | None = None
    approvals_given: int = 0
    approve_by: str | None = None
    entry_id: str | None = None


class Proposals:
    """Folds into `proposal_view`; the last word on a status counts.

    An account that could not be closed goes on as before: that change of it is no change that came about.
    """

    name = "gateway.proposals"
    version = 1
    tables: Sequence[str] = ("proposal_view",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Send the batch as one statement, one row per proposal."""
        rows: dict[str, _Row] = {}
        for placed in facts:
            match placed.fact.event:
                case JournalProposed() | ReversalProposed() | AccountChangeProposed() as event:
                    _propose(_row(rows, event.proposal_id, placed), event, placed)
                case ProposalApproved() as event:
                    _row(rows, event.proposal_id, placed).approvals_given += 1
                case ProposalEnded() as event:
                    row = _row(rows, event.proposal_id, placed)
                    row.status, row.reason = ProposalStatus(event.outcome).value, event.reason
                case LedgerAccountChanged() as event:
                    row = _row(rows, event.proposal_id, placed)
                    row.status = CHANGED if row.status != ProposalStatus.REFUSED else row.status
                case DirectCommandRefused() as event:
                    row = _row(rows, event.subject, placed)
                    row.status, row.reason, row.field = ProposalStatus.REFUSED.value, event.reason, event.field
                case EntryPosted() as event if event.account_id.startswith(_BOOKS):
                    row = _row(rows, event.proposal_id or str(event.reference), placed)
                    row.status, row.entry_id = ProposalStatus.POSTED.value, event.entry_id
                case _:
                    pass
        send_by_key(cursor, _SQL["fold"], {key: msgspec.structs.astuple(row) for key, row in rows.items()})


def _row(rows: dict[str, _Row], proposal_id: str, placed: Placed) -> _Row:
    return rows.setdefault(proposal_id, _Row(placed.fact.envelope.tenant, placed.position))


def _propose(row: _Row, event: Proposed, placed: Placed) -> None:
    row.status = ProposalStatus.AWAITING_APPROVAL.value
    row.proposed_by, row.currency = placed.fact.envelope.actor.id, event.currency
    row.digest, row.approvals_needed, row.approve_by = event.digest, event.approvals_needed, event.approve_by
    match event:
        case JournalProposed(legs=legs, note_version=note_version):
            row.legs, row.note_version = _json(legs), note_version
        case ReversalProposed(entry_id=entry_id, legs=legs, note_version=note_version):
            row.subject, row.legs, row.note_version = entry_id, _json(legs), note_version
        case AccountChangeProposed(ledger_account_id=ledger_account_id, change=change):
            row.subject, row.change = ledger_account_id, change


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
