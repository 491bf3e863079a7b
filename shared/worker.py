"""A worker process: takes the shards that its group assigns, runs them, answers for its health, drains on SIGTERM."""

import asyncio
import os
import signal
from collections.abc import Sequence
from functools import partial

import uvloop

from shared.clock import clock_from
from shared.contracts.topics import consumed_by
from shared.decider import Registry
from shared.drain import end_within
from shared.errors import Fenced, Misplaced, OwnFault, StoreDown
from shared.eventlog.forks import Forks
from shared.eventlog.held_shard import HeldShard, MakeParts, Surroundings
from shared.eventlog.old_copy import old_copies
from shared.eventlog.orders import ParkedOrders
from shared.eventlog.placed_store import PlacedStore
from shared.eventlog.ports import Record, Stray
from shared.eventlog.postgres import PostgresStore
from shared.faults import arm_from
from shared.kafka.inbox import Inbox
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.signals import KafkaSignals
from shared.kafka.tails import KafkaTails
from shared.postgres.placement import Placement
from shared.settings import ProcessSettings
from shared.telemetry import metrics
from shared.telemetry.collector import settle
from shared.telemetry.health import Health, HealthServer, health_of
from shared.telemetry.logs import configure, logger
from shared.upkeep import Upkeep

log = logger(__name__)

FENCED_PATIENCE_S = 15.0
BATCHES_IN_HAND = 2
"""A writer decides the second while it commits the first."""
OLD_COPY_AGAIN_S = 3.0


