"""A projection rebuilt beside the live one and swapped in.

The fold goes into a scratch schema while the live tables answer and move on. Near the end the table of cursors is
locked, so that nobody folds, the rest is folded, and tables and cursors change in one transaction. A reader sees the
old tables or the new ones, and the new ones are at least as far. What ends a rebuild before its commit leaves the live
projection as it was; the next one begins at nothing.
"""

import gc
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psycopg
from psycopg.errors import DeadlockDetected, LockNotAvailable

from shared.errors import OwnFault, WorldFault
from shared.eventlog import scratch
from shared.eventlog.origin import Chain, Origin, Positions, fold_range, gathered
from shared.eventlog.projections import CHANNEL, Gathering, Projection
from shared.faults import Point, reach
from shared.postgres.queries import queries
from shared.postgres.settings import IDLE_IN_TRANSACTION_TIMEOUT_MS, conninfo
from shared.telemetry.logs import logger

log = logger(__name__)

_SQL = queries(Path(__file__).parent / "sql" / "rebuild.sql")
APPLICATION = "piperoll-rebuild"
FOLDING = {"synchronous_commit": "off", "idle_in_transaction_session_timeout": "0"}
"""Of a session that folds into a scratch: it waits for facts within its transactions, and nobody waits for it."""
NEAR = 2_000
"""So many facts may be left to fold while everybody waits."""
IN_PARALLEL_FROM = 20_000
STEP = 100_000
ROUNDS = 100
TRIES = 40
LOCK_FIRST_S = 0.1
LOCK_MOST_S = 1.6
"""Longer than PostgreSQL's deadlock_timeout, after which a vacuum gives way."""
PAUSE_S = 0.2


class RebuildUnderWay(WorldFault):
    """Another rebuild of this projection has not ended."""


class CannotSwap(WorldFault):
    """The log grows faster than it is folded, or the tables are never free for a moment."""


class ShapeChanged(OwnFault):
    """The live tables are not those for which the scratch tables were made: a migration ran meanwhile."""


class _StillFar(Exception):
    """More is left to fold than may be while everybody waits."""


def rebuild(dsn: str, projection: Projection, origin: Origin, processes: int = 1) -> Positions:
    """Fold all facts anew and put the result in the live one's place; return how far it is.

    Errors: RebuildUnderWay, CannotSwap, ShapeChanged, psycopg.Error, and what the projection raises; each leaves the
    live projection as it was.
    """
    with psycopg.connect(conninfo(dsn, APPLICATION, FOLDING), autocommit=True) as connection:
        try:
            connection.execute(_SQL["alone"], (projection.name,))
        except LockNotAvailable as error:
            raise RebuildUnderWay(f"{projection.name} is being rebuilt already") from error
        with closing(origin):
            return Rebuild(dsn, connection, projection, origin, processes).run()


def is_free(cursor: psycopg.Cursor[Any], projection: Projection) -> bool:
    """Tell whether nobody rebuilds the projection; nobody begins to until the transaction ends."""
    row = cursor.execute(_SQL["try_alone"], (projection.name,)).fetchone()
    return row is not None and bool(row[0])


