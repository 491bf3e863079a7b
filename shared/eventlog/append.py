"""The one SQL path that adds events: fence, rows, cursors, parked records, side rows, COMMIT, in few round trips.

All functions are generators over a `Session`, so that a thread (the recorder) and an event loop (the store) run the
same statements. A connection lost before COMMIT was sent stored nothing; after that, `session.committing` stands.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from psycopg.abc import PQGen
from psycopg.errors import Error
from psycopg.pq.abc import PGresult

from shared.errors import AlreadyStored, Fenced, OwnFault, PiperollError, RowHeld, StoreDown, UnknownCommit
from shared.eventlog.append_rows import copy_buffer, held_of, one_row, optional_text, row_arrays, rows_of
from shared.eventlog.ports import Batch, EventRow, Held, Mode, SideRows
from shared.faults import ArmedFault, Point, reach
from shared.postgres.binary import (
    BYTEA,
    INT4,
    INT8,
    TEXT,
    UUID_OID,
    array,
    as_time,
    columns,
    int4,
    int8,
    timestamptz,
)
from shared.postgres.queries import queries
from shared.postgres.wire import BEGIN, COMMIT, Call, Session, copy, describe, pipeline

SQL = queries(Path(__file__).parent / "sql" / "store.sql")
# From here on COPY is quicker than arrays in spite of its three further round trips. Measured, arrays / COPY in ms:
# 8 rows 0.81 / 1.23, 32 rows 1.28 / 1.56, 64 rows 1.63 / 1.81, 128 rows 2.90 / 2.57, 256 rows 4.40 / 3.85.
COPY_FROM_ROWS = 96
# Classes of SQLSTATE that no repetition mends: data, integrity, syntax and rights, our triggers, corruption.
_OURS = ("0A", "22", "23", "42", "P0", "PR", "XX")
FENCED, FALLING, UNIQUE_VIOLATION, ROW_HELD = "PRF01", "PRF02", "23505", "55P03"
_TIMESTAMPTZ = 1184


def call(name: str, *parameters: bytes | None, shard: int | None = None) -> Call:
    """Return a call of a statement of `store.sql`, of a shard's own partition where `shard` is named."""
    if shard is None:
        return Call(name, SQL[name], parameters)
    return Call(f"{name}_{shard}", SQL[name].format(shard=shard), parameters)


def append(
    session: Session,
    batches: Sequence[Batch],
    side: Sequence[Call] = (),
    *,
    locked: bool = False,
    hasty: bool = False,
) -> PQGen[datetime]:
    """Store the batches in one transaction and commit it; return the database's clock after the last fence.

    `locked` says that the transaction is open and holds the shards' rows, so that the fence can wait for the end;
    `hasty` that it waits for no row longer than a moment.
    """
    large = [batch for batch in batches if len(batch.rows) >= COPY_FROM_ROWS]
    small = [batch for batch in batches if 0 < len(batch.rows) < COPY_FROM_ROWS]
    calls = [_fence(batches, hasty)] if batches else [call("now")]
    opening = 0 if locked else 1
    now: datetime | None = None
    if not locked:
        calls.insert(0, BEGIN)
        if large:
            now = _clock((yield from pipeline(session, calls))[-1])
            calls = []
    for batch in large:
        yield from copy(session, SQL["copy_partition"].format(shard=batch.shard), copy_buffer(batch.rows))
    if small:
        calls.append(_insert(small))
    calls += [*_cursors(batches), *_parked(batches), *_ended(batches), *side]
    results = yield from commit(session, calls)
    return now or _clock(results[opening])


def commit(session: Session, calls: Sequence[Call]) -> PQGen[list[PGresult]]:
    """Run the last statements of a transaction together with its COMMIT, past the fault points."""
    reach(Point.STORE_BEFORE_COMMIT)
    session.committing = True
    results = yield from pipeline(session, [*calls, COMMIT], lambda: reach(Point.STORE_IN_COMMIT))
    if results[-1].command_status != b"COMMIT":
        raise StoreDown("the transaction was rolled back in COMMIT")
    session.committing = True
    reach(Point.STORE_AFTER_COMMIT)
    session.committing = False
    return results


def lock(
    session: Session, shards: Sequence[int], mode: Mode, event_ids: Sequence[tuple[int, bytes]], *, hasty: bool = False
) -> PQGen[tuple[dict[int, Held], dict[bytes, EventRow]]]:
    """Begin a transaction that holds the shards' rows, and find events by id, in one round trip."""
    wanted = array(INT4, [int4(shard) for shard in sorted(set(shards))])
    calls = [BEGIN, call("lock_shards_hastily" if hasty else "lock_shards", wanted, mode.encode())]
    if event_ids:
        calls.append(find_call(event_ids))
    results = yield from pipeline(session, calls)
    rows = [held_of(results[1], row) for row in range(results[1].ntuples)]
    held = {one.shard: one for one in rows}
    found = {row.event_id: row for row in rows_of(results[2])} if event_ids else {}
    return held, found


