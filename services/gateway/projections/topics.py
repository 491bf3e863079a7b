"""The topics that the gateway folds, from their first records: what its projections are rebuilt from."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from shared.contracts.envelope import open_fact
from shared.contracts.event import Event
from shared.contracts.topics import BY_NAME, consumed_by
from shared.eventlog.origin import Chain, Positions
from shared.eventlog.projections import Placed
from shared.kafka.chain import ChainReader
from shared.postgres.queries import queries
from shared.postgres.settings import conninfo

_SQL = {name: text.encode() for name, text in queries(Path(__file__).with_name("versions.sql")).items()}
TOPIC_OF = {BY_NAME[topic].producer: topic for topic in consumed_by("gateway")}


class Topics:
    """An `Origin`: the records that the cursors have passed, but for those that wait on the shelf or were dropped."""

    cursors = "cursor"

    def __init__(self, dsn: str, bootstrap: str) -> None:
        self._dsn = dsn
        self._bootstrap = bootstrap
        self._readers: dict[Chain, ChainReader] = {}
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
            reader = self._readers[chain] = ChainReader(self._bootstrap, TOPIC_OF[source], shard)
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
