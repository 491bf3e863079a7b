"""Keeps a service's projections of its own log up to date: one runner per held shard.

The cursors' rows are locked first and say from where to fold, so two runners of one shard (an old owner and a new
one) wait for each other and fold nothing twice. A batch's rows, cursors and its one NOTIFY are one transaction, whose
commit need not be durable: what is lost in a crash is folded again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from shared.contracts.envelope import open_fact
from shared.errors import BadRecord
from shared.eventlog.held_shard import ShardContext
from shared.eventlog.own_log import OwnLog
from shared.eventlog.ports import EventRow
from shared.eventlog.projections import CHANNEL, Placed, Projection
from shared.eventlog.rebuild_process import Rebuilds
from shared.eventlog.swap import is_free
from shared.faults import Point, reach
from shared.postgres.queries import queries
from shared.postgres.settings import conninfo
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)

_SQL = queries(Path(__file__).parent / "sql" / "projection.sql")
BATCH = 500
FRESH_ROWS = 4 * BATCH
LOOK_EVERY_S = 2.0
GATHER_S = 0.1
BUSY_GATHER_S = 0.5
QUIET_S = 1.0
RETRY_FIRST_S = 0.1
RETRY_MOST_S = 5.0


_rebuilds = Rebuilds()


class ProjectionRunner:
    """A part of a held shard. A projection that fails stands still, with its lag as alarm; it is tried again.

    One runner's projections move together once they have caught up. Where the tables hold another version than ours
    the projection stands still: of an older one ours is rebuilt beside it and swapped in, a newer one is left to the
    workers that know it. After a commit the runner waits `gather_s`, while the log is busy half a second, so that it is
    folded in batches.
    """

    def __init__(
        self,
        context: ShardContext,
        projections: Sequence[Projection],
        gather_s: float = GATHER_S,
        rebuilds: Rebuilds = _rebuilds,
    ) -> None:
        self.position = 0
        self._rebuilds = rebuilds
        self._standing: dict[str, int] = {}
        self._gather_s = gather_s
        self._folded_at = 0.0
        self._context = context
        self._projections = projections
        self._fresh: list[EventRow] = []
        self._end = 0
        self._wake = asyncio.Event()
        self._stopping = False
        self._connection: psycopg.Connection[Any] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to fold; what was committed before is read from the store."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def committed(self, rows: Sequence[EventRow]) -> None:
        """Take note of new rows; they are kept at hand, up to a bound, to spare a read."""
        self._end = rows[-1].position
        if len(self._fresh) + len(rows) > FRESH_ROWS:
            self._fresh = []
        else:
            self._fresh.extend(rows)
        self._wake.set()

    async def stop(self) -> None:
        """End after the batch under way."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task
        if self._connection is not None:
            await asyncio.to_thread(self._connection.close)

    async def _run(self) -> None:
        retry_s = RETRY_FIRST_S
        while not self._stopping:
            self._wake.clear()
            try:
                while not self._stopping and await self._fold_some():
                    retry_s = RETRY_FIRST_S
            except Exception as error:
                log.error("projection_stands_still", shard=self._context.shard, error=repr(error), exc_info=error)
                self._show_lag()
                await self._forget_connection()
                await self._pause(retry_s)
                retry_s = min(RETRY_MOST_S, 2 * retry_s)
            else:
                await self._pause(LOOK_EVERY_S)
                if not self._stopping:
                    await asyncio.sleep(self._gathering_s())

    def _gathering_s(self) -> float:
        busy = self._context.clock.monotonic() - self._folded_at < QUIET_S
        return max(self._gather_s, BUSY_GATHER_S) if busy else self._gather_s

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _fold_some(self) -> bool:
        """Fold one batch; tell whether more is known to wait."""
        rows = await self._rows_after(self.position)
        self._end = max(self._end, rows[-1].position if rows else 0)
        started, before = self._context.clock.monotonic(), self.position
        self.position = await asyncio.to_thread(self._apply, rows)
        if rows:
            self._folded_at = self._context.clock.monotonic()
            self._measure(self._folded_at - started)
        return len(rows) == BATCH or self.position < before or self._end > self.position

    async def _rows_after(self, position: int) -> Sequence[EventRow]:
        fresh = [row for row in self._fresh if row.position > position]
        self._fresh = fresh[BATCH:] if fresh and fresh[0].position == position + 1 else []
        if fresh and fresh[0].position == position + 1:
            return fresh[:BATCH]
        return await self._context.store.read(self._context.shard, position, BATCH)

    def _apply(self, rows: Sequence[EventRow]) -> int:
        """Fold rows in one transaction and return the position from which to go on. Runs in a thread."""
        service, shard = self._context.service, self._context.shard
        facts = _facts(service, shard, rows)
        connection = self._connected()
        with connection.transaction(), connection.cursor() as cursor:
            behind = self._lock(cursor)
            end = facts[-1].position if facts else 0
            start = min(behind.values(), default=end)
            if not facts or start + 1 < facts[0].position or start >= end:
                return start
            moved = [one for one in self._projections if behind.get(one.name, end) < end]
            for projection in moved:
                projection.apply(cursor, [fact for fact in facts if fact.position > behind[projection.name]])
            cursor.execute(_SQL["move"], (end, *_keys(moved), service, shard))
            cursor.execute(_SQL["notify"], (CHANNEL, f"{service}.{shard}.{end}"))
            reach(Point.PROJECTION_BEFORE_COMMIT)
        return end

    def _lock(self, cursor: psycopg.Cursor[Any]) -> dict[str, int]:
        """Lock the cursors' rows and return the positions of the projections whose tables hold our version."""
        names, place = [one.name for one in self._projections], (self._context.service, self._context.shard)
        rows = cursor.execute(_SQL["lock"], (names, *place)).fetchall()
        newest = {name: (version, position) for name, version, position in rows}
        ours = {
            one.name: newest[one.name][1] for one in self._projections if newest.get(one.name, (0,))[0] == one.version
        }
        others = [one for one in self._projections if one.name not in ours]
        self._standing = {one.name: newest.get(one.name, (0, 0))[1] for one in others}
        if others:
            ours |= self._begin(cursor, others)
        return ours

    def _begin(self, cursor: psycopg.Cursor[Any], others: Sequence[Projection]) -> dict[str, int]:
        """Begin at nothing what is in nobody's tables; of an older version have ours made beside it."""
        service, shard = self._context.service, self._context.shard
        found = cursor.execute(_SQL["versions"], ([one.name for one in others],)).fetchall()
        versions: Mapping[str, int] = dict(found)
        for one in others:
            if versions.get(one.name, one.version) < one.version and is_free(cursor, one):
                origin = OwnLog(self._context.dsn, service)
                self._rebuilds.begin(self._context.dsn, service, one, origin)
        new = [one for one in others if versions.get(one.name, one.version) == one.version]
        if new:
            cursor.execute(_SQL["begin"], (service, shard, *_keys(new)))
        for one in new:
            del self._standing[one.name]
        return dict.fromkeys((one.name for one in new), 0)

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            application = f"piperoll-{self._context.service}-projection"
            asynchronous = {"synchronous_commit": "off"}
            self._connection = psycopg.connect(conninfo(self._context.dsn, application, asynchronous), autocommit=True)
        return self._connection

    async def _forget_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                await asyncio.to_thread(connection.close)

    def _measure(self, seconds: float) -> None:
        for projection in self._projections:
            metrics.PROJECTION_SECONDS.labels(projection.name).observe(seconds)
        self._show_lag()

    def _show_lag(self) -> None:
        source = f"{self._context.service}.{self._context.shard}"
        for projection in self._projections:
            position = self._standing.get(projection.name, self.position)
            metrics.PROJECTION_LAG.labels(projection.name, source).set(max(0, self._end - position))


def _facts(service: str, shard: int, rows: Sequence[EventRow]) -> list[Placed]:
    """Open rows up to the first that this version cannot read, which a newer one may have written.

    Where that is the very first: BadRecord, and the projections stand still before it.
    """
    facts: list[Placed] = []
    for row in rows:
        try:
            facts.append(Placed(service, shard, row.position, open_fact(row.data)))
        except BadRecord:
            if not facts:
                raise
            break
    return facts


def _keys(projections: Sequence[Projection]) -> tuple[list[str], list[int]]:
    return [one.name for one in projections], [one.version for one in projections]
