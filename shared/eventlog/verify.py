"""Whether a shard's log is what it says: recomputed from its rows, not believed. Works on any service's database."""

from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from shared.contracts.envelope import open_envelope
from shared.errors import BadRecord, OwnFault
from shared.eventlog.merkle import extend, leaf_hash, root
from shared.eventlog.packing import unpack
from shared.postgres.queries import queries
from shared.postgres.settings import conninfo

_SQL = queries(Path(__file__).parent / "sql" / "verify.sql")
ROWS_AT_ONCE = 2000


class BrokenLog(OwnFault):
    """A log does not fit its own head, or a row its own envelope; the message names shard and position."""


class Verified(NamedTuple):
    """A log that fits its head: how many events, and their RFC 6962 tree's root."""

    shard: int
    size: int
    root: bytes


def verify_log(dsn: str, shard: int) -> Verified:
    """Check one shard as of one moment; the first thing that does not fit raises BrokenLog.

    Checked: positions run from 1 without a gap and versions do in each stream; event ids are unique; the columns equal
    the envelope's fields; recorded time never falls; the tree over the rows' bytes is the one in the shard's row.
    """
    with psycopg.connect(conninfo(dsn, "piperoll-verify")) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        held = connection.execute(_SQL["head"], (shard,)).fetchone()
        if held is None:
            raise BrokenLog(f"shard {shard} is not in this database")
        next_position, stored_head = held
        log = _Log(shard)
        with connection.cursor(name="log") as cursor:
            cursor.itersize = ROWS_AT_ONCE
            cursor.execute(_SQL["rows"], (shard,))
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                log.take(rows)
    if log.size != next_position - 1:
        raise BrokenLog(f"shard {shard} has {log.size} events, its row says {next_position - 1}")
    if log.head != bytes(stored_head):
        raise BrokenLog(f"shard {shard}: the tree over its {log.size} events is not the one in its row")
    return Verified(shard, log.size, root(log.head))


class _Log:
    def __init__(self, shard: int) -> None:
        self.shard = shard
        self.size = 0
        self.head = b""
        self._versions: dict[str, int] = {}
        self._ids: set[bytes] = set()
        self._recorded_at = ""

    def take(self, rows: list[Any]) -> None:
        size = self.size
        leaves = []
        for position, stream, version, event_id, kind, stored in rows:
            data = self._opened(position, stored)
            leaves.append(leaf_hash(data))
            self._take_one(position, stream, version, event_id.bytes, kind, data)
        self.head = extend(self.head, size, leaves)

    def _take_one(self, position: int, stream: str, version: int, event_id: bytes, kind: str, data: bytes) -> None:
        self.size += 1
        self._must(position == self.size, position, "its position leaves a gap")
        expected = self._versions.get(stream, 0) + 1
        self._must(version == expected, position, f"version {version} of {stream} should be {expected}")
        self._versions[stream] = version
        self._must(event_id not in self._ids, position, "its event id stands twice")
        self._ids.add(event_id)
        try:
            envelope = open_envelope(data)
        except BadRecord as error:
            raise BrokenLog(f"shard {self.shard}, position {position}: {error}") from error
        copies = (envelope.event_id, envelope.type, envelope.stream, envelope.version)
        self._must(copies == (event_id.hex(), kind, stream, version), position, "its columns differ from its envelope")
        self._must(envelope.recorded_at >= self._recorded_at, position, "recorded time falls")
        self._recorded_at = envelope.recorded_at

    def _opened(self, position: int, stored: bytes) -> bytes:
        try:
            return unpack(stored)
        except ValueError as error:
            raise BrokenLog(f"shard {self.shard}, position {position}: {error}") from error

    def _must(self, held: bool, position: int, otherwise: str) -> None:
        if not held:
            raise BrokenLog(f"shard {self.shard}, position {position}: {otherwise}")
