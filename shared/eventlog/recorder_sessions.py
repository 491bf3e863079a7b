"""The recorders' connections: the same statements as the store's, run in the caller's thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from eventsourcing import persistence
from psycopg import Connection
from psycopg.abc import PQGen
from psycopg.errors import Error
from psycopg.pq.abc import PGresult
from psycopg.waiting import wait

from shared.errors import AlreadyStored, PiperollError, WorldFault
from shared.eventlog.append import fault_of
from shared.eventlog.postgres_sessions import PLANNING
from shared.postgres.queries import queries
from shared.postgres.settings import conninfo
from shared.postgres.wire import Call, Session, pipeline, rollback

SQL = queries(Path(__file__).parent / "sql" / "recorder.sql")
T = TypeVar("T")


class ThreadSessions:
    """Connections for threads, at most `limit`; opened when needed. Errors come out as the library's.

    A duplicate is IntegrityError, a fault of the world OperationalError; `Fenced` and other faults of ours stay ours.
    """

    def __init__(self, dsn: str, application: str, limit: int = 10) -> None:
        self._conninfo = conninfo(dsn, application, PLANNING)
        self._places = threading.BoundedSemaphore(limit)
        self._idle: list[Session] = []
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[Session]:
        """Lend a connection; an open transaction is rolled back when it comes back."""
        with self._places:
            session = self._take_idle() or self._connect()
            try:
                yield session
            except (Error, PiperollError) as error:
                raise library_error(fault_of(error, session.committing)) from error
            finally:
                self._put_back(session)

    def query(self, name: str, *parameters: bytes | None, shard: int | None = None) -> PGresult:
        """Run one statement of `recorder.sql` outside any transaction."""
        text = SQL[name]
        asked = Call(name, text, parameters)
        if shard is not None:
            asked = Call(f"{name}_{shard}", text.format(shard=shard), parameters)
        with self.lend() as session:
            return self.run(session, pipeline(session, [asked]))[0]

    def run(self, session: Session, work: PQGen[T]) -> T:
        """Run a generator in this thread."""
        return wait(work, session.pgconn.socket, interval=1.0)

    def close(self) -> None:
        """Close the connections that are not lent out; those that come back are closed then."""
        self._closed = True
        while self._idle:
            _close(self._idle.pop())

    def _take_idle(self) -> Session | None:
        while True:
            try:
                session = self._idle.pop()
            except IndexError:
                return None
            try:
                session.pgconn.consume_input()
            except Error:
                session.pgconn.finish()
                continue
            return session

    def _connect(self) -> Session:
        if self._closed:
            raise persistence.OperationalError("the recorder was closed")
        try:
            connection = Connection.connect(self._conninfo, autocommit=True)
        except Error as error:
            raise persistence.OperationalError(str(error)) from error
        return Session(connection.pgconn, keeper=connection)

    def _put_back(self, session: Session) -> None:
        if not session.usable and not session.committing:
            try:
                self.run(session, rollback(session))
            except Error:
                pass
        if session.usable and not session.committing and not self._closed:
            self._idle.append(session)
        else:
            _close(session)


def library_error(error: PiperollError) -> Exception:
    """Return the library's error that a plain `eventsourcing` application knows, ours where there is none."""
    if isinstance(error, AlreadyStored):
        return persistence.IntegrityError(str(error))
    if isinstance(error, WorldFault):
        return persistence.OperationalError(str(error))
    return error


def _close(session: Session) -> None:
    if isinstance(session.keeper, Connection):
        session.keeper.close()
