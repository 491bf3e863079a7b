"""The gateway's own rows that go with its events: how they are written, published beside the event, and got back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from shared.clock import parse_rfc3339
from shared.contracts.envelope import Fact
from shared.errors import StoreDown
from shared.eventlog.outgoing import Header, Notes
from shared.eventlog.ports import EventRow, SideRows
from shared.ids import ROOT_BYTES
from shared.postgres.pool import async_pool
from shared.postgres.queries import queries

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
        self._dsn = dsn
        self._pool: AsyncConnectionPool[Any] | None = None

    async def of(self, rows: Sequence[EventRow]) -> Notes:
        """Return a header `request` for each event that has a row; StoreDown where the database is away."""
        positions = {row.stream: row.position for row in rows}
        try:
            if self._pool is None:
                self._pool = async_pool(self._dsn, "piperoll-request-notes", connections=1)
                await self._pool.open(wait=False)
            async with self._pool.connection() as connection:
                cursor = await connection.execute(_SQL["notes"].encode(), {"ids": list(positions)})
                found = await cursor.fetchall()
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
            raise StoreDown(f"how requests are listed cannot be read: {error}") from error
        return {positions[id_]: [("request", _encode(listed))] for id_, *listed in found}

    async def close(self) -> None:
        """Close the connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()


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


def _encode(listed: Sequence[str | None]) -> bytes:
    kind, account_id, reference, operation, subject = listed
    return msgspec.json.encode(
        Listed(kind=kind or "", account_id=account_id, reference=reference, operation=operation, subject=subject)
    )
