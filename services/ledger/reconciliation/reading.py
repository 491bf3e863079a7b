"""Both sides of the reconciled accounts as of one moment, over all shards, at named positions."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from services.ledger.domain.exceptions import Match, Moved, open_on, payouts_open
from services.ledger.domain.reconciled import ReconcileDay, ReviewExceptions
from services.ledger.projections.reconciliation_lines import ReconciliationLines
from shared.contracts.ledger import ReconciledAccount
from shared.eventlog.projections import as_of_one_moment, positions_of
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
DAYS_LOOKED_AT = 35


class Report(msgspec.Struct, frozen=True):
    """A day of which the processor's report or the bank's statement is taken."""

    account: ReconciledAccount
    sub_key: str
    currency: str
    day: str
    tenant: str
    closing_minor: int
    taken_at: datetime

    @property
    def place(self) -> tuple[str, str, str]:
        """What is reconciled."""
        return (self.account, self.sub_key, self.currency)


class Account(msgspec.Struct, frozen=True):
    """What one account is to be asked: each day in order, and what is open now; `taken_at`: when the newest day was."""

    tenant: str
    taken_at: datetime
    days: tuple[ReconcileDay, ...]
    review: ReviewExceptions


Cursors = Sequence[psycopg.Cursor[Any]]
"""One snapshot of each of the ledger's databases, the one that has the reports first."""


def read(
    connections: Sequence[psycopg.Connection[Any]], shard: int, ends: Mapping[int, int]
) -> tuple[Account, ...] | None:
    """Return the accounts that `shard` has reports of, their newest 35 days, from one snapshot of each database.

    `connections` are to all of the ledger's databases, that of `shard` first. None where a shard's projection has not
    reached its log's end in `ends`.
    """
    with ExitStack() as snapshots:
        cursors = [_snapshot(snapshots, connection) for connection in connections]
        positions: dict[int, int] = {}
        for cursor in cursors:
            positions |= positions_of(cursor, ReconciliationLines.name, ReconciliationLines.version, "ledger")
        if any(positions.get(number, 0) < end for number, end in ends.items()):
            return None
        named = {str(number): position for number, position in sorted(positions.items())}
        reports = [Report(*row) for row in cursors[0].execute(_SQL["reports"], (shard, DAYS_LOOKED_AT)).fetchall()]
        return tuple(
            _account(cursors, account, days, named)
            for _, of_account in groupby(reports, key=lambda report: report.place)
            for days in [list(of_account)]
            for account in _accounts(days[0].account)
        )


def _snapshot(snapshots: ExitStack, connection: psycopg.Connection[Any]) -> psycopg.Cursor[Any]:
    snapshots.enter_context(connection.transaction())
    cursor = snapshots.enter_context(connection.cursor())
    as_of_one_moment(cursor, ReconciliationLines())
    return cursor


def _accounts(reported: ReconciledAccount) -> Iterator[ReconciledAccount]:
    """A processor's report is about what it holds (1125) and what it has paid out (1126)."""
    yield reported
    if reported == "1125":
        yield "1126"


def _account(cursors: Cursors, account: ReconciledAccount, reports: list[Report], positions: dict[str, int]) -> Account:
    newest = reports[-1]
    place = {"account": account, "sub_key": newest.sub_key, "currency": newest.currency}
    book = [(day, int(minor)) for cursor in cursors for day, minor in cursor.execute(_SQL["book_days"], place)]
    matches = _matches(_uneven(cursors, {**place, "since": reports[0].day}))
    found = payouts_open(matches, newest.day) if account == "1126" else open_on(account, matches, newest.day)
    days = tuple(
        ReconcileDay(
            account=account,
            sub_key=report.sub_key,
            day=report.day,
            currency=report.currency,
            book_minor=sum(minor for booked_on, minor in book if booked_on <= report.day),
            outside_minor=None if account == "1126" else report.closing_minor,
            exceptions=open_on(account, matches, report.day),
            positions=positions,
        )
        for report in reports
    )
    review = ReviewExceptions(
        account=account, sub_key=newest.sub_key, currency=newest.currency, found=found, positions=positions
    )
    return Account(newest.tenant, newest.taken_at, days, review)


def _uneven(cursors: Cursors, place: Mapping[str, str]) -> list[tuple[Any, ...]]:
    """Return all lines of the references that are uneven in any of the databases, summed by reference and day."""
    found = [row for cursor in cursors for row in cursor.execute(_SQL["uneven"], place).fetchall()]
    if len(cursors) == 1:
        return found
    asked = {**place, "references": sorted({row[0] for row in found})}
    sides: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for cursor in cursors:
        for reference, day, *figures in cursor.execute(_SQL["moved"], asked).fetchall():
            sides[reference, day].update(dict(enumerate(figures)))
    return [(*where, *(figures[column] for column in range(4))) for where, figures in sorted(sides.items())]


def _matches(rows: list[tuple[Any, ...]]) -> tuple[Match, ...]:
    return tuple(
        Match(
            reference,
            tuple(
                Moved(day, book_count, int(book_minor), outside_count, int(outside_minor))
                for _, day, book_count, book_minor, outside_count, outside_minor in moved
            ),
        )
        for reference, moved in groupby(rows, key=lambda row: row[0])
    )
