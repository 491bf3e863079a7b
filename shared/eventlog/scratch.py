"""Tables of a projection's shape in a schema of their own, and digests of what is in a projection's tables."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from shared.eventlog.projections import Projection
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).parent / "sql" / "rebuild.sql")
LIVE = "public"


def make(cursor: psycopg.Cursor[Any], scratch: str, projection: Projection) -> str:
    """Make the schema with empty tables, in the place of an older one; return the live tables' shape."""
    row = cursor.execute(_SQL["make"], (scratch, list(projection.tables))).fetchone()
    return str(row[0]) if row else ""


@contextmanager
def inside(cursor: psycopg.Cursor[Any], scratch: str) -> Iterator[None]:
    """Have unqualified names mean the scratch tables, within the transaction."""
    cursor.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(scratch)))
    yield
    cursor.execute("SET LOCAL search_path TO DEFAULT")


def digest(cursor: psycopg.Cursor[Any], projection: Projection, schema: str = LIVE) -> str:
    """Return the SHA-256 of all rows of the projection's tables, each ordered by its primary key."""
    hashed = hashlib.sha256()
    for name in projection.tables:
        table = sql.Identifier(schema, name)
        hashed.update(f"{name}\n".encode())
        order = sql.SQL(", ").join(map(sql.Identifier, _primary_key(cursor, projection, f"{schema}.{name}")))
        with cursor.copy(sql.SQL("COPY (SELECT * FROM {} ORDER BY {}) TO STDOUT").format(table, order)) as copy:
            for data in copy:
                hashed.update(data)
    return hashed.hexdigest()


def _primary_key(cursor: psycopg.Cursor[Any], projection: Projection, table: str) -> Sequence[str]:
    columns = [column for (column,) in cursor.execute(_SQL["primary_key"], (table,)).fetchall()]
    if not columns:
        raise ValueError(f"table {table} of projection {projection.name} has no primary key")
    return columns
