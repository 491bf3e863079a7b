"""Which version of each projection is in its tables, and which have to be made anew."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from shared.errors import OwnFault
from shared.eventlog.projections import Projection
from shared.postgres.queries import queries

_SQL = {name: text.encode() for name, text in queries(Path(__file__).with_suffix(".sql")).items()}


class Superseded(OwnFault):
    """A newer version is in the tables: this process must not move the cursors past what it cannot fold."""


def enrol(connection: psycopg.Connection[Any], projections: Sequence[Projection]) -> None:
    """Note what is new, and where an older version stands from now on; nobody folds meanwhile."""
    wanted = [one.name for one in projections], [one.version for one in projections]
    with connection.transaction(), connection.cursor() as cursor:
        live = dict(cursor.execute(_SQL["live"]).fetchall())
        if all(live.get(one.name) == one.version for one in projections):
            return
        cursor.execute(_SQL["lock"])
        cursor.execute(_SQL["begin"], wanted)
        cursor.execute(_SQL["stand_still"], wanted)


def to_fold(cursor: psycopg.Cursor[Any], projections: Sequence[Projection]) -> list[Projection]:
    """Return the projections whose tables hold our version, for the transaction that has moved cursors.

    A newer version raises Superseded. All have been enrolled.
    """
    cursor.execute(_SQL["lock_to_fold"])
    live: dict[str, int] = dict(cursor.execute(_SQL["live"]).fetchall())
    for one in projections:
        if live[one.name] > one.version:
            raise Superseded(f"{one.name} is in version {live[one.name]}, this process knows version {one.version}")
    return [one for one in projections if live[one.name] == one.version]


def due(cursor: psycopg.Cursor[Any], projections: Sequence[Projection]) -> list[Projection]:
    """Return the projections of which an older version, or none, is in the tables, though they have been enrolled."""
    live: dict[str, int] = dict(cursor.execute(_SQL["live"]).fetchall())
    return [one for one in projections if live.get(one.name, one.version) < one.version]
