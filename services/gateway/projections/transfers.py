"""Credit on its way to another household: as its sender knows it, and what the ledger has posted of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from services.gateway.domain.changes import TransferStatus
from shared.contracts.billing import RequestRefused, TransferCompleted, TransferReturned, TransferSent
from shared.contracts.event import Event
from shared.contracts.ledger import EntryPosted
from shared.eventlog.projections import Placed, send, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
_PREFIX = "trf_"
_TRANSIT = "2140"


class _Row(msgspec.Struct):
    """The columns of `transfer_view` but the key."""

    tenant: str
    account_id: str
    shard: int
    position: int
    status: str | None = None
    reason: str | None = None
    to_account_id: str | None = None
    purpose: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    sent_at: str | None = None


class Transfers:
    """Folds the sender's events into `transfer_view`, and what they were taken from into `transfer_source_view`.

    `transfer_posted_view` is the ledger's: both sides of 2140 by transfer.
    """

    name = "gateway.transfers"
    version = 1
    tables: Sequence[str] = ("transfer_view", "transfer_source_view", "transfer_posted_view")

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Send the batch as one statement per table."""
        rows: dict[str, _Row] = {}
        sources: list[tuple[str, str, int]] = []
        posted: dict[str, tuple[int, int]] = {}
        for placed in facts:
            event = placed.fact.event
            if isinstance(event, EntryPosted):
                _post(posted, event)
                continue
            transfer_id = _transfer_of(event)
            if transfer_id is None:
                continue
            row = rows.get(transfer_id)
            if row is None:
                whose = (placed.fact.envelope.tenant, getattr(event, "account_id", ""))
                row = rows[transfer_id] = _Row(*whose, placed.shard, placed.position)
            _take(row, event, placed.fact.envelope.recorded_at)
            if isinstance(event, TransferSent):
                sources += [(transfer_id, source.fund_id, source.amount_minor) for source in event.sources]
        send_by_key(cursor, _SQL["fold"], {key: msgspec.structs.astuple(row) for key, row in rows.items()})
        send(cursor, _SQL["sources"], sorted(sources))
        send_by_key(cursor, _SQL["posted"], posted)


def _post(posted: dict[str, tuple[int, int]], entry: EntryPosted) -> None:
    """Add what an entry moves on 2140 to the debits and credits of its transfer."""
    for posting in entry.postings:
        if posting.code == _TRANSIT:
            debit, credit = posted.get(posting.sub_key, (0, 0))
            minor = posting.amount_minor
            posted[posting.sub_key] = (debit + minor, credit) if posting.side == "D" else (debit, credit + minor)


def _transfer_of(event: Event) -> str | None:
    """Return the transfer of this household that an event says something about."""
    match event:
        case TransferSent() | TransferCompleted() | TransferReturned():
            return event.transfer_id
        case RequestRefused(subject=subject) if subject.startswith(_PREFIX):
            return subject
        case _:
            return None


def _take(row: _Row, event: Event, recorded_at: str) -> None:
    match event:
        case TransferSent():
            row.status, row.to_account_id, row.purpose = TransferStatus.UNDER_WAY.value, event.routed_to, event.reason
            row.amount_minor, row.currency, row.sent_at = event.amount_minor, event.currency, recorded_at
        case TransferCompleted():
            row.status = TransferStatus.COMPLETED.value
        case TransferReturned():
            row.status, row.reason = TransferStatus.RETURNED.value, event.reason.value
        case RequestRefused():
            row.status, row.reason = TransferStatus.REFUSED.value, event.reason.value
        case _:
            pass
