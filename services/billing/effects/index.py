"""Where open work is kept between owners of a shard: a hint that spares reading the whole log."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import psycopg
from psycopg import AsyncConnection

from services.billing.effects.works import Work
from shared.errors import StoreDown
from shared.postgres.queries import queries
from shared.postgres.settings import conninfo

SQL = queries(Path(__file__).with_name("open_work.sql"))
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Work).decode


class Index(Protocol):
    """Open work as of a position of the shard's log. Errors: StoreDown."""

    async def load(self, shard: int) -> tuple[int, list[Work]]:
        """Return the position and what was open there; (0, []) where nothing is kept."""
        ...

    async def save(self, shard: int, position: int, works: Sequence[Work], closed: Sequence[str]) -> None:
        """Move to a later position: keep `works`, forget `closed`; an older position than the kept one does nothing."""
        ...

    async def close(self) -> None:
        """Let the connection go."""
        ...


class MemoryIndex:
    """The index of a test."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[int, dict[str, Work]]] = {}

    async def load(self, shard: int) -> tuple[int, list[Work]]:
        position, works = self._kept.get(shard, (0, {}))
        return position, list(works.values())

    async def save(self, shard: int, position: int, works: Sequence[Work], closed: Sequence[str]) -> None:
        before, kept = self._kept.get(shard, (0, {}))
        if position > before:
            left = {work_id: work for work_id, work in kept.items() if work_id not in closed}
            self._kept[shard] = (position, left | {work.work_id: work for work in works})

    async def close(self) -> None:
        return None


class PostgresIndex:
    """The index in billing's own database, over one connection that is made again when it broke."""

    def __init__(self, dsn: str) -> None:
        self._conninfo = conninfo(dsn, "billing-effects")
        self._connection: AsyncConnection[tuple[Any, ...]] | None = None

    async def load(self, shard: int) -> tuple[int, list[Work]]:
        try:
            connection = await self._connected()
            async with connection.transaction():
                row = await (await connection.execute(SQL["position"], (shard,))).fetchone()
                rows = await (await connection.execute(SQL["works"], (shard,))).fetchall()
        except psycopg.Error as error:
            raise await self._broken(error) from error
        return (int(row[0]), [_decode(one[0]) for one in rows]) if row is not None else (0, [])

    async def save(self, shard: int, position: int, works: Sequence[Work], closed: Sequence[str]) -> None:
        try:
            connection = await self._connected()
            async with connection.transaction():
                await connection.execute(SQL["begin"], (shard,))
                moved = await connection.execute(SQL["advance"], (position, shard, position))
                if moved.rowcount == 1:
                    await connection.execute(SQL["close"], (shard, list(closed)))
                    async with connection.cursor() as cursor:
                        await cursor.executemany(SQL["keep"], [(shard, w.work_id, _encode(w)) for w in works])
        except psycopg.Error as error:
            raise await self._broken(error) from error

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _connected(self) -> AsyncConnection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = await AsyncConnection.connect(self._conninfo, autocommit=True)
        return self._connection

    async def _broken(self, error: psycopg.Error) -> StoreDown:
        await self.close()
        return StoreDown(f"open work cannot be read or kept: {error}")
