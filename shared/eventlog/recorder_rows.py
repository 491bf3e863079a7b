"""How the recorders read and name the library's events."""

import hashlib
from collections.abc import Callable, Sequence
from uuid import UUID

from eventsourcing.persistence import InfrastructureFactoryError, StoredEvent
from psycopg.pq.abc import PGresult

from shared.eventlog.ports import EventRow
from shared.ids import ROOT_BYTES
from shared.postgres.binary import int8, read_bytes, read_int, read_text

_INDEX_0 = b"\0\0"
LOWEST, HIGHEST = -(2**63), 2**63 - 1


def library_rows(shard: int, first: int, stored_events: Sequence[StoredEvent]) -> list[EventRow]:
    """Return the rows of events that have no envelope, from position `first` on.

    Such an event's id is a hash of originator and version, index 0.
    """
    sha256 = hashlib.sha256
    rows = []
    for position, event in enumerate(stored_events, first):
        stream, version = str(event.originator_id), event.originator_version
        event_id = sha256(f"{stream}\n{version}".encode()).digest()[:ROOT_BYTES] + _INDEX_0
        rows.append(EventRow(shard, position, stream, version, event_id, event.topic, event.state))
    return rows


def originator_reader(kind: str) -> Callable[[str], UUID | str]:
    """Return what turns a stored stream into an originator id of this kind, `uuid` or `text`."""
    if kind == "text":
        return str
    if kind != "uuid":
        raise InfrastructureFactoryError(f"POSTGRES_ORIGINATOR_ID_TYPE is {kind}, not uuid or text")
    return UUID


def versions_between(
    originator_id: UUID | str, gt: int | None, lte: int | None, limit: int | None
) -> tuple[bytes | None, ...]:
    """Return the parameters of a query for a stream's versions."""
    return (
        str(originator_id).encode(),
        int8(LOWEST if gt is None else gt),
        int8(HIGHEST if lte is None else lte),
        None if limit is None else int8(limit),
    )


def read_events(result: PGresult, originator: Callable[[str], UUID | str]) -> list[StoredEvent]:
    """Return a result's (stream, version, type, data) as the library's events."""
    return [
        StoredEvent(
            originator(read_text(result, row, 0)),
            read_int(result, row, 1),
            read_text(result, row, 2),
            read_bytes(result, row, 3),
        )
        for row in range(result.ntuples)
    ]
