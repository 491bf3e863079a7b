"""A service's own log as what its projections fold, read in large pieces."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from shared.contracts.envelope import Envelope, Fact, open_payload
from shared.contracts.event import Event
from shared.errors import BadRecord
from shared.eventlog.origin import Chain, Positions
from shared.eventlog.packing import unpack
from shared.eventlog.projections import Placed, live_positions
from shared.postgres.queries import queries
from shared.postgres.settings import conninfo

_SQL = queries(Path(__file__).parent / "sql" / "rebuild.sql")
PIECE = 1_000


@dataclass(frozen=True)
class OwnLog:
    """An `Origin`: `dsn` is the service's database, where both its log and its projections are."""

    dsn: str
    service: str
    cursors = "projection_cursor"

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

    def facts(self, chain: Chain, after: int, until: int) -> Generator[Sequence[Placed], None, None]:
        """Yield the facts of one shard, in order. What cannot be opened raises BadRecord."""
        source, shard = chain
        open_all = msgspec.json.Decoder(list[tuple[int, Envelope]]).decode
        for piece in self._pieces(shard, after, until, None):
            opened = _opened(open_all, piece)
            yield [Placed(source, shard, at, Fact(envelope, open_payload(envelope))) for at, envelope in opened]

    def events(
        self, chain: Chain, after: int, until: int, event: type[Event], part: type[msgspec.Struct]
    ) -> Generator[Sequence[tuple[int, Any]], None, None]:
        """Yield of one type of event the positions and those fields that `part` has."""
        sealed: Any = msgspec.defstruct("Sealed", [("payload", part)], gc=False)
        open_all = msgspec.json.Decoder(list[tuple[int, sealed]]).decode
        for piece in self._pieces(chain[1], after, until, event.TYPE):
            yield [(at, envelope.payload) for at, envelope in _opened(open_all, piece)]

    def _pieces(self, shard: int, after: int, until: int, event_type: str | None) -> Iterator[bytes]:
        """Yield what the server joins; while one piece is folded the next is read."""
        statement = _SQL["piece" if event_type is None else "piece_of_type"]
        starts = range(after, until, PIECE)
        with (
            psycopg.connect(conninfo(self.dsn, "piperoll-log-reader"), autocommit=True) as connection,
            ThreadPoolExecutor(1) as ahead,
        ):
            cursor = connection.cursor(binary=True)

            def read(start: int) -> bytes | None:
                place = {"shard": shard, "after": start, "until": min(until, start + PIECE), "type": event_type}
                row = cursor.execute(statement, place).fetchone()
                return row[0] if row else None

            coming = ahead.submit(read, starts[0]) if starts else None
            for start in [*starts[1:], None]:
                if coming is None:
                    return
                piece = coming.result()
                coming = None if start is None else ahead.submit(read, start)
                if piece is not None:
                    yield piece


def _opened(open_all: Any, piece: bytes) -> list[tuple[int, Any]]:
    try:
        opened: list[tuple[int, Any]] = open_all(piece)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord("wrong_schema", str(error)) from error
    return opened