class Rebuild:
    """One rebuild, on a connection that holds its lock."""

    def __init__(
        self,
        dsn: str,
        connection: psycopg.Connection[Any],
        projection: Projection,
        origin: Origin,
        processes: int,
    ) -> None:
        self._dsn = dsn
        self._connection = connection
        self._projection = projection
        self._origin = origin
        self._processes = processes
        self._scratch = "rebuild_" + "".join(c if c.isalnum() else "_" for c in projection.name.lower())
        self._shape = ""
        self._done: Positions = {}

    def run(self) -> Positions:
        """Make the scratch, fold, swap; on any error the scratch goes away, if the database can be reached."""
        started = time.monotonic()
        with self._connection.cursor() as cursor:
            self._shape = scratch.make(cursor, self._scratch, self._projection)
            try:
                self._catch_up(cursor)
                cursor.execute(_SQL["count"], (self._scratch, list(self._projection.tables)))
                self._swap_in(cursor)
            except BaseException:
                with suppress(psycopg.Error):
                    cursor.execute(_SQL["drop"], (self._scratch,))
                raise
        log.info("projection_rebuilt", projection=self._projection.name, version=self._projection.version,
                 facts=sum(self._done.values()), seconds=round(time.monotonic() - started, 3))  # fmt: skip
        return self._done

    def _catch_up(self, cursor: psycopg.Cursor[Any]) -> None:
        """Fold until little is left."""
        for _ in range(ROUNDS):
            left = self._left(self._origin.ends(cursor))
            distance = sum(until - after for after, until in left.values())
            if self._processes > 1 and distance >= IN_PARALLEL_FROM:
                self._fold_in_processes(left)
            else:
                fold_into(self._connection, self._projection, self._origin, self._scratch, left)
            self._done |= {chain: until for chain, (_, until) in left.items()}
            if distance <= NEAR:
                return
        raise CannotSwap(f"{self._projection.name}: the log grows faster than it is folded")

    def _left(self, ends: Mapping[Chain, int]) -> dict[Chain, tuple[int, int]]:
        """Return the range of each chain that is left to fold, also an empty one."""
        return {chain: (self._done.get(chain, 0), max(end, self._done.get(chain, 0))) for chain, end in ends.items()}

    def _fold_in_processes(self, left: Mapping[Chain, tuple[int, int]]) -> None:
        """Deal the chains out, the longest first, one hand to this process; what one raises ends the rebuild."""
        hands: list[dict[Chain, tuple[int, int]]] = [{} for _ in range(self._processes)]
        for chain, ends in sorted(left.items(), key=lambda one: one[1][0] - one[1][1]):
            hand = min(hands, key=lambda dealt: sum(until - after for after, until in dealt.values()))
            hand[chain] = ends
        ours, *others = [hand for hand in hands if hand]
        with ProcessPoolExecutor(self._processes, mp_context=get_context("spawn")) as pool:
            folding = [
                pool.submit(_fold_hand, self._dsn, self._projection, self._origin, self._scratch, hand)
                for hand in others
            ]
            fold_into(self._connection, self._projection, self._origin, self._scratch, ours)
            for one in folding:
                one.result()

    def _swap_in(self, cursor: psycopg.Cursor[Any]) -> None:
        """Try until everybody who folds or reads lets go for a moment; nobody waits for us longer than our patience."""
        patience_s = LOCK_FIRST_S
        for _ in range(TRIES):
            try:
                self._done = self._swap(cursor, patience_s)
                return
            except (LockNotAvailable, DeadlockDetected, _StillFar) as error:
                log.info("projection_swap_waits", projection=self._projection.name, cause=repr(error))
            patience_s = min(LOCK_MOST_S, 2 * patience_s)
            time.sleep(PAUSE_S)
            self._catch_up(cursor)
        raise CannotSwap(f"{self._projection.name}: its tables were never free in {TRIES} tries")

    def _swap(self, cursor: psycopg.Cursor[Any], patience_s: float) -> Positions:
        projection, origin, tables = self._projection, self._origin, list(self._projection.tables)
        with self._connection.transaction():
            cursor.execute("SET LOCAL synchronous_commit = on")
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_TIMEOUT_MS}".encode())
            cursor.execute(f"SET LOCAL lock_timeout = {int(1000 * patience_s)}".encode())
            cursor.execute(f"LOCK TABLE {origin.cursors} IN EXCLUSIVE MODE".encode())
            _, live = origin.live(cursor, projection.name)
            left = self._left(live)
            if sum(until - after for after, until in left.values()) > NEAR:
                raise _StillFar
            with scratch.inside(cursor, self._scratch):
                fold_range(cursor, projection, origin, left)
                for facts in origin.late(cursor):
                    projection.apply(cursor, facts)
            reached = self._done | {chain: until for chain, (_, until) in left.items()}
            swapped = cursor.execute(_SQL["swap"], (self._scratch, tables, self._shape)).fetchone()
            if swapped is None or not swapped[0]:
                raise ShapeChanged(f"the tables of {projection.name} were changed meanwhile: rebuild it again")
            origin.stand(cursor, projection.name, projection.version, reached)
            cursor.execute("SELECT pg_notify(%s, '')", (CHANNEL,))
            reach(Point.PROJECTION_BEFORE_SWAP)
        return reached


def fold_into(
    connection: psycopg.Connection[Any],
    projection: Projection,
    origin: Origin,
    schema: str,
    ranges: Mapping[Chain, tuple[int, int]],
) -> None:
    """Fold ranges into scratch tables, in transactions of a bounded number of facts; none is open while sums gather."""

    @contextmanager
    def inside() -> Iterator[psycopg.Cursor[Any]]:
        with connection.transaction(), connection.cursor() as cursor, scratch.inside(cursor, schema):
            yield cursor

    with _uncollected():
        if isinstance(projection, Gathering):
            for sums in gathered(projection, origin, ranges):
                with inside() as cursor:
                    projection.set_aside(cursor, sums)
            with inside() as cursor:
                projection.put(cursor)
            return
        for chain, (after, until) in ranges.items():
            for start in range(after, until, STEP):
                with inside() as cursor:
                    fold_range(cursor, projection, origin, {chain: (start, min(until, start + STEP))})


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the collector away from facts and sums: they have no cycles, and there are very many of them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _fold_hand(
    dsn: str, projection: Projection, origin: Origin, schema: str, ranges: Mapping[Chain, tuple[int, int]]
) -> None:
    with psycopg.connect(conninfo(dsn, APPLICATION, FOLDING), autocommit=True) as connection:
        fold_into(connection, projection, origin, schema, ranges)
