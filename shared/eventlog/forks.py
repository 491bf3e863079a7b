"""Forks outlive the process that saw them: a chain stays where it stands until a person has decided."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from shared.errors import StoreDown
from shared.eventlog.cursors import ChainKey, CursorBook, Trouble, Verdict
from shared.eventlog.ports import Cursor
from shared.postgres.pool import async_pool
from shared.postgres.queries import queries

_SQL = {name: text.encode() for name, text in queries(Path(__file__).with_suffix(".sql")).items()}


class Fork(NamedTuple):
    """A chain of a shard that stands still; `skip` says that a person ordered it to go on."""

    id: int
    shard: int
    chain: ChainKey
    position: int
    previous: int
    skip: bool


class ForkStore(Protocol):
    """Where forks are kept. StoreDown where the database is away."""

    async def open(self, shards: Sequence[int]) -> list[Fork]: ...

    async def note(self, shard: int, cursor: Cursor, trouble: Trouble) -> None:
        """Keep a fork that was seen, unless one of the chain is kept already."""
        ...

    async def ended(self, ids: Sequence[int]) -> None: ...


async def look_at_forks(books: Mapping[int, CursorBook], forks: ForkStore, now: float) -> list[Fork]:
    """Make books and what is kept agree, obey orders, and return the forks that were let go.

    A kept fork stops its chain in a book that does not know of it. A chain that was let go asks for what it dropped
    like any other gap; the record that was not its next one is left out.
    """
    kept = await forks.open(list(books))
    let_go = [fork for fork in kept if fork.skip]
    for fork in kept:
        if fork.skip:
            books[fork.shard].settle(fork.chain)
        else:
            trouble = Trouble(Verdict.FORK, now, fork.position, fork.previous)
            books[fork.shard].troubles.setdefault(fork.chain, trouble)
    if let_go:
        await forks.ended([fork.id for fork in let_go])
    known = {(fork.shard, fork.chain) for fork in kept}
    for shard, book in books.items():
        for chain, trouble in list(book.troubles.items()):
            if trouble.verdict is Verdict.FORK and (shard, chain) not in known:
                await forks.note(shard, book.cursor(chain), trouble)
    return let_go


class Forks:
    """`ForkStore` in a service's database."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pool: AsyncConnectionPool[Any] | None = None

    async def open(self, shards: Sequence[int]) -> list[Fork]:
        rows = await self._run("open", {"shards": list(shards)})
        return [Fork(id_, shard, (topic, source), position, previous, skip)
                for id_, shard, topic, source, position, previous, skip in rows]  # fmt: skip

    async def note(self, shard: int, cursor: Cursor, trouble: Trouble) -> None:
        place = {"shard": shard, "topic": cursor.topic, "source_shard": cursor.source_shard}
        seen = {"position": trouble.position, "previous": trouble.previous}
        await self._run("note", {**place, **seen, "cursor": cursor.position, "cursor_hash": cursor.hash})

    async def ended(self, ids: Sequence[int]) -> None:
        await self._run("ended", {"ids": list(ids)})

    async def close(self) -> None:
        """Close the connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _run(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        try:
            if self._pool is None:
                self._pool = async_pool(self._dsn, "piperoll-forks", connections=1)
                await self._pool.open(wait=False)
            async with self._pool.connection() as connection:
                cursor = await connection.execute(_SQL[statement], parameters)
                return await cursor.fetchall() if cursor.description is not None else []
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
            raise StoreDown(f"forks cannot be looked at: {error}") from error
