"""The gateway's worker: relays what the HTTP processes append, and folds what the other services publish."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from services.gateway.alarms import RequestAlarm
from services.gateway.config import GatewaySettings
from services.gateway.inbox import ShardInbox
from services.gateway.projections import PROJECTIONS
from services.gateway.projections.fold import Folder
from services.gateway.projections.group import FoldGroup
from services.gateway.projections.renewal import renew
from services.gateway.statements import RequestNotes
from shared.clock import clock_from
from shared.contracts.topics import consumed_by
from shared.drain import end_within
from shared.errors import OwnFault, StoreDown, WorldFault
from shared.eventlog.cursors import Verdict
from shared.eventlog.forks import Forks
from shared.eventlog.old_copy import old_copies
from shared.eventlog.orders import ParkedOrders
from shared.eventlog.parked_alarm import ParkedAlarm
from shared.eventlog.parking import dead_letter
from shared.eventlog.ports import Parked, Record, Stray
from shared.eventlog.postgres import PostgresStore
from shared.eventlog.relay import PollingRelay, Relay
from shared.kafka.inbox import Inbox
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.signals import KafkaSignals
from shared.kafka.tails import KafkaTails
from shared.telemetry import metrics
from shared.telemetry.collector import settle
from shared.telemetry.health import Health, HealthServer, ShardHealth, health_of
from shared.telemetry.logs import logger
from shared.upkeep import Upkeep

log = logger(__name__)

SERVICE = "gateway"
LOOK_EVERY_S = 1.0
REQUESTS_EVERY_S = 5.0
RETRY_S = 0.5
DRAIN_S = 3.0
FAULT_PATIENCE_S = 15.0
OLD_COPY_AGAIN_S = 3.0


class GatewayWorker:
    """One process: the relays of all shards, and the projections of those shards that its group assigns."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._clock = clock_from(dict(os.environ))
        self._store = PostgresStore(settings.postgres_dsn, SERVICE)
        self._folder = Folder(settings.postgres_dsn, PROJECTIONS)
        self._group = FoldGroup(self._folder)
        self._orders = ParkedOrders(settings.postgres_dsn)
        self._requests = RequestAlarm(settings.postgres_dsn, self._clock)
        self._parked_long: dict[int, ParkedAlarm] = {}
        self._publisher = KafkaPublisher(settings.kafka_bootstrap, f"{SERVICE}-{settings.instance}")
        self._notes = RequestNotes(settings.postgres_dsn)
        self._relays: list[PollingRelay] = []
        self._unchecked = set(range(settings.shards))
        self._shards: dict[int, ShardInbox] = {}
        self._inbox = Inbox(
            SERVICE,
            settings.kafka_bootstrap,
            self._store,
            consumed_by(SERVICE),
            self._take,
            self._give_up,
            self._handle,
            settings.instance,
        )
        self._forks = Forks(settings.postgres_dsn)
        self._upkeep = Upkeep(
            SERVICE,
            settings.instance,
            consumed_by(SERVICE),
            self._store,
            self._publisher,
            [(range(settings.shards), self._forks)],
            partial(KafkaSignals, settings.kafka_bootstrap, f"{SERVICE}-{settings.instance}-signals", settings.shards),
            self._clock,
            lambda: self._by_shard,
            lambda: {shard: one.book for shard, one in self._shards.items()},
            self._inbox.behind,
        )
        self._health = HealthServer(settings.http_host, settings.http_port, self._inbox.healthy, self._ready)
        self._copies: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()
        self._faulty: dict[int, float] = {}
        self._failed = False

    async def run(self) -> int:
        """Work until SIGTERM or SIGINT, or until something of ours breaks; return the exit code."""
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, self._stopped.set)
        await self._health.start()
        self._folder.open()
        relaying = loop.create_task(self._relay_all())
        renewing = renew(self._settings.postgres_dsn, self._settings.kafka_bootstrap)
        looking = [loop.create_task(work()) for work in (self._look_after, self._look_at_requests, self._upkeep.run)]
        looking.append(loop.create_task(renewing))
        for task in (relaying, *looking):
            task.add_done_callback(self._ended)
        await self._inbox.start()
        settle()
        await self._stopped.wait()
        end_within()
        await self._inbox.stop()
        for relay in self._relays:
            await relay.stop()
        for task in looking:
            task.cancel()
        await asyncio.wait([relaying], timeout=DRAIN_S)
        relaying.cancel()
        await asyncio.gather(relaying, *looking, *self._copies, return_exceptions=True)
        await self._publisher.stop()
        await asyncio.to_thread(self._folder.close)
        await self._orders.close()
        await self._forks.close()
        await self._requests.close()
        await self._notes.close()
        await self._store.close()
        await self._health.stop()
        return 1 if self._failed else 0

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("worker_failed", error=repr(error), exc_info=error)
            self._failed = True
            self._stopped.set()

    async def _relay_all(self) -> None:
        """Publish every shard whose store is no old copy; one that is may have its tail adopted meanwhile."""
        tails = KafkaTails(self._settings.kafka_bootstrap)
        told: set[int] = set()
        async with asyncio.TaskGroup() as group:
            while self._unchecked and not self._stopped.is_set():
                try:
                    old = await old_copies(SERVICE, sorted(self._unchecked), self._store, tails)
                except WorldFault as error:
                    log.warning("relay_waits", error=str(error))
                    await asyncio.sleep(RETRY_S)
                    continue
                for shard in self._unchecked:
                    metrics.SHARD_STOPPED.labels(SERVICE, str(shard), "rolled_back").set(shard in old)
                for shard in old.keys() - told:
                    log.critical("shard_not_started", shard=shard, error=str(old[shard]))
                told |= old.keys()
                if going := sorted(self._unchecked - old.keys()):
                    self._relays.append(self._relay_of(going))
                    group.create_task(self._relays[-1].run())
                self._unchecked = set(old)
                await asyncio.sleep(OLD_COPY_AGAIN_S if old else 0)

    def _relay_of(self, shards: Sequence[int]) -> PollingRelay:
        return PollingRelay(
            SERVICE,
            shards,
            self._store,
            self._store,
            self._publisher,
            self._clock,
            all_shards=self._settings.shards,
            annotate=self._notes.of,
        )

    @property
    def _by_shard(self) -> dict[int, Relay]:
        return {shard: relay for group in self._relays for shard, relay in group.relays.items()}

    async def _take(self, shards: Sequence[int]) -> None:
        for shard in shards:
            one = ShardInbox(shard, self._store, self._group, self._clock, self._parked)
            await one.load()
            await one.obey(one.holds.to_read_again())  # an older version could not
            self._shards[shard] = one
            self._parked_long[shard] = ParkedAlarm(SERVICE, shard, self._clock)
            log.info("shard_taken", shard=shard)
        metrics.INBOX_SHARDS.labels(SERVICE).set(len(self._shards))

    async def _give_up(self, shards: Sequence[int]) -> None:
        for shard in shards:
            self._shards.pop(shard, None)
        with suppress(TimeoutError):  # a fold that an abandoned lane left must not fence the next owner, us perhaps
            async with asyncio.timeout(DRAIN_S):
                await self._group.settled()
        metrics.INBOX_SHARDS.labels(SERVICE).set(len(self._shards))

    async def _handle(self, shard: int, records: Sequence[Record | Stray]) -> None:
        one = self._shards.get(shard)
        if one is None:
            raise StoreDown(f"shard {shard} is not held here")
        await one.take(records)

    def _parked(self, shard: int, parked: Sequence[Parked]) -> None:
        """Count what was parked and send copies to the dead-letter topics, for people to look at."""
        for one in parked:
            metrics.PARKED_TOTAL.labels(SERVICE, one.topic, one.cause.partition(":")[0]).inc()
            log.error("record_parked", shard=shard, topic=one.topic, source_shard=one.source_shard,
                      position=one.position, key=one.key, cause=one.cause)  # fmt: skip
        task = asyncio.get_running_loop().create_task(self._copy(shard, parked))
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)

    async def _copy(self, shard: int, parked: Sequence[Parked]) -> None:
        try:
            await self._publisher.publish([dead_letter(SERVICE, shard, one) for one in parked])
        except Exception as error:
            log.warning("dead_letter_copy_failed", shard=shard, error=repr(error))

    async def _look_after(self) -> None:
        """Once a second: obey what people ordered, raise alarms of chains, and set the gauges."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for shard, one in list(self._shards.items()):
                try:
                    orders = await self._orders.waiting(shard)
                    if orders:
                        await one.obey(orders)
                        await self._orders.done(shard, orders)
                    await self._parked_long[shard].look(self._orders, any_parked=bool(one.holds))
                except WorldFault as error:
                    log.warning("orders_wait", shard=shard, error=str(error))
                self._gauge(one)
            self._end_with_what_stands_still()

    async def _look_at_requests(self) -> None:
        """Raise the alarm of requests that nobody has answered."""
        while True:
            await asyncio.sleep(REQUESTS_EVERY_S)
            try:
                await self._requests.look(sorted(self._shards))
            except StoreDown as error:
                log.warning("requests_wait", error=str(error))

    def _end_with_what_stands_still(self) -> None:
        """End the process where a fault has stopped a shard and no assignment starts it again: the next start does."""
        now = self._clock.monotonic()
        faults = self._inbox.faults()
        self._faulty = {shard: self._faulty.get(shard, now) for shard in faults}
        for shard, since in self._faulty.items():
            if now - since > FAULT_PATIENCE_S:
                raise OwnFault(f"shard {shard} stands still") from faults[shard]

    def _gauge(self, one: ShardInbox) -> None:
        label = str(one.shard)
        for (topic, source_shard), trouble in one.book.alarms(self._clock.monotonic()):
            metrics.CHAIN_ALARMS.labels(SERVICE, topic, trouble.verdict.value).inc()
            log.error("chain_stands_still", topic=topic, source_shard=source_shard, position=trouble.position,
                      previous=trouble.previous, verdict=trouble.verdict.value)  # fmt: skip
            if trouble.verdict is Verdict.GAP:  # perhaps the place to read from was above the cursor
                self._inbox.reread(topic, one.shard)
        metrics.PARKED.labels(SERVICE, label).set(len(one.holds))
        metrics.HOLDS.labels(SERVICE, label).set(one.holds.keys)
        metrics.GAPS.labels(SERVICE, label).set(one.book.open_troubles(Verdict.GAP))
        metrics.FORKS.labels(SERVICE, label).set(one.book.open_troubles(Verdict.FORK))

    def _ready(self) -> Health:
        relays = self._by_shard
        checks = {
            "assigned": bool(self._shards),
            "relay": bool(relays),
            "logs": not relays or not self._unchecked,
            "progress": self._inbox.healthy(),
        }
        shards = {shard: ShardHealth(relay.position + relay.lag, 0, relay.position) for shard, relay in relays.items()}
        return health_of(checks, shards, self._inbox.lag())
