"""libpq as generators: one or more statements in one round trip, and COPY from a ready buffer.

A generator yields what it waits for and is run by `psycopg.waiting.wait` in a thread or `wait_async` in an event
loop, so both have one path. All parameters and results are binary.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from psycopg.abc import PQGen
from psycopg.errors import OperationalError, error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

T = TypeVar("T")


class Call(NamedTuple):
    """One prepared statement with its parameters."""

    name: str
    sql: str
    parameters: Sequence[bytes | None] = ()


BEGIN = Call("begin", "BEGIN")
COMMIT = Call("commit", "COMMIT")
ROLLBACK = Call("rollback", "ROLLBACK")


class Backend(NamedTuple):
    """A server process: its pid and start time, which together name it once and for all."""

    pid: bytes
    started: bytes


@dataclass
class Session:
    """One connection. `committing` stands while a COMMIT is sent and its answer is not known.

    `keeper` is the psycopg connection that owns the handle.
    """

    pgconn: PGconn
    keeper: object = None
    backend: Backend | None = None
    committing: bool = False
    prepared: set[str] = field(default_factory=set)
    parameter_types: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Tell whether the connection is up and outside any transaction."""
        return self.pgconn.status == ConnStatus.OK and self.pgconn.transaction_status == TransactionStatus.IDLE


def pipeline(
    session: Session, calls: Sequence[Call], after_send: Callable[[], None] | None = None
) -> PQGen[list[PGresult]]:
    """Run statements in one round trip and return their results; the first error of the server is raised.

    After an error of the server the connection is in step again; after OperationalError it is not usable.
    """
    pgconn = session.pgconn
    pgconn.enter_pipeline_mode()
    expected: list[str | None] = []
    for name, sql, parameters in calls:
        if name not in session.prepared and name not in expected:
            pgconn.send_prepare(name.encode(), sql.encode())
            expected.append(name)
        pgconn.send_query_prepared(
            name.encode(), parameters, [Format.BINARY] * len(parameters), result_format=Format.BINARY
        )
        expected.append(None)
    pgconn.pipeline_sync()
    yield from _flush(pgconn)
    if after_send is not None:
        after_send()
    results, failure = yield from _gather(session, expected)
    pgconn.exit_pipeline_mode()
    if failure is not None:
        raise error_from_result(failure)
    return results


def _gather(session: Session, expected: Sequence[str | None]) -> PQGen[tuple[list[PGresult], PGresult | None]]:
    """Read up to the synchronisation point; `expected` names a preparation or, None, a statement."""
    results: list[PGresult] = []
    failure: PGresult | None = None
    for name in expected:
        result = yield from _next(session.pgconn)
        if result.status in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            if name is None:
                results.append(result)
            else:
                session.prepared.add(name)
        elif failure is None:
            failure = result
        if (yield from _take(session.pgconn)) is not None:
            raise OperationalError("the server's answers are out of step")
    synced = yield from _next(session.pgconn)
    if synced.status != ExecStatus.PIPELINE_SYNC:
        raise error_from_result(failure or synced)
    session.committing = False
    return results, failure


def describe(session: Session, call: Call) -> PQGen[tuple[int, ...]]:
    """Return the object ids of a statement's parameters, asked once per connection."""
    if call.name not in session.parameter_types:
        pgconn = session.pgconn
        if call.name not in session.prepared:
            pgconn.send_prepare(call.name.encode(), call.sql.encode())
            yield from _one(pgconn)
            session.prepared.add(call.name)
        pgconn.send_describe_prepared(call.name.encode())
        described = yield from _one(pgconn)
        types = tuple(described.param_type(number) for number in range(described.nparams))
        session.parameter_types[call.name] = types
    return session.parameter_types[call.name]


def copy(session: Session, sql: str, data: bytes) -> PQGen[None]:
    """Run `COPY … FROM STDIN (FORMAT binary)` with a buffer that holds header, rows and trailer."""
    pgconn = session.pgconn
    pgconn.send_query(sql.encode())
    yield from _flush(pgconn)
    started = yield from _next(pgconn)
    if started.status != ExecStatus.COPY_IN:
        yield from _take(pgconn)
        raise error_from_result(started)
    while pgconn.put_copy_data(data) == 0:
        yield Wait.W
    while pgconn.put_copy_end() == 0:
        yield Wait.W
    yield from _one(pgconn)


def rollback(session: Session) -> PQGen[None]:
    """End an open transaction without effect, so that its locks go now and the connection can be used again."""
    if session.pgconn.status == ConnStatus.OK and session.pgconn.transaction_status in (
        TransactionStatus.INTRANS,
        TransactionStatus.INERROR,
    ):
        yield from pipeline(session, [ROLLBACK])


def _one(pgconn: PGconn) -> PQGen[PGresult]:
    """Read the only result of what was sent; an error of the server is raised."""
    yield from _flush(pgconn)
    result = yield from _next(pgconn)
    while (yield from _take(pgconn)) is not None:
        pass
    if result.status == ExecStatus.FATAL_ERROR:
        raise error_from_result(result)
    return result


def _next(pgconn: PGconn) -> PQGen[PGresult]:
    result = yield from _take(pgconn)
    if result is None:
        raise OperationalError("the server's answers are out of step")
    return result


def _take(pgconn: PGconn) -> Generator[Wait, Ready, PGresult | None]:
    while pgconn.is_busy():
        if (yield Wait.R) & Ready.R:
            pgconn.consume_input()
    return pgconn.get_result()


def _flush(pgconn: PGconn) -> PQGen[None]:
    while pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            pgconn.consume_input()
