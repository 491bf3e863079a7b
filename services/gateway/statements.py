"""The gateway's own rows that go with its events: how they are written, published beside the event, and got back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from psycopg.pq.abc import PGresult

from shared.clock import parse_rfc3339
from shared.contracts.envelope import Fact
from shared.eventlog.outgoing import Header, Notes
from shared.eventlog.ports import EventRow, SideRows
from shared.eventlog.postgres_sessions import Sessions
from shared.ids import ROOT_BYTES
from shared.postgres.binary import TEXT, array, read_text
from shared.postgres.queries import queries
from shared.postgres.wire import Call

REQUEST = "insert_request"
_SQL: Mapping[str, str] = queries(Path(__file__).with_suffix(".sql"))
STATEMENTS: Mapping[str, str] = {REQUEST: _SQL[REQUEST]}


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """How a request is listed: what of its row in table `request` its event does not say; a record's header."""

    kind: str
    account_id: str | None
    reference: str | None
    operation: str | None
    subject: str | None


class RequestNotes:
    """Says how requests are listed, for their records."""

    def __init__(self, dsn: str) -> None:
        self._sessions = Sessions(dsn, "piperoll-request-notes", 2)

    async def of(self, rows: Sequence[EventRow]) -> Notes:
        """Return a header `request` for each event that has a row; StoreDown where the database is away."""
        positions = {row.stream: row.position for row in rows}
        asked = Call("notes", _SQL["notes"], (array(TEXT, [stream.encode() for stream in positions]),))
        found = await self._sessions.query(asked)
        return {positions[read_text(found, row, 0)]: [("request", _listed(found, row))] for row in range(found.ntuples)}

    async def close(self) -> None:
        """Close the connections."""
        await self._sessions.close()


def request_of(row: EventRow, fact: Fact, notes: Sequence[Header]) -> SideRows | None:
    """Return the row of table `request` that an adopted event had, as its record's header says; None if it had none."""
    for name, value in notes:
        if name == "request":
            recorded_at = parse_rfc3339(fact.envelope.recorded_at)
            listed = msgspec.json.decode(value, type=Listed)
            made = request_row(row, fact.envelope.tenant, fact.envelope.payload, recorded_at, listed)
            return SideRows(REQUEST, [made])
    return None


def request_row(
    row: EventRow, tenant: str, payload: msgspec.Raw, recorded_at: datetime, listed: Listed
) -> tuple[object, ...]:
    """Return a row of table `request`, in the order of its columns."""
    return (
        row.stream,
        tenant,
        listed.kind,
        listed.account_id,
        row.shard,
        row.position,
        row.event_id[:ROOT_BYTES],
        row.digest,
        bytes(payload),
        recorded_at,
        listed.reference,
        listed.operation,
        listed.subject,
    )


def _listed(found: PGresult, row: int) -> bytes:
    values = (found.get_value(row, column) for column in range(1, 6))
    kind, account_id, reference, operation, subject = (None if one is None else one.decode() for one in values)
    return msgspec.json.encode(
        Listed(kind=kind or "", account_id=account_id, reference=reference, operation=operation, subject=subject)
    )
