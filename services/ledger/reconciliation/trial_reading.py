"""What the books came to at the end of each day, over all shards, at named positions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from services.ledger.domain.trial import DAYS_KEPT, ReportTrialBalance, stream_of
from services.ledger.projections.days import Days
from shared.contracts.direct import TrialBalanceLine
from shared.eventlog.projections import as_of_one_moment, positions_of
from shared.postgres.queries import queries
from shared.postgres.settings import conninfo

_SQL = queries(Path(__file__).with_suffix(".sql"))
APPLICATION = "piperoll-ledger-trial-balance"
ONE_DAY = timedelta(days=1)


class Books(msgspec.Struct, frozen=True):
    """A tenant and its days that have ended, in order, from the first on which anything was booked."""

    tenant: str
    days: tuple[ReportTrialBalance, ...]


def ended_days(
    dsns: Sequence[str], today: date, ends: Mapping[int, int], is_ours: Callable[[str], bool]
) -> tuple[Books, ...] | None:
    """Return the last 400 ended days of the tenants that are ours, from one snapshot of each of the ledger's databases.

    None where a shard's projection has not reached its log's end in `ends`.
    """
    first = today - DAYS_KEPT * ONE_DAY
    positions: dict[int, int] = {}
    moved: dict[str, list[tuple[Any, ...]]] = {}
    for dsn in dsns:
        with psycopg.connect(conninfo(dsn, APPLICATION)) as connection, connection.cursor() as cursor:
            as_of_one_moment(cursor, Days())
            positions |= positions_of(cursor, Days.name, Days.version, "ledger")
            for (tenant,) in cursor.execute(_SQL["tenants"]).fetchall():
                if is_ours(tenant):
                    asked = {"tenant": tenant, "first": first, "today": today}
                    moved.setdefault(tenant, []).extend(cursor.execute(_SQL["days"], asked).fetchall())
    if any(positions.get(shard, 0) < end for shard, end in ends.items()):
        return None
    named = {str(shard): position for shard, position in sorted(positions.items())}
    return tuple(
        Books(tenant, tuple(_days(stream_of(tenant), sorted(rows), first, today, named)))
        for tenant, rows in moved.items()
    )


def _days(
    stream: str, rows: Sequence[tuple[Any, ...]], first: date, today: date, positions: dict[str, int]
) -> Iterator[ReportTrialBalance]:
    """Add up what the days moved. All that is before `first` is on the day before it."""
    moved = {day: list(of_day) for day, of_day in groupby(rows, key=lambda row: row[0])}
    if not moved:
        return
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    day = min(moved)
    while day < today:
        for _, code, currency, debit_minor, credit_minor in moved.get(day, ()):
            debits, credits = sums.get((code, currency), (0, 0))
            sums[code, currency] = (debits + int(debit_minor), credits + int(credit_minor))
        if day >= first:
            lines = tuple(
                TrialBalanceLine(code=code, currency=currency, debit_minor=debits, credit_minor=credits)
                for (code, currency), (debits, credits) in sorted(sums.items())
            )
            yield ReportTrialBalance(account_id=stream, day=day.isoformat(), lines=lines, positions=positions)
        day += ONE_DAY
