"""Reads of many callers over few connections: a question goes out at once, answers come back in the order of asking."""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from psycopg.adapt import Transformer
from psycopg.errors import Error, OperationalError, QueryCanceled, error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGresult

from shared.errors import Overloaded, StoreDown
from shared.postgres.settings import conninfo
from shared.postgres.wire import Call

MOST_WAITING = 2_000
PATIENCE_S = 10.0
LOOK_EVERY_S = 1.0
TRIES = 3

Row = tuple[Any, ...]


class _Asked(NamedTuple):
    answer: "asyncio.Future[PGresult]"
    at: float
    prepares: str | None


class _Line:
    """One connection in pipeline mode. Each question is followed by a synchronisation, so that one that fails harms no
    other. Once broken, all that wait get OperationalError.
    """

    def __init__(self, connection: AsyncConnection[Row], loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._loop = loop
        self._prepared: set[str] = set()
        self._found: PGresult | None = None
        self._failure: PGresult | None = None
        self.waiting: deque[_Asked] = deque()
        self.well = True
        self._socket = self._pgconn.socket  # a lost connection does not tell it any more
        self._pgconn.enter_pipeline_mode()
        loop.add_reader(self._socket, self._read)

    def ask(self, call: Call) -> "asyncio.Future[PGresult]":
        """Send a question; nothing but what is sent before it has to be answered before it."""
        name, sql, parameters = call
        new = name not in self._prepared
        answer: asyncio.Future[PGresult] = self._loop.create_future()
        self.waiting.append(_Asked(answer, self._loop.time(), name if new else None))
        try:
            if new:
                self._prepared.add(name)
                self._pgconn.send_prepare(name.encode(), sql.encode())
            self._pgconn.send_query_prepared(
                name.encode(), parameters, [Format.BINARY] * len(parameters), result_format=Format.BINARY
            )
            self._pgconn.pipeline_sync()
            self._flush()
        except Error as error:
            self.end(error)
        return answer

    def look(self) -> None:
        """End a connection whose server has not answered for too long."""
        if self.waiting and self._loop.time() - self.waiting[0].at > PATIENCE_S:
            self.end(OperationalError("the server does not answer"))

    def end(self, error: Error) -> None:
        """Close the connection and tell all that wait."""
        if self.well:
            self.well = False
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._pgconn.finish()
        while self.waiting:
            answer = self.waiting.popleft().answer
            if not answer.done():
                answer.set_exception(OperationalError(str(error)))

    def _flush(self) -> None:
        if self._pgconn.flush():
            self._loop.add_writer(self._socket, self._write)

    def _write(self) -> None:
        try:
            if not self._pgconn.flush():
                self._loop.remove_writer(self._socket)
        except Error as error:
            self.end(error)

    def _read(self) -> None:
        try:
            self._pgconn.consume_input()
            while self.waiting and not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is not None:
                    self._take(result)
        except Error as error:
            self.end(error)

    def _take(self, result: PGresult) -> None:
        match result.status:
            case ExecStatus.PIPELINE_SYNC:
                self._answer()
            case ExecStatus.TUPLES_OK:
                self._found = result
            case ExecStatus.FATAL_ERROR:
                self._failure = result
            case _:
                pass  # a preparation, or what follows a failure

    def _answer(self) -> None:
        asked = self.waiting.popleft()
        found, failure = self._found, self._failure
        self._found = self._failure = None
        if asked.answer.done():
            return
        if found is not None and failure is None:
            asked.answer.set_result(found)
            return
        if asked.prepares is not None:
            self._prepared.discard(asked.prepares)
        asked.answer.set_exception(
            error_from_result(failure) if failure is not None else OperationalError("a question without an answer")
        )


class Reader:
    """At most `connections` of them, opened when needed. Statements are prepared once, parameters and results binary.

    A question whose connection broke is asked again on another; StoreDown where there is none, Overloaded where too
    many wait. `run` ends connections that do not answer.
    """

    def __init__(self, dsn: str, application: str, connections: int, settings: Mapping[str, str]) -> None:
        self._conninfo = conninfo(dsn, application, settings)
        self._most = connections
        self._lines: list[_Line] = []
        self._opening = asyncio.Lock()
        self._rows = Transformer()

    async def ask(self, call: Call) -> list[Row]:
        """Return the rows of a statement."""
        for tries_left in range(TRIES - 1, -1, -1):
            line = self._free() or await self._line()
            if len(line.waiting) >= MOST_WAITING:
                raise Overloaded("too many questions wait for the database")
            try:
                result = await line.ask(call)
            except QueryCanceled as error:
                raise StoreDown(f"the database took too long: {error}") from error
            except OperationalError as error:
                if tries_left == 0:
                    raise StoreDown(f"the database cannot be reached: {error}") from error
                continue
            self._rows.set_pgresult(result, set_loaders=True, format=Format.BINARY)
            return self._rows.load_rows(0, result.ntuples, tuple)
        raise AssertionError("unreachable")

    async def run(self) -> None:
        """Look after the connections until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for line in self._lines:
                line.look()

    async def close(self) -> None:
        """End all connections."""
        for line in self._lines:
            line.end(OperationalError("the reader was closed"))
        self._lines = []

    def _free(self) -> _Line | None:
        """Return the connection on which the fewest wait, None where another one should be opened."""
        best: _Line | None = None
        well = 0
        for line in self._lines:
            if line.well:
                well += 1
                if best is None or len(line.waiting) < len(best.waiting):
                    best = line
        return best if best is not None and (well == self._most or not best.waiting) else None

    async def _line(self) -> _Line:
        async with self._opening:
            line = self._free()
            if line is not None:
                return line
            try:
                connection = await AsyncConnection.connect(self._conninfo, autocommit=True)
            except (Error, OSError) as error:
                raise StoreDown(str(error)) from error
            line = _Line(connection, asyncio.get_running_loop())
            self._lines = [one for one in self._lines if one.well] + [line]
            return line
