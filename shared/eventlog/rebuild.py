"""Proof that a projection is a fold of its facts: folded beside the live one, both give the same digest.

The fold runs in a scratch schema that holds copies of the projection's tables and nothing else, in a transaction that
is rolled back at the end.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import chain, groupby
from typing import Any

import msgspec
import psycopg

from shared.eventlog import scratch
from shared.eventlog.origin import Origin, Positions, fold_range
from shared.eventlog.own_log import OwnLog
from shared.eventlog.projections import Placed, Projection, as_of_one_moment
from shared.eventlog.swap import APPLICATION, FOLDING
from shared.postgres.settings import conninfo

BATCH = 500


class Comparison(msgspec.Struct, frozen=True):
    """A projection as it is and as its facts make it, at the same positions; `version` is the one in its tables."""

    version: int
    positions: Positions
    live: str
    folded: str


def live_digest(dsn: str, projection: Projection) -> str:
    """Return the SHA-256 of all rows of the projection's tables, each ordered by its primary key."""
    with psycopg.connect(conninfo(dsn, APPLICATION)) as connection, connection.cursor() as cursor:
        as_of_one_moment(cursor, projection)
        return scratch.digest(cursor, projection)


def rebuild_digest(dsn: str, projection: Projection, facts: Iterable[Placed]) -> str:
    """Return the digest of the projection folded from `facts` alone; the facts of one shard come in their order."""

    def fold(cursor: psycopg.Cursor[Any]) -> None:
        for batch in _batches(facts):
            projection.apply(cursor, batch)

    return _folded_digest(dsn, projection, fold)


def compare(dsn: str, projection: Projection, origin: Origin) -> Comparison:
    """Take the live digest as of one moment, and fold exactly up to where the live projection stood then."""
    with psycopg.connect(conninfo(dsn, APPLICATION)) as connection, connection.cursor() as cursor:
        as_of_one_moment(cursor, projection)
        version, positions = origin.live(cursor, projection.name)
        live = scratch.digest(cursor, projection)
    ranges = {place: (0, position) for place, position in positions.items()}
    with closing(origin):
        folded = _folded_digest(dsn, projection, lambda cursor: fold_range(cursor, projection, origin, ranges))
    return Comparison(version, positions, live, folded)


def facts_of(dsn: str, service: str) -> Iterator[Placed]:
    """Yield every fact of a service's own log, shard by shard, in order, as of one moment."""
    log = OwnLog(dsn, service)
    with psycopg.connect(conninfo(dsn, APPLICATION)) as connection, connection.cursor() as cursor:
        ends = log.ends(cursor)
    for place, end in sorted(ends.items()):
        yield from chain.from_iterable(log.facts(place, 0, end))


def _folded_digest(dsn: str, projection: Projection, fold: Callable[[psycopg.Cursor[Any]], None]) -> str:
    name = f"compare_{secrets.token_hex(6)}"
    with psycopg.connect(conninfo(dsn, APPLICATION, FOLDING)) as connection:
        with connection.cursor() as cursor:
            scratch.make(cursor, name, projection)
            with scratch.inside(cursor, name):
                fold(cursor)
            digest = scratch.digest(cursor, projection, name)
        connection.rollback()
    return digest


def _batches(facts: Iterable[Placed]) -> Iterator[list[Placed]]:
    for _, of_shard in groupby(facts, key=lambda placed: (placed.source, placed.shard)):
        batch: list[Placed] = []
        for placed in of_shard:
            batch.append(placed)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch
