"""One HTTP process: its server and the tasks beside it."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from services.gateway.append import MOST_PATIENT, Appender, Gate
from services.gateway.config import GatewaySettings
from services.gateway.http.database import Reads
from services.gateway.http.wiring import make_api
from services.gateway.statements import STATEMENTS
from shared.auth.keys import PublishedKeys, discovery
from shared.clock import clock_from
from shared.eventlog.bell import Bell
from shared.eventlog.postgres import PostgresStore
from shared.http.server import Serving
from shared.http.system import System
from shared.kafka.tails import KafkaTails
from shared.people.sealing import MasterKey
from shared.people.writer import PeopleWriter
from shared.telemetry.logs import logger

log = logger(__name__)

STORE_CONNECTIONS = MOST_PATIENT + 2
GATE_PATIENCE_S = 8.0


class HttpProcess:
    """Needs Kafka only to be sure of its store at its start; drains on SIGTERM.

    No new connection, what was begun is answered, what waits is committed.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        clock = clock_from(dict(os.environ))
        self._store = PostgresStore(
            settings.postgres_dsn, "gateway", statements=STATEMENTS, connections=STORE_CONNECTIONS
        )
        self._gate = Gate(settings.shards, self._store, KafkaTails(settings.kafka_bootstrap))
        self._appender = Appender(self._store, clock, settings.zone, settings.append_queue, self._gate)
        self._reads = Reads(settings.postgres_dsn)
        self._bell = Bell(settings.postgres_dsn, "gateway")
        self._people = PeopleWriter(settings.people_dsn, MasterKey.read(Path(settings.master_key_file)))
        self._system = System(self._reads.answers, "openapi.json")
        keys = PublishedKeys(discovery(settings.oidc_issuer), clock)
        api = make_api(settings, clock, self._appender, self._reads, self._bell, self._people, keys, self._system)
        self._serving = Serving(api, self._system, settings.drain_s)

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT and return the exit code."""
        loop = asyncio.get_running_loop()
        await self._reads.open()
        appending = loop.create_task(self._appender.run())
        appending.add_done_callback(self._appending_ended)
        beside = [loop.create_task(work()) for work in (self._bell.run, self._system.run, self._gate.run)]
        with suppress(TimeoutError):
            async with asyncio.timeout(GATE_PATIENCE_S):
                await self._gate.looked.wait()
        await self._serving.run(self._settings.http_host, self._settings.http_port)
        await self._appender.stop()
        failed = appending.done() and appending.exception() is not None
        with suppress(TimeoutError, Exception):
            async with asyncio.timeout(1.0):
                await appending
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await self._reads.close()
        await self._people.close()
        await self._store.close()
        return 1 if failed else 0

    def _appending_ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            log.critical("appending_failed", error=repr(task.exception()), exc_info=task.exception())
            self._serving.drain()
