"""A bell that rings in a process when projections have moved: one listener wakes all who wait here."""

import asyncio

import psycopg

from shared.eventlog.projections import CHANNEL
from shared.postgres.settings import conninfo
from shared.telemetry.logs import logger

log = logger(__name__)

RECONNECT_S = 0.5


class Bell:
    """Rings when a batch was folded; rings too at each new connection, since a ring may have been missed."""

    def __init__(self, dsn: str, service: str) -> None:
        self._dsn = conninfo(dsn, f"piperoll-{service}-bell")
        self._rung = asyncio.Event()

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self.ring()
                    async for _ in connection.notifies():
                        self.ring()
            except psycopg.Error as error:
                log.warning("bell_reconnects", error=str(error))
            await asyncio.sleep(RECONNECT_S)

    def ring(self) -> None:
        """Wake everyone who waits now."""
        rung, self._rung = self._rung, asyncio.Event()
        rung.set()

    def next(self) -> asyncio.Event:
        """Return the next ring; taken before one looks, so that a ring while looking is not missed."""
        return self._rung


async def rung(ring: asyncio.Event, seconds: float) -> None:
    """Return at the ring, or after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await ring.wait()
    except TimeoutError:
        pass
