"""Has made anew what a deployment has changed: each projection whose tables hold an older version, one at a time."""

import asyncio

import psycopg

from services.gateway.projections import PROJECTIONS
from services.gateway.projections.topics import Topics
from services.gateway.projections.versions import due
from shared.eventlog.rebuild_process import Rebuilds
from shared.eventlog.swap import is_free
from shared.postgres.settings import conninfo
from shared.telemetry.logs import logger

log = logger(__name__)

LOOK_EVERY_S = 5.0


async def renew(dsn: str, bootstrap: str) -> None:
    """Look every 5 s, until cancelled."""
    rebuilds = Rebuilds()
    while True:
        try:
            await asyncio.to_thread(_begin_first, rebuilds, dsn, bootstrap)
        except psycopg.Error as error:
            log.warning("renewal_waits", error=str(error))
        await asyncio.sleep(LOOK_EVERY_S)


def _begin_first(rebuilds: Rebuilds, dsn: str, bootstrap: str) -> None:
    with psycopg.connect(conninfo(dsn, "piperoll-gateway-renewal")) as connection, connection.cursor() as cursor:
        waiting = [one for one in due(cursor, PROJECTIONS) if is_free(cursor, one)]
    for one in waiting[:1]:
        rebuilds.begin(dsn, "gateway", one, Topics(dsn, bootstrap))
