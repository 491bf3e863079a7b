"""One HTTP process of the ledger: its server and the tasks beside it."""

import asyncio
import os

from services.ledger.config import LedgerHttpSettings
from services.ledger.http.reads import Reads
from services.ledger.http.wiring import make_api
from shared.auth.keys import PublishedKeys, discovery
from shared.clock import clock_from
from shared.eventlog.bell import Bell
from shared.http.server import Serving
from shared.http.system import System


class HttpProcess:
    """Reads the ledger's database and nothing else; several processes may share one port."""

    def __init__(self, settings: LedgerHttpSettings) -> None:
        self._settings = settings
        clock = clock_from(dict(os.environ))
        self._reads = Reads(settings.postgres_dsn, settings.http_connections)
        self._bell = Bell(settings.postgres_dsn, "ledger")
        self._system = System(self._reads.answers, "ledger-openapi.json")
        keys = PublishedKeys(discovery(settings.oidc_issuer), clock)
        api = make_api(settings, clock, self._reads, self._bell, keys, self._system)
        self._serving = Serving(api, self._system, settings.drain_s)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        beside = [loop.create_task(work()) for work in (self._reads.run, self._bell.run, self._system.run)]
        await self._serving.run(self._settings.http_host, self._settings.http_port)
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await self._reads.close()
