"""Reads for the HTTP processes: a small pool, every statement by itself, and StoreDown where there is no answer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from shared.errors import StoreDown
from shared.postgres.queries import queries
from shared.postgres.settings import conninfo

CONNECTIONS = 4
WAIT_S = 3.0
SQL = {
    name: text.encode() for file in sorted(Path(__file__).parent.glob("*.sql")) for name, text in queries(file).items()
}

Row = tuple[Any, ...]


class Reads:
    """Statements of the `.sql` files here. A broken connection is replaced and the statement runs once more."""

    def __init__(self, dsn: str) -> None:
        self._pool: AsyncConnectionPool[AsyncConnection[Row]] = AsyncConnectionPool(
            conninfo(dsn, "piperoll-gateway-reads"),
            kwargs={"autocommit": True, "prepare_threshold": 2},
            min_size=0,
            max_size=CONNECTIONS,
            timeout=WAIT_S,
            name="gateway-reads",
            open=False,
        )

    async def open(self) -> None:
        """Open the pool without waiting for the database."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    async def run(self, statement: str, parameters: Mapping[str, Any]) -> list[Row]:
        """Return all rows of a named statement."""
        for tries_left in range(CONNECTIONS, -1, -1):
            try:
                async with self._pool.connection() as connection:
                    cursor = await connection.execute(SQL[statement], parameters)
                    return await cursor.fetchall()
            except PoolTimeout as error:
                raise StoreDown("no connection to the database") from error
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if tries_left == 0:
                    raise StoreDown(f"the database cannot be reached: {error}") from error
        raise AssertionError("unreachable")

    async def answers(self) -> bool:
        """Tell whether the database answers just now."""
        try:
            return bool(await self.run("alive", {}))
        except StoreDown:
            return False
