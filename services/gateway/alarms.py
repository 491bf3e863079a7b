"""What nobody may miss: a request of which billing, or the ledger, has said nothing for 60 seconds."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from shared.clock import Clock, rfc3339
from shared.errors import StoreDown
from shared.postgres.pool import async_pool
from shared.postgres.queries import queries
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)

_SQL = {name: text.encode() for name, text in queries(Path(__file__).with_suffix(".sql")).items()}
LIMIT = timedelta(seconds=60)
AT_ONCE = 500
MOST_OVERDUE = 10_000
KINDS = ("account", "invoice", "payment", "refund", "transfer", "merge", "statement", "journal", "reversal", "request")


class Asked(msgspec.Struct, frozen=True):
    """A request as it was committed, and whether anything was said of it."""

    id: str
    kind: str
    shard: int
    position: int
    created_at: datetime
    has_word: bool


class Overdue:
    """Which requests are overdue: each is looked at when it is 60 s old, and from then on until it is answered.

    Within a shard neither positions nor times fall, so that all up to the position in `seen` have been looked at.
    """

    def __init__(self) -> None:
        self.waiting: dict[str, Asked] = {}
        self.seen: dict[int, int] = {}

    def look_after(self, shards: Collection[int]) -> None:
        """Begin with shards that are new, and forget those that are not named any more."""
        self.seen = {shard: self.seen.get(shard, 0) for shard in shards}
        self.waiting = {name: one for name, one in self.waiting.items() if one.shard in self.seen}

    def take(self, asked: Iterable[Asked]) -> list[Asked]:
        """Take each shard's next requests that are old enough, in order; return those of which nothing was said."""
        found: list[Asked] = []
        for one in asked:
            self.seen[one.shard] = one.position
            if not one.has_word:
                self.waiting[one.id] = one
                found.append(one)
        return found

    def keep(self, still: Collection[str]) -> None:
        """Keep those only of which still nothing was said."""
        self.waiting = {name: one for name, one in self.waiting.items() if name in still}

    @property
    def is_full(self) -> bool:
        """Whether so many wait that no further ones are looked for until some are answered."""
        return len(self.waiting) >= MOST_OVERDUE


class RequestAlarm:
    """Looks at the gateway's own tables, by the stack's clock; one log line for each request, and one gauge."""

    def __init__(self, dsn: str, clock: Clock) -> None:
        self.overdue = Overdue()
        self._dsn = dsn
        self._clock = clock
        self._pool: AsyncConnectionPool[Any] | None = None

    async def look(self, shards: Sequence[int]) -> None:
        """Look at the requests of these shards; StoreDown where the database is away."""
        self.overdue.look_after(shards)
        await self._look_again()
        while not self.overdue.is_full and (asked := await self._next()):
            for one in self.overdue.take(asked):
                log.error("request_overdue", request=one.id, kind=one.kind, shard=one.shard, position=one.position,
                          since=rfc3339(one.created_at))  # fmt: skip
        counted = Counter(one.kind for one in self.overdue.waiting.values())
        for kind in KINDS:
            metrics.REQUESTS_OVERDUE.labels(kind).set(counted[kind])

    async def close(self) -> None:
        """Close the connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _look_again(self) -> None:
        if self.overdue.waiting:
            rows = await self._run("still", {"ids": list(self.overdue.waiting)})
            self.overdue.keep({row[0] for row in rows})

    async def _next(self) -> list[Asked]:
        seen = self.overdue.seen
        before = self._clock.now() - LIMIT
        parameters = {"shards": list(seen), "positions": list(seen.values()), "limit": AT_ONCE, "before": before}
        return [Asked(*row) for row in await self._run("after", parameters)]

    async def _run(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        try:
            if self._pool is None:
                self._pool = async_pool(self._dsn, "piperoll-request-alarm", connections=1)
                await self._pool.open(wait=False)
            async with self._pool.connection() as connection:
                return await (await connection.execute(_SQL[statement], parameters)).fetchall()
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
            raise StoreDown(f"requests cannot be looked at: {error}") from error