class Worker:
    """One process of a service with writers. `failed` is set when something of ours broke: the process must end."""

    _keeping: "asyncio.Task[None] | None" = None

    def __init__(self, registry: Registry, settings: ProcessSettings, make_parts: MakeParts) -> None:
        service = registry.service
        self._registry = registry
        self._settings = settings
        placement = settings.placement
        self._store = _store(placement, service)
        self._orders = {dsn: ParkedOrders(dsn) for dsn in placement.servers}
        self._publisher = KafkaPublisher(settings.kafka_bootstrap, f"{service}-{settings.instance}")
        self._around = Surroundings(
            registry=registry,
            placement=placement,
            store=self._store,
            publisher=self._publisher,
            orders=self._orders,
            clock=clock_from(os.environ),
            zone=settings.zone,
            make_parts=make_parts,
            rewind=self._rewind,
        )
        self._held: dict[int, HeldShard] = {}
        self._refused: set[int] = set()
        self._causes: dict[int, str] = {}
        self._inbox = Inbox(
            service,
            settings.kafka_bootstrap,
            self._store,
            consumed_by(service),
            self._take,
            self._give_up,
            self._handle,
            settings.instance,
            in_hand=BATCHES_IN_HAND,
            pause_s=settings.inbox_pause_s,
        )
        self._forks = [(shards, Forks(dsn)) for dsn, shards in placement.servers.items()]
        self._upkeep = Upkeep(
            service,
            settings.instance,
            consumed_by(service),
            self._store,
            self._publisher,
            self._forks,
            partial(KafkaSignals, settings.kafka_bootstrap, f"{service}-{settings.instance}-signals", settings.shards),
            self._around.clock,
            lambda: {shard: held.relay for shard, held in self._held.items()},
            lambda: {shard: held.writer.book for shard, held in self._held.items()},
            self._inbox.behind,
        )
        self._health = HealthServer(settings.http_host, settings.http_port, self._inbox.healthy, self._ready)
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Serve health and join the group; shards come when they are assigned."""
        if isinstance(self._store, PlacedStore):
            await self._store.check()
        await self._health.start()
        await self._inbox.start()
        self._keeping = asyncio.get_running_loop().create_task(self._upkeep.run())
        self._keeping.add_done_callback(self._keeping_ended)

    async def stop(self) -> None:
        """Leave the group, drain every shard, flush the relay."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self._inbox.stop()
        await self._give_up(list(self._held))
        await self._publisher.stop()
        await self._store.close()
        await asyncio.gather(*(orders.close() for orders in self._orders.values()))
        await asyncio.gather(*(forks.close() for _, forks in self._forks))
        await self._health.stop()

    async def _take(self, shards: Sequence[int]) -> None:
        """Take the shards whose store is no old copy; the inbox asks again where one is, until its tail is adopted."""
        service = self._registry.service
        tails = KafkaTails(self._settings.kafka_bootstrap)
        ahead: dict[int, OwnFault] = {}
        for shard in shards:
            store = self._store.of(shard) if isinstance(self._store, PlacedStore) else self._store
            ahead |= await old_copies(service, [shard], store, tails)
        for shard in shards:
            self._stopped(shard, "rolled_back" if shard in ahead else None)
            if shard in ahead and shard not in self._refused:
                log.critical("shard_not_started", shard=shard, error=str(ahead[shard]))
        self._refused = (self._refused - set(shards)) | set(ahead)
        await asyncio.gather(*(self._take_one(shard) for shard in shards if shard not in ahead))
        if ahead:
            await asyncio.sleep(OLD_COPY_AGAIN_S)
            raise StoreDown(f"shards {sorted(ahead)} are old copies")

    async def _take_one(self, shard: int) -> None:
        old = self._held.pop(shard, None)
        if old is not None:
            if old.writer.lost is None:
                self._held[shard] = old
                return
            await old.stop()
        held = HeldShard(self._around, shard)
        try:
            await held.start(self._lost)
        except OwnFault as error:
            log.critical("shard_not_taken", shard=shard, error=str(error), exc_info=error)
            self._fail(error)
            raise
        self._held[shard] = held
        metrics.INBOX_SHARDS.labels(self._registry.service).set(len(self._held))

    async def _give_up(self, shards: Sequence[int]) -> None:
        self._refused -= set(shards)
        for shard in shards:
            self._stopped(shard, None)
        leaving = [self._held.pop(shard) for shard in shards if shard in self._held]
        await asyncio.gather(*(held.stop() for held in leaving))
        metrics.INBOX_SHARDS.labels(self._registry.service).set(len(self._held))

    async def _handle(self, shard: int, records: Sequence[Record | Stray]) -> None:
        held = self._held.get(shard)
        if held is None:
            raise StoreDown(f"shard {shard} is not held here")
        await held.handle(records)

    def _rewind(self, topic: str, shard: int) -> None:
        self._inbox.reread(topic, shard)

    def _lost(self, shard: int, error: BaseException) -> None:
        """A fenced shard waits to be assigned again; any other loss ends the process, whose next start reloads all.

        So does a fence that no assignment follows: nobody else holds the shard then, this process fenced itself by a
        question about a lost commit whose own answer was lost.
        """
        cause = type(error).__name__
        self._stopped(shard, cause)
        log.critical("shard_lost", shard=shard, cause=cause, error=str(error), exc_info=error)
        if isinstance(error, Fenced):
            asyncio.get_running_loop().call_later(FENCED_PATIENCE_S, self._still_lost, shard, error)
        else:
            self._fail(error)

    def _stopped(self, shard: int, cause: str | None) -> None:
        """Show why a shard stands still here, and no more what was shown before."""
        before = self._causes.pop(shard, None)
        if before is not None:
            metrics.SHARD_STOPPED.labels(self._registry.service, str(shard), before).set(0)
        if cause is not None:
            self._causes[shard] = cause
            metrics.SHARD_STOPPED.labels(self._registry.service, str(shard), cause).set(1)

    def _still_lost(self, shard: int, error: BaseException) -> None:
        held = self._held.get(shard)
        if held is not None and held.writer.lost is error:
            log.critical("fenced_shard_not_assigned_again", shard=shard)
            self._fail(error)

    def _keeping_ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("upkeep_failed", error=repr(error), exc_info=error)
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_result(error)

    def _ready(self) -> Health:
        held = self._held
        checks = {
            "assigned": self._inbox.is_assigned and set(self._inbox.shards) <= held.keys() | self._refused,
            "writers": all(one.writer.lost is None for one in held.values()),
            "logs": not self._refused,
            "progress": self._inbox.healthy(),
        }
        return health_of(checks, {shard: one.health() for shard, one in held.items()}, self._inbox.lag())


def _store(placement: Placement, service: str) -> PostgresStore | PlacedStore:
    if len(placement.servers) == 1:
        return PostgresStore(placement.dsns[0], service)
    return PlacedStore(placement, lambda dsn: PostgresStore(dsn, service))


async def _run(registry: Registry, settings: ProcessSettings, make_parts: MakeParts) -> int:
    worker = Worker(registry, settings, make_parts)
    stopped = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stopped.set)
    try:
        await worker.start()
    except Misplaced as error:
        log.critical("shards_misplaced", error=str(error))
        return 1
    settle()
    worker.failed.add_done_callback(lambda failed: stopped.set())
    await stopped.wait()
    end_within()
    await worker.stop()
    return 1 if worker.failed.done() else 0


def run(service: str, registry: Registry, parts: MakeParts, settings: ProcessSettings | None = None) -> None:
    """Run one worker until SIGTERM or SIGINT; exits 0 when drained, 1 after a fault of ours."""
    settings = settings or ProcessSettings()  # type: ignore[call-arg]
    configure(service, settings.instance, settings.log_level)
    arm_from(os.environ)
    raise SystemExit(uvloop.run(_run(registry, settings, parts)))
