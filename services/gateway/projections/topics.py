"""The topics that the gateway folds, from their first records: what its projections are rebuilt from."""

import asyncio
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.contracts.envelope import open_fact
from shared.contracts.event import Event
from shared.contracts.topics import BY_NAME, consumed_by
from shared.errors import WorldFault
from shared.eventlog.cursors import CursorBook, Verdict
from shared.eventlog.origin import Chain, Positions
from shared.eventlog.ports import Record
from shared.eventlog.projections import Placed
from shared.kafka.records import parse
from shared.kafka.settings import settings_for
from shared.postgres.queries import queries
from shared.postgres.settings import conninfo

_SQL = {name: text.encode() for name, text in queries(Path(__file__).with_name("versions.sql")).items()}
TOPIC_OF = {BY_NAME[topic].producer: topic for topic in consumed_by("gateway")}
SILENCE_S = 5.0
KEPT = 4_000
"""So many records stay at hand for a swap that has to be tried again."""


class BrokenTopic(WorldFault):
    """A topic does not have, in one chain from its first record, what the cursors have passed: it must be refilled."""


class Topics:
    """An `Origin`: the records that the cursors have passed, but for those that wait on the shelf or were dropped."""

    cursors = "cursor"

    def __init__(self, dsn: str, bootstrap: str) -> None:
        self._dsn = dsn
        self._bootstrap = bootstrap
        self._readers: dict[Chain, _Reader] = {}
        self._left_out: dict[Chain, set[int]] = {}

    def __reduce__(self) -> tuple[type["Topics"], tuple[str, str]]:
        return Topics, (self._dsn, self._bootstrap)

    def close(self) -> None:
        """Leave the broker; what is asked for later is read from the beginning."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def live(self, cursor: psycopg.Cursor[Any], name: str) -> tuple[int, Positions]:
        """Return the version in the tables (0: none) and how far it is: at the cursors, or where it stands still."""
        versions: dict[str, int] = dict(cursor.execute(_SQL["live"]).fetchall())
        ends, rows = self.ends(cursor), cursor.execute(_SQL["stood"], (name,)).fetchall()
        stood = {(source, shard): position for source, shard, position in rows}
        return versions.get(name, 0), {chain: stood.get(chain, 0) for chain in ends} if stood else ends

    def ends(self, cursor: psycopg.Cursor[Any]) -> Positions:
        """Return where the cursors are: further than that nobody may fold."""
        rows = cursor.execute(_SQL["positions"], (list(TOPIC_OF.values()),)).fetchall()
        return {(BY_NAME[topic].producer, shard): position for topic, shard, position in rows}

    def stand(self, cursor: psycopg.Cursor[Any], name: str, version: int, positions: Mapping[Chain, int]) -> None:
        """Note that this version is in the tables and moves with the cursors."""
        cursor.execute(_SQL["swapped"], (name, version))
        cursor.execute(_SQL["moves_on"], (name,))

    def late(self, cursor: psycopg.Cursor[Any]) -> Iterator[Sequence[Placed]]:
        """Yield what was left out when it was read and has been released since."""
        for (source, shard), positions in self._left_out.items():
            place = (shard, TOPIC_OF[source], shard, list(positions))
            rows = cursor.execute(_SQL["let_in"], place).fetchall()
            yield [Placed(source, shard, position, open_fact(bytes(data))) for position, data in rows]

    def facts(self, chain: Chain, after: int, until: int) -> Generator[Sequence[Placed], None, None]:
        """Yield the facts of one shard of one topic, in order. Errors: BrokenTopic, WorldFault, BadRecord."""
        if until <= after:
            return
        source, shard = chain
        with psycopg.connect(conninfo(self._dsn, "piperoll-topic-reader"), autocommit=True) as connection:
            rows = connection.execute(_SQL["left_out"], (shard, TOPIC_OF[source], shard)).fetchall()
        left_out = self._left_out.setdefault(chain, set())
        left_out.update(position for (position,) in rows if after < position <= until)
        reader = self._readers.get(chain)
        if reader is None or not reader.can_go_back(after):
            if reader is not None:
                reader.close()
            reader = self._readers[chain] = _Reader(self._bootstrap, TOPIC_OF[source], shard)
        for records in reader.between(after, until):
            yield [
                Placed(source, shard, record.position, open_fact(record.value))
                for record in records
                if record.position not in left_out
            ]

    def events(
        self, chain: Chain, after: int, until: int, event: type[Event], part: type[msgspec.Struct]
    ) -> Generator[Sequence[tuple[int, Any]], None, None]:
        """Yield of one type of event the positions and the events."""
        for facts in self.facts(chain, after, until):
            yield [(placed.position, placed.fact.event) for placed in facts if type(placed.fact.event) is event]


class _Reader:
    """One partition from its first record on, judged as an inbox judges it. It has an event loop of its own."""

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
        raise BrokenTopic(f"{self._partition} does not come to position {until}, where the cursor is")

    def _taken(self, records: Iterable[object]) -> Iterator[Record]:
        for record in records:
            if not isinstance(record, Record):
                continue
            verdict = self._book.take(record, 0.0)
            if verdict is Verdict.APPLY:
                yield record
            elif verdict is not Verdict.SKIP:
                place = f"{self._partition} at position {record.position}"
                raise BrokenTopic(f"{place}: a {verdict.value} after {self._book.cursor(_chain(record)).position}")

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


def _chain(record: Record) -> tuple[str, int]:
    return record.topic, record.source_shard
