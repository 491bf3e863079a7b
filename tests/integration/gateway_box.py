"""A gateway of one shard over a real database, and the records that the other services would send it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import jsonschema
import msgspec
import psycopg
from psycopg import sql

from services.gateway.http.database import Reads
from services.gateway.http.openapi import document
from services.gateway.http.operations import OPERATIONS
from services.gateway.inbox import ShardInbox
from services.gateway.projections import PROJECTIONS
from services.gateway.projections.fold import Folder
from services.gateway.projections.group import FoldGroup
from services.gateway.statements import STATEMENTS
from shared.clock import SystemClock
from shared.contracts.event import Event
from shared.eventlog.postgres import PostgresStore
from shared.http.routes import Routes
from tests.conftest import Database
from tests.gateway_kit import Gateway, Reply, bearer, gateway, settings
from tests.integration.test_gateway_projections import TABLES, chain

DOCUMENT = {"components": document()["components"]}
ROUTES = Routes(OPERATIONS)


class Box(msgspec.Struct):
    """A gateway of one shard, and what was told it; `by` is who caused the facts."""

    gateway: Gateway
    database: Database
    inbox: ShardInbox
    sent: dict[str, list[Event]]
    by: str = "test"

    async def tell(self, source: str, *events: Event) -> None:
        """Fold further events of a service, as its chain."""
        self.sent[source].extend(events)
        await self.inbox.take(chain(source, self.sent[source], shard=0, by=self.by))

    async def get(self, path: str, token: str = "") -> Reply:
        return _as_documented("GET", path, await self.gateway.client.get(path, token or bearer()))

    async def post(self, path: str, body: object, key: str, token: str = "", **headers: str) -> Reply:
        reply = await self.gateway.client.post(path, token or bearer(), body, key, **headers)
        return _as_documented("POST", path, reply)


def _as_documented(method: str, path: str, reply: Reply) -> Reply:
    """Return the answer, once it is sure to be what the OpenAPI document says of this status."""
    name = "Problem"
    if reply.status < 400:
        operation, _ = ROUTES.find(method, path.partition("?")[0])
        name = operation.answers[reply.status].__name__
    jsonschema.validate(reply.body, {"$ref": f"#/components/schemas/{name}", **DOCUMENT})
    return reply


@asynccontextmanager
async def gateway_box(database: Database) -> AsyncIterator[Box]:
    """Run a gateway whose projections are empty; what was asked for before stays."""
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        for table in (*TABLES, "cursor", "parked"):
            admin.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    store = PostgresStore(database.dsn, "gateway", statements=STATEMENTS, connections=2)
    folder = Folder(database.dsn, PROJECTIONS)
    folder.open()
    chosen = settings(postgres_dsn=database.dsn, shards=1)
    async with gateway(store, Reads(database.dsn), chosen) as running:
        inbox = ShardInbox(0, store, FoldGroup(folder), SystemClock())
        yield Box(running, database, inbox, {"billing": [], "ledger": [], "notifier": []})
    folder.close()
    await store.close()
