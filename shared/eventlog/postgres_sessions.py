"""The store's connections: opened when needed, kept while they are well, run inside the event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from psycopg import AsyncConnection
from psycopg.abc import PQGen
from psycopg.errors import Error, LockNotAvailable
from psycopg.pq.abc import PGresult
from psycopg.waiting import wait_async

from shared.errors import PiperollError, StoreDown
from shared.eventlog.append import call, commit, fault_of
from shared.postgres.binary import INT4, array, int4
from shared.postgres.settings import conninfo
from shared.postgres.wire import Backend, Call, Session, pipeline, rollback

T = TypeVar("T")
LOCK_TRIES = 3
LOOK_UP_S = 1.0  # 0 would spin: psycopg wakes a waiting generator at least this often
# Every query of the log goes by an index; a plan made while a table was small must not stay when it is large.
PLANNING = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}


class Sessions:
    """At most `limit` connections. Errors come out as ours; a connection that is not well is closed, not kept."""

    def __init__(self, dsn: str, application: str, limit: int) -> None:
        self._conninfo = conninfo(dsn, application, PLANNING)
        self._places = asyncio.Semaphore(limit)
        self._idle: list[Session] = []
        self._closed = False
        self._lost: dict[int, Backend] = {}

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Session]:
        """Lend a connection; an open transaction is rolled back when it comes back."""
        async with self._places:
            session = self._take_idle() or await self._connect()
            try:
                yield session
            finally:
                await self._put_back(session)

    async def run(self, session: Session, work: PQGen[T], shards: Sequence[int] = ()) -> T:
        """Run a generator; after an unanswered COMMIT the backend is remembered for `shards`."""
        try:
            return await wait_async(work, session.pgconn.socket, interval=LOOK_UP_S)
        except (Error, PiperollError) as error:
            raise fault_of(error, session.committing) from error
        finally:
            if session.committing and session.backend is not None:
                self._lost.update(dict.fromkeys(shards, session.backend))

    async def query(self, asked: Call) -> PGresult:
        """Run one statement outside any transaction."""
        async with self.lend() as session:
            [result] = await self.run(session, pipeline(session, [asked]))
            return result

    async def change(self, calls: Sequence[Call], shards: Sequence[int] = ()) -> list[PGresult]:
        """Run statements and COMMIT; the first of them is BEGIN. `shards` are those whose rows they lock."""
        async with self.lend() as session:
            return await self.run(session, again_after_lock_timeout(session, lambda: commit(session, calls), shards))

    def lost(self, shard: int) -> Backend | None:
        """Return the backend of the shard's last commit that went unanswered."""
        return self._lost.get(shard)

    def settled(self, shard: int) -> None:
        """Forget that backend: its commit's fate is known."""
        self._lost.pop(shard, None)

    async def close(self) -> None:
        """Close the connections that are not lent out; those that come back are closed then."""
        self._closed = True
        while self._idle:
            await _close(self._idle.pop())

    def _take_idle(self) -> Session | None:
        while self._idle:
            session = self._idle.pop()
            try:
                session.pgconn.consume_input()
            except Error:
                session.pgconn.finish()
                continue
            return session
        return None

    async def _connect(self) -> Session:
        if self._closed:
            raise StoreDown("the store was closed")
        try:
            connection = await AsyncConnection.connect(self._conninfo, autocommit=True)
        except (Error, OSError) as error:
            raise StoreDown(str(error)) from error
        session = Session(connection.pgconn, keeper=connection)
        [result] = await self.run(session, pipeline(session, [call("backend")]))
        session.backend = Backend(result.get_value(0, 0) or b"", result.get_value(0, 1) or b"")
        return session

    async def _put_back(self, session: Session) -> None:
        if not session.usable and not session.committing:
            try:
                await wait_async(rollback(session), session.pgconn.socket, interval=LOOK_UP_S)
            except Error:
                pass
        if session.usable and not session.committing and not self._closed:
            self._idle.append(session)
        else:
            await _close(session)


def again_after_lock_timeout(session: Session, work: Callable[[], PQGen[T]], shards: Sequence[int] = ()) -> PQGen[T]:
    """Run `work`, and again from its BEGIN when a lock was not had in time (2 s), three times in all.

    Who held the rows of `shards` meanwhile and only waited for its client is ended before the next try: a process that
    stands still in the middle of COPY is bound by no time-out of the server.
    """
    for _ in range(LOCK_TRIES - 1):
        try:
            return (yield from work())
        except LockNotAvailable:
            yield from rollback(session)
            if shards:
                yield from pipeline(session, [call("end_holders", array(INT4, [int4(shard) for shard in shards]))])
    return (yield from work())


async def _close(session: Session) -> None:
    if isinstance(session.keeper, AsyncConnection):
        await session.keeper.close()
