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


def rows_from(
    shard: int,
    first: int,
    stored_events: Sequence[StoredEvent],
    event_ids: Sequence[bytes] | None,
    digests: Sequence[bytes | None] | None,
) -> list[EventRow]:
    """Return the rows of the library's events, from position `first` on.

    Without `event_ids` an event's id is a hash of originator and version, index 0.
    """
    streams = [str(event.originator_id) for event in stored_events]
    ids = event_ids or map(_id_of, streams, stored_events)
    kept = digests or [None] * len(stored_events)
    return [
        EventRow(shard, position, stream, event.originator_version, event_id, event.topic, event.state, digest)
        for position, (event, stream, event_id, digest) in enumerate(
            zip(stored_events, streams, ids, kept, strict=True), first
        )
    ]


def _id_of(stream: str, event: StoredEvent) -> bytes:
    named = f"{stream}\n{event.originator_version}".encode()
    return hashlib.sha256(named).digest()[:ROOT_BYTES] + _INDEX_0


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


def read_events(
    result: PGresult, originator: Callable[[str], UUID | str], opened: Callable[[bytes], bytes]
) -> list[StoredEvent]:
    """Return a result's (stream, version, type, data) as the library's events; `opened` undoes the stored form."""
    return [
        StoredEvent(
            originator(read_text(result, row, 0)),
            read_int(result, row, 1),
            read_text(result, row, 2),
            opened(read_bytes(result, row, 3)),
        )
        for row in range(result.ntuples)
    ]
