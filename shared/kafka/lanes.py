"""One lane per assigned shard: takes it over, finds where to read, and hands its records on in order."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from aiokafka import ConsumerRecord, TopicPartition

from shared.errors import OwnFault
from shared.eventlog.ports import Record, Stray
from shared.kafka.records import parse
from shared.telemetry.metrics import INBOX_BATCH, INBOX_FAILURES

_log = logging.getLogger(__name__)

MAX_BATCH = 2_000
FULL_RECORDS = 6_000
FULL_BYTES = 32 * 1024 * 1024
FIRST_BACK_OFF_S = 0.1
LAST_BACK_OFF_S = 2.0

OnShards = Callable[[Sequence[int]], Awaitable[None]]
OnBatch = Callable[[int, Sequence[Record | Stray]], Awaitable[None]]


class Reader(Protocol):
    """What a lane asks of the consumer; a partition that was taken away meanwhile is ignored."""

    def pause(self, partitions: Sequence[TopicPartition]) -> None: ...

    def resume(self, partitions: Sequence[TopicPartition]) -> None: ...

    def seek(self, partition: TopicPartition, offset: int) -> None: ...

    async def starts(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return where to begin: the saved offset where it still exists, else the beginning."""
        ...


class Handed(NamedTuple):
    """A batch that was handed on; `rewinds` says how often the lane had gone back by then."""

    batch: list[ConsumerRecord]
    records: list[Record | Stray]
    rewinds: int
    work: asyncio.Task[None]


class Lane:
    """A shard's bounded queue and the task that empties it. `handled` is the offset after the last handled record.

    `in_hand` batches are handed on before the first of them is done, in order.
    """

    def __init__(
        self,
        service: str,
        shard: int,
        partitions: Sequence[TopicPartition],
        reader: Reader,
        on_assigned: OnShards,
        on_batch: OnBatch,
        in_hand: int = 1,
    ) -> None:
        self.shard = shard
        self.partitions = tuple(partitions)
        self.handled: dict[TopicPartition, int] = {}
        self.failed: BaseException | None = None
        self.paused = True
        self._service = service
        self._reader = reader
        self._on_assigned = on_assigned
        self._on_batch = on_batch
        self._in_hand = in_hand
        self._waiting: list[ConsumerRecord] = []
        self._bytes = 0
        self._rewinds = 0
        self._placed = False
        self._closing = False
        self._arrived = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"inbox-{service}-{shard}")

    @property
    def waiting(self) -> int:
        """How many records were read and not yet handed on."""
        return len(self._waiting)

    def offer(self, records: Sequence[ConsumerRecord]) -> None:
        """Queue what was read of one partition; a full queue pauses the shard's partitions."""
        if not self._placed or self._closing:
            return
        self._waiting.extend(records)
        self._bytes += _size(records)
        if not self.paused and (len(self._waiting) >= FULL_RECORDS or self._bytes >= FULL_BYTES):
            self.paused = True
            self._reader.pause(self.partitions)
        self._arrived.set()

    def rewind(self, partition: TopicPartition, offset: int) -> None:
        """Read a partition again from `offset`; what waits of it is forgotten first, so that order holds."""
        if self._placed and not self._closing:
            self._waiting = [r for r in self._waiting if (r.topic, r.partition) != partition]
            self._bytes = _size(self._waiting)
            self._rewinds += 1
            self.handled[partition] = offset
            self._reader.seek(partition, offset)

    async def drain(self, timeout_s: float) -> bool:
        """Take nothing more; hand on what waits. True when all of it was, False when the time was not enough."""
        self._closing = True
        self._arrived.set()
        if not self._placed:
            self._task.cancel()
        done, _ = await asyncio.wait([self._task], timeout=timeout_s)
        if not done:
            await self.abandon()
        return bool(done) and not self._waiting

    async def abandon(self) -> None:
        """End at once; what waits will be read again by whoever has the shard next."""
        self._closing = True
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            await self._insist("takeover", lambda: self._on_assigned([self.shard]))
            await self._insist("seek", self._place)
            await self._hand_on()
        except Exception as fault:
            self.failed = fault
            self._reader.pause(self.partitions)
            _log.error(
                "shard stands still: %s", fault, extra={"service": self._service, "shard": self.shard}, exc_info=fault
            )

    async def _place(self) -> None:
        starts = await self._reader.starts(self.partitions)
        for partition, offset in starts.items():
            self._reader.seek(partition, offset)
            self.handled[partition] = offset
        self._placed = True
        self.paused = False
        self._reader.resume(self.partitions)

    async def _hand_on(self) -> None:
        """Hand on what comes, in order, until the lane is closed and nothing is left."""
        in_hand: deque[Handed] = deque()
        try:
            while in_hand or await self._has_come():
                if self._waiting and len(in_hand) < self._in_hand:
                    in_hand.append(self._handed())
                else:
                    await self._finish(in_hand)
        finally:
            for handed in in_hand:
                handed.work.cancel()

    async def _has_come(self) -> bool:
        """Wait for records; False when the lane was closed and nothing is left."""
        while not self._waiting and not self._closing:
            self._arrived.clear()
            await self._arrived.wait()
        return bool(self._waiting)

    def _handed(self) -> Handed:
        """Take what waits, at most `MAX_BATCH`, and hand it on."""
        batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        self._bytes = _size(self._waiting) if self._waiting else 0
        records = [parse(record) for record in batch]
        return Handed(batch, records, self._rewinds, asyncio.create_task(self._told(records)))

    async def _told(self, records: Sequence[Record | Stray]) -> None:
        await self._on_batch(self.shard, records)

    async def _finish(self, in_hand: deque[Handed]) -> None:
        """Wait for the first; where it failed, for all, and hand them on again one by one: their order is kept."""
        try:
            await in_hand[0].work
        except OwnFault:
            raise
        except Exception as error:
            self._note("batch", FIRST_BACK_OFF_S, error)
            await asyncio.gather(*(handed.work for handed in in_hand), return_exceptions=True)
            await asyncio.sleep(FIRST_BACK_OFF_S)
            while in_hand:
                await self._insist("batch", lambda: self._told(in_hand[0].records))
                self._done(in_hand.popleft())
        else:
            self._done(in_hand.popleft())

    def _done(self, handed: Handed) -> None:
        INBOX_BATCH.labels(self._service).observe(len(handed.batch))
        if handed.rewinds == self._rewinds:
            for record in handed.batch:
                self.handled[TopicPartition(record.topic, record.partition)] = record.offset + 1
        if self.paused and len(self._waiting) <= FULL_RECORDS // 2 and not self._closing:
            self.paused = False
            self._reader.resume(self.partitions)

    async def _insist(self, what: str, attempt: Callable[[], Awaitable[None]]) -> None:
        """Try until it is done, with a back-off to 2 s. Only a fault of our own (Fenced above all) ends the lane."""
        back_off = FIRST_BACK_OFF_S
        while True:
            try:
                return await attempt()
            except OwnFault:
                raise
            except Exception as error:
                self._note(what, back_off, error)
            await asyncio.sleep(back_off)
            back_off = min(back_off * 2, LAST_BACK_OFF_S)

    def _note(self, what: str, back_off: float, error: Exception) -> None:
        INBOX_FAILURES.labels(self._service).inc()
        _log.warning(
            "%s failed, tried again in %.1f s: %r", what, back_off, error,
            extra={"service": self._service, "shard": self.shard},
        )  # fmt: skip


def _size(records: Sequence[ConsumerRecord]) -> int:
    return sum(len(record.value or b"") for record in records)
