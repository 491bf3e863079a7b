"""A held shard of the ledger without Kafka: a writer over PostgreSQL, its parts, and facts of billing handed to it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from zoneinfo import ZoneInfo

import psycopg

from services.ledger.handlers import REGISTRY
from services.ledger.projections import PROJECTIONS
from services.ledger.projections.reconciliation_lines import ReconciliationLines
from shared.clock import Clock, SystemClock
from shared.contracts.event import Actor, Event
from shared.eventlog.command import Answer, Submitted
from shared.eventlog.held_shard import ShardContext, ShardPart
from shared.eventlog.memory import MemoryPublisher
from shared.eventlog.placed_store import LogStore, PlacedStore
from shared.eventlog.ports import EventRow, Publisher
from shared.eventlog.postgres import PostgresStore
from shared.eventlog.projection_runner import ProjectionRunner
from shared.eventlog.projections import positions_of
from shared.eventlog.writer import Writer
from shared.ids import event_id, root_of_record
from shared.postgres.placement import Placement

SHARDS = 2
BILLING = Actor("system", "billing")
MakeParts = Callable[[ShardContext], Sequence[ShardPart]]


def projections_only(context: ShardContext) -> Sequence[ShardPart]:
    return (ProjectionRunner(context, PROJECTIONS),)


class LedgerShard:
    """Takes facts as the inbox would hand them over, each with a root of its own."""

    def __init__(self, context: ShardContext) -> None:
        self.context = context
        self.told = 1000 * context.writer.epoch

    async def tell(self, *facts: Event, actor: Actor = BILLING) -> Answer:
        """Submit facts one after another and return the last answer."""
        for fact in facts:
            self.told += 1
            root = root_of_record("billing", self.context.shard, self.told)
            answer = await self.context.writer.submit(
                Submitted(
                    command=fact,
                    tenant="demo",
                    root=root,
                    actor=actor,
                    correlation=event_id(root, 0).hex(),
                    effective_date="2026-02-10",
                )
            )
        return answer

    async def folded(self, timeout_s: float = 10.0) -> None:
        """Wait until the projections have reached the end of this shard's log."""
        end = (await self.context.store.ends([self.context.shard]))[self.context.shard]
        async with asyncio.timeout(timeout_s):
            while position(self.context.dsn, self.context.shard) < end:
                await asyncio.sleep(0.02)


def position(dsn: str, shard: int) -> int:
    """Return how far the reconciliation's projection is."""
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        name, version = ReconciliationLines.name, ReconciliationLines.version
        return positions_of(cursor, name, version, "ledger").get(shard, 0)


@asynccontextmanager
async def held_shard(
    dsn: str,
    shard: int = 0,
    make_parts: MakeParts = projections_only,
    clock: Clock | None = None,
    publisher: Publisher | None = None,
    placement: Placement | None = None,
) -> AsyncIterator[LedgerShard]:
    """Hold one shard of a ledger's database until the block ends; `placement` says where the other shards lie."""
    clock = clock or SystemClock()
    store: LogStore = PostgresStore(dsn, "ledger")
    others: Sequence[str] = ()
    if placement is not None:
        store = PlacedStore(placement, lambda one: PostgresStore(one, "ledger"))
        _, *others = placement.from_shard(shard)
    parts: list[ShardPart] = []

    def committed(rows: Sequence[EventRow]) -> None:
        for part in parts:
            part.committed(rows)

    zone = ZoneInfo("America/New_York")
    writer = Writer(REGISTRY, shard, store, clock, zone, committed)
    await writer.take_over()
    context = ShardContext(
        "ledger", shard, SHARDS, writer, store, clock, dsn, zone, publisher or MemoryPublisher(), tuple(others)
    )
    running = asyncio.get_running_loop().create_task(writer.run())
    parts.extend(make_parts(context))
    for part in parts:
        await part.start()
    try:
        yield LedgerShard(context)
    finally:
        for part in reversed(parts):
            await part.stop()
        await writer.stop()
        await running
        await store.close()