def side_calls(session: Session, statements: Mapping[str, str], side: Sequence[SideRows]) -> PQGen[list[Call]]:
    """Return calls of a service's own statements: one array per column of the rows."""
    calls: list[Call] = []
    for rows in side:
        made = Call(f"side_{rows.statement}", statements[rows.statement])
        types = yield from describe(session, made)
        calls += [Call(made.name, made.sql, columns(types, rows.parameters))]
    return calls


def find_call(event_ids: Sequence[tuple[int, bytes]]) -> Call:
    """Return the look-up of events by (shard, event id)."""
    return call(
        "find_all",
        array(INT4, [int4(shard) for shard, _ in event_ids]),
        array(UUID_OID, [event_id for _, event_id in event_ids]),
    )


def fault_of(error: Exception, unknown: bool) -> PiperollError:
    """Return our error for one of psycopg's or a fault point's; `unknown`: COMMIT was sent and not answered."""
    if unknown:
        return UnknownCommit(f"the connection was lost in COMMIT: {error}")
    if isinstance(error, PiperollError) and not isinstance(error, ArmedFault):
        return error
    state = error.sqlstate if isinstance(error, Error) else None
    if state == FENCED:
        return Fenced(str(error))
    if state == FALLING:
        return OwnFault(str(error))
    if state == UNIQUE_VIOLATION:
        return AlreadyStored(str(error))
    if state == ROW_HELD:
        return RowHeld(str(error))
    if state is not None and state[:2] in _OURS:
        return OwnFault(str(error))
    return StoreDown(str(error))


def _clock(fenced: PGresult) -> datetime:
    return as_time(fenced.get_value(fenced.ntuples - 1, 0)) if fenced.ntuples else as_time(int8(0))


def _fence(batches: Sequence[Batch], hasty: bool) -> Call:
    if len(batches) == 1 and not hasty:
        return call("fence", *_fence_row(batches[0]))
    rows = [_fence_row(batch) for batch in batches]
    turned = list(zip(*rows, strict=True))
    types = (INT4, TEXT, INT8, INT8, INT8, BYTEA, _TIMESTAMPTZ)
    return call(
        "fence_hastily" if hasty else "fence_all",
        *(array(oid, column) for oid, column in zip(types, turned, strict=True)),
    )


def _fence_row(batch: Batch) -> tuple[bytes, ...]:
    return (
        int4(batch.shard),
        batch.mode.encode(),
        int8(batch.epoch),
        int8(batch.held_position),
        int8(batch.next_position),
        batch.head,
        timestamptz(batch.recorded_at),
    )


def _insert(batches: Sequence[Batch]) -> Call:
    rows = [row for batch in batches for row in batch.rows]
    if len(batches) > 1:
        return call("insert_all", *row_arrays(rows))
    shard = batches[0].shard
    if len(rows) > 1:
        return call("insert_partition", *row_arrays(rows), shard=shard)
    return call("insert_one", *one_row(rows[0]), shard=shard)


def _cursors(batches: Sequence[Batch]) -> list[Call]:
    moved = [(batch.shard, cursor) for batch in batches for cursor in batch.cursors]
    if not moved:
        return []
    return [
        call(
            "move_cursors",
            array(INT4, [int4(shard) for shard, _ in moved]),
            array(TEXT, [cursor.topic.encode() for _, cursor in moved]),
            array(INT4, [int4(cursor.source_shard) for _, cursor in moved]),
            array(INT8, [int8(cursor.position) for _, cursor in moved]),
            array(BYTEA, [cursor.hash for _, cursor in moved]),
        )
    ]


def _parked(batches: Sequence[Batch]) -> list[Call]:
    waiting = [(batch.shard, parked) for batch in batches for parked in batch.parked]
    if not waiting:
        return []
    return [
        call(
            "park",
            array(INT4, [int4(shard) for shard, _ in waiting]),
            array(TEXT, [parked.topic.encode() for _, parked in waiting]),
            array(INT4, [int4(parked.source_shard) for _, parked in waiting]),
            array(INT8, [int8(parked.position) for _, parked in waiting]),
            array(TEXT, [parked.key.encode() for _, parked in waiting]),
            array(TEXT, [parked.cause.encode() for _, parked in waiting]),
            array(BYTEA, [parked.data for _, parked in waiting]),
            array(TEXT, [parked.type.encode() for _, parked in waiting]),
            array(TEXT, [optional_text(parked.trace) for _, parked in waiting]),
        )
    ]


def _ended(batches: Sequence[Batch]) -> list[Call]:
    ended = [(batch.shard, one) for batch in batches for one in batch.ended]
    if not ended:
        return []
    return [
        call(
            "end_parked",
            array(INT4, [int4(shard) for shard, _ in ended]),
            array(TEXT, [one.topic.encode() for _, one in ended]),
            array(INT4, [int4(one.source_shard) for _, one in ended]),
            array(INT8, [int8(one.position) for _, one in ended]),
            array(TEXT, [one.how.encode() for _, one in ended]),
        )
    ]
