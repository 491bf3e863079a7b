"""The connection to the people database: a small pool, every statement its own transaction, safe to run twice."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from shared.errors import StoreDown
from shared.postgres.pool import WAIT_FOR_CONNECTION_S
from shared.postgres.queries import queries
from shared.postgres.settings import conninfo

CONNECTIONS = 4
SQL = queries(Path(__file__).parent / "people.sql")


class PeopleDatabase:
    """Opens at first use. Statements must be safe to repeat: a broken connection is replaced and they run again."""

    def __init__(self, dsn: str) -> None:
        self._pool: AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]] = AsyncConnectionPool(
            conninfo(dsn, "piperoll-people"),
            kwargs={"autocommit": True},
            min_size=0,
            max_size=CONNECTIONS,
            timeout=WAIT_FOR_CONNECTION_S,
            name="people",
            open=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; the object is of no more use."""
        await self._pool.close()

    async def run(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows of a named statement; StoreDown where the database cannot be reached."""
        await self._pool.open()
        for tries_left in range(CONNECTIONS, -1, -1):
            try:
                async with self._pool.connection() as connection:
                    cursor = await connection.execute(SQL[statement], parameters)
                    return await cursor.fetchall()
            except (psycopg.OperationalError, PoolTimeout) as error:
                if tries_left == 0 or isinstance(error, PoolTimeout):
                    raise StoreDown(f"the people database cannot be reached: {error}") from error
        raise AssertionError("unreachable")
