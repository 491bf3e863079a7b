"""Proof that a projection is a fold of its facts: rebuilt beside the live one, both give the same digest.

The rebuild runs in a scratch schema that holds copies of the projection's tables and nothing else, and that is dropped
at the end. The role of the DSN must be allowed to create schemas and to read the live tables.
"""

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from shared.contracts.envelope import open_fact
from shared.eventlog.packing import unpack
from shared.eventlog.projections import Placed, Projection
from shared.postgres.queries import queries
from shared.postgres.settings import conninfo

_SQL = queries(Path(__file__).parent / "sql" / "projection.sql")
BATCH = 500
APPLICATION = "piperoll-rebuild"


class _Table(NamedTuple):
    schema: str
    name: str
    primary_key: Sequence[str]


def live_digest(dsn: str, projection: Projection) -> str:
    """Return the SHA-256 of all rows of the projection's tables, each ordered by its primary key."""
    with psycopg.connect(conninfo(dsn, APPLICATION)) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return _digest(cursor, _tables(cursor, projection))


def rebuild_digest(dsn: str, projection: Projection, facts: Iterable[Placed]) -> str:
    """Return the digest of the projection folded from `facts` alone; the facts of one shard come in their order."""
    scratch = f"rebuild_{secrets.token_hex(6)}"
    with psycopg.connect(conninfo(dsn, APPLICATION)) as connection:
        with connection.cursor() as cursor:
            live = _tables(cursor, projection)
            cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(scratch)))
            for table in live:
                cursor.execute(
                    sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(
                        sql.Identifier(scratch, table.name), sql.Identifier(table.schema, table.name)
                    )
                )
            cursor.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(scratch)))
            for batch in _batches(facts):
                projection.apply(cursor, batch)
            digest = _digest(cursor, [table._replace(schema=scratch) for table in live])
        connection.rollback()
    return digest


def facts_of(dsn: str, service: str) -> Iterator[Placed]:
    """Yield every fact of a service's own log, shard by shard, in order, as of one moment."""
    with psycopg.connect(conninfo(dsn, APPLICATION)) as connection, connection.cursor(name="facts") as cursor:
        cursor.itersize = BATCH
        cursor.execute("SELECT shard, position, data FROM event ORDER BY shard, position")
        for shard, position, data in cursor:
            yield Placed(service, shard, position, open_fact(unpack(data)))


def _tables(cursor: psycopg.Cursor[Any], projection: Projection) -> list[_Table]:
    tables = []
    for name in projection.tables:
        schema = cursor.execute(_SQL["schema_of"], (name,)).fetchone()
        if schema is None:
            raise ValueError(f"projection {projection.name} names a table that is not there: {name}")
        columns = cursor.execute(_SQL["primary_key"], (f"{schema[0]}.{name}",)).fetchall()
        if not columns:
            raise ValueError(f"table {name} of projection {projection.name} has no primary key")
        tables.append(_Table(schema[0], name, [column for (column,) in columns]))
    return tables


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


def _digest(cursor: psycopg.Cursor[Any], tables: Sequence[_Table]) -> str:
    hashed = hashlib.sha256()
    for table in tables:
        hashed.update(f"{table.name}\n".encode())
        order = sql.SQL(", ").join(sql.Identifier(column) for column in table.primary_key)
        rows = sql.SQL("COPY (SELECT * FROM {} ORDER BY {}) TO STDOUT").format(
            sql.Identifier(table.schema, table.name), order
        )
        with cursor.copy(rows) as copy:
            for data in copy:
                hashed.update(data)
    return hashed.hexdigest()
