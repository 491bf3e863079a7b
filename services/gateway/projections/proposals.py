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
from shared.eventlog.projections import Placed, send, send_by_key
from shared.ids import ROOT_BYTES
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
_DIRECT = "jrn_"
Proposed = JournalProposed | ReversalProposed | AccountChangeProposed


class _Row(msgspec.Struct):
    """The columns of `proposal_view` but the key and the entry; `approvals_given` counts those of this batch."""

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
    decision: str | None = None


class Proposals:
    """Folds into `proposal_view`; the last word on a status counts.

    The last approval and the entry that it posts are events of one decision, so that their ids begin alike.
    """

    name = "gateway.proposals"
    version = 1
    tables: Sequence[str] = ("proposal_view",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Send the batch as one row per proposal, then the entries that were posted."""
        rows: dict[str, _Row] = {}
        entries: dict[str, tuple[str]] = {}
        for placed in facts:
            match placed.fact.event:
                case JournalProposed() | ReversalProposed() | AccountChangeProposed() as event:
                    _propose(_row(rows, event.proposal_id, placed), event, placed)
                case ProposalApproved() as event:
                    row = _row(rows, event.proposal_id, placed)
                    row.approvals_given += 1
                    row.decision = _decision(placed) if event.is_last else None
                case ProposalEnded() as event:
                    row = _row(rows, event.proposal_id, placed)
                    row.status, row.reason = ProposalStatus(event.outcome).value, event.reason
                case LedgerAccountChanged() as event:
                    _row(rows, event.proposal_id, placed).status = CHANGED
                case DirectCommandRefused() as event:
                    row = _row(rows, event.subject, placed)
                    row.status, row.reason, row.field = ProposalStatus.REFUSED.value, event.reason, event.field
                case EntryPosted(account_id=account_id, entry_id=entry_id) if account_id.startswith(_DIRECT):
                    entries[_decision(placed)] = (entry_id,)
                case _:
                    pass
        send_by_key(cursor, _SQL["fold"], {key: msgspec.structs.astuple(row) for key, row in rows.items()})
        send(cursor, _SQL["entries"], [(decision, *entry) for decision, entry in sorted(entries.items())])


def _row(rows: dict[str, _Row], proposal_id: str, placed: Placed) -> _Row:
    return rows.setdefault(proposal_id, _Row(placed.fact.envelope.tenant, placed.position))


def _decision(placed: Placed) -> str:
    """Return what the ids of all events of one decision begin with."""
    return placed.fact.envelope.event_id[: 2 * ROOT_BYTES]


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
