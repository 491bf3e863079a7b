"""Projections: disposable folds of logs into tables, moved in the transaction that moves their cursor."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec
import psycopg
from psycopg import sql

from shared.contracts.envelope import Fact
from shared.contracts.event import Event
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).parent / "sql" / "projection.sql")
CHANNEL = "projection"
"""Notified after each commit that moves a projection."""


class Placed(msgspec.Struct, frozen=True):
    """A fact and where it stands: `source` is the service whose log it is in."""

    source: str
    shard: int
    position: int
    fact: Fact


class Projection(Protocol):
    """A fold with a name and a version; a changed fold is a new version, rebuilt from the beginning.

    `apply` is sync, runs inside a transaction, sees the facts of one shard in order, and must give the same rows
    however the facts are cut into calls. It touches only `tables`, through unqualified names, so that a rebuild can
    run it in another schema.
    """

    name: str
    version: int
    tables: Sequence[str]

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None: ...


@runtime_checkable
class Gathering(Projection, Protocol):
    """A projection whose facts add up in memory, so that a rebuild writes each of its rows once.

    It folds one type of event, `event`, and reads no more of it than `part` has, and its position. A batch that a
    rebuild gathers may be of several shards. What has no room in memory is set aside in the session, keys of earlier
    parts among it, and all of it is put into the tables together: to add each part to the rows of the one before is
    many times slower.
    """

    event: type[Event]
    part: type[msgspec.Struct]

    def gather(self, gathered: dict[Any, Any], events: Iterable[tuple[int, Any]]) -> None: ...

    def set_aside(self, cursor: psycopg.Cursor[Any], gathered: Mapping[Any, Any]) -> None: ...

    def put(self, cursor: psycopg.Cursor[Any]) -> None: ...


def send(cursor: psycopg.Cursor[Any], statement: str, rows: Sequence[Sequence[object]]) -> None:
    """Run a statement over `unnest` once for all rows, its parameters their columns; nothing where there is no row."""
    if rows:
        cursor.execute(statement.encode(), [list(column) for column in zip(*rows, strict=True)])


def send_by_key(cursor: psycopg.Cursor[Any], statement: str, rows: Mapping[Any, Sequence[object]]) -> None:
    """Send one row per key (a text, or a tuple of them), in the keys' order, so that no two batches lock crosswise."""
    send(cursor, statement, [(*(key if isinstance(key, tuple) else (key,)), *rows[key]) for key in sorted(rows)])


def as_of_one_moment(cursor: psycopg.Cursor[Any], projection: Projection) -> None:
    """Begin a transaction of several reads: all see one moment, and a rebuilt projection is swapped in before or after.

    Without the locks a snapshot older than a swap would see a part of what the swap brought in.
    """
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    if projection.tables:
        tables = sql.SQL(", ").join(map(sql.Identifier, projection.tables))
        cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(tables))


def positions_of(cursor: psycopg.Cursor[Any], name: str, version: int, source: str) -> dict[int, int]:
    """Return how far a version has folded each shard of a log; a shard without facts is absent, or 0."""
    return dict(cursor.execute(_SQL["positions"], (name, version, source)).fetchall())


def live_positions(cursor: psycopg.Cursor[Any], name: str, source: str) -> tuple[int, dict[int, int]]:
    """Return the version that is in a projection's tables (0: none yet) and how far it has folded each shard."""
    rows = cursor.execute(_SQL["live"], (name, source)).fetchall()
    newest = max((version for version, _, _ in rows), default=0)
    return newest, {shard: position for version, shard, position in rows if version == newest}
