"""One chain of a topic from its first record on, for what is folded anew."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.errors import WorldFault
from shared.eventlog.cursors import CursorBook, Verdict
from shared.eventlog.ports import Record
from shared.kafka.records import parse
from shared.kafka.settings import settings_for

SILENCE_S = 5.0
KEPT = 4_000
"""So many records stay at hand for a swap that has to be tried again."""


class BrokenTopic(WorldFault):
    """A topic does not have, in one chain from its first record, what the cursors have passed: it must be refilled."""


class ChainReader:
    """One partition from its first record on, judged as an inbox judges it: what was refilled may come late.

    It has an event loop of its own.
    """

    def __init__(self, bootstrap: str, topic: str, shard: int) -> None:
        self._bootstrap = bootstrap
        self._partition = TopicPartition(topic, shard)
        self._book = CursorBook()
        self._kept: list[Record] = []
        self._forgotten = 0
        self._runner = asyncio.Runner()
        self._consumer: AIOKafkaConsumer | None = None

    def can_go_back(self, after: int) -> bool:
        """Tell whether all that comes after a position is yet to be read, or still at hand."""
        return after >= self._forgotten

    def between(self, after: int, until: int) -> Iterator[Sequence[Record]]:
        """Yield the records of the chain after a position, up to one that the topic must have."""
        reached = after
        while reached < until:
            ready = [record for record in self._kept if reached < record.position <= until]
            if ready:
                reached = ready[-1].position
                yield ready
            elif self._kept and self._kept[-1].position > until:
                raise BrokenTopic(f"{self._partition} has no record at position {until}, where the cursor is")
            else:
                self._read_on(until)

    def close(self) -> None:
        """Leave the broker."""
        if self._consumer is not None:
            self._runner.run(self._consumer.stop())
        self._runner.close()

    def _read_on(self, until: int) -> None:
        read = self._next(until)
        kept = [*self._kept[-KEPT:], *read]
        if len(kept) < len(self._kept) + len(read):
            self._forgotten = self._kept[-KEPT - 1].position
        self._kept = kept

    def _next(self, until: int) -> list[Record]:
        deadline = time.monotonic() + SILENCE_S
        while time.monotonic() < deadline:
            try:
                records = self._runner.run(self._poll())
            except (KafkaError, TimeoutError, OSError) as error:
                raise WorldFault(f"{self._partition} cannot be read: {error!r}") from error
            if records:
                deadline = time.monotonic() + SILENCE_S
            if taken := list(self._taken(map(parse, records))):
                return taken
        gaps = ", ".join(f"a gap before {one.position}" for one in self._book.troubles.values())
        raise BrokenTopic(
            f"{self._partition} does not come to position {until}, where the cursor is: {gaps or 'it ends'}"
        )

    def _taken(self, records: Iterable[object]) -> Iterator[Record]:
        for record in records:
            if not isinstance(record, Record):
                continue
            verdict = self._book.take(record, 0.0)
            if verdict is Verdict.APPLY:
                yield record
            elif verdict is Verdict.FORK:
                raise BrokenTopic(f"{self._partition}: a fork at position {record.position}")

    async def _poll(self) -> list[ConsumerRecord]:
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                **settings_for(self._bootstrap).client_options(),
                client_id="piperoll.gateway.rebuild",
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_uncommitted",
                check_crcs=True,
            )
            await self._consumer.start()
            self._consumer.assign([self._partition])
            await self._consumer.seek_to_beginning(self._partition)
        found = await self._consumer.getmany(self._partition, timeout_ms=200)
        return list(found.get(self._partition, ()))
