"""The log in PostgreSQL: `Store`, `RelayStore` and `Seeks` over the one append path, inside the event loop."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from psycopg.abc import PQGen
from psycopg.pq.abc import PGresult

from shared.errors import Fenced
from shared.eventlog.append import append, call, commit, find_call, lock, side_calls
from shared.eventlog.append_rows import held_of, rows_of
from shared.eventlog.ports import (
    Batch,
    Cursor,
    EventRow,
    Fate,
    Held,
    Mode,
    Parked,
    SharedPlan,
    SideRows,
    StoredState,
)
from shared.eventlog.postgres_groups import Groups
from shared.eventlog.postgres_places import PostgresPlaces
from shared.eventlog.postgres_sessions import Sessions, again_after_lock_timeout
from shared.postgres.binary import BYTEA, INT4, INT8, TEXT, UUID_OID, array, int4, int8, read_bytes, read_int, read_text
from shared.postgres.wire import BEGIN, Session, pipeline, rollback


class PostgresStore(PostgresPlaces):
    """One service's log. `statements` are the service's own, by the name that `SideRows` carries.

    Each of them takes one array per column of its rows (`INSERT … SELECT * FROM unnest($1::text[], $2::bigint[])`).
    Connections are opened as they are needed, at most `connections` of them; `close` ends them.
    """

    def __init__(
        self, dsn: str, service: str, *, statements: Mapping[str, str] | None = None, connections: int = 8
    ) -> None:
        super().__init__(Sessions(dsn, f"piperoll-{service}-log", connections))
        self.service = service
        self._statements = dict(statements or {})
        self._groups = Groups(self._append)

    async def close(self) -> None:
        """End the connections."""
        await self._groups.close()
        await self._sessions.close()

    async def take_over(self, shard: int) -> Held:
        [_, result, _] = await self._sessions.change([BEGIN, call("take_over", int4(shard))], [shard])
        return held_of(result, 0)

    async def cursors(self, shard: int) -> Sequence[Cursor]:
        result = await self._sessions.query(call("cursors", int4(shard)))
        return [
            Cursor(
                read_text(result, row, 0),
                read_int(result, row, 1),
                read_int(result, row, 2),
                read_bytes(result, row, 3),
            )
            for row in range(result.ntuples)
        ]

    async def holds(self, shard: int) -> Sequence[Parked]:
        result = await self._sessions.query(call("holds", int4(shard)))
        return [_parked(result, row) for row in range(result.ntuples)]

    async def strays(self, shard: int) -> Sequence[tuple[str, int]]:
        result = await self._sessions.query(call("strays", int4(shard)))
        return [(read_text(result, row, 0), read_int(result, row, 1)) for row in range(result.ntuples)]

    async def load(self, shard: int, streams: Sequence[str], schema: bytes) -> dict[str, StoredState]:
        wanted = array(TEXT, [stream.encode() for stream in streams])
        result = await self._sessions.query(call("load", wanted, schema, shard=shard))
        snapshots: dict[str, EventRow] = {}
        rows: dict[str, list[EventRow]] = {stream: [] for stream in streams}
        for row in rows_of(result):
            if row.position:
                rows[row.stream].append(row)
            else:
                snapshots[row.stream] = row
        return {
            stream: StoredState(kept.data, kept.version, rows[stream])
            if (kept := snapshots.get(stream))
            else StoredState(b"", 0, rows[stream])
            for stream in streams
        }

    async def find(self, shard: int, event_ids: Sequence[bytes]) -> dict[bytes, EventRow]:
        result = await self._sessions.query(call("find", array(UUID_OID, event_ids), shard=shard))
        return {row.event_id: row for row in rows_of(result)}

    async def append(self, batch: Batch) -> datetime:
        return await self._groups.append(batch)

    async def _append(self, batches: Sequence[Batch], hasty: bool) -> datetime:
        async with self._sessions.lend() as session:
            if hasty:
                work = append(session, batches, hasty=True)
            else:
                work = again_after_lock_timeout(session, lambda: append(session, batches))
            return await self._sessions.run(session, work, [batch.shard for batch in batches])

    async def append_shared(
        self, shards: Sequence[int], event_ids: Sequence[tuple[int, bytes]], plan: SharedPlan, *, hasty: bool = False
    ) -> datetime:
        async with self._sessions.lend() as session:
            if hasty:
                locking = lock(session, shards, Mode.SHARED, event_ids, hasty=True)
            else:
                locking = again_after_lock_timeout(
                    session, lambda: lock(session, shards, Mode.SHARED, event_ids), shards
                )
            held, found = await self._sessions.run(session, locking)
            batches, side = plan(held, found)
            if not batches and not side:
                await self._sessions.run(session, rollback(session))
                return max(one.database_now for one in held.values())
            return await self._sessions.run(
                session, self._store(session, batches, side), [one.shard for one in batches]
            )

    def _store(self, session: Session, batches: Sequence[Batch], side: Sequence[SideRows]) -> PQGen[datetime]:
        calls = yield from side_calls(session, self._statements, side)
        return (yield from append(session, batches, calls, locked=True))

    async def fate_of(self, batch: Batch) -> Fate:
        backend = self._sessions.lost(batch.shard)
        async with self._sessions.lend() as session:
            if backend is not None:
                await self._sessions.run(
                    session, pipeline(session, [call("end_backend", backend.pid, backend.started)])
                )
            owned = batch.mode is Mode.OWNED
            asked = [BEGIN, call("settle", int4(batch.shard), batch.mode.encode(), int8(batch.epoch))]
            if batch.rows:
                asked.append(find_call([(batch.shard, batch.rows[0].event_id)]))
            results = await self._sessions.run(
                session, again_after_lock_timeout(session, lambda: pipeline(session, asked))
            )
            position, head = read_int(results[1], 0, 0), read_bytes(results[1], 0, 1)
            if not owned:
                ours = batch.rows and [row.data for row in rows_of(results[2])] == [batch.rows[0].data]
                fate = Fate.COMMITTED if ours else Fate.REDO
            elif batch.rows and (position, head) == (batch.next_position, batch.head):
                fate = Fate.COMMITTED
            elif position == batch.held_position:
                fate = Fate.REDO  # without rows nothing tells; cursors and parked records may be stored twice
            else:
                raise Fenced(f"shard {batch.shard} stands at {position}, where another worker brought it")
            await self._sessions.run(session, commit(session, []), [batch.shard])
        self._sessions.settled(batch.shard)
        return fate

    async def read(self, shard: int, after: int, limit: int) -> Sequence[EventRow]:
        return rows_of(await self._sessions.query(call("read", int8(after), int8(limit), shard=shard)))

    async def other_types(self, shard: int, stream: str, known: Sequence[str]) -> Sequence[str]:
        types = array(TEXT, [one.encode() for one in known])
        result = await self._sessions.query(call("other_types", stream.encode(), types, shard=shard))
        return sorted(read_text(result, row, 0) for row in range(result.ntuples))

    async def ends(self, shards: Sequence[int]) -> dict[int, int]:
        result = await self._sessions.query(call("ends", array(INT4, [int4(shard) for shard in shards])))
        return {read_int(result, row, 0): read_int(result, row, 1) for row in range(result.ntuples)}

    async def save_snapshots(self, shard: int, snapshots: Sequence[tuple[str, int, bytes, bytes]]) -> None:
        if not snapshots:
            return
        shards = array(INT4, [int4(shard)] * len(snapshots))
        streams = array(TEXT, [stream.encode() for stream, _, _, _ in snapshots])
        versions = array(INT8, [int8(version) for _, version, _, _ in snapshots])
        states = array(BYTEA, [state for _, _, state, _ in snapshots])
        schemas = array(BYTEA, [schema for _, _, _, schema in snapshots])
        save = call("save_snapshots", shards, streams, versions, states, schemas)
        await self._sessions.change([BEGIN, save, call("drop_older_snapshots", shards, streams, versions)])


def _parked(result: PGresult, row: int) -> Parked:
    trace = result.get_value(row, 7)
    return Parked(
        read_text(result, row, 0),
        read_int(result, row, 1),
        read_int(result, row, 2),
        read_text(result, row, 3),
        read_text(result, row, 4),
        read_bytes(result, row, 5),
        read_text(result, row, 6),
        None if trace is None else trace.decode(),
    )
