"""Parked records and what people ordered about them, as the shard's owner reads it from its database."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from shared.errors import StoreDown
from shared.eventlog.ports import Order, Shelved
from shared.postgres.pool import async_pool
from shared.postgres.queries import queries

_SQL = {name: text.encode() for name, text in queries(Path(__file__).with_suffix(".sql")).items()}
FRESH_S = 0.5


class ParkedOrders:
    """Open orders of a service's shards; a database that is away raises StoreDown."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pool: AsyncConnectionPool[Any] | None = None
        self._asked: asyncio.Task[dict[int, list[Order]]] | None = None
        self._asked_at = 0.0

    async def waiting(self, shard: int) -> list[Order]:
        """Return the shard's orders that are not done, oldest first, as they were at most half a second ago.

        What the shards of a process ask within that time is one query.
        """
        loop = asyncio.get_running_loop()
        if self._asked is None or loop.time() - self._asked_at > FRESH_S:
            self._asked, self._asked_at = loop.create_task(self._of_all_shards()), loop.time()
        return (await asyncio.shield(self._asked)).get(shard, [])

    async def _of_all_shards(self) -> dict[int, list[Order]]:
        orders: dict[int, list[Order]] = {}
        for shard, *order in await self._run(_SQL["waiting"], {}):
            orders.setdefault(shard, []).append(Order(*order))
        return orders

    async def done(self, shard: int, orders: Sequence[Order]) -> None:
        """Note that orders were done."""
        await self._run(_SQL["done"], {"shard": shard, "ids": [order.id for order in orders]})
        self._asked = None

    async def shelved(self, shard: int) -> list[Shelved]:
        """Return the shard's parked records that nobody let go, oldest first."""
        rows = await self._run(_SQL["shelved"], {"shard": shard})
        return [Shelved((topic, source_shard, position), *rest) for topic, source_shard, position, *rest in rows]

    async def close(self) -> None:
        """Close the connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _run(self, statement: bytes, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        try:
            async with (await self._opened()).connection() as connection:
                cursor = await connection.execute(statement, parameters)
                return await cursor.fetchall() if cursor.description is not None else []
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
            raise StoreDown(f"orders about parked records cannot be read: {error}") from error

    async def _opened(self) -> AsyncConnectionPool[Any]:
        if self._pool is None:
            self._pool = async_pool(self._dsn, "piperoll-orders", connections=1)
            await self._pool.open(wait=False)
        return self._pool
