"""A service's own log as what its projections fold, read in large pieces."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from shared.contracts.envelope import open_fact
from shared.contracts.event import Event
from shared.errors import BadRecord
from shared.eventlog.origin import Chain, Positions
from shared.eventlog.packing import unpack
from shared.eventlog.projections import Placed, live_positions
from shared.postgres.queries import queries
from shared.postgres.settings import conninfo

_SQL = queries(Path(__file__).parent / "sql" / "rebuild.sql")
PIECE = 4_000


@dataclass(frozen=True)
class OwnLog:
    """An `Origin`: `dsn` is the service's database, where both its log and its projections are."""

    dsn: str
    service: str
    cursors = "projection_cursor"

    def close(self) -> None:
        """Hold nothing open: each range has a connection of its own."""

    def live(self, cursor: psycopg.Cursor[Any], name: str) -> tuple[int, Positions]:
        """Return the version that is in the projection's tables (0: none yet) and how far it is."""
        version, positions = live_positions(cursor, name, self.service)
        return version, {(self.service, shard): position for shard, position in positions.items()}

    def ends(self, cursor: psycopg.Cursor[Any]) -> Positions:
        """Return how far one can fold now: to the end of each shard."""
        return {(self.service, shard): end for shard, end in cursor.execute(_SQL["ends"]).fetchall()}

    def stand(self, cursor: psycopg.Cursor[Any], name: str, version: int, positions: Mapping[Chain, int]) -> None:
        """Note that the projection's tables hold this version, folded so far; no other version is."""
        cursor.execute(_SQL["forget"], (name, self.service))
        shards, ends = [shard for _, shard in positions], list(positions.values())
        cursor.execute(_SQL["stand"], (name, version, self.service, shards, ends))

    def late(self, cursor: psycopg.Cursor[Any]) -> Iterator[Sequence[Placed]]:
        """Yield nothing: a log has all of its facts in their places."""
        return iter(())

    def facts(self, chain: Chain, after: int, until: int) -> Generator[Sequence[Placed], None, None]:
        """Yield the facts of one shard, in order. What cannot be opened raises BadRecord."""
        source, shard = chain
        for rows in self._pieces(shard, after, until, None):
            yield [Placed(source, shard, position, open_fact(unpack(data))) for position, data in rows]

    def events(
        self, chain: Chain, after: int, until: int, event: type[Event], part: type[msgspec.Struct]
    ) -> Generator[Sequence[tuple[int, Any]], None, None]:
        """Yield of one type of event the positions and those fields that `part` has."""
        sealed: Any = msgspec.defstruct("Sealed", [("payload", part)], gc=False)
        decode = msgspec.json.Decoder(sealed).decode
        for rows in self._pieces(chain[1], after, until, event.TYPE):
            try:
                yield [(position, decode(unpack(data)).payload) for position, data in rows]
            except msgspec.MsgspecError as error:
                raise BadRecord("wrong_schema", f"{event.TYPE} in {chain} after {rows[0][0]}: {error}") from error

    def _pieces(
        self, shard: int, after: int, until: int, event_type: str | None
    ) -> Iterator[Sequence[tuple[int, bytes]]]:
        """Yield positions and bytes, a piece at a time; while one is folded the next is read."""
        statement = _SQL["piece" if event_type is None else "piece_of_type"]
        with (
            psycopg.connect(conninfo(self.dsn, "piperoll-log-reader"), autocommit=True) as connection,
            ThreadPoolExecutor(1) as ahead,
        ):
            cursor = connection.cursor(binary=True)

            def read(start: int) -> list[tuple[int, bytes]]:
                place = {"shard": shard, "after": start, "until": min(until, start + PIECE), "type": event_type}
                return cursor.execute(statement, place, prepare=True).fetchall()

            starts = iter(range(after, until, PIECE))
            coming = [ahead.submit(read, start) for start in islice(starts, 1)]
            while coming:
                rows = coming.pop().result()
                coming.extend(ahead.submit(read, start) for start in islice(starts, 1))
                if rows:
                    yield rows
