"""What a process does for its chains beside publishing and reading: tells their ends, hears others', mends what lacks.

Nothing here is needed for what goes well; all of it is repeated, so a notice that is lost costs only time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from shared.clock import Clock
from shared.contracts.chains import Head, Refill
from shared.errors import OwnFault, StoreDown, WorldFault
from shared.eventlog.cursors import CursorBook
from shared.eventlog.forks import ForkStore, look_at_forks
from shared.eventlog.gaps import GapWatch, refill_message
from shared.eventlog.heads import EVERY_S, Heads, head_message, head_of
from shared.eventlog.placed_store import LogStore
from shared.eventlog.ports import Publisher
from shared.eventlog.relay import Relay
from shared.eventlog.wholeness import Wholeness, parts_of
from shared.kafka.signals import KafkaSignals
from shared.telemetry.logs import logger
from shared.telemetry.metrics import REFILLS_ASKED

log = logger(__name__)

LOOK_EVERY_S = 1.0


class Upkeep:
    """One per process; `run` is its task. `relays` and `books` give the shards as they are held at the moment.

    `forks` are kept by server, each with the shards that lie there.
    """

    def __init__(
        self,
        service: str,
        instance: str,
        topics: Sequence[str],
        store: LogStore,
        publisher: Publisher,
        forks: Sequence[tuple[Sequence[int], ForkStore]],
        signals: Callable[[Callable[[Head], None], Callable[[Refill], None]], KafkaSignals],
        clock: Clock,
        relays: Callable[[], Mapping[int, Relay]],
        books: Callable[[], Mapping[int, CursorBook]],
        behind: Callable[[str, int], int],
    ) -> None:
        self._service = service
        self._name = f"{service}.{instance}"
        self._topics = topics
        self._store = store
        self._publisher = publisher
        self._forks = forks
        self._clock = clock
        self._relays = relays
        self._books = books
        self._behind = behind
        self._heads = Heads()
        self._signals = signals(self._heads.hear, self._refill)
        self._watches: dict[int, GapWatch] = {}
        self._whole: dict[int, Wholeness] = {}

    async def run(self) -> None:
        """Go on until cancelled; a fault of the world is told and tried again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._signals.run())
            group.create_task(self._every(LOOK_EVERY_S, self._look_at_chains))
            group.create_task(self._every(EVERY_S, self._tell_and_mend))
            group.create_task(self._every(LOOK_EVERY_S, self._follow_up))

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except (WorldFault, OwnFault) as error:
                log.warning("upkeep_waits", error=str(error))

    def _refill(self, asked: Refill) -> None:
        relay = self._relays().get(asked.shard) if asked.service == self._service else None
        if relay is not None and relay.refills.ask(asked):
            log.info("refill_asked_for", asked_by=asked.asked_by, topic=asked.topic, shard=asked.shard,
                     partition=asked.partition, from_position=asked.from_position)  # fmt: skip

    async def _look_at_chains(self) -> None:
        books = self._books()
        for shards, forks in self._forks:
            on_server = {shard: books[shard] for shard in shards if shard in books}
            try:
                let_go = await look_at_forks(on_server, forks, self._clock.monotonic()) if on_server else []
            except StoreDown as error:  # the servers of other shards may be there
                log.warning("forks_wait", shards=sorted(on_server), error=str(error))
                continue
            for fork in let_go:
                log.warning("fork_skipped", shard=fork.shard, topic=fork.chain[0], source_shard=fork.chain[1],
                            position=fork.position)  # fmt: skip
        await self._ask_for_what_lacks(books)

    async def _ask_for_what_lacks(self, books: Mapping[int, CursorBook]) -> None:
        now = self._clock.monotonic()
        asked: list[Refill] = []
        self._watches = {shard: self._watches.get(shard) or self._watch(shard) for shard in books}
        for shard, book in books.items():
            asked += self._watches[shard].look(book, self._heads, self._behind, now)
        for one in asked:
            REFILLS_ASKED.labels(self._service, one.topic).inc()
        await self._publisher.publish([refill_message(one) for one in asked])

    def _watch(self, shard: int) -> GapWatch:
        return GapWatch(self._name, shard, self._topics)

    async def _tell_and_mend(self) -> None:
        await self._signals.make_missing_topics()
        relays = self._relays()
        if not relays:
            return
        chains = {shard: relay.chains for shard, relay in relays.items()}
        logs = await self._store.log_heads(list(relays))  # after the chains, which must not end above it
        heads = [head_of(self._service, shard, logs[shard], chains[shard]) for shard in chains if shard in logs]
        await self._publisher.publish([head_message(head) for head in heads])
        await self._mend(relays)

    async def _follow_up(self) -> None:
        if any(whole.filling for whole in self._whole.values()):
            await self._mend(self._relays())

    async def _mend(self, relays: Mapping[int, Relay]) -> None:
        kept = {shard: self._whole.get(shard) for shard in relays}
        self._whole = {
            shard: whole if whole is not None and whole.relay is relays[shard] else self._wholeness(relays[shard])
            for shard, whole in kept.items()
        }
        found = await self._signals.firsts(parts_of(list(self._whole.values())))
        for whole in self._whole.values():
            try:
                await whole.look(found)
            except StoreDown as error:  # the servers of other shards may be there
                log.warning("mending_waits", shard=whole.relay.shard, error=str(error))

    def _wholeness(self, relay: Relay) -> Wholeness:
        return Wholeness(relay, self._store, self._store, self._clock)
