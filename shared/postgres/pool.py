"""Pools of psycopg connections with our settings, for reads and projections; the log has sessions of its own."""

from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from shared.postgres.settings import conninfo

WAIT_FOR_CONNECTION_S = 5.0


def pool(dsn: str, application: str, *, connections: int = 4) -> ConnectionPool[Connection[tuple[Any, ...]]]:
    """Return a pool for threads, not yet open; connections are checked before they are handed out."""
    return ConnectionPool(
        conninfo(dsn, application),
        min_size=1,
        max_size=connections,
        timeout=WAIT_FOR_CONNECTION_S,
        check=ConnectionPool.check_connection,
        name=application,
        open=False,
    )


def async_pool(
    dsn: str, application: str, *, connections: int = 4
) -> AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]:
    """Return a pool for asyncio, not yet open; connections are checked before they are handed out."""
    return AsyncConnectionPool(
        conninfo(dsn, application),
        min_size=1,
        max_size=connections,
        timeout=WAIT_FOR_CONNECTION_S,
        check=AsyncConnectionPool.check_connection,
        name=application,
        open=False,
    )
