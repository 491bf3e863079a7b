"""Batches of shards, folded: cursors, projections, parked records and the one NOTIFY in a single transaction.

The cursors are moved by compare and set: where they are not as this worker left them, another worker has the shard.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg_pool import PoolTimeout

from services.gateway.projections.versions import enrol, to_fold
from shared.errors import Fenced, StoreDown
from shared.eventlog.intake import BEHIND
from shared.eventlog.ports import Cursor, Ended, Parked
from shared.eventlog.projections import Placed, Projection
from shared.faults import Point, reach
from shared.postgres.pool import pool
from shared.postgres.queries import queries
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)

_SQL = {name: text.encode() for name, text in queries(Path(__file__).with_suffix(".sql")).items()}
CONNECTIONS = 4


class Step(msgspec.Struct, frozen=True):
    """A record to be folded (`placed`), or to be parked at once (`cause`); `parked` is its form on the shelf."""

    parked: Parked
    placed: Placed | None = None
    cause: str = ""


class LetGo(msgspec.Struct, frozen=True):
    """A parked record that a person lets go: folded after all, or left out where `placed` is None."""

    parked: Parked
    placed: Placed | None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction's worth: what is let go comes first; `moved` are cursors as they were and as they will be."""

    shard: int
    let_go: Sequence[LetGo] = ()
    steps: Sequence[Step] = ()
    moved: Sequence[tuple[Cursor, Cursor]] = ()


class Done(msgspec.Struct):
    """What a committed transaction parked, and what it let go."""

    parked: list[Parked] = []
    ended: list[Ended] = []


class Folder:
    """Runs in threads; what belongs to one shard is one transaction at a time."""

    def __init__(self, dsn: str, projections: Sequence[Projection]) -> None:
        self._pool = pool(dsn, "piperoll-gateway-projections", connections=CONNECTIONS)
        self._projections = projections
        self._enrolled = False

    def open(self) -> None:
        """Open the pool without waiting for the database."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def fold(self, works: Sequence[Work]) -> list[Done]:
        """Commit the batches of several shards in one transaction; `works` in shard order, as rows are locked.

        Errors: Fenced; StoreDown, after which the stored cursors tell whether it was committed.
        """
        dones = [Done() for _ in works]
        try:
            with self._pool.connection() as connection, connection.cursor() as cursor:
                self._enrol(connection)
                for work in works:
                    self._move(cursor, work)
                projections = to_fold(cursor, self._projections)
                for work, done in zip(works, dones, strict=True):
                    _let_go(cursor, projections, work.let_go, done)
                _fold(cursor, projections, works, dones)
                for work, done in zip(works, dones, strict=True):
                    _record(cursor, work.shard, done)
                cursor.execute(_SQL["notify"])
                reach(Point.PROJECTION_BEFORE_COMMIT)
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
            raise StoreDown(f"projections of shards {[work.shard for work in works]}: {error}") from error
        return dones

    def _enrol(self, connection: psycopg.Connection[Any]) -> None:
        if not self._enrolled:
            enrol(connection, self._projections)
            connection.commit()
            self._enrolled = True

    def _move(self, cursor: psycopg.Cursor[Any], work: Work) -> None:
        for old, new in work.moved:
            if old.position:
                cursor.execute(
                    _SQL["move"],
                    (new.position, new.hash, work.shard, old.topic, old.source_shard, old.position, old.hash),
                )
            else:
                cursor.execute(_SQL["begin"], (work.shard, new.topic, new.source_shard, new.position, new.hash))
            if cursor.rowcount != 1:
                raise Fenced(f"shard {work.shard}: another worker has moved {new.topic} {new.source_shard}")


def _fold(
    cursor: psycopg.Cursor[Any], projections: Sequence[Projection], works: Sequence[Work], dones: Sequence[Done]
) -> None:
    placed = [step.placed for work in works for step in work.steps if step.placed is not None]
    for work, done in zip(works, dones, strict=True):
        done.parked.extend(_shelved(step.parked, step.cause) for step in work.steps if step.placed is None)
    if not placed:
        return
    try:
        with cursor.connection.transaction():
            _apply(cursor, projections, placed)
        return
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise
    except Exception as error:
        log.error("projection_raised", error=repr(error), exc_info=error)
    for work, done in zip(works, dones, strict=True):
        _fold_one_by_one(cursor, projections, work.steps, done)


def _fold_one_by_one(
    cursor: psycopg.Cursor[Any], projections: Sequence[Projection], steps: Sequence[Step], done: Done
) -> None:
    """Find what raises and park it, and with it what comes later of its key."""
    held = {parked.key for parked in done.parked if parked.key}
    for step in steps:
        if step.placed is None:
            continue
        if step.parked.key in held:
            done.parked.append(_shelved(step.parked, BEHIND))
            continue
        cause = _try(cursor, projections, step.placed)
        if cause:
            done.parked.append(_shelved(step.parked, cause))
            if step.parked.key:
                held.add(step.parked.key)


def _let_go(
    cursor: psycopg.Cursor[Any], projections: Sequence[Projection], let_go: Sequence[LetGo], done: Done
) -> None:
    """Fold what is released; a record that raises again stays, and with it what waits behind it."""
    stuck: set[str] = set()
    for one in let_go:
        if one.parked.key in stuck:
            continue
        if one.placed is not None and _try(cursor, projections, one.placed):
            stuck.add(one.parked.key)
            continue
        how = "dropped" if one.placed is None else "released"
        done.ended.append(Ended(one.parked.topic, one.parked.source_shard, one.parked.position, how))  # type: ignore[arg-type]


def _try(cursor: psycopg.Cursor[Any], projections: Sequence[Projection], placed: Placed) -> str:
    """Fold one fact; return why it cannot be, or nothing."""
    try:
        with cursor.connection.transaction():
            _apply(cursor, projections, [placed])
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise
    except Exception as error:
        log.error("projection_raised", position=placed.position, source=placed.source, error=repr(error))
        return f"projection_raised: {type(error).__name__}"
    return ""


def _apply(cursor: psycopg.Cursor[Any], projections: Sequence[Projection], placed: Sequence[Placed]) -> None:
    for of_source in _by_source(placed):
        for projection in projections:
            with metrics.PROJECTION_SECONDS.labels(projection.name).time():
                projection.apply(cursor, of_source)


def _by_source(placed: Sequence[Placed]) -> Iterator[list[Placed]]:
    by_source: dict[str, list[Placed]] = {}
    for one in placed:
        by_source.setdefault(one.source, []).append(one)
    yield from by_source.values()


def _shelved(parked: Parked, cause: str) -> Parked:
    return msgspec.structs.replace(parked, cause=cause)


def _record(cursor: psycopg.Cursor[Any], shard: int, done: Done) -> None:
    for one in done.parked:
        row = (one.topic, one.source_shard, one.position, one.key, one.cause, one.data, one.type, one.trace)
        cursor.execute(_SQL["park"], (shard, *row))
    for ended in done.ended:
        cursor.execute(_SQL["end"], (ended.how, shard, ended.topic, ended.source_shard, ended.position))
