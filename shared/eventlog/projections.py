"""Projections: disposable folds of logs into tables, moved in the transaction that moves their cursor."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
import psycopg

from shared.contracts.envelope import Fact


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


def send(cursor: psycopg.Cursor[Any], statement: str, rows: Sequence[Sequence[object]]) -> None:
    """Run a statement over `unnest` once for all rows, its parameters their columns; nothing where there is no row."""
    if rows:
        cursor.execute(statement.encode(), [list(column) for column in zip(*rows, strict=True)])


def send_by_key(cursor: psycopg.Cursor[Any], statement: str, rows: Mapping[Any, Sequence[object]]) -> None:
    """Send one row per key (a text, or a tuple of them), in the keys' order, so that no two batches lock crosswise."""
    send(cursor, statement, [(*(key if isinstance(key, tuple) else (key,)), *rows[key]) for key in sorted(rows)])
