"""Which journals a shard has, and what all shards together hold of ledger accounts, at named positions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from services.ledger.domain.journal import PREFIX
from services.ledger.domain.proposals import ChangePlan
from services.ledger.projections.balances import Balances
from shared.eventlog.projections import as_of_one_moment, positions_of
from shared.postgres.queries import queries
from shared.postgres.settings import conninfo

SQL = queries(Path(__file__).with_suffix(".sql"))
APPLICATION = "piperoll-ledger-journals"


class Held(msgspec.Struct, frozen=True):
    """Debits less credits of each account that was asked for, from one snapshot of each database."""

    balances_minor: tuple[int, ...]
    positions: dict[str, int]


def journals(dsn: str, shard: int) -> list[str]:
    """Return the streams of a shard's journals."""
    with psycopg.connect(conninfo(dsn, APPLICATION)) as connection:
        rows = connection.execute(SQL["journals"], (shard, PREFIX)).fetchall()
    return [stream for (stream,) in rows]


def held(dsns: Sequence[str], plans: Sequence[ChangePlan], ends: Mapping[int, int]) -> Held | None:
    """Return what is in the accounts of `plans` over all of the ledger's databases, `dsns`.

    None where a shard's projection is not at its log's end in `ends`.
    """
    positions: dict[int, int] = {}
    balances = [0] * len(plans)
    for dsn in dsns:
        reached, minors = _held_in(dsn, plans)
        positions |= reached
        balances = [before + minor for before, minor in zip(balances, minors, strict=True)]
    if any(positions.get(shard, 0) < end for shard, end in ends.items()):
        return None
    return Held(tuple(balances), {str(shard): position for shard, position in sorted(positions.items())})


def _held_in(dsn: str, plans: Sequence[ChangePlan]) -> tuple[dict[int, int], list[int]]:
    """Return how far each shard of one database is folded, and each plan's balance, from one snapshot."""
    columns: list[list[Any]] = [
        [plan.code for plan in plans], [plan.sub_key for plan in plans], [plan.currency for plan in plans],
    ]  # fmt: skip
    with psycopg.connect(conninfo(dsn, APPLICATION)) as connection, connection.cursor() as cursor:
        as_of_one_moment(cursor, Balances())
        positions = positions_of(cursor, Balances.name, Balances.version, "ledger")
        return positions, [int(minor) for _, minor in cursor.execute(SQL["balances"], columns).fetchall()]
