"""The ledger's HTTP in one process with a test, over a real database, with the tests' own tokens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jsonschema

from services.ledger.config import LedgerHttpSettings
from services.ledger.http.openapi import document
from services.ledger.http.operations import OPERATIONS
from services.ledger.http.reads import Reads
from services.ledger.http.wiring import make_api
from shared.clock import SystemClock
from shared.eventlog.bell import Bell
from shared.http.routes import Routes
from shared.http.system import System
from tests.gateway_kit import ISSUER, Client, FixedKeys, Reply, bearer

DOCUMENT = {"components": document()["components"]}
ROUTES = Routes(OPERATIONS)


class Finance:
    """A caller; every answer is held against the OpenAPI document."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def get(self, path: str, token: str = "", **headers: str) -> Reply:
        reply = await self.client.get(path, token or bearer("finance"), **headers)
        if (reply.header("content-type") or "").endswith("json") and reply.raw:
            name = "Problem"
            if reply.status < 400:
                name = ROUTES.find("GET", path.partition("?")[0])[0].answers[reply.status].__name__
            jsonschema.validate(reply.body, {"$ref": f"#/components/schemas/{name}", **DOCUMENT})
        return reply


@asynccontextmanager
async def ledger_http(dsn: str, shards: int, **changed: Any) -> AsyncIterator[Finance]:
    """Serve a ledger's database until the block ends."""
    values = {"postgres_dsn": dsn, "shards": shards, "profile": "local", "oidc_issuer": ISSUER,
              "min_position_wait_s": 0.5, **changed}  # fmt: skip
    settings = LedgerHttpSettings(**values)
    reads, bell = Reads(dsn, settings.http_connections), Bell(dsn, "ledger")
    system = System(reads.answers, "ledger-openapi.json")
    api = make_api(settings, SystemClock(), reads, bell, FixedKeys(), system)
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(reads.run()), loop.create_task(bell.run())]
    try:
        yield Finance(Client(api))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await reads.close()
