"""Takes records from Kafka, shard by shard: judged by the cursors, opened, kept back where they must wait, folded."""

import asyncio
from collections.abc import Callable, Sequence

from services.gateway.projections.fold import Done, LetGo, Step, Work
from services.gateway.projections.group import FoldGroup
from shared.clock import Clock
from shared.contracts.envelope import open_fact
from shared.contracts.topics import BY_NAME
from shared.errors import BadRecord, Fenced, OwnFault, StoreDown
from shared.eventlog.cursors import CursorBook, Verdict
from shared.eventlog.intake import BEHIND, STRAY_SHARD, Holds, let_go_with, parked_record, parked_stray
from shared.eventlog.ports import Cursor, Order, Parked, Record, Store, Stray
from shared.eventlog.projections import Placed
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)


class ShardInbox:
    """One shard's cursors and holds in memory. After any failure they are read from the store again."""

    def __init__(
        self,
        shard: int,
        store: Store,
        group: FoldGroup,
        clock: Clock,
        on_parked: Callable[[int, Sequence[Parked]], None] = lambda shard, parked: None,
    ) -> None:
        self.shard = shard
        self.book = CursorBook()
        self.holds = Holds((), ())
        self._store = store
        self._group = group
        self._clock = clock
        self._on_parked = on_parked
        self._known = False
        self._unsure = False
        self._held_now: set[str] = set()
        self._busy = asyncio.Lock()

    async def load(self) -> None:
        """Read the stored cursors and holds; chains in trouble stay in trouble."""
        self.book.reset(await self._store.cursors(self.shard))
        self.holds = Holds(await self._store.holds(self.shard), await self._store.strays(self.shard))
        self._known = True

    async def take(self, records: Sequence[Record | Stray]) -> None:
        """Fold the records of one delivery, in order; returns when that is committed. StoreDown: offer them again."""
        async with self._busy:
            if not self._known:
                await self.load()
            before = dict(self.book.cursors)
            self._held_now.clear()
            self._known = False  # until it is sure that what the cursors pass over is folded
            steps = [step for record in records if (step := self._step(record)) is not None]
            moved = [
                (before.get(chain) or Cursor(new.topic, new.source_shard, 0, b""), new)
                for new in self.book.pending()
                for chain in [(new.topic, new.source_shard)]
            ]
            if steps or moved:
                await self._commit(Work(shard=self.shard, steps=steps, moved=moved))
                self.book.stored([new for _, new in moved])
            self._known = True

    async def obey(self, orders: Sequence[Order]) -> None:
        """Release or drop parked records as people ordered; returns when that is stored."""
        async with self._busy:
            if not self._known:
                await self.load()
            for order in orders:
                let_go = self._let_go(order)
                if let_go:
                    await self._commit(Work(shard=self.shard, let_go=let_go))

    async def _commit(self, work: Work) -> None:
        try:
            done = await self._group.fold(work)
        except BaseException as error:
            self._known = False
            raise self._fault_of(error) from error
        self._unsure = False
        self._took(done)

    def _fault_of(self, error: BaseException) -> BaseException:
        """Return what the caller is told: a fence right after an unknown commit may be that commit."""
        was_unsure, self._unsure = self._unsure, isinstance(error, StoreDown)
        if not isinstance(error, Exception) or isinstance(error, StoreDown):
            return error
        if isinstance(error, OwnFault) and not (was_unsure and isinstance(error, Fenced)):
            return error
        return StoreDown(f"shard {self.shard} was not folded: {error!r}")

    def _took(self, done: Done) -> None:
        self.holds.add(done.parked)
        self.holds.remove([(one.topic, one.source_shard, one.position) for one in done.ended])
        if done.parked:
            self._on_parked(self.shard, done.parked)

    def _step(self, record: Record | Stray) -> Step | None:
        """Return what is to be done with a record; None where there is nothing to do."""
        if isinstance(record, Stray):
            metrics.RECORDS.labels("gateway", record.topic, "stray").inc()
            stray = parked_stray(record)
            return None if self.holds.knows(stray) else self._kept_back(Step(stray, cause=record.cause))
        verdict = self.book.take(record, self._clock.monotonic())
        metrics.RECORDS.labels("gateway", record.topic, verdict.value).inc()
        if verdict is not Verdict.APPLY:
            return None
        parked = parked_record(record, "")
        try:
            placed = Placed(record.source, record.source_shard, record.position, open_fact(record.value))
        except BadRecord as error:
            return self._kept_back(Step(parked, cause=error.cause))
        if record.key in self._held_now or self.holds.held(record.key):
            return Step(parked, cause=BEHIND)
        return Step(parked, placed)

    def _kept_back(self, step: Step) -> Step:
        """Make later records of the key wait, in this very batch too."""
        if step.parked.key:
            self._held_now.add(step.parked.key)
        return step

    def _let_go(self, order: Order) -> list[LetGo]:
        """Return the ordered record and, if it was the one that held its key, those that waited behind it alone."""
        place = (order.topic, order.source_shard, order.position)
        queue = self.holds.queue_of(*place)
        if not queue:
            log.warning("order_without_parked_record", topic=order.topic, position=order.position, order=order.how)
            return []
        if queue[0].place != place and order.how == "released":
            log.warning("order_out_of_turn", topic=order.topic, position=order.position, key=queue[0].key)
            return []
        steps: list[LetGo] = []
        for parked in let_go_with(queue, place):
            dropped = parked.place == place and order.how == "dropped"
            try:
                steps.append(LetGo(parked, None if dropped else _placed(parked)))
            except BadRecord as error:
                log.warning(
                    "parked_record_still_refused", topic=parked.topic, position=parked.position, cause=str(error)
                )
                break
        return steps


def _placed(parked: Parked) -> Placed:
    """Return the fact of a parked record; a stray one has no place and raises BadRecord."""
    if parked.source_shard == STRAY_SHARD:
        raise BadRecord("no_place", "a stray record can only be dropped")
    return Placed(BY_NAME[parked.topic].producer, parked.source_shard, parked.position, open_fact(parked.data))
